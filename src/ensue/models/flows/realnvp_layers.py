"""The layers of a Real NVP: couplings of rows, and of images by pixels and by channels.

The couplings themselves are in ``ensue.nn.coupling``, what moves a value in
``ensue.nn.elementwise``. Dims: B batch, D values, C channels.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ensue.errors import ConfigError
from ensue.models.flows.density import CLASS_SIZE
from ensue.models.flows.dequantize import LearntNoise, Levels, Rows
from ensue.models.flows.flow import Composition
from ensue.models.flows.realnvp_config import RealNVPConfig
from ensue.models.flows.sizes import beginning, chosen, transform_of
from ensue.models.images import require_facts
from ensue.nn import (
    MLP,
    ActNorm,
    Coupling,
    InvertibleLinear,
    Squeeze,
    alternating_mask,
    checkerboard_mask,
    half_mask,
)
from ensue.nn.coupling import Side
from ensue.nn.multiscale import MultiScale
from ensue.nn.resnet import ConvResNet


def layers_of_rows(config: RealNVPConfig) -> tuple[list[nn.Module], Rows]:
    """Layers that begin with the data, couplings, and where asked for maps between every two."""
    D = config.num_features
    if D is None:
        raise ConfigError("a Real NVP needs num_features, the number of values of an item")
    entry = Rows(D, config.grid, config.limits)
    if config.masks:
        return _by_masks(config, D), entry
    if D == 1:
        raise ConfigError(
            "a Real NVP moves some values by others, and there is one; take maf, or more columns"
        )
    if config.mixing and chosen(config.depth) < 3:
        raise ConfigError(f"mixing is of every two couplings, and depth is {config.depth}; take 3")
    mask = (alternating_mask if config.mask == "alternating" else half_mask)(D)
    transform, networks = transform_of(config), _networks_of_rows(config, mask)
    layers = beginning(config, D)
    if not config.mixing:
        return [*layers, Coupling(mask, networks, transform)], entry
    for i in range(0, chosen(config.depth), 2):
        layers += [Coupling(mask, networks[i : i + 2], transform), InvertibleLinear(D, seed=i)]
    return layers[:-1], entry


def _networks_of_rows(config: RealNVPConfig, mask: Tensor) -> list[MLP]:
    """A network for each coupling, from what a mask keeps to what moves the others, in turn."""
    num_kept = int(mask.sum())
    sizes, num_parameters = (num_kept, len(mask) - num_kept), transform_of(config).num_parameters
    return [
        MLP(
            sizes[i % 2],
            num_parameters * sizes[1 - i % 2],
            hidden_sizes=chosen(config.hidden_sizes),
            activation=config.activation,
            context_size=CLASS_SIZE if config.classes else 0,
            dropout=chosen(config.dropout),
        )
        for i in range(chosen(config.depth))
    ]


def _by_masks(config: RealNVPConfig, num_features: int) -> list[nn.Module]:
    """A coupling by each mask, with networks of whole rows for the scale and for the shift."""
    D, E = num_features, CLASS_SIZE if config.classes else 0
    shape: Any = {
        "hidden_sizes": chosen(config.hidden_sizes),
        "activation": config.activation,
    }
    return [
        Coupling(
            torch.tensor([kept == "1" for kept in mask]),
            [Side(*(MLP(D, D, context_size=E, **shape) for _ in range(2)))],
            transform_of(config),
            whole_items=True,
        )
        for mask in config.masks
    ]


def layers_of_images(config: RealNVPConfig) -> tuple[list[nn.Module], Levels]:
    """Scales of couplings by pixels and, once squares became channels, by channels."""
    shape, num_levels = require_facts(config)
    if config.mixing and config.num_scales == 1:
        raise ConfigError("mixing is of squeezed images, and with num_scales 1 none are; take 2")
    C, H, W = shape
    scales: list[nn.Module] = []
    shapes = []
    for i in range(config.num_scales):
        layers: list[nn.Module] = [ActNorm(C), _pixels(config, (C, H, W))]
        if i < config.num_scales - 1:
            if H % 2 or W % 2:
                raise ConfigError(
                    f"images of {shape[1]} by {shape[2]} can be halved {i} times, for "
                    f"{i + 1} scales; num_scales is {config.num_scales}"
                )
            C, H, W = 4 * C, H // 2, W // 2
            mixed = [InvertibleLinear(C, seed=i)] if config.mixing else []
            layers += [Squeeze(), *mixed, _channels(config, C)]
        scales.append(Composition(layers))
        shapes.append((C, H, W))
        C = C // 2
    noise = _noise(config, shape) if config.dequantization == "variational" else None
    return [MultiScale(scales, shapes)], Levels(shape, num_levels, alpha=config.alpha, noise=noise)


def _noise(config: RealNVPConfig, shape: tuple[int, int, int]) -> LearntNoise:
    """Couplings of the noise that enters, which read the image together with what they keep."""
    return LearntNoise(_pixels(config, shape, beside=shape[0]))


def _pixels(config: RealNVPConfig, shape: tuple[int, int, int], *, beside: int = 0) -> Coupling:
    """Couplings that keep every other pixel; images of one pixel have channels only."""
    if shape[1] * shape[2] == 1:
        return _channels(config, shape[0], beside=beside)
    C, transform = shape[0], transform_of(config)
    networks = [
        _network(config, C, transform.num_parameters * C, beside)
        for _ in range(chosen(config.depth))
    ]
    return Coupling(checkerboard_mask(shape), networks, transform)


def _channels(config: RealNVPConfig, channels: int, *, beside: int = 0) -> Coupling:
    """Couplings that keep half of the channels."""
    mask, transform = half_mask(channels), transform_of(config)
    sizes = int(mask.sum()), channels - int(mask.sum())
    networks = [
        _network(config, sizes[i % 2], transform.num_parameters * sizes[1 - i % 2], beside)
        for i in range(chosen(config.depth))
    ]
    return Coupling(mask, networks, transform)


def _network(config: RealNVPConfig, a: int, b: int, beside: int) -> nn.Module:
    """Residual convolutions of a to b channels; the context is an image of some, or a class."""
    inside = {"channels": config.channels, "num_blocks": config.num_blocks}
    if beside:
        return _Beside(ConvResNet(a + beside, b, **inside))
    return ConvResNet(a, b, **inside, context_size=CLASS_SIZE if config.classes else 0)


class _Beside(nn.Module):
    """A network that reads its context in more channels."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        return self.network(torch.cat([x, context], dim=1))
