"""InfoNCE: tell the one true future among N candidates (van den Oord et al. 2018).

Futures and candidates are in the modules of these names.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ensue.errors import ConfigError


def info_nce(scores: Tensor, positive: Tensor | int = 0) -> Tensor:
    r"""The loss of telling the positive among the candidates (eq. 4, van den Oord et al. 2018).

    .. math:: \mathcal{L} = -\log \frac{\exp s_+}{\sum_{j=1}^N \exp s_j}

    The sum runs over the candidates of one fixed context.

    Args:
        scores: (..., N) log-density-ratios s_j, -inf for a candidate that doesn't count.
        positive: (...) index of the positive, or one index for all.

    Returns:
        (...) nats; log N where all scores are equal.

    Example:
        >>> info_nce(torch.zeros(2, 8)) - chance_loss(8)
        tensor([0., 0.])
    """
    if isinstance(positive, int):
        positive = torch.full(scores.shape[:-1], positive, device=scores.device)
    flat = nn.functional.cross_entropy(scores.flatten(0, -2), positive.flatten(), reduction="none")
    return flat.view(scores.shape[:-1])


def chance_loss(num_candidates: int | Tensor) -> Tensor:
    """The loss log N, in nats, of one who can't tell the N candidates apart."""
    return torch.as_tensor(num_candidates, dtype=torch.float32).log()


def information(loss: Tensor, num_candidates: int | Tensor) -> Tensor:
    r"""The lower bound on mutual information that a loss certifies (eq. 5, ibid.).

    .. math:: I(x_{t+k}; c_t) \ge \log N - \mathcal{L}

    Never more than log N, whatever the truth: a larger value needs more candidates.

    Example:
        >>> information(torch.tensor(0.5), 8)
        tensor(1.5794)
    """
    return chance_loss(num_candidates).to(loss.device) - loss


@dataclass(frozen=True)
class Contrast:
    """The result of each prediction among its candidates.

    Attributes:
        loss: (B, A, K) nats, 0 where not valid.
        correct: (B, A, K) whether the positive scored above every other candidate.
        valid: (B, A, K) whether the future exists.
        chance: (B, A, K) log of the number of candidates.
    """

    loss: Tensor
    correct: Tensor
    valid: Tensor
    chance: Tensor


def contrast(
    predicted: Tensor,
    candidates: Tensor,
    target: Tensor,
    valid: Tensor,
    count: Tensor | None = None,
) -> Contrast:
    r"""Tell each true future from its candidates (eq. 3 and 4, van den Oord et al. 2018).

    .. math::
        s_j = \langle W_k c_t, z_j \rangle, \qquad
        \mathcal{L}_{tk} = -\log \frac{\exp s_+}{\sum_j \exp s_j}

    The positive is among the candidates exactly once and never among the negatives.

    Args:
        predicted: (B, A, K, D) the predictions W_k c_t.
        candidates: (B, N, D) frames.
        target: (B, A, K) the place of each true future among the candidates; or (B, A, K, D) the
            true futures themselves, where they aren't among them.
        valid: (B, A, K) Boolean, whether there is such a future.
        count: (B, N) or (B, A, K, N) Boolean, False for what is no candidate after all; None where
            all are.

    Raises:
        ConfigError: There are no candidates.

    Memory: the scores, B A K N numbers, and their gradient.

    Example:
        >>> z = torch.zeros(1, 4, 2)
        >>> target, valid = torch.tensor([[[1], [2]]]), torch.ones(1, 2, 1, dtype=torch.bool)
        >>> contrast(torch.zeros(1, 2, 1, 2), z, target, valid).loss - chance_loss(4)
        tensor([[[0.],
                 [0.]]])
    """
    B, A, K, D = predicted.shape
    if not candidates.shape[1]:
        raise ConfigError("there are no candidates: give frames of the sequence or of others")
    scores = (predicted.reshape(B, A * K, D) @ candidates.transpose(1, 2)).view(B, A, K, -1)
    if count is not None:
        count = count if count.dim() == 4 else count[:, None, None]
        scores = scores.masked_fill(~count, -torch.inf)
    if target.is_floating_point():
        scores = torch.cat([(predicted * target).sum(-1, keepdim=True), scores], -1)
        target = torch.zeros_like(valid, dtype=torch.long)
    return _told(scores, target, valid)


def _told(scores: Tensor, positive: Tensor, valid: Tensor) -> Contrast:
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    # A position that isn't valid may have no candidate at all; its loss is 0, not NaN.
    loss = torch.where(valid, info_nce(scores, positive), 0)
    with torch.no_grad():
        best = scores.gather(-1, positive[..., None])
        correct = ((scores >= best).sum(-1) == 1) & valid
        chance = chance_loss(torch.isfinite(scores).sum(-1)).to(scores.device)
    return Contrast(loss, correct, valid, chance)
