"""Prompts: what every sequence begins with, checked and run through the model once."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ensue.errors import ConfigError
from ensue.nn.streaming import Steps, join, select

Initial = Callable[[Tensor], Any]
"""From positions of prompts to the model's state before their first token."""


def check_prompts(prompts: Sequence[Tensor], num_tokens: int) -> list[Tensor]:
    """The prompts as whole numbers, each of one token at least.

    Raises:
        ConfigError: A prompt is empty, or holds what is no token of the vocabulary.
    """
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


def state_after(steps: Steps, prompts: Sequence[Tensor], state: Any, device: torch.device) -> Any:
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
            _, state = steps.step(chunk.to(device), state)
        ends, begin = stops[rows] == stop, stop
        parts.append(select(state, ends.nonzero()[:, 0].to(device)))
        order.append(rows[ends])
        state, rows = select(state, (~ends).nonzero()[:, 0].to(device)), rows[~ends]
    whole = parts[0]
    for part in parts[1:]:
        whole = join(whole, part)
    return select(whole, torch.cat(order).argsort().to(device))
