"""Real NVP: a density and a sampler from couplings (Dinh et al. 2017, arXiv 1605.08803).

The couplings stand in ``ensue.nn.coupling``, what moves a value in ``ensue.nn.elementwise``; what
families of flows share is in ``models.density``. Dims: B batch, D values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ensue.configuration import STRICT, Format, from_data, refuse_unread, validate
from ensue.errors import ConfigError
from ensue.models import by_density
from ensue.models.condition import class_condition
from ensue.models.density import CLASS_SIZE, Density
from ensue.models.dequantize import LearntNoise, Levels, Rows
from ensue.models.flow import Flow
from ensue.models.foreign import load_renamed, rename_nvpnet
from ensue.models.images import require_facts
from ensue.models.saved import SavedModel
from ensue.models.sizes import (
    DROPOUT,
    MARGINAL_BINS,
    OF_ROWS,
    PLAIN,
    START,
    TRANSFORM,
    Start,
    Transform,
    beginning,
    chosen,
    for_rows,
    refuse_other_transform,
    refuse_sizes,
    sized,
)
from ensue.nn import (
    MLP,
    ActNorm,
    Affine,
    Coupling,
    InvertibleLinear,
    Spline,
    Squeeze,
    alternating_mask,
    checkerboard_mask,
    half_mask,
)
from ensue.nn.coupling import Side
from ensue.nn.mlp import Activation
from ensue.nn.multiscale import MultiScale
from ensue.nn.resnet import ConvResNet

DEPTH = 8
"""Couplings, where nothing else is asked for; those of the benchmark ``tables``."""


@dataclass(frozen=True, kw_only=True)
class RealNVPConfig:
    """Settings of a Real NVP; sizes that are left open follow the rows (``models.sizes``)."""

    __pydantic_config__ = STRICT
    older: ClassVar[Mapping[str, Any]] = PLAIN

    format: Format = 1
    family: Literal["realnvp"] = "realnvp"
    depth: Annotated[
        int | None,
        Field(
            gt=0,
            description="number of couplings, of images by each mask of each scale; none: 8, or "
            "by the number of rows",
        ),
    ] = None
    hidden_sizes: Annotated[
        tuple[Annotated[int, Field(gt=0)], ...] | None,
        Field(
            description="rows: widths of the layers of each network; none: by the number of rows"
        ),
    ] = None
    start: Annotated[Start, START] = None
    marginal_bins: Annotated[int | None, MARGINAL_BINS] = None
    dropout: Annotated[float | None, DROPOUT] = None
    activation: Annotated[
        Activation, Field(description="rows: between the layers of a network")
    ] = "relu"
    mask: Annotated[
        Literal["alternating", "half"],
        Field(description="rows: what a coupling keeps, every other value or one half"),
    ] = "alternating"
    channels: Annotated[
        int, Field(gt=0, description="images: channels inside each residual network")
    ] = 32
    num_blocks: Annotated[
        int, Field(ge=0, description="images: residual blocks of each network")
    ] = 2
    num_scales: Annotated[
        int, Field(gt=0, description="images: scales; after each but the last half is done")
    ] = 2
    alpha: Annotated[
        float,
        Field(gt=0, lt=0.5, description="images: keeps levels from the ends of the logit"),
    ] = 0.05
    dequantization: Annotated[
        Literal["uniform", "variational"],
        Field(description="images: noise of a level, alike everywhere or learnt by a flow"),
    ] = "uniform"
    transform: Annotated[Transform, TRANSFORM] = None
    scale_bound: Annotated[
        float | None,
        Field(gt=0, description="affine: the logarithm of a scale stays below it; none: any"),
    ] = 1.0
    num_bins: Annotated[int, Field(gt=1, description="spline: bins")] = 8
    spline_bound: Annotated[
        float, Field(gt=0, description="spline: what is larger stays where it is")
    ] = 5.0
    mixing: Annotated[
        bool,
        Field(
            description="an invertible linear map after every two couplings of rows, and of the "
            "channels of squeezed images"
        ),
    ] = False
    noise: Annotated[
        float, Field(ge=0, description="deviation of noise on the standardized rows of training")
    ] = 0.0
    condition_hidden: Annotated[
        float, Field(gt=0, le=1, description="part of the items whose class is hidden in training")
    ] = 0.1
    num_features: Annotated[int | None, Field(ge=1)] = from_data()
    masks: tuple[Annotated[str, Field(pattern="^[01]+$")], ...] = from_data(())
    grid: tuple[tuple[float, float, int], ...] = from_data(())
    limits: tuple[tuple[float | None, float | None], ...] = from_data(())
    num_tokens: Annotated[int | None, Field(gt=0)] = from_data()
    bos: Annotated[int | None, Field(ge=0)] = from_data()
    shape: Annotated[tuple[int, int, int] | None, Field()] = from_data()
    classes: tuple[str, ...] = from_data(())

    def __post_init__(self) -> None:
        refuse_other_transform(self)
        if self.masks:
            refuse_sizes(
                self, ("start", "marginal_bins", "dropout"), "couplings without masks of their own"
            )
            refuse_unread(
                self, dict.fromkeys(("mask", "mixing"), "couplings with masks of their own")
            )
            if self.transform == "spline":
                raise ConfigError(
                    "couplings with masks of their own are affine, and transform is spline"
                )
            if {len(m) for m in self.masks} != {self.num_features} or len(self.masks) != self.depth:
                raise ConfigError(
                    f"masks are {', '.join(self.masks)}; they must be {self.depth} (depth), each "
                    f"of {self.num_features} values (num_features)"
                )
        if self.shape is not None:
            refuse_sizes(self, OF_ROWS, "rows of tables")
            refuse_unread(self, dict.fromkeys(("activation", "mask"), "rows of tables"))
        elif self.num_features is not None:
            of_images = ("channels", "num_blocks", "num_scales", "alpha", "dequantization")
            refuse_unread(self, dict.fromkeys(of_images, "images"))

    def suited(self, num_rows: int) -> "RealNVPConfig":
        """Set the sizes that were left open to suit the number of rows; of images, none."""
        return self if self.shape is not None else for_rows(self, num_rows, depth=DEPTH)


class RealNVP(
    nn.Module,
    SavedModel,
    library_name="ensue",
    license="apache-2.0",
    tags=["real-nvp", "normalizing-flow", "density-estimation"],
):
    r"""Real NVP with a mask and its complement in turn.

    .. math:: \log p(x) = \log \mathcal{N}(z; 0, I) + \sum_l \sum_j (1 - b_{lj}) s_{lj}

    (eq. 6 and 9, ibid.; the couplings are given in :class:`ensue.nn.coupling.Coupling`. With
    splines, 1906.04032, the logarithms of their slopes stand for s.)

    Args:
        config: The settings, with ``num_features`` D.

    Raises:
        ConfigError: A setting is wrong.

    Example:
        >>> model = RealNVP(RealNVPConfig(num_features=2))
        >>> model.log_prob(torch.zeros(1, 2))  # the identity before training
        tensor([-1.8379], grad_fn=<AddBackward0>)
        >>> model.sample(3).values.shape
        torch.Size([3, 2])
    """

    def __init__(self, config: RealNVPConfig) -> None:
        super().__init__()
        config = sized(validate(RealNVPConfig, config, section="model"), {"depth": DEPTH, **PLAIN})
        self.config = config
        layers, entry = _of_images(config) if config.shape else _of_rows(config)
        classes = class_condition(config.classes, CLASS_SIZE, hidden=config.condition_hidden)
        self.density = Density(Flow(layers), entry, noise=config.noise, classes=classes)

    shortest = shortest_item = 1

    @classmethod
    def from_nvpnet(cls, state_dict: Mapping[str, Tensor]) -> "RealNVP":
        r"""A Real NVP from the weights of an ``NVPNet``: two tanh networks and a mask a coupling.

        .. math:: y = b \odot x + (1 - b) \odot (x \odot \exp s(b \odot x) + t(b \odot x))

        from the data x to the base, with any zeros and ones as the mask b of each coupling. The
        model is of the weights' precision, and is trained, saved and loaded as any other.

        Args:
            state_dict: With the keys ``layers.{i}.b`` (1, D) or (D,), ``layers.{i}.map_s.{0,2}.*``
                and ``layers.{i}.map_t.{0,2}.*``, from D to H and from H to D features.

        Raises:
            ConfigError: Keys are missing or unknown, a mask isn't of 0 and 1, or sizes don't fit.

        Example:
            >>> parts = {"0.weight": (4, 2), "0.bias": (4,), "2.weight": (2, 4), "2.bias": (2,)}
            >>> weights = {"layers.0.b": torch.tensor([[1.0, 0.0]])}
            >>> for part, shape in parts.items():
            ...     for m in ("s", "t"):
            ...         weights[f"layers.0.map_{m}.{part}"] = torch.zeros(shape)
            >>> model = RealNVP.from_nvpnet(weights)
            >>> model.config.masks
            ('10',)
        """
        settings, weights = rename_nvpnet(state_dict)
        model = cls(RealNVPConfig(**settings))
        load_renamed(model, weights, "an NVPNet")
        return model

    # What all flows do stands once, in ``models.by_density``.
    flow = property(by_density.flow)
    untrained_variants = by_density.untrained_variants
    forward = by_density.forward
    inverse = by_density.inverse
    log_prob = by_density.log_prob
    score = by_density.score
    loss = by_density.loss
    encode = by_density.encode
    sample = by_density.sample
    rsample = by_density.rsample
    sample_and_log_prob = by_density.sample_and_log_prob
    distribution = by_density.distribution

    num_standardized = property(by_density.num_standardized)
    standardize = by_density.standardize


def _of_rows(config: RealNVPConfig) -> tuple[list[nn.Module], Rows]:
    """Layers that begin with the data, couplings, and where asked for maps between every two."""
    D = config.num_features
    if D is None:
        raise ConfigError("a Real NVP needs num_features, the number of values of an item")
    if config.masks:
        return _of_masks(config, D), Rows(D, config.grid, config.limits)
    if D == 1:
        raise ConfigError(
            "a Real NVP moves some values by others, and there is one; take maf, or more columns"
        )
    if config.mixing and chosen(config.depth) < 3:
        raise ConfigError(f"mixing is of every two couplings, and depth is {config.depth}; take 3")
    mask = (alternating_mask if config.mask == "alternating" else half_mask)(D)
    sizes = int(mask.sum()), D - int(mask.sum())
    transform, entry = _transform(config), Rows(D, config.grid, config.limits)
    networks = [
        MLP(
            sizes[i % 2],
            transform.num_parameters * sizes[1 - i % 2],
            hidden_sizes=chosen(config.hidden_sizes),
            activation=config.activation,
            context_size=CLASS_SIZE if config.classes else 0,
            dropout=chosen(config.dropout),
        )
        for i in range(chosen(config.depth))
    ]
    layers = beginning(config, D)
    if not config.mixing:
        return [*layers, Coupling(mask, networks, transform)], entry
    for i in range(0, chosen(config.depth), 2):
        layers += [Coupling(mask, networks[i : i + 2], transform), InvertibleLinear(D, seed=i)]
    return layers[:-1], entry


def _of_masks(config: RealNVPConfig, num_features: int) -> list[nn.Module]:
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
            _transform(config),
            whole_items=True,
        )
        for mask in config.masks
    ]


def _of_images(config: RealNVPConfig) -> tuple[list[nn.Module], Levels]:
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
        scales.append(Flow(layers))
        shapes.append((C, H, W))
        C = C // 2
    noise = _noise(config, shape) if config.dequantization == "variational" else None
    return [MultiScale(scales, shapes)], Levels(shape, num_levels, alpha=config.alpha, noise=noise)


def _noise(config: RealNVPConfig, shape: tuple[int, int, int]) -> LearntNoise:
    """Couplings of the noise that enters, which read the image beside what they keep."""
    return LearntNoise(_pixels(config, shape, beside=shape[0]))


def _pixels(config: RealNVPConfig, shape: tuple[int, int, int], *, beside: int = 0) -> Coupling:
    """Couplings that keep every other pixel; images of one pixel have channels only."""
    if shape[1] * shape[2] == 1:
        return _channels(config, shape[0], beside=beside)
    C, transform = shape[0], _transform(config)
    networks = [
        _network(config, C, transform.num_parameters * C, beside)
        for _ in range(chosen(config.depth))
    ]
    return Coupling(checkerboard_mask(shape), networks, transform)


def _channels(config: RealNVPConfig, channels: int, *, beside: int = 0) -> Coupling:
    """Couplings that keep half of the channels."""
    mask, transform = half_mask(channels), _transform(config)
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


def _transform(config: RealNVPConfig) -> Affine | Spline:
    if config.transform == "affine":
        return Affine(config.scale_bound)
    return Spline(config.num_bins, config.spline_bound)
