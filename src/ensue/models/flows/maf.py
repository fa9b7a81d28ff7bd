"""MAF: a density from masked autoregressive layers (Papamakarios et al. 2017, arXiv 1705.07057).

The layers are in ``ensue.nn.autoregressive``, what all flows do in ``model``.
Dims: B batch, D values.
"""

import math

import torch
from torch import nn

from ensue.configuration import validate
from ensue.errors import ConfigError
from ensue.models.flows.density import CLASS_SIZE
from ensue.models.flows.dequantize import Levels, Rows
from ensue.models.flows.maf_config import DEPTH, MAFConfig
from ensue.models.flows.model import FlowModel
from ensue.models.flows.sizes import PLAIN, beginning, chosen, sized, transform_of
from ensue.models.images import require_facts
from ensue.nn.autoregressive import Autoregressive, MaskedMLP
from ensue.nn.invertible import Raster


class MAF(
    FlowModel,
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
        config = sized(validate(MAFConfig, config, section="model"), {"depth": DEPTH, **PLAIN})
        super().__init__(config, *_layers(config))


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
    transform = transform_of(config)
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
