"""A small decoder with random weights, and its probabilities by brute force."""

from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from ensue.nn import GRU


class Decoder(nn.Module):
    """Keeps Steps: tokens (B, T) to scores (B, T, V)."""

    def __init__(self, num_tokens: int, size: int = 8, sharpness: float = 3.0) -> None:
        super().__init__()
        self.num_tokens = num_tokens
        self.embedding = nn.Embedding(num_tokens, size)
        self.layers = GRU(size, size, 2)
        self.scores = nn.Linear(size, num_tokens)
        nn.init.normal_(self.scores.weight, std=sharpness)
        self.double().eval()

    def init_state(self, batch: int) -> Any:
        return self.layers.init_state(batch)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        with torch.no_grad():
            y, state = self.layers.step(self.embedding(x), state)
            return self.scores(y), state

    def finish(self, state: Any) -> tuple[Any, Any]:
        return None, state

    def log_probs(self, prompt: list[int], tokens: list[int]) -> list[float]:
        """The log-probability of each token after a prompt."""
        x = torch.tensor([[*prompt, *tokens]])
        scores, _ = self.step(x, self.init_state(1))
        terms = scores.log_softmax(-1)[0, :-1].gather(1, x[0, 1:, None])[:, 0]
        return terms[len(prompt) - 1 :].tolist()


class Chain:
    """Keeps Steps: what follows a token depends on that token only."""

    def __init__(self, probabilities: list[list[float]]) -> None:
        self.scores = torch.tensor(probabilities, dtype=torch.float64).log()
        self.num_tokens = len(probabilities)

    def init_state(self, batch: int) -> Any:
        return torch.zeros(batch, 1)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        return self.scores[x], state

    def finish(self, state: Any) -> tuple[Any, Any]:
        return None, state


def sequences(num_tokens: int, longest: int, eos: int) -> list[list[int]]:
    """All sequences that end with ``eos``, or have the largest length without one."""
    others = [t for t in range(num_tokens) if t != eos]
    found = [[*s, eos] for n in range(longest) for s in product(others, repeat=n)]
    return [list(s) for s in found] + [list(s) for s in product(others, repeat=longest)]
