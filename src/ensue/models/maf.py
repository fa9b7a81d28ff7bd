"""MAF: a density from masked autoregressive layers (Papamakarios et al. 2017, arXiv 1705.07057).

The layers stand in ``ensue.nn.autoregressive``; what families of flows share is in
``models.density``. Dims: B batch, D values.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from ensue.configuration import STRICT, Format, from_data, refuse_unread, validate
from ensue.errors import ConfigError
from ensue.models import by_density
from ensue.models.condition import class_condition
from ensue.models.density import CLASS_SIZE, Density
from ensue.models.dequantize import Levels, Rows
from ensue.models.flow import Flow
from ensue.models.images import require_facts
from ensue.models.saved import SavedModel
from ensue.nn import Affine, Spline
from ensue.nn.autoregressive import Autoregressive, MaskedMLP
from ensue.nn.invertible import Raster
from ensue.nn.mlp import Activation


@dataclass(frozen=True, kw_only=True)
class MAFConfig:
    """Settings of a masked autoregressive flow, with the defaults of the benchmark ``tables``."""

    __pydantic_config__ = STRICT

    format: Format = 1
    family: Literal["maf"] = "maf"
    depth: Annotated[int, Field(gt=0, description="number of layers")] = 5
    hidden_sizes: Annotated[
        tuple[Annotated[int, Field(gt=0)], ...],
        Field(description="widths of the layers of each network"),
    ] = (64, 64)
    activation: Annotated[Activation, Field(description="between the layers of a network")] = "relu"
    transform: Annotated[
        Literal["affine", "spline"],
        Field(description="how a value is moved: scaled and shifted, or by a monotonic spline"),
    ] = "affine"
    scale_bound: Annotated[
        float | None,
        Field(gt=0, description="affine: the logarithm of a scale stays below it; none: any"),
    ] = 3.0
    num_bins: Annotated[int, Field(gt=1, description="spline: bins")] = 8
    spline_bound: Annotated[
        float, Field(gt=0, description="spline: what is larger stays where it is")
    ] = 5.0
    alpha: Annotated[
        float,
        Field(gt=0, lt=0.5, description="images: keeps levels from the ends of the logit"),
    ] = 0.05
    noise: Annotated[
        float, Field(ge=0, description="deviation of noise on the standardized rows of training")
    ] = 0.0
    condition_hidden: Annotated[
        float, Field(gt=0, le=1, description="part of the items whose class is hidden in training")
    ] = 0.1
    num_features: Annotated[int | None, Field(ge=1)] = from_data()
    grid: tuple[tuple[float, float, int], ...] = from_data(())
    num_tokens: Annotated[int | None, Field(gt=0)] = from_data()
    bos: Annotated[int | None, Field(ge=0)] = from_data()
    shape: Annotated[tuple[int, int, int] | None, Field()] = from_data()
    classes: tuple[str, ...] = from_data(())

    def __post_init__(self) -> None:
        other = {
            "affine": dict.fromkeys(("num_bins", "spline_bound"), "the transform spline"),
            "spline": {"scale_bound": "the transform affine"},
        }
        refuse_unread(self, other.get(self.transform, {}))
        if self.num_features is not None:
            refuse_unread(self, {"alpha": "images"})


class MAF(
    nn.Module,
    SavedModel,
    library_name="ensue",
    license="apache-2.0",
    tags=["masked-autoregressive-flow", "normalizing-flow", "density-estimation"],
):
    r"""A masked autoregressive flow: the order of the values is turned around from layer to layer.

    .. math:: \log p(x) = \log \mathcal{N}(z; 0, I)
              + \sum_l \sum_j \log |\tau'(x_{lj}; \theta_{lj})|

    (eq. 4 and 5, ibid.; the layers are given in :class:`ensue.nn.autoregressive.Autoregressive`.)
    A density is one pass of each layer, a sample D of them.

    Args:
        config: The settings, with ``num_features`` D.

    Raises:
        ConfigError: A setting is wrong.

    Example:
        >>> model = MAF(MAFConfig(num_features=2))
        >>> model.log_prob(torch.zeros(1, 2))  # the identity before training
        tensor([-1.8379], grad_fn=<AddBackward0>)
        >>> model.sample(3).values.shape
        torch.Size([3, 2])
    """

    def __init__(self, config: MAFConfig) -> None:
        super().__init__()
        self.config = config = validate(MAFConfig, config, section="model")
        layers, entry = _layers(config)
        classes = class_condition(config.classes, CLASS_SIZE, hidden=config.condition_hidden)
        self.density = Density(Flow(layers), entry, noise=config.noise, classes=classes)

    shortest = shortest_item = 1

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


def _layers(config: MAFConfig) -> tuple[list[nn.Module], Rows | Levels]:
    """Layers in the order of the columns, or of pixels, and the other way round, in turn."""
    layers: list[nn.Module] = []
    if config.shape is not None:
        shape, num_levels = require_facts(config)
        entry: Rows | Levels = Levels(shape, num_levels, alpha=config.alpha)
        D = math.prod(shape)
        layers.append(Raster(shape))
    elif config.num_features is not None:
        D = config.num_features
        entry = Rows(D, config.grid)
    else:
        raise ConfigError("a MAF needs num_features, the number of values of an item")
    if config.transform == "affine":
        transform: Affine | Spline = Affine(config.scale_bound)
    else:
        transform = Spline(config.num_bins, config.spline_bound)
    layers += [
        Autoregressive(
            MaskedMLP(
                D,
                transform.num_parameters,
                hidden_sizes=config.hidden_sizes,
                activation=config.activation,
                context_size=CLASS_SIZE if config.classes else 0,
            ),
            torch.arange(D) if i % 2 == 0 else torch.arange(D).flip(0),
            transform,
        )
        for i in range(config.depth)
    ]
    return layers, entry
