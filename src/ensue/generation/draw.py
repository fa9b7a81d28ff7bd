"""Drawing sequences token by token, many side by side, each as if it were alone.

Rows that end make room at once, and waiting ones take their place, so that no step is spent on a
sequence that is over.

Dims: B rows that run, V vocabulary, N sequences.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ensue.errors import ConfigError
from ensue.generation.choose import choose, is_greedy
from ensue.generation.config import GenerationConfig
from ensue.generation.processors import require_choice
from ensue.generation.prompts import Prompts
from ensue.generation.random import RowRandom
from ensue.generation.recorded import Record, Recorded, cuda_graph
from ensue.generation.slots import side_by_side

DRAWS = 64
"""Numbers that a row draws at a time."""

WORTH_RECORDING = 16
"""Steps ahead from which on they are replayed; a recording itself costs some."""


@dataclass(frozen=True)
class Emission:
    """The results of one step, or of some recorded ones: tokens of the running rows, B in all.

    Attributes:
        row: (B,) which sequence.
        number: (B,) how many new tokens it had before.
        token: (B,) its next token.
        log_prob: (B,) nats of the token under the model, whatever was done to its scores.
        over: (B,) whether that was its last.
    """

    row: Tensor
    number: Tensor
    token: Tensor
    log_prob: Tensor
    over: Tensor


class _Running(NamedTuple):
    """The rows that run: which sequences, how many new tokens they have and may have, what they
    hold, what they draw, the model's state."""

    row: Tensor
    num_new: Tensor
    limit: Tensor
    tokens: Tensor
    length: Tensor
    uniform: Tensor
    state: Any


class _Step(NamedTuple):
    """The outcome of one step, for each row: its token, the nats of that, whether it was the last,
    and the best of the scores, which tells whether there was a token to choose."""

    token: Tensor
    log_prob: Tensor
    over: Tensor
    best: Tensor


class Drawing:
    """Draws one sequence for each prompt; iterate over it for the tokens as they come.

    On a GPU, steps are recorded and replayed, many before the host looks at what came: where the
    model says that it can (``Steps``), nothing but the settings forbids tokens, and the method is
    ``random`` or ``greedy``.

    Args:
        prompts: What the sequences begin with.
        config: How to draw.
        generator: Draws a seed for each sequence.
        record: How to record a step, where it can be; by default as a CUDA graph, on a GPU only.

    Raises:
        ConfigError: The method is ``beam``, which searches.
    """

    def __init__(
        self,
        prompts: Prompts,
        config: GenerationConfig,
        *,
        generator: torch.Generator | None = None,
        record: Record | None = None,
    ) -> None:
        if config.method == "beam":
            raise ConfigError("the method 'beam' searches and doesn't draw; use BeamSearch")
        self.prompts, self.config = prompts, config
        N = len(prompts)
        self.limits = prompts.most(config)
        self.width = int((prompts.length + self.limits).max()) if N else 0
        self.random = RowRandom(N, generator)
        record = cuda_graph if record is None and prompts.device.type == "cuda" else record
        can = prompts.recordable(config) and config.method != "gumbel"
        self.recorded = Recorded(self._one, record) if record and can else None

    def __iter__(self) -> Iterator[Emission]:
        return side_by_side(len(self.prompts), self.config.num_rows, self._begin, self._advance)

    @torch.no_grad()
    def _begin(self, rows: Tensor) -> _Running:
        tokens, state = self.prompts.begin(rows, self.width)
        uniform = self._uniform(rows, DRAWS)
        rows = rows.to(tokens.device)
        length = self.prompts.length[rows]
        return _Running(
            rows, torch.zeros_like(rows), self.limits[rows], tokens, length, uniform, state
        )

    @torch.no_grad()
    def _advance(self, running: _Running) -> tuple[_Running, Tensor, Emission]:
        self._draw_ahead(running)
        if self.recorded is not None:
            ahead = self._ahead(running)
            if ahead >= WORTH_RECORDING and self._prepare(self.recorded, running):
                return self._several(self.recorded, running, ahead)
        going_on, step = self._one(running)
        require_choice(step.best)
        emission = Emission(running.row, running.num_new, step.token, step.log_prob, step.over)
        return going_on, step.over, emission

    def _one(self, running: _Running) -> tuple[_Running, _Step]:
        """One token more for every row; where a model can be recorded, nothing is read back."""
        row, num_new, limit, tokens, length, uniform, state = running
        scores, state = self.prompts.scores(tokens, length, state)
        allowed = self.prompts.allowed(self.config, scores, tokens, length, num_new, limit)
        token = choose(allowed, self.config, self._next(row, num_new, uniform, scores.shape[1]))
        tokens.scatter_(1, length[:, None], token[:, None])
        more = num_new + 1
        over = (more >= limit) | self.prompts.ends(token)
        log_prob = scores.log_softmax(-1).gather(1, token[:, None])[:, 0]
        going_on = _Running(row, more, limit, tokens, length + 1, uniform, state)
        return going_on, _Step(token, log_prob, over, allowed.amax(-1))

    def _prepare(self, recorded: Recorded, running: _Running) -> bool:
        """Record a step; where the device can't, say so and go on step by step."""
        try:
            recorded.prepare(running)
        except RuntimeError as error:
            first = str(error).partition("\n")[0]
            warnings.warn(
                f"drawing goes step by step: no step was recorded ({first})", stacklevel=2
            )
            self.recorded = None
        return self.recorded is not None

    def _several(
        self, recorded: Recorded, running: _Running, num: int
    ) -> tuple[_Running, Tensor, Emission]:
        """So many tokens more for every row; what comes after the end of one is dropped."""
        row, before = running.row.clone(), running.num_new.clone()
        running, steps = recorded.run(running, num)
        token, log_prob, over, best = (torch.stack(of) for of in zip(*steps, strict=True))
        live = over.cumsum(0) - over.long() == 0
        require_choice(best[live])
        number = before + torch.arange(num, device=before.device)[:, None]
        fields = (row.expand(num, -1), number, token, log_prob, over)
        # What single steps tell of these rows must not be overwritten by the next recorded ones.
        running = running._replace(row=row, num_new=running.num_new.clone())
        return running, over.any(0), Emission(*(of[live] for of in fields))

    def _ahead(self, running: _Running) -> int:
        """Steps up to the first row's limit, or to where the first has used its numbers."""
        left = (running.limit - running.num_new).min()
        return int(torch.minimum(left, DRAWS - (running.num_new % DRAWS).max()))

    def _draw_ahead(self, running: _Running) -> None:
        """New numbers for the rows that have used theirs."""
        again = (running.num_new % DRAWS == 0) & (running.num_new > 0)
        if not is_greedy(self.config) and self.config.method != "gumbel" and bool(again.any()):
            running.uniform[again] = self._uniform(running.row[again], DRAWS)

    def _next(self, row: Tensor, num_new: Tensor, uniform: Tensor, num_tokens: int) -> Tensor:
        """The numbers (B, 1), or (B, V), by which each row chooses its next token."""
        if is_greedy(self.config):
            return uniform[:, :1]
        if self.config.method == "gumbel":
            return self._uniform(row, num_tokens)
        return uniform.gather(1, (num_new % DRAWS)[:, None])

    def _uniform(self, rows: Tensor, size: int) -> Tensor:
        """(B, size) draws from [0, 1), each row's from a generator of its own."""
        return self.random.uniform(rows.tolist(), size).to(self.limits.device)


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
    if not N:
        return Drawn(tokens, length, log_prob, ended)
    row, number, token, nats = (torch.cat(of) for of in zip(*map(_fields, drawing), strict=True))
    log_prob.index_add_(0, row, nats.double())
    ends = drawing.prompts.ends(token)
    ended[row[ends]] = True
    row, number, token = row[~ends], number[~ends], token[~ends]
    tokens[row, number] = token
    length.index_add_(0, row, torch.ones_like(row))
    return Drawn(tokens[:, : int(length.max())], length, log_prob, ended)


def _fields(emission: Emission) -> tuple[Tensor, ...]:
    return emission.row, emission.number, emission.token, emission.log_prob
