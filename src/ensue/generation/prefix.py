"""Generation with a network that knows no steps: it reads all tokens so far, again and again."""

from collections.abc import Callable

import torch
from torch import Tensor

from ensue.errors import ConfigError

State = dict[str, Tensor]


class Prefix:
    """A causal network as if it ran step by step.

    A step costs what a pass over all tokens so far costs; a network that keeps
    :class:`ensue.nn.streaming.Steps` itself doesn't need this.

    Args:
        network: Tokens (B, T) to scores (B, T, V) of what follows each; no score may depend on
            later tokens, nor on other rows.
        num_scores: V.
        longest: Tokens of the longest sequence, its prompt's included.
        device: Of the network.

    Example:
        >>> follows = torch.eye(4).roll(1, dims=1) * 100  # 0, 1, 2, 3, 0, ...
        >>> steps = Prefix(lambda tokens: follows[tokens], 4, longest=8)
        >>> scores, _ = steps.step(torch.tensor([[0, 1]]), steps.init_state(1))
        >>> scores.argmax(-1)
        tensor([[1, 2]])
    """

    def __init__(
        self,
        network: Callable[[Tensor], Tensor],
        num_scores: int,
        *,
        longest: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.network, self.num_scores, self.longest = network, num_scores, longest
        self.device = torch.device(device)

    def init_state(self, batch: int) -> State:
        """The state of ``batch`` sequences before their first token: none."""
        return {
            "tokens": torch.zeros(batch, self.longest, dtype=torch.long, device=self.device),
            "at": torch.zeros(batch, dtype=torch.long, device=self.device),
        }

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Scores (B, T, V) of what follows each of the tokens (B, T), and the state.

        Raises:
            ConfigError: There are more tokens than ``longest``.
        """
        tokens, at = state["tokens"], state["at"]
        place = at[:, None] + torch.arange(x.shape[1], device=at.device)
        end = int(place.max()) + 1 if place.numel() else 0
        if end > self.longest:
            raise ConfigError(f"a sequence has {end} tokens; longest is {self.longest}")
        if not end:
            return self.finish(state)
        tokens = tokens.scatter(1, place, x.long())
        # Rows of different age stand side by side: what comes after a row's end changes nothing.
        scores = self.network(tokens[:, :end])
        found = scores.gather(1, place[..., None].expand(-1, -1, scores.shape[-1]))
        return found, {"tokens": tokens, "at": at + x.shape[1]}

    def finish(self, state: State) -> tuple[Tensor, State]:
        """No more scores."""
        return torch.zeros(len(state["at"]), 0, self.num_scores, device=self.device), state
