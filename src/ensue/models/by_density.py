"""What every family of flows does, by the ``density`` that it has: methods, each written once.

A family's class takes them up by name. Dims: B batch, D values.
"""

from typing import Any, Protocol

import torch
from torch import Tensor

from ensue.data.batches import Batch
from ensue.models.density import Density
from ensue.models.flow import Flow, FlowDistribution
from ensue.models.images import require_no_lengths
from ensue.models.protocols import Features, Loss, Samples, Score

ITEMS_STANDARDIZED, ROWS_FITTED = 256, 100_000
"""Images, and rows of a table, that a flow looks at before its first step, at most."""


class _Family(Protocol):
    config: Any
    density: Density


def flow(self: _Family) -> Flow:
    """The layers."""
    return self.density.flow


def untrained_variants(self: _Family) -> dict[str, Any]:
    """What to compare a trained flow with: a new one, which is the identity."""
    return {"the identity": self.config}


def forward(self: _Family, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """What enters the flow, of classes (B,), to z and (B,) log-determinant of dz/dx."""
    return self.density.flow(x, self.density.context(condition, len(x)))


def inverse(self: _Family, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(B, D) z, of classes (B,), to x and (B,) log-determinant of dx/dz."""
    return self.density.flow.inverse(z, self.density.context(condition, len(z)))


def log_prob(
    self: _Family, x: Tensor, lengths: Tensor | None = None, condition: Tensor | None = None
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
    self: _Family, x: Tensor, lengths: Tensor | None = None, *, condition: Tensor | None = None
) -> Score:
    """The same, with the kind of number that it is."""
    require_no_lengths(lengths)
    return self.density.score(x, condition)


def loss(self: _Family, batch: Batch, *, step: int) -> Loss:  # noqa: D417
    """Negative log-likelihood, summed over the batch.

    Args:
        batch: ``x`` (B, D).
        step: What is random is a function of the item and the step.
    """
    require_no_lengths(batch.lengths)
    return self.density.loss(batch, step=step)


def encode(
    self: _Family, x: Tensor, lengths: Tensor | None = None, *, condition: Tensor | None = None
) -> Features:
    """The embedding is z = f(x), of the same width as x."""
    require_no_lengths(lengths)
    return self.density.encode(x, condition)


def sample(  # noqa: D417
    self: _Family,
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
    return self.density.sample(
        num, condition=condition, temperature=temperature, generator=generator
    )


def rsample(self: _Family, num: int, *, condition: Tensor | None = None) -> Tensor:
    """Continuous items (num, D), with gradients to the parameters."""
    return self.density.rsample(num, condition=condition)


def sample_and_log_prob(
    self: _Family, num: int, *, condition: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Continuous items (num, D) and their nats (num,), in one pass, with gradients."""
    return self.density.sample_and_log_prob(num, condition=condition)


def distribution(self: _Family, condition: Tensor | None = None) -> FlowDistribution:
    """The density as a distribution of torch, one for each class of ``condition`` (...)."""
    return self.density.distribution(condition)


def num_standardized(self: _Family) -> int:
    """Items that :meth:`standardize` looks at, at most."""
    return ROWS_FITTED if len(self.density.entry.shape) == 1 else ITEMS_STANDARDIZED


def standardize(self: _Family, batch: Batch) -> None:
    """Set the layers that begin with data by a first batch, before training."""
    self.density.standardize(batch)
