"""Choosing the next token of each row: at random, or the likeliest.

What is random comes in from outside, so that what a row draws doesn't depend on its company.
"""

import torch
from torch import Tensor

from ensue.errors import ConfigError
from ensue.generation.config import GenerationConfig
from ensue.generation.processors import min_p, top_k, top_p

BELOW_1 = 1 - 2**-52
"""The largest number but one below 1."""


def choose(scores: Tensor, config: GenerationConfig, uniform: Tensor) -> Tensor:
    """(B, V) scores to (B,) tokens.

    Args:
        scores: -inf where a token is forbidden.
        config: How to choose.
        uniform: Draws from [0, 1): (B, 1), and (B, V) for the method ``gumbel``; greedy ways look
            at none.

    Example:
        >>> scores = torch.tensor([[0.0, 2.0, 1.0]])
        >>> choose(scores, GenerationConfig(temperature=0), torch.zeros(1, 1))
        tensor([1])
    """
    if is_greedy(config):
        return scores.argmax(-1)
    if config.temperature != 1:
        # The likeliest score is 0 then, which no temperature makes infinite.
        scores = (scores - scores.amax(-1, keepdim=True)) / config.temperature
    if config.top_k is not None:
        scores = top_k(scores, config.top_k)
    if config.top_p is not None:
        scores = top_p(scores, config.top_p)
    if config.min_p is not None:
        scores = min_p(scores, config.min_p)
    if config.method == "gumbel":
        noisy = scores - (-(1 - uniform).log()).log()
        # 0 makes infinite noise, which must not lift what is forbidden.
        return noisy.masked_fill(scores == -torch.inf, -torch.inf).argmax(-1)
    return by_cumulative(scores.softmax(-1), uniform)


def is_greedy(config: GenerationConfig) -> bool:
    """Return whether the likeliest token is taken, and nothing is random."""
    return config.method == "greedy" or not config.temperature


def by_cumulative(probability: Tensor, uniform: Tensor) -> Tensor:
    """The token at which the cumulative probability passes ``uniform`` (B, 1): (B,).

    Example:
        >>> by_cumulative(torch.tensor([[0.25, 0.0, 0.75]]), torch.tensor([[0.25]]).double())
        tensor([2])
    """
    cumulative = probability.cumsum(-1, dtype=torch.float64)
    # Below the whole, whatever is rounded: it is passed at a token that has some probability.
    whole = cumulative[:, -1:]
    below = torch.minimum(uniform * whole, whole * BELOW_1)
    # NaN is passed nowhere; that there is none is for the caller to see to, in its own time.
    return torch.searchsorted(cumulative, below, right=True)[:, 0].clamp(
        max=cumulative.shape[1] - 1
    )


def sample_categorical(
    logits: Tensor, shape: tuple[int, ...] = (), *, generator: torch.Generator | None = None
) -> Tensor:
    """Draws from categorical distributions, in the shape that torch.distributions gives them.

    Args:
        logits: (..., V) unnormalized log-probabilities.
        shape: Of the draws from each: as the ``sample_shape`` of torch's ``Categorical``.
        generator: Of the draw.

    Returns:
        ``shape`` + (...) whole numbers, 0 to V - 1.

    Raises:
        ConfigError: A distribution has nothing to draw, or logits are NaN.

    Example:
        >>> logits = torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0]])
        >>> sample_categorical(logits, (3,))
        tensor([[0, 1],
                [0, 1],
                [0, 1]])
    """
    if not logits.dim() or not logits.shape[-1] or not logits.is_floating_point():
        raise ConfigError(
            f"logits are {tuple(logits.shape)} of {logits.dtype}; they are floats, at least one "
            "for a draw"
        )
    flat = logits.expand(*shape, *logits.shape).reshape(-1, logits.shape[-1])
    if len(flat) and not bool(flat.amax(-1).isfinite().all()):
        raise ConfigError("logits are NaN, infinite, or all minus infinity: nothing can be drawn")
    uniform = torch.rand(len(flat), 1, dtype=torch.float64, generator=generator)
    drawn = by_cumulative(flat.softmax(-1), uniform.to(flat.device))
    return drawn.reshape((*shape, *logits.shape[:-1]))
