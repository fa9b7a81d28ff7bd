"""InfoNCE: tell the one true future among N candidates (van den Oord et al. 2018)."""

import torch
from torch import Tensor, nn


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
