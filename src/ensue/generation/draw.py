"""Drawing sequences token by token, many side by side, each as if it were alone.

Rows that end make room at once, and waiting ones take their place, so that no step is spent on a
sequence that is over.

Dims: B rows that run, V vocabulary, N sequences.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ensue.errors import ConfigError
from ensue.generation.choose import choose
from ensue.generation.config import GenerationConfig
from ensue.generation.processors import require_choice
from ensue.generation.prompts import Prompts
from ensue.generation.slots import side_by_side


@dataclass(frozen=True)
class Emission:
    """What one step gave: a token for each running row.

    Attributes:
        row: (B,) which sequence.
        token: (B,) its next token.
        log_prob: (B,) nats of the token under the model, whatever was done to its scores.
        over: (B,) whether that was its last.
    """

    row: Tensor
    token: Tensor
    log_prob: Tensor
    over: Tensor


class _Running(NamedTuple):
    """The rows that run: which sequences, what they hold, and the model's state of each."""

    row: Tensor
    tokens: Tensor
    length: Tensor
    state: Any


class Drawing:
    """Draws one sequence for each prompt; iterate over it for the tokens as they come.

    Args:
        prompts: What the sequences begin with.
        config: How to draw.
        generator: Draws a seed for each sequence.

    Raises:
        ConfigError: The method is ``beam``, which searches.
    """

    def __init__(
        self,
        prompts: Prompts,
        config: GenerationConfig,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        if config.method == "beam":
            raise ConfigError("the method 'beam' searches and doesn't draw; use BeamSearch")
        self.prompts, self.config = prompts, config
        N = len(prompts)
        self.limits = prompts.most(config)
        self.least = self.limits.clamp(max=config.min_length)
        self.width = int((prompts.length + self.limits).max()) if N else 0
        seeds = torch.randint(2**62, (N,), generator=generator)
        self.generators = [np.random.Generator(np.random.Philox(s)) for s in seeds.tolist()]

    def __iter__(self) -> Iterator[Emission]:
        return side_by_side(len(self.prompts), self.config.num_rows, self._begin, self._advance)

    @torch.no_grad()
    def _begin(self, rows: Tensor) -> _Running:
        tokens, state = self.prompts.begin(rows, self.width)
        rows = rows.to(tokens.device)
        return _Running(rows, tokens, self.prompts.length[rows], state)

    @torch.no_grad()
    def _advance(self, running: _Running) -> tuple[_Running, Tensor, Emission]:
        row, tokens, length, _ = running
        scores, state = self.prompts.scores(tokens, length, running.state)
        num_new = length - self.prompts.length[row]
        short = num_new < self.least[row]
        allowed = self.prompts.allowed(self.config, scores, tokens, length, short=short)
        require_choice(allowed)
        token = choose(allowed, self.config, [self.generators[i] for i in row.tolist()])
        every = torch.arange(len(row), device=row.device)
        tokens[every, length] = token
        over = (num_new + 1 >= self.limits[row]) | self.prompts.ends(token)
        log_prob = scores.log_softmax(-1)[every, token]
        return _Running(row, tokens, length + 1, state), over, Emission(row, token, log_prob, over)


@dataclass(frozen=True)
class Drawn:
    """Sequences that were drawn, without their prompts.

    Attributes:
        tokens: (N, L), ``pad`` after the last of each; without the token that ended it.
        length: (N,) how many.
        log_prob: (N,) nats of these tokens and of the one that ended the sequence.
        ended: (N,) whether a token ended it, and not the largest length.
    """

    tokens: Tensor
    length: Tensor
    log_prob: Tensor
    ended: Tensor


def collect(drawing: Drawing, *, pad: int = 0) -> Drawn:
    """All sequences of a drawing."""
    N, device = len(drawing.prompts), drawing.limits.device
    width = int(drawing.limits.max()) if N else 0
    tokens = torch.full((N, width), pad, device=device)
    length = torch.zeros(N, dtype=torch.long, device=device)
    log_prob = torch.zeros(N, dtype=torch.float64, device=device)
    ended = torch.zeros(N, dtype=torch.bool, device=device)
    for emission in drawing:
        row, token = emission.row, emission.token
        log_prob[row] += emission.log_prob
        ends = drawing.prompts.ends(token)
        ended[row] = ends
        tokens[row[~ends], length[row[~ends]]] = token[~ends]
        length[row[~ends]] += 1
    return Drawn(tokens[:, : int(length.max()) if N else 0], length, log_prob, ended)
