"""Teacher forcing: true tokens, and some that the model itself drew.

(Bengio et al. 2015, 1506.03099.) Dims: B sequences, T tokens.
"""

import math
from typing import Any

import torch
from torch import Tensor

from ensue.generation.choose import by_cumulative
from ensue.models.tokens.seq2seq_config import ForcingCoin, ForcingSchedule
from ensue.models.tokens.sequences import marked
from ensue.models.tokens.source_decoder import SourceDecoder
from ensue.nn.hashed import uniform_of

FORCED, DRAWN = 0, 1
"""Numbers of the two kinds of noise of a sequence."""


def forcing_probability(step: int, schedule: ForcingSchedule, *, end: float, steps: int) -> float:
    r"""The probability that a step of training sees the true token: from 1 down to ``end``.

    .. math::
        \epsilon_{\mathrm{linear}} = 1 - (1 - e) \min(s / S, 1), \qquad
        \epsilon_{\mathrm{inverse\ sigmoid}} = e + (1 - e)\, \sigma(6 - 12 s / S)

    (Section 2.4, Bengio et al. 2015; their k / (k + exp(s / k)) is a sigmoid of s too.)

    Args:
        step: s.
        schedule: constant is ``end`` throughout.
        end: e.
        steps: S.

    Example:
        >>> forcing_probability(500, "linear", end=0.5, steps=1000)
        0.75
        >>> forcing_probability(500, "inverse_sigmoid", end=0.0, steps=1000)
        0.5
    """
    if schedule == "constant":
        return end
    if schedule == "linear":
        return 1 - (1 - end) * min(step / steps, 1.0)
    return end + (1 - end) / (1 + math.exp(min(12 * step / steps - 6, 700)))


@torch.no_grad()
def partly_own(
    decoder: SourceDecoder,
    x: Tensor,
    lengths: Tensor,
    state: dict[str, Any],
    *,
    forcing: float,
    coin: ForcingCoin,
    step: int,
) -> Tensor:
    """(B, T - 1) what the steps see: true tokens, and some that the model itself drew.

    The first token is always the true one. The others are drawn from the model, which saw the ones
    before them here; gradients don't pass through a draw.

    Args:
        decoder: Draws; in eval mode.
        x: (B, T) true tokens.
        lengths: (B,) valid tokens.
        state: Of the decoder before the first token.
        forcing: Probability of a true token.
        coin: What has one draw: each token, or those of a step in all rows.
        step: Of training; sets the draws.
    """
    was_training = decoder.training
    decoder.eval()
    try:
        kept = marked(x, lengths)
        tossed = kept if coin == "token" else kept.new_zeros(1, 1)  # one row of coins for all
        forced = uniform_of(tossed, 2 * step + FORCED, x.shape[1] - 1)
        drawn = uniform_of(kept, 2 * step + DRAWN, x.shape[1] - 1)
        seen = x[:, :-1].clone()
        for t in range(seen.shape[1] - 1):
            scores, state = decoder.step(seen[:, t : t + 1], state)
            chosen = by_cumulative(in_single(scores[:, 0]).softmax(-1), drawn[:, t : t + 1])
            seen[:, t + 1] = chosen.where(forced[:, t] >= forcing, seen[:, t + 1])
    finally:
        decoder.train(was_training)
    return seen


def in_single(scores: Tensor) -> Tensor:
    """Scores in single precision at least."""
    return scores.to(torch.promote_types(scores.dtype, torch.float32))
