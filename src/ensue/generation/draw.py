"""Drawing sequences token by token, many side by side, each as if it were alone.

Rows that end make room at once, and waiting ones take their place, so that no step is spent on a
sequence that is over.

Dims: B rows that run, V vocabulary, N sequences.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ensue.errors import ConfigError
from ensue.generation.choose import choose
from ensue.generation.config import GenerationConfig
from ensue.generation.processors import (
    Processor,
    forbid_end,
    process,
    processors_of,
    require_choice,
)
from ensue.generation.prompts import Initial, check_prompts, state_after
from ensue.generation.slots import side_by_side
from ensue.nn.streaming import Steps


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
        steps: Takes tokens (B, T) to scores (B, T, V).
        prompts: For each sequence its first tokens, at least one.
        config: How to draw.
        num_tokens: V.
        eos: The token that ends a sequence, or None.
        generator: Draws a seed for each sequence.
        initial: The state before the prompts; by default ``steps.init_state``.
        processors: Forbid tokens, before temperature and the like.
        limits: (N,) new tokens at most, by sequence; by default ``max_length`` for all.
        device: Of the model.
    """

    def __init__(
        self,
        steps: Steps,
        prompts: Sequence[Tensor],
        config: GenerationConfig,
        *,
        num_tokens: int,
        eos: int | None = None,
        generator: torch.Generator | None = None,
        initial: Initial | None = None,
        processors: Sequence[Processor] = (),
        limits: Tensor | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        if config.method == "beam":
            raise ConfigError("the method 'beam' searches and doesn't draw; use BeamSearch")
        self.steps, self.config, self.eos = steps, config, eos
        self.device = torch.device(device)
        self.prompts = check_prompts(prompts, num_tokens)
        self.initial = initial or (lambda rows: steps.init_state(len(rows)))
        self.processors = processors_of(config, processors)
        self.first = torch.tensor([len(p) for p in self.prompts], device=self.device)
        N = len(self.prompts)
        self.limits = torch.full((N,), config.max_length) if limits is None else limits
        self.limits = self.limits.to(self.device)
        self.least = self.limits.clamp(max=config.min_length)
        self.width = int((self.first + self.limits).max()) if N else 0
        seeds = torch.randint(2**62, (N,), generator=generator)
        self.generators = [np.random.Generator(np.random.Philox(s)) for s in seeds.tolist()]

    def __iter__(self) -> Iterator[Emission]:
        return side_by_side(len(self.prompts), self.config.num_rows, self._begin, self._advance)

    @torch.no_grad()
    def _begin(self, rows: Tensor) -> _Running:
        prompts = [self.prompts[i] for i in rows.tolist()]
        state = state_after(self.steps, prompts, self.initial(rows.to(self.device)), self.device)
        tokens = torch.full((len(rows), self.width), -1)
        for i, prompt in enumerate(prompts):
            tokens[i, : len(prompt)] = prompt
        length = torch.tensor([len(p) for p in prompts])
        rows, tokens, length = (t.to(self.device) for t in (rows, tokens, length))
        return _Running(rows, tokens, length, state)

    @torch.no_grad()
    def _advance(self, running: _Running) -> tuple[_Running, Tensor, Emission]:
        every = torch.arange(len(running.row), device=self.device)
        last = running.tokens[every, running.length - 1]
        scores_B1V, state = self.steps.step(last[:, None], running.state)
        scores = scores_B1V[:, -1].to(torch.promote_types(scores_B1V.dtype, torch.float32))
        num_new = running.length - self.first[running.row]
        allowed = scores
        if self.eos is not None:
            allowed = forbid_end(allowed, self.eos, num_new < self.least[running.row])
        allowed = process(self.processors, running.tokens, running.length, allowed)
        require_choice(allowed)
        token = choose(allowed, self.config, [self.generators[i] for i in running.row.tolist()])
        running.tokens[every, running.length] = token
        running = running._replace(length=running.length + 1, state=state)
        over = num_new + 1 >= self.limits[running.row]
        if self.eos is not None:
            over = over | (token == self.eos)
        log_prob = scores.log_softmax(-1)[every, token]
        return running, over, Emission(running.row, token, log_prob, over)


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
    N, device = len(drawing.prompts), drawing.device
    width = int(drawing.limits.max()) if N else 0
    tokens = torch.full((N, width), pad, device=device)
    length = torch.zeros(N, dtype=torch.long, device=device)
    log_prob = torch.zeros(N, dtype=torch.float64, device=device)
    ended = torch.zeros(N, dtype=torch.bool, device=device)
    for emission in drawing:
        row, token = emission.row, emission.token
        log_prob[row] += emission.log_prob
        ends = token == drawing.eos if drawing.eos is not None else torch.zeros_like(row).bool()
        ended[row] = ends
        tokens[row[~ends], length[row[~ends]]] = token[~ends]
        length[row[~ends]] += 1
    return Drawn(tokens[:, : int(length.max()) if N else 0], length, log_prob, ended)
