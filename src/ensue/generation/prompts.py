"""Prompts: what every sequence begins with, and the model that goes on from there."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ensue.errors import ConfigError
from ensue.generation.config import GenerationConfig
from ensue.generation.processors import Processor, forbid_end, process, processors_of
from ensue.nn.streaming import Skims, Steps, join, select


class Prompts:
    """The first tokens of sequences, with the model that goes on and the rules that it keeps.

    Args:
        steps: Takes tokens (B, T) to scores (B, T, V).
        tokens: For each sequence its first tokens, at least one.
        num_tokens: V.
        eos: The token that ends a sequence, or None.
        pad: The token after the last one of a sequence; by default eos, or 0.
        condition: Of N what each sequence is conditioned on, a tensor or a
            :class:`ensue.data.batches.Source`: given to ``steps.init_state`` after the number of
            sequences.
        processors: Forbid tokens.
        limits: (N,) new tokens at most, by sequence; by default ``max_length`` for all.
        device: Of the model.

    Raises:
        ConfigError: A prompt is empty, or holds what is no token of the vocabulary, or a limit is
            below 1, or there are more or fewer conditions than prompts.
    """

    def __init__(
        self,
        steps: Steps,
        tokens: Sequence[Tensor],
        *,
        num_tokens: int,
        eos: int | None = None,
        pad: int | None = None,
        condition: Any = None,
        processors: Sequence[Processor] = (),
        limits: Tensor | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.steps, self.eos, self.processors = steps, eos, processors
        self.pad = next((token for token in (pad, eos) if token is not None), 0)
        self.tokens = _checked(tokens, num_tokens)
        if condition is not None and len(condition) != len(self.tokens):
            raise ConfigError(
                f"condition is of {len(condition)} sequences, and there are {len(self.tokens)}; "
                "give one for each"
            )
        self.condition = condition
        self.device = torch.device(device)
        self.length = torch.tensor([len(p) for p in self.tokens], device=self.device)
        if limits is not None and len(limits) and int(limits.min()) < 1:
            at = int(limits.argmin())
            raise ConfigError(f"prompt {at} may have {int(limits[at])} new tokens; at least 1")
        self.limits = limits

    def __len__(self) -> int:
        return len(self.tokens)

    def most(self, config: GenerationConfig) -> Tensor:
        """(N,) new tokens at most, by sequence."""
        if self.limits is None:
            return torch.full_like(self.length, config.max_length)
        return self.limits.to(self.device)

    def recordable(self, config: GenerationConfig) -> bool:
        """Return whether no step, of model or processor, reads anything back from the device."""
        forbids = processors_of(config, self.processors)
        return not forbids and bool(getattr(self.steps, "recordable", False))

    def begin(self, rows: Tensor, width: int) -> tuple[Tensor, Any]:
        """The tokens (B, width) of some sequences, -1 after the prompt, and the model's state.

        The state is that before the last token of each prompt.
        """
        prompts = [self.tokens[i] for i in rows.tolist()]
        tokens = torch.full((len(rows), width), -1)
        for i, prompt in enumerate(prompts):
            tokens[i, : len(prompt)] = prompt
        begin: Any = self.steps.init_state
        if self.condition is None:
            first = begin(len(rows))
        else:
            first = begin(len(rows), self.condition[rows.to(self.condition.device)])
        return tokens.to(self.device), _state_after(self.steps, prompts, first, self.device)

    def scores(self, tokens: Tensor, length: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The model's scores (B, V) after the last token of each row, and its state then."""
        scores_B1V, state = self.steps.step(tokens.gather(1, length[:, None] - 1), state)
        scores = scores_B1V[:, -1]
        return scores.to(torch.promote_types(scores.dtype, torch.float32)), state

    def allowed(
        self,
        config: GenerationConfig,
        scores: Tensor,
        tokens: Tensor,
        length: Tensor,
        num_new: Tensor,
        limit: Tensor,
    ) -> Tensor:
        """The scores, -inf where a token is forbidden.

        Args:
            config: What forbids tokens.
            scores: (B, V).
            tokens: (B, L) of each row so far.
            length: (B,) how many.
            num_new: (B,) how many of these are new.
            limit: (B,) how many may be: no more are asked for before the end.
        """
        if self.eos is not None and config.min_length:
            short = num_new < limit.clamp(max=config.min_length)
            scores = forbid_end(scores, self.eos, short)
        return process(processors_of(config, self.processors), tokens, length, scores)

    def ends(self, token: Tensor) -> Tensor:
        """Which tokens end a sequence."""
        return token == self.eos if self.eos is not None else torch.zeros_like(token).bool()


def _state_after(steps: Steps, prompts: Sequence[Tensor], state: Any, device: torch.device) -> Any:
    """The state of each row after all tokens of its prompt but the last.

    Rows run side by side up to the shortest prompt's end, the others on to the next one's, so that
    neither padding nor a row's company enters a state.

    Args:
        steps: Takes tokens (B, T).
        prompts: One for each row.
        state: Before the first token.
        device: Of the model.
    """
    stops = torch.tensor([len(p) - 1 for p in prompts])
    rows, begin, parts, order = torch.arange(len(prompts)), 0, [], []
    for stop in stops.unique().tolist():
        if stop > begin:
            chunk = torch.stack([prompts[i][begin:stop] for i in rows.tolist()])
            chunk = chunk.to(device)
            skims = isinstance(steps, Skims)
            state = steps.skim(chunk, state) if skims else steps.step(chunk, state)[1]
        ends, begin = stops[rows] == stop, stop
        parts.append(select(state, ends.nonzero()[:, 0].to(device)))
        order.append(rows[ends])
        state, rows = select(state, (~ends).nonzero()[:, 0].to(device)), rows[~ends]
    whole = parts[0]
    for part in parts[1:]:
        whole = join(whole, part)
    return select(whole, torch.cat(order).argsort().to(device))


def _checked(prompts: Sequence[Tensor], num_tokens: int) -> list[Tensor]:
    found = []
    for i, prompt in enumerate(prompts):
        prompt = torch.as_tensor(prompt)
        if prompt.dim() != 1 or not len(prompt):
            raise ConfigError(
                f"prompt {i} is empty; give at least one token, such as the one that begins a text"
            )
        if prompt.is_floating_point() or prompt.min() < 0 or prompt.max() >= num_tokens:
            raise ConfigError(
                f"prompt {i} holds {prompt.tolist()}; tokens are 0 to {num_tokens - 1}"
            )
        found.append(prompt.long())
    return found
