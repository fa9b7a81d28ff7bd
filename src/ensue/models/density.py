"""What families of flows share: densities, losses and samples of items, by a flow.

A value that came in steps (a whole number, a category) has a probability, not a density. A flow
bounds it from below by the density around it (Theis et al. 2016, 1511.01844, section 3.1):

    log P(x) >= log (1/S) sum_s p(x + d_s w) + log w,    d_s uniform in [-1/2, 1/2)

with steps w; the log w stand with the codec, which states densities in the units of the data.
Dims: B batch, D values, S draws, E context.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ensue.data.batches import Batch
from ensue.errors import ConfigError, DataError
from ensue.models.condition import ClassCondition, for_each, vectors_of
from ensue.models.flow import Flow, FlowDistribution, normal_log_prob
from ensue.models.protocols import Features, Loss, Samples, Score
from ensue.nn.hashed import uniform_of

CLASS_SIZE = 16
"""Numbers that stand for a class."""

DRAWS = 8
"""Draws S of a score, where values come in steps."""


class Density(nn.Module):
    """Items and their classes to nats, by a flow; and back.

    Args:
        flow: Of items (B, D).
        num_features: D.
        grid: Of each value the origin and the width w of its steps, 0 where it is continuous, and
            how many there are, from the origin on, 0 where there is no end; empty where all are
            continuous.
        noise: Deviation of normal noise on the items of the loss, which keeps densities from
            needles on single items (Rothfuss et al. 2019, 1907.08982, section 3).
        classes: Makes contexts of classes, or None.
    """

    origin: Tensor
    width: Tensor
    last: Tensor

    def __init__(
        self,
        flow: Flow,
        num_features: int,
        *,
        grid: Sequence[tuple[float, float, int]] = (),
        noise: float = 0.0,
        classes: ClassCondition | None = None,
    ) -> None:
        super().__init__()
        self.flow, self.num_features = flow, num_features
        self.noise, self.classes = noise, classes
        self.is_stepped = any(width for _, width, _ in grid)
        origin, width, count = torch.tensor(grid or [(0, 0, 0)], dtype=torch.float64).unbind(1)
        last = torch.where(count > 0, count - 1, torch.inf)
        for name, value in {"origin": origin, "width": width, "last": last}.items():
            self.register_buffer(name, value.float(), persistent=False)

    def log_prob(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Nats (B,) of items (B, D), of classes (B,)."""
        return self._bound(x, condition, 0, DRAWS if self.is_stepped else 1)

    def loss(self, batch: Batch, *, step: int) -> Loss:
        """Negative log-likelihood, summed over the batch, with one draw for each item."""
        given = batch.condition
        if self.classes is not None:
            given = self.classes.hide(given, whole(batch.x), step)
        x = batch.x
        if self.noise:
            uniform = uniform_of(whole(x), -1 - step, x.shape[1])
            # From the middle of the step of 2^-53 in which a number lies, never from its end.
            x = x + self.noise * torch.special.ndtri(uniform + 2.0**-54).to(x)
        nats = -self._bound(x, given, step + 1, 1)
        return Loss(nats.sum(), torch.tensor(len(batch), device=nats.device), {})

    def score(self, x: Tensor, condition: Tensor | None = None) -> Score:
        """Nats of each item: exact, or a lower bound where values come in steps."""
        kind = "lower_bound" if self.is_stepped else "exact"
        return Score(self.log_prob(x, condition), None, kind)

    def encode(self, x: Tensor, condition: Tensor | None = None) -> Features:
        """The embedding of an item is z = f(x)."""
        z, _ = self.flow(self._checked(x), self._context(condition, len(x)))
        return Features(None, None, z.flatten(1))

    def sample(
        self,
        num: int,
        *,
        condition: Tensor | None = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Samples:
        """Draw ``num`` items, with their nats; ``temperature`` is the base's deviation."""
        if num < 0 or temperature < 0:
            raise ConfigError(f"num={num} and temperature={temperature} must not be negative")
        given = for_each(condition, num)
        z = self._normal(num, generator) * temperature
        x, log_det = self.flow.inverse(z, self._context(given, num))
        if not self.is_stepped:
            return Samples(x, log_prob=normal_log_prob(z) - log_det)
        x = self._on_steps(x)
        return Samples(x, log_prob=self.log_prob(x, given))

    def rsample(self, num: int, *, condition: Tensor | None = None) -> Tensor:
        """Continuous items (num, D), with gradients to the parameters and the condition."""
        z = self._normal(num, None)
        return self.flow.inverse(z, self._context(for_each(condition, num), num))[0]

    def sample_and_log_prob(
        self, num: int, *, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Continuous items (num, D) and their nats (num,), in one pass, with gradients."""
        z = self._normal(num, None)
        context = self._context(for_each(condition, num), num)
        x, log_det = self.flow.inverse(z, context)
        return x, normal_log_prob(z) - log_det

    def distribution(self, condition: Tensor | None = None) -> FlowDistribution:
        """The density of continuous items as a distribution of torch."""
        if condition is None and self.classes is None:
            return FlowDistribution(self.flow, (self.num_features,))
        flat = None if condition is None else condition.flatten()
        context = self._context(flat, 1 if flat is None else len(flat))
        assert context is not None
        shape = () if condition is None else condition.shape
        return FlowDistribution(
            self.flow, (self.num_features,), context.reshape(*shape, context.shape[-1])
        )

    def _bound(self, x: Tensor, condition: Tensor | None, seed: int, draws: int) -> Tensor:
        x = self._checked(x)
        context = self._context(condition, len(x))
        if not self.is_stepped:
            return self.flow.log_prob(x, context)
        noise = uniform_of(whole(x), seed, draws * x.shape[1]).to(x) - 0.5
        around = x[:, None] + noise.unflatten(1, (draws, -1)) * self.width
        if context is not None:
            context = context.repeat_interleave(draws, dim=0)
        nats = self.flow.log_prob(around.flatten(0, 1), context).unflatten(0, (-1, draws))
        return nats.logsumexp(1) - math.log(draws)

    def _on_steps(self, x: Tensor) -> Tensor:
        """Values that come in steps, each on the nearest one."""
        first = torch.where(self.last < torch.inf, 0, -torch.inf)
        number = ((x - self.origin) / self.width).round().clamp(first, self.last)
        return torch.where(self.width > 0, self.origin + number * self.width, x)

    def _normal(self, num: int, generator: torch.Generator | None) -> Tensor:
        # Drawn on the generator's device, so that one seed gives one sample on every device.
        like = next(self.parameters())
        device = like.device if generator is None else generator.device
        shape = (num, self.num_features)
        return torch.randn(shape, generator=generator, dtype=like.dtype, device=device).to(like)

    def _context(self, condition: Tensor | None, batch: int) -> Tensor | None:
        return vectors_of(self.classes, condition, batch)

    def _checked(self, x: Tensor) -> Tensor:
        if x.shape[1:] != (self.num_features,):
            raise DataError(f"x is {tuple(x.shape)} but num_features={self.num_features}")
        return x


def whole(x: Tensor) -> Tensor:
    """The bits of items as whole numbers (B, D), from which what is random is drawn.

    Example:
        >>> whole(torch.tensor([[1.0]]))
        tensor([[1065353216]], dtype=torch.int32)
    """
    return x.flatten(1).float().contiguous().view(torch.int32) if x.is_floating_point() else x
