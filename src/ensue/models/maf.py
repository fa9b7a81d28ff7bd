"""MAF: a density from masked autoregressive layers (Papamakarios et al. 2017, arXiv 1705.07057).

The layers stand in ``ensue.nn.autoregressive``; what families of flows share is in
``models.density``. Dims: B batch, D values.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

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
from ensue.models.sizes import (
    DROPOUT,
    MARGINAL_BINS,
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
from ensue.nn import Affine, Spline
from ensue.nn.autoregressive import Autoregressive, MaskedMLP
from ensue.nn.invertible import Raster
from ensue.nn.mlp import Activation

DEPTH = 5
"""Layers, where nothing else is asked for; those of the benchmark ``tables``."""


@dataclass(frozen=True, kw_only=True)
class MAFConfig:
    """Settings of a masked autoregressive flow; open sizes follow the rows (``models.sizes``)."""

    __pydantic_config__ = STRICT
    older: ClassVar[Mapping[str, Any]] = PLAIN

    format: Format = 1
    family: Literal["maf"] = "maf"
    depth: Annotated[
        int | None, Field(gt=0, description="number of layers; none: 5, or by the number of rows")
    ] = None
    hidden_sizes: Annotated[
        tuple[Annotated[int, Field(gt=0)], ...] | None,
        Field(description="widths of the layers of each network; none: by the number of rows"),
    ] = None
    start: Annotated[Start, START] = None
    marginal_bins: Annotated[int | None, MARGINAL_BINS] = None
    dropout: Annotated[float | None, DROPOUT] = None
    activation: Annotated[Activation, Field(description="between the layers of a network")] = "relu"
    transform: Annotated[Transform, TRANSFORM] = None
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
    limits: tuple[tuple[float | None, float | None], ...] = from_data(())
    num_tokens: Annotated[int | None, Field(gt=0)] = from_data()
    bos: Annotated[int | None, Field(ge=0)] = from_data()
    shape: Annotated[tuple[int, int, int] | None, Field()] = from_data()
    classes: tuple[str, ...] = from_data(())

    def __post_init__(self) -> None:
        refuse_other_transform(self)
        if self.shape is not None:
            refuse_sizes(self, ("start", "marginal_bins"), "rows of tables")
        elif self.num_features is not None:
            refuse_unread(self, {"alpha": "images"})

    def suited(self, num_rows: int) -> "MAFConfig":
        """Set the sizes that were left open to suit the number of rows; of images, none."""
        if self.shape is not None or self.num_features is None:
            return self
        return for_rows(self, num_rows, depth=DEPTH, narrowest=self.num_features - 1)


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
        config = sized(validate(MAFConfig, config, section="model"), {"depth": DEPTH, **PLAIN})
        self.config = config
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
    num_standardized = property(by_density.num_standardized)
    standardize = by_density.standardize


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
        entry = Rows(D, config.grid, config.limits)
        layers += beginning(config, D)
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
                hidden_sizes=chosen(config.hidden_sizes),
                activation=config.activation,
                context_size=CLASS_SIZE if config.classes else 0,
                dropout=chosen(config.dropout),
            ),
            torch.arange(D) if i % 2 == 0 else torch.arange(D).flip(0),
            transform,
        )
        for i in range(chosen(config.depth))
    ]
    return layers, entry
