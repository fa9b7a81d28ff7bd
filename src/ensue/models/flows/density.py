"""Densities, losses and samples of items, by a flow.

What enters a flow is in ``dequantize``. Dims: B batch, D values, S draws, E context.
"""

import math

import torch
from torch import Tensor, nn

from ensue.data.batches import Batch
from ensue.models.condition import ClassCondition, for_each, vectors_of
from ensue.models.flows.dequantize import Levels, Rows, whole
from ensue.models.flows.distribution import FlowDistribution
from ensue.models.flows.flow import Flow
from ensue.models.protocols import Features, Loss, Samples, Score
from ensue.nn.hashed import uniform_of

CLASS_SIZE = 16
"""Numbers that stand for a class."""

DRAWS = 8
"""Draws S of a score, where values come in steps."""


class Density(nn.Module):
    """Items and their classes to nats, by a flow; and back.

    Args:
        flow: Of what enters.
        entry: What items are, and how they enter the flow.
        noise: Deviation of normal noise on the rows of the loss, which keeps densities from needles
            on single ones (Rothfuss et al. 2019, 1907.08982, section 3).
        classes: Makes contexts of classes, or None.
    """

    def __init__(
        self,
        flow: Flow,
        entry: Rows | Levels,
        *,
        noise: float = 0.0,
        classes: ClassCondition | None = None,
    ) -> None:
        super().__init__()
        self.flow, self.entry = flow, entry
        self.noise, self.classes = noise, classes

    def log_prob(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Nats (B,) of items, of classes (B,)."""
        return self._bound(x, condition, 0, DRAWS if self.entry.is_stepped else 1)

    def loss(self, batch: Batch, *, step: int) -> Loss:
        """Negative log-likelihood, summed over the batch, with one draw for each item."""
        condition = batch.condition
        if self.classes is not None:
            condition = self.classes.hide(condition, whole(batch.x), step)
        nats = -self._bound(batch.x, condition, step + 1, 1, noise=self.noise)
        return Loss(nats.sum(), torch.tensor(len(batch), device=nats.device), {})

    def standardize(self, batch: Batch) -> None:
        """Set the layers that are to make what they read standard, by a first batch."""
        values, _ = self._entered(batch.x, 0, 1)
        self.flow.standardize(values, self.context(batch.condition, len(batch)))

    def score(self, x: Tensor, condition: Tensor | None = None) -> Score:
        """Nats of each item: exact, or a lower bound where values come in steps."""
        kind = "lower_bound" if self.entry.is_stepped else "exact"
        return Score(self.log_prob(x, condition), None, kind)

    def encode(self, x: Tensor, condition: Tensor | None = None) -> Features:
        """The embedding of an item is z = f(x)."""
        values, _ = self._entered(x, 0, 1)
        z, _ = self.flow(values, self.context(condition, len(x)))
        return Features(None, None, z.flatten(1))

    def samples_of(self, z: Tensor, condition: Tensor | None = None) -> Samples:
        """Items of points z (B, ...) of the base, of one class or (B,), with their nats."""
        classes = for_each(condition, len(z))
        x, log_det = self.flow.inverse(z, self.context(classes, len(z)))
        if not self.entry.is_stepped:
            return Samples(x, log_prob=self.flow.base.log_prob(z) - log_det)
        x = self.entry.collect(x)
        return Samples(x, log_prob=self.log_prob(x, classes))

    def rsample(self, num: int, *, condition: Tensor | None = None) -> Tensor:
        """Draw what enters the flow, (num, D), with gradients to parameters and condition."""
        z = self.flow.base.sample(num)
        return self.flow.inverse(z, self.context(for_each(condition, num), num))[0]

    def sample_and_log_prob(
        self, num: int, *, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw what enters the flow, (num, D), and its nats (num,), in one pass, with gradients."""
        z = self.flow.base.sample(num)
        context = self.context(for_each(condition, num), num)
        x, log_det = self.flow.inverse(z, context)
        return x, self.flow.base.log_prob(z) - log_det

    def distribution(self, condition: Tensor | None = None) -> FlowDistribution:
        """The density of what enters the flow as a distribution of torch."""
        if condition is None and self.classes is None:
            return FlowDistribution(self.flow, self.entry.shape)
        flat = None if condition is None else condition.flatten()
        context = self.context(flat, 1 if flat is None else len(flat))
        assert context is not None
        shape = () if condition is None else condition.shape
        return FlowDistribution(
            self.flow, self.entry.shape, context.reshape(*shape, context.shape[-1])
        )

    def _bound(
        self,
        x: Tensor,
        condition: Tensor | None,
        seed: int,
        draws: int,
        *,
        noise: float = 0.0,
    ) -> Tensor:
        """Nats (B,) from ``draws`` draws of what enters the flow."""
        values, added = self._entered(x, seed, draws)
        if noise:
            num = math.prod(values.shape[1:])
            # 0, which may come, would be infinite.
            uniform = uniform_of(whole(x), -seed, num).view(values.shape).clamp(min=2.0**-54)
            values = values + noise * torch.special.ndtri(uniform).to(values)
        context = self.context(condition, len(x))
        if context is not None and draws > 1:
            context = context.repeat_interleave(draws, dim=0)
        nats = self.flow.log_prob(values, context)
        nats = nats if added is None else nats + added.to(nats)
        if draws == 1:
            return nats
        return nats.unflatten(0, (-1, draws)).logsumexp(1) - math.log(draws)

    def _entered(self, x: Tensor, seed: int, draws: int) -> tuple[Tensor, Tensor | None]:
        """Values that enter the flow, in its precision, and what that adds to the nats."""
        values, added = self.entry.spread(x, seed, draws)
        return values.to(next(self.parameters()).dtype), added

    def context(self, condition: Tensor | None, batch: int) -> Tensor | None:
        """Classes (B,), or None, as what the layers are conditioned on: (B, E), or None."""
        return vectors_of(self.classes, condition, batch)
