r"""Beam search: the likeliest sequences, not a draw.

A sequence Y of tokens is worth

.. math:: s(Y) = \frac{\log p(Y)}{lp(Y)}, \qquad
          lp(Y) = \frac{(5 + |Y|)^\alpha}{(5 + 1)^\alpha}

(Wu et al. 2016, arXiv 1609.08144, eq. 14; without their coverage). Beside the K hypotheses of a
prompt runs the greedy one, so that the best that is found is never worth less than it.

Dims: R prompts that run, K beams, G = K + 1 rows of a prompt, V vocabulary.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from ensue.generation.config import GenerationConfig
from ensue.generation.processors import require_numbers
from ensue.generation.prompts import Prompts
from ensue.generation.slots import side_by_side


@dataclass(frozen=True)
class Hypothesis:
    """A sequence that was found.

    Attributes:
        tokens: Its new tokens, with the one that ended it.
        log_prob: Their nats under the model.
        value: What it is worth, ``log_prob`` over the length penalty.
        ended: Whether a token ended it, and not the largest length.
    """

    tokens: tuple[int, ...]
    log_prob: float
    value: float
    ended: bool


@dataclass
class _Search:
    """The search of one prompt: what it has found, and the greedy hypothesis once that is over."""

    finished: list[Hypothesis] = field(default_factory=list)
    greedy: Hypothesis | None = None
    over: bool = False

    def add(self, hypothesis: Hypothesis, num_beams: int) -> None:
        self.finished.append(hypothesis)
        self.finished.sort(key=lambda h: -h.value)
        del self.finished[num_beams:]

    def best(self, num: int) -> list[Hypothesis]:
        assert self.greedy is not None
        known = {h.tokens for h in self.finished}
        greedy = [] if self.greedy.tokens in known else [self.greedy]
        return sorted([*self.finished, *greedy], key=lambda h: -h.value)[:num]


class _Running(NamedTuple):
    """R prompts in G rows each, in the model's state too; the greedy row is the last.

    ``greedy`` (R,) is the beam that is at the greedy hypothesis too, or the greedy row itself. The
    log-probability of a row that is over is -inf.
    """

    prompt: Tensor
    tokens: Tensor
    log_prob: Tensor
    greedy: Tensor
    num_new: Tensor
    state: Any


class BeamSearch:
    """Searches the likeliest sequences for each prompt, many prompts side by side.

    Args:
        prompts: What the sequences begin with: forced prefixes.
        config: How to search.
    """

    def __init__(self, prompts: Prompts, config: GenerationConfig) -> None:
        self.prompts, self.config = prompts, config
        self.most = prompts.most(config)
        self.num_rows = config.num_beams + 1

    @torch.no_grad()
    def run(self) -> list[list[Hypothesis]]:
        """For each prompt the best hypotheses, the best first, ``num_best`` at most."""
        found = [_Search() for _ in range(len(self.prompts))]

        def advance(running: _Running) -> tuple[_Running, Tensor, None]:
            running = self._advance(running, found)
            self._close(running, found)
            over = [found[p].over for p in running.prompt.tolist()]
            return running, torch.tensor(over, device=running.prompt.device), None

        places = max(1, self.config.num_rows // self.num_rows)
        for _ in side_by_side(len(self.prompts), places, self._begin, advance):
            pass
        return [search.best(self.config.num_best) for search in found]

    def _begin(self, which: Tensor) -> _Running:
        G, width = self.num_rows, int((self.prompts.length + self.most).max())
        tokens, state = self.prompts.begin(which, width)
        which = which.to(tokens.device)
        # One beam at first: G alike would find everything G times.
        log_prob = torch.full((len(which), G), -torch.inf, dtype=torch.float64, device=which.device)
        log_prob[:, [0, G - 1]] = 0
        zero = torch.zeros_like(which)
        in_rows = lambda t: t[:, None].expand(-1, G, *t.shape[1:])  # noqa: E731
        return _Running(which, in_rows(tokens), log_prob, zero, zero, tree_map(in_rows, state))

    def _advance(self, running: _Running, found: list[_Search]) -> _Running:
        """One token more for every row."""
        R, G, _ = running.tokens.shape
        K, r = G - 1, torch.arange(R, device=running.prompt.device)
        length = self.prompts.length[running.prompt] + running.num_new
        log_prob_RGV, place_RG, state = self._step(running, length)
        V = log_prob_RGV.shape[-1]
        greedy_step, greedy_token = log_prob_RGV[:, K].max(-1)
        total = (running.log_prob[:, :K, None] + log_prob_RGV[:, :K]).flatten(1)
        total, best = total.topk(min(2 * K, K * V), dim=-1)
        beam, token = best // V, best % V
        ends = self.prompts.ends(token)
        self._end_beams(running, found, length, (total, beam, ends))
        # Those that go on first, each in its order; there are K at least.
        order = ends.long().argsort(dim=-1, stable=True)[:, :K]
        total = total.masked_fill(ends, -torch.inf).gather(1, order)
        beam, token = beam.gather(1, order), token.gather(1, order)
        both = (beam == running.greedy[:, None]) & (token == greedy_token[:, None])
        both &= total > -torch.inf
        source = torch.cat([beam, torch.full_like(beam[:, :1], K)], dim=1)
        tokens = running.tokens[r[:, None], source]
        tokens[r, :, length] = torch.cat([token, greedy_token[:, None]], dim=1)
        greedy_sum = running.log_prob[:, K] + greedy_step
        greedy_ends = self._end_greedy(running, found, length, tokens[:, K], greedy_sum)
        greedy_sum = greedy_sum.masked_fill(greedy_ends, -torch.inf)
        place = place_RG.gather(1, source)
        return _Running(
            running.prompt,
            tokens,
            torch.cat([total, greedy_sum[:, None]], dim=1),
            torch.where(both.any(-1), both.long().argmax(-1), K),
            running.num_new + 1,
            tree_map(lambda t: t[place], state),
        )

    def _step(self, running: _Running, length: Tensor) -> tuple[Tensor, Tensor, Any]:
        """Return what comes next, in each row that isn't over and isn't the same as another.

        Returns:
            The log-probabilities (R, G, V) of next tokens, -inf where forbidden; which of the rows
            that were stepped stands for each (R, G); the state of those.
        """
        K = self.config.num_beams
        alive = running.log_prob > -torch.inf
        shared = (running.greedy < K) & alive.gather(1, running.greedy[:, None])[:, 0]
        stepped = alive.clone()
        stepped[shared, K] = False
        place = (stepped.flatten().cumsum(0) - 1).clamp(min=0).view(alive.shape)
        own = place.gather(1, running.greedy[:, None])[:, 0]
        place[:, K] = torch.where(shared, own, place[:, K])
        prompt, row = stepped.nonzero(as_tuple=True)
        tokens, lengths = running.tokens[prompt, row], length[prompt]
        state = tree_map(lambda t: t[prompt, row], running.state)
        scores, state = self.prompts.scores(tokens, lengths, state)
        require_numbers(scores)
        log_prob = scores.double().log_softmax(-1)
        new, limit = running.num_new[prompt], self.most[running.prompt][prompt]
        log_prob = self.prompts.allowed(self.config, log_prob, tokens, lengths, new, limit)
        return log_prob[place], place, state

    def _end_beams(
        self,
        running: _Running,
        found: list[_Search],
        length: Tensor,
        candidates: tuple[Tensor, Tensor, Tensor],
    ) -> None:
        """Keep the hypotheses that end here and would have been among the K best."""
        total, beam, ends = candidates
        K = self.config.num_beams
        for r, j in (ends & (total > -torch.inf))[:, :K].nonzero().tolist():
            search, first = (
                found[int(running.prompt[r])],
                int(self.prompts.length[running.prompt[r]]),
            )
            tokens = running.tokens[r, beam[r, j], first : length[r]].tolist()
            tokens.append(self.prompts.eos)
            self._add(search, tokens, float(total[r, j]), ended=True)

    def _end_greedy(
        self, running: _Running, found: list[_Search], length: Tensor, tokens: Tensor, total: Tensor
    ) -> Tensor:
        """Keep the greedy hypothesis where it ends, by its token or because nothing is allowed.

        Returns:
            (R,) where it is over.
        """
        stuck = total == -torch.inf
        last = tokens.gather(1, length[:, None])[:, 0]
        ends = stuck | self.prompts.ends(last)
        for r in ends.nonzero()[:, 0].tolist():
            search, first = (
                found[int(running.prompt[r])],
                int(self.prompts.length[running.prompt[r]]),
            )
            if search.greedy is None:
                stop = length[r] + int(not stuck[r])
                log_prob = running.log_prob[r, -1] if stuck[r] else total[r]
                search.greedy = self._hypothesis(
                    tokens[r, first:stop].tolist(), float(log_prob), ended=not bool(stuck[r])
                )
        return ends

    def _close(self, running: _Running, found: list[_Search]) -> None:
        """End searches that have reached the largest length, or can't find a better one."""
        config, K = self.config, self.config.num_beams
        best = running.log_prob[:, :K].amax(-1).tolist()
        for r, (p, new) in enumerate(
            zip(running.prompt.tolist(), running.num_new.tolist(), strict=True)
        ):
            search, most = found[p], int(self.most[p])
            if new >= most:
                self._cut(running, r, search)
                search.over = True
                continue
            if best[r] == -torch.inf or (
                len(search.finished) >= K
                and (config.early_stop or self._hopeless(search, best[r], new, most))
            ):
                running.log_prob[r, :K] = -torch.inf
                search.over = search.greedy is not None

    def _hopeless(self, search: _Search, log_prob: float, num_new: int, longest: int) -> bool:
        """Return whether nothing to come can beat the worst kept: log p only falls."""
        most = max(self._value(log_prob, n) for n in (num_new + 1, longest))
        return search.finished[-1].value >= most

    def _cut(self, running: _Running, r: int, search: _Search) -> None:
        first = int(self.prompts.length[running.prompt[r]])
        tokens = running.tokens[r, :, first : first + int(running.num_new[r])].tolist()
        for row, log_prob in zip(tokens[:-1], running.log_prob[r].tolist(), strict=False):
            if log_prob > -torch.inf:
                self._add(search, row, log_prob, ended=False)
        if search.greedy is None:
            search.greedy = self._hypothesis(
                tokens[-1], float(running.log_prob[r, -1]), ended=False
            )

    def _add(self, search: _Search, tokens: list[int], log_prob: float, *, ended: bool) -> None:
        search.add(self._hypothesis(tokens, log_prob, ended=ended), self.config.num_beams)

    def _hypothesis(self, tokens: list[int], log_prob: float, *, ended: bool) -> Hypothesis:
        return Hypothesis(tuple(tokens), log_prob, self._value(log_prob, len(tokens)), ended)

    def _value(self, log_prob: float, length: int) -> float:
        return log_prob / ((5 + length) / 6) ** self.config.length_penalty
