r"""Variational bounds on mutual information, as functions of a matrix of scores.

A critic f scores pairs: ``scores[i, j]`` is f(x_i, y_j), and the pairs on the diagonal were drawn
together. Each function says whether it is a lower bound, an upper bound, or no bound. Sums over
more pairs than fit into memory are in :mod:`ensue.information.tiles`, critics in
:mod:`ensue.information.critics`.

Dims: N pairs. All results are nats, and differentiable.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ensue.errors import ConfigError
from ensue.information.info_nce import info_nce


def info_nce_bound(scores: Tensor, *, symmetric: bool = False) -> Tensor:
    r"""Lower bound: InfoNCE (eq. 5, van den Oord et al. 2018; section 2.3, Poole et al. 2019).

    .. math:: I \ge \frac{1}{N} \sum_i \log
              \frac{e^{f(x_i, y_i)}}{\frac{1}{N} \sum_j e^{f(x_i, y_j)}}

    At most log N. It has the least variance of the bounds here.

    Args:
        scores: (N, N).
        symmetric: Whether to return the mean of this and of the same with x and y exchanged.

    Example:
        >>> info_nce_bound(torch.eye(8) * 100).round(decimals=4), math.log(8)
        (tensor(2.0794), 2.0794415416798357)
    """
    positive = torch.arange(_size(scores), device=scores.device)
    loss = info_nce(scores, positive).mean()
    if symmetric:
        loss = (loss + info_nce(scores.T, positive).mean()) / 2
    return math.log(len(scores)) - loss


def donsker_varadhan(scores: Tensor) -> Tensor:
    r"""Lower bound in the limit of many pairs; of a batch, no bound (Donsker, Varadhan 1983).

    .. math:: I \ge \frac{1}{N} \sum_i f(x_i, y_i) -
              \log \frac{1}{N (N - 1)} \sum_{i \ne j} e^{f(x_i, y_j)}

    The logarithm of a mean over few pairs is too small on average, so that a batch gives too much.
    It is the objective of MINE (Belghazi et al. 2018).

    Args:
        scores: (N, N).

    Example:
        >>> donsker_varadhan(torch.eye(2) * 3)
        tensor(3.)
    """
    return scores.diagonal().mean() - _log_mean_of_others(scores)


def nwj(scores: Tensor) -> Tensor:
    r"""Lower bound, of any batch in expectation (Nguyen, Wainwright, Jordan 2010).

    .. math:: I \ge \frac{1}{N} \sum_i f(x_i, y_i) -
              \frac{e^{-1}}{N (N - 1)} \sum_{i \ne j} e^{f(x_i, y_j)}

    (Section 2.2, Poole et al. 2019.) It is tight for f = 1 + log p(x, y) / (p(x) p(y)). Its
    variance grows with e to the power of the information.

    Args:
        scores: (N, N).

    Example:
        >>> nwj(torch.ones(4, 4))
        tensor(0.)
    """
    return tuba(scores, scores.new_ones(_size(scores)))


def tuba(scores: Tensor, log_baseline: Tensor) -> Tensor:
    r"""Lower bound with a baseline a(x) (section 2.2, Poole et al. 2019).

    .. math:: I \ge 1 + \frac{1}{N} \sum_i (f(x_i, y_i) - \log a_i) -
              \frac{1}{N (N - 1)} \sum_{i \ne j} e^{f(x_i, y_j) - \log a_i}

    Args:
        scores: (N, N).
        log_baseline: (N,) log a of each row.

    Example:
        >>> tuba(torch.ones(4, 4), torch.ones(4)) == nwj(torch.ones(4, 4))
        tensor(True)
    """
    shifted = scores - log_baseline[:, None]
    return 1 + shifted.diagonal().mean() - _log_mean_of_others(shifted).exp()


def jensen_shannon(scores: Tensor) -> Tensor:
    r"""No bound on the information: an objective for critics (Hjelm et al. 2019).

    .. math:: - \frac{1}{N} \sum_i \mathrm{sp}(-f(x_i, y_i)) -
              \frac{1}{N (N - 1)} \sum_{i \ne j} \mathrm{sp}(f(x_i, y_j)),
              \qquad \mathrm{sp}(t) = \log(1 + e^t)

    (Eq. 4, Hjelm et al. 2019.) The best f is the log-ratio log p(x, y) / (p(x) p(y)), so that
    ``nwj(scores + 1)`` of a critic trained by it is a lower bound.

    Args:
        scores: (N, N).

    Example:
        >>> jensen_shannon(torch.zeros(4, 4)) + 2 * math.log(2)
        tensor(0.)
    """
    N = _size(scores)
    every = softplus(scores)
    others = (every.sum() - every.diagonal().sum()) / (N * (N - 1))
    return -softplus(-scores.diagonal()).mean() - others


def smile(scores: Tensor, clip: float = 5.0) -> Tensor:
    r"""No bound: Donsker-Varadhan with the ratios clipped (section 5, Song, Ermon 2020).

    .. math:: \frac{1}{N} \sum_i f(x_i, y_i) - \log \frac{1}{N (N - 1)} \sum_{i \ne j}
              \min(\max(e^{f(x_i, y_j)}, e^{-\tau}), e^{\tau})

    Clipping keeps the variance small and may push the value above the information.

    Args:
        scores: (N, N), of a critic trained by :func:`jensen_shannon`.
        clip: tau.

    Example:
        >>> smile(torch.eye(2) * 3) == donsker_varadhan(torch.eye(2) * 3)
        tensor(True)
    """
    return scores.diagonal().mean() - _log_mean_of_others(scores.clamp(-clip, clip))


def interpolated(scores: Tensor, log_baseline: Tensor, alpha: float) -> Tensor:
    r"""Lower bound between NWJ (alpha 0) and InfoNCE (alpha 1) (section 2.4, Poole et al. 2019).

    .. math:: I \ge 1 + \frac{1}{N (N - 1)} \sum_{i \ne j} \Bigl(
              \log \frac{e^{f(x_i, y_i)}}{\alpha m_{ij} + (1 - \alpha) a_i} -
              \frac{e^{f(x_i, y_j)}}{\alpha m_{ii} + (1 - \alpha) a_i} \Bigr), \qquad
              m_{ij} = \frac{1}{N - 1} \sum_{k \ne j} e^{f(x_i, y_k)}

    The mean m leaves one of the N out: the partner of another x from the mean of a true pair, the
    true partner from that of all others. It is at most 1 + log ((N - 1) / alpha).

    Args:
        scores: (N, N).
        log_baseline: (N,) log a of each row.
        alpha: From 0 to 1.

    Example:
        >>> scores = torch.eye(8) * 3
        >>> interpolated(scores, torch.ones(8), 0.0) - nwj(scores)
        tensor(0.)
    """
    if not 0 <= alpha <= 1:
        raise ConfigError(f"alpha is {alpha}; it goes from 0 to 1")
    N, others = _size(scores), _log_sums_of_others(scores)
    total = torch.logaddexp(others, scores.diagonal())[:, None]
    # log(sum - e^f); where e^f is nearly all of the sum, the rest is what the type can tell.
    part = (scores - total).exp().clamp(max=1 - torch.finfo(scores.dtype).eps)
    without_one = total + torch.log1p(-part)
    own = torch.eye(N, dtype=torch.bool, device=scores.device)
    weight = torch.tensor(alpha, dtype=scores.dtype, device=scores.device)
    baseline = (log_baseline + (1 - weight).log())[:, None]
    with_partner = torch.logaddexp(without_one - math.log(N - 1) + weight.log(), baseline)
    alone = torch.logaddexp(others - math.log(N - 1) + weight.log(), baseline[:, 0])
    joint = (scores.diagonal()[:, None] - with_partner).masked_fill(own, 0).sum() / (N * (N - 1))
    return 1 + joint - _log_mean_of_others(scores - alone[:, None]).exp()


def flo(scores: Tensor, log_ratio: Tensor) -> Tensor:
    r"""Lower bound: contrastive Fenchel-Legendre optimization (Guo et al. 2022).

    .. math:: I \ge 1 - \frac{1}{N} \sum_i \Bigl( u_i + e^{-u_i} \frac{1}{N - 1}
              \sum_{j \ne i} e^{f(x_i, y_j) - f(x_i, y_i)} \Bigr)

    Args:
        scores: (N, N).
        log_ratio: (N,) u of each pair; the best one is minus the log-ratio of its densities.

    Example:
        >>> flo(torch.zeros(4, 4), torch.zeros(4))
        tensor(0.)
    """
    others = _log_sums_of_others(scores) - math.log(_size(scores) - 1)
    return 1 - (log_ratio + (others - scores.diagonal() - log_ratio).exp()).mean()


def leave_one_out(log_q: Tensor) -> Tensor:
    r"""Upper bound only if q = p(y | x) (section 2.5, Poole et al. 2019).

    .. math:: I \le \frac{1}{N} \sum_i \log
              \frac{q(y_i \mid x_i)}{\frac{1}{N - 1} \sum_{j \ne i} q(y_i \mid x_j)}

    Args:
        log_q: (N, N) log q(y_j | x_i) of the known conditional density, not of a critic.

    Example:
        >>> leave_one_out(torch.zeros(4, 4))
        tensor(0.)
    """
    others = _log_sums_of_others(log_q.T) - math.log(_size(log_q) - 1)
    return (log_q.diagonal() - others).mean()


def club(log_q: Tensor) -> Tensor:
    r"""Upper bound only if q = p(y | x): the contrastive log-ratio (Cheng et al. 2020).

    .. math:: I \le \frac{1}{N} \sum_i \log q(y_i \mid x_i) -
              \frac{1}{N (N - 1)} \sum_{i \ne j} \log q(y_j \mid x_i)

    Of a learned q it is no bound.

    Args:
        log_q: (N, N) log q(y_j | x_i).

    Example:
        >>> club(torch.zeros(4, 4))
        tensor(0.)
    """
    N, own = _size(log_q), log_q.diagonal()
    return own.mean() - (log_q.sum() - own.sum()) / (N * (N - 1))


def _size(scores: Tensor) -> int:
    """N, of at least two pairs.

    Raises:
        ConfigError: The scores are no square, or of fewer pairs.
    """
    if scores.ndim != 2 or scores.shape[0] != scores.shape[1] or len(scores) < 2:
        raise ConfigError(
            f"scores are {tuple(scores.shape)}; they must be (N, N) of at least two pairs, those "
            "on the diagonal drawn together"
        )
    return len(scores)


def _log_sums_of_others(scores: Tensor) -> Tensor:
    """(N,) the logarithm of each row's sum of e^f without the diagonal."""
    own = torch.eye(_size(scores), dtype=torch.bool, device=scores.device)
    return scores.masked_fill(own, -torch.inf).logsumexp(1)


def _log_mean_of_others(scores: Tensor) -> Tensor:
    N = _size(scores)
    return _log_sums_of_others(scores).logsumexp(0) - math.log(N * (N - 1))
