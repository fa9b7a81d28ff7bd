"""All that a density of items allows, by the layers that each family of flows makes.

Dims: B batch, D values.
"""

import math
from abc import ABC
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ensue.data.batches import Batch
from ensue.errors import ConfigError
from ensue.models.condition import class_condition
from ensue.models.flows.density import CLASS_SIZE, Density
from ensue.models.flows.dequantize import Levels, Rows
from ensue.models.flows.distribution import FlowDistribution
from ensue.models.flows.flow import Flow, StandardNormal
from ensue.models.images import require_no_lengths
from ensue.models.protocols import Features, Loss, Samples, Score
from ensue.models.saved import SavedModel

ITEMS_STANDARDIZED, ROWS_FITTED = 256, 100_000
"""Images, and rows of a table, that a flow looks at before its first step, at most."""


class FlowModel(nn.Module, SavedModel, ABC):
    r"""Abstract: a density of items by the change of variables.

    .. math:: \log p(x) = \log \mathcal{N}(f(x); 0, I)
              + \log \left| \det \frac{\partial f}{\partial x} \right|

    A final class makes the layers of f from its settings.

    Args:
        config: The settings, with ``noise``, ``classes`` and ``condition_hidden``.
        layers: Of f, each a :class:`ensue.models.flows.flow.Transform`.
        entry: What items are, and how they enter the flow.
    """

    shortest = shortest_item = 1

    def __init__(self, config: Any, layers: Sequence[nn.Module], entry: Rows | Levels) -> None:
        super().__init__()
        self.config = config
        flow = Flow(layers, StandardNormal(math.prod(entry.shape)))
        classes = class_condition(config.classes, CLASS_SIZE, hidden=config.condition_hidden)
        self.density = Density(flow, entry, noise=config.noise, classes=classes)

    @property
    def flow(self) -> Flow:
        """The layers."""
        return self.density.flow

    def untrained_variants(self) -> dict[str, Any]:
        """Settings to compare a trained flow with: a new one, which is the identity."""
        return {"the identity": self.config}

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Values that enter the flow, of classes (B,), to z and (B,) log-determinant of dz/dx."""
        return self.density.flow(x, self.density.context(condition, len(x)))

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, D) z, of classes (B,), to x and (B,) log-determinant of dx/dz."""
        return self.density.flow.inverse(z, self.density.context(condition, len(z)))

    def items_of(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Items of points z (B, D) of the base, of classes (B,)."""
        return self.density.entry.collect(self.inverse(z, condition)[0])

    def log_prob(
        self, x: Tensor, lengths: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """Nats (B,) of items (B, D): log-densities, or lower bounds where values come in steps.

        Raises:
            ConfigError: ``lengths`` are given; items have a fixed shape here. Or the condition is
                no class.
            DataError: The items are of another width.
        """
        require_no_lengths(lengths)
        return self.density.log_prob(x, condition)

    def score(
        self, x: Tensor, lengths: Tensor | None = None, *, condition: Tensor | None = None
    ) -> Score:
        """The same, with the kind of number that it is."""
        require_no_lengths(lengths)
        return self.density.score(x, condition)

    def loss(self, batch: Batch, *, step: int) -> Loss:
        """Negative log-likelihood, summed over the batch.

        Args:
            batch: ``x`` (B, D).
            step: What is random is a function of the item and the step.
        """
        require_no_lengths(batch.lengths)
        return self.density.loss(batch, step=step)

    def encode(
        self, x: Tensor, lengths: Tensor | None = None, *, condition: Tensor | None = None
    ) -> Features:
        """The embedding is z = f(x), of the same width as x."""
        require_no_lengths(lengths)
        return self.density.encode(x, condition)

    def sample(
        self,
        num: int,
        *,
        condition: Tensor | None = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Samples:
        """Draw items.

        Args:
            num: How many.
            condition: A class, or classes (num,); None draws from all.
            temperature: The base's standard deviation.
            generator: Of the draw.

        Raises:
            ConfigError: ``num`` or ``temperature`` is negative, or the condition is no class.
        """
        if num < 0 or temperature < 0:
            raise ConfigError(f"num={num} and temperature={temperature} must not be negative")
        z = self.flow.base.sample(num, generator=generator) * temperature
        return self.density.samples_of(z, condition)

    def rsample(self, num: int, *, condition: Tensor | None = None) -> Tensor:
        """Continuous items (num, D), with gradients to the parameters."""
        return self.density.rsample(num, condition=condition)

    def sample_and_log_prob(
        self, num: int, *, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Continuous items (num, D) and their nats (num,), in one pass, with gradients."""
        return self.density.sample_and_log_prob(num, condition=condition)

    def distribution(self, condition: Tensor | None = None) -> FlowDistribution:
        """The density as a distribution of torch, one for each class of ``condition`` (...)."""
        return self.density.distribution(condition)

    @property
    def num_standardized(self) -> int:
        """Items that :meth:`standardize` looks at, at most."""
        return ROWS_FITTED if len(self.density.entry.shape) == 1 else ITEMS_STANDARDIZED

    def standardize(self, batch: Batch) -> None:
        """Set the layers that begin with data by a first batch, before training."""
        self.density.standardize(batch)
