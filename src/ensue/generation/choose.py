"""Choosing the next token of each row: at random, or the likeliest.

Each row has a generator of its own, so that what it draws doesn't depend on its company.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ensue.generation.config import GenerationConfig
from ensue.generation.processors import min_p, top_k, top_p


def choose(
    scores: Tensor, config: GenerationConfig, generators: Sequence[np.random.Generator]
) -> Tensor:
    """(B, V) scores and a generator for each row to (B,) tokens.

    Example:
        >>> scores = torch.tensor([[0.0, 2.0, 1.0]])
        >>> choose(scores, GenerationConfig(temperature=0), [np.random.default_rng(0)])
        tensor([1])
    """
    if config.method == "greedy" or not config.temperature:
        return scores.argmax(-1)
    scores = scores.double() / config.temperature
    if config.top_k is not None:
        scores = top_k(scores, config.top_k)
    if config.top_p is not None:
        scores = top_p(scores, config.top_p)
    if config.min_p is not None:
        scores = min_p(scores, config.min_p)
    if config.method == "gumbel":
        uniform = _uniform(generators, scores.shape[1]).to(scores.device)
        # 1 - u is never 0, so that the noise is finite or -inf's opposite, never NaN.
        return (scores - (-(1 - uniform).log()).log()).argmax(-1)
    return by_cumulative(scores.softmax(-1), _uniform(generators, 1).to(scores.device))


def by_cumulative(probability: Tensor, uniform: Tensor) -> Tensor:
    """The token at which the cumulative probability passes ``uniform`` (B, 1): (B,).

    Example:
        >>> by_cumulative(torch.tensor([[0.25, 0.0, 0.75]]), torch.tensor([[0.25]]))
        tensor([2])
    """
    cumulative = probability.cumsum(-1)
    found = torch.searchsorted(cumulative, uniform * cumulative[:, -1:], right=True)
    # Rounding can make the product the whole: the last token that has any probability.
    last = probability.shape[1] - 1 - (probability.flip(-1) > 0).long().argmax(-1, keepdim=True)
    return torch.minimum(found, last)[:, 0]


def _uniform(generators: Sequence[np.random.Generator], size: int) -> Tensor:
    return torch.from_numpy(np.stack([g.random(size) for g in generators]))
