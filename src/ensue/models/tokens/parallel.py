"""Several values of an item drawn at once, as if they didn't depend on each other.

Dims: B batch, D values of an item, P places, V levels.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from ensue.errors import ConfigError
from ensue.generation import GenerationConfig
from ensue.generation.choose import choose
from ensue.generation.processors import require_choice
from ensue.generation.random import RowRandom
from ensue.models.tokens.drawing import over


@dataclass(frozen=True)
class ParallelDraw:
    """A draw of ``parallel`` values at a time, in an order.

    Attributes:
        network: From values (B, D) and which are known to scores (B, D, V).
        order: (D,) places.
        parallel: Values of one pass.
        config: The settings of generation.
        random: Random numbers of each row.
    """

    network: Any
    order: Tensor
    parallel: int
    config: GenerationConfig
    random: RowRandom

    @classmethod
    def of(
        cls,
        network: Any,
        order: Tensor,
        parallel: int,
        config: GenerationConfig,
        settings: dict[str, Any],
        *,
        num: int,
        generator: torch.Generator | None,
    ) -> "ParallelDraw":
        """A draw of ``num`` items with a model's own settings, and others over these.

        Raises:
            ConfigError: A setting is wrong, or is of sequences.
        """
        config = over(asdict(config), settings, fixed=True)
        if config.method == "beam" or config.no_repeat_ngram:
            raise ConfigError("parallel draws know no sequence: leave beam and no_repeat_ngram out")
        return cls(network, order, parallel, config, RowRandom(num, generator))

    def after(self, values: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Values (B, D) of which those after the first ``size`` are new, and their nats (B,)."""
        values = values.clone()
        nats = torch.zeros(len(values), dtype=torch.float64)
        # values[rows] of a slice is a view, which is filled in.
        for first in range(0, len(values), self.config.num_rows):
            rows = slice(first, first + self.config.num_rows)
            for begin in range(size, len(self.order), self.parallel):
                nats[rows] += self._fill_in(values[rows], begin, first)
        return values, nats

    def _fill_in(self, values: Tensor, begin: int, first: int) -> Tensor:
        """Draw some places of values (B, D) at once, in place; nats (B,) of these."""
        places = self.order[begin : begin + self.parallel]
        scores = self._scores(values, self.order[:begin], places)
        width = scores.shape[-1] if self.config.method == "gumbel" else 1
        rows = range(first, first + len(values))
        uniform = self.random.uniform(rows, len(places) * width).view(-1, width).to(scores.device)
        drawn = choose(scores.flatten(0, 1), self.config, uniform)
        values[:, places] = drawn.view(len(values), -1)
        terms = scores.log_softmax(-1).gather(2, values[:, places, None])
        return terms.double().sum((1, 2)).cpu()

    def _scores(self, values: Tensor, known: Tensor, places: Tensor) -> Tensor:
        """Scores (B, P, V) of some places, by the values of those that are known."""
        is_known = torch.zeros_like(values, dtype=torch.bool)
        is_known[:, known] = True
        with torch.no_grad():
            scores = self.network(values, is_known)[:, places]
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        require_choice(scores.amax(-1))
        return scores
