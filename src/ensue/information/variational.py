"""Variational bounds on a log-likelihood, and the divergence in them.

Bounds are functions of log-probabilities alone. Dims: B sequences, K draws of z, D latent units.
"""

import math
from typing import Literal

import torch
import torch.distributed
from torch import Tensor

FEWEST_NATS = 1.0
"""Of the divergence of a posterior that hasn't collapsed."""
ACTIVE = 0.01
"""Variance of a unit's mean over the data from which on it is active (Burda et al. 2015)."""
KLSchedule = Literal["constant", "linear", "logistic", "cyclical"]
FreeBits = Literal["sequence", "batch", "unit"]

LOGISTIC_SPAN = 10.0
"""The logistic schedule rises from 1/(1 + e^5) to 1/(1 + e^-5)."""
RISING = 0.5
"""Part of a cycle in which the weight rises (R of Fu et al. 2019, section 3.2)."""


def gaussian_kl(mu: Tensor, log_var: Tensor) -> Tensor:
    r"""Divergence of each latent unit's posterior from the standard normal prior, in nats.

    .. math:: \mathrm{KL}_j = \tfrac12 (\sigma_j^2 + \mu_j^2 - 1 - \log \sigma_j^2)

    (Appendix B, Kingma and Welling 2013, 1312.6114.)

    Args:
        mu: (..., D) means.
        log_var: (..., D) logarithms of the variances.

    Returns:
        (..., D), at least 0.

    Example:
        >>> gaussian_kl(torch.tensor([0.0, 2.0]), torch.tensor([0.0, 0.0]))
        tensor([0., 2.])
    """
    # expm1 keeps the digits of a variance near 1.
    return 0.5 * (log_var.expm1() - log_var + mu.square())


def elbo(log_p: Tensor, log_q: Tensor) -> Tensor:
    r"""The evidence lower bound from draws of the posterior.

    .. math:: \frac1K \sum_k \log p(x, z_k) - \log q(z_k \mid x), \quad z_k \sim q(z \mid x)

    (Eq. 2, Kingma and Welling 2013.)

    Args:
        log_p: (K, ...) log p(x, z).
        log_q: (K, ...) log q(z | x).

    Returns:
        (...) nats.

    Example:
        >>> elbo(torch.tensor([-3.0, -5.0]), torch.tensor([-1.0, -2.0]))
        tensor(-2.5000)
    """
    return (log_p - log_q).mean(0)


def importance_weighted(log_p: Tensor, log_q: Tensor) -> Tensor:
    r"""The importance-weighted bound, closer the more draws there are.

    .. math:: \log \frac1K \sum_k \frac{p(x, z_k)}{q(z_k \mid x)}, \quad z_k \sim q(z \mid x)

    (Eq. 8, Burda et al. 2015, 1509.00519.) With one draw it is the evidence lower bound.

    Args:
        log_p: (K, ...) log p(x, z).
        log_q: (K, ...) log q(z | x).

    Returns:
        (...) nats.

    Example:
        >>> importance_weighted(torch.tensor([-3.0, -5.0]), torch.tensor([-1.0, -2.0]))
        tensor(-2.3799)
    """
    return (log_p - log_q).logsumexp(0) - math.log(len(log_p))


def kl_weight(
    step: int, schedule: KLSchedule, *, start: float, end: float, steps: int, cycles: int = 4
) -> float:
    r"""The weight :math:`\beta` of the divergence at a step of training.

    It goes from ``start`` to ``end`` within ``steps``: along a line; along a logistic curve whose
    middle is half way (figure 2, Bowman et al. 2016, 1511.06349); or in cycles, each rising along a
    line in its first half and staying in the second (eq. 6 to 8, Fu et al. 2019, 1903.10145).

    Args:
        step: From 0.
        schedule: ``constant`` is ``end`` from the first step on.
        start: At first.
        end: At last, and from then on.
        steps: How long it takes.
        cycles: How many, of ``cyclical``.

    Example:
        >>> [kl_weight(t, "linear", start=0.0, end=1.0, steps=4) for t in (0, 1, 4, 9)]
        [0.0, 0.25, 1.0, 1.0]
        >>> [kl_weight(t, "cyclical", start=0.0, end=1.0, steps=8, cycles=2) for t in range(6)]
        [0.0, 0.5, 1.0, 1.0, 0.0, 0.5]
    """
    if schedule == "constant" or step >= steps:
        return end
    part = step / steps
    if schedule == "cyclical":
        part = min(part * cycles % 1 / RISING, 1.0)
    elif schedule == "logistic":
        part = 1 / (1 + math.exp(-LOGISTIC_SPAN * (part - 0.5)))
    return start + (end - start) * part


def free_bits(kl: Tensor, nats: float, kind: FreeBits) -> Tensor:
    r"""The divergence of a batch, summed, where the first ``nats`` of a sequence cost nothing.

    .. math::
        \sum_n \max\Bigl(\lambda, \sum_j \mathrm{KL}_{nj}\Bigr), \quad
        B \max\Bigl(\lambda, \frac1B \sum_{nj} \mathrm{KL}_{nj}\Bigr), \quad
        B \sum_j \max\Bigl(\frac{\lambda}{D}, \frac1B \sum_n \mathrm{KL}_{nj}\Bigr)

    by ``sequence``, by ``batch`` (the whole's mean), and by ``unit`` (each unit's mean: eq. 15,
    Kingma et al. 2016, 1606.04934). Below its share there is no slope. Means are over the batches
    of all processes, so that how many there are changes nothing; accumulated batches have theirs.

    Args:
        kl: (B, D) nats.
        nats: :math:`\lambda`, of a sequence.
        kind: What has its share.

    Returns:
        (): nats, at least ``kl.sum()``.

    Example:
        >>> kl = torch.tensor([[0.0, 4.0], [0.0, 6.0]])
        >>> [float(free_bits(kl, 6.0, kind)) for kind in ("sequence", "batch", "unit")]
        [12.0, 12.0, 16.0]
    """
    if kind == "sequence":
        return kl.sum(1).clamp(min=nats).sum()
    share = nats / kl.shape[1] if kind == "unit" else nats
    whole = kl.sum(0) if kind == "unit" else kl.sum()
    below = _mean_of_all(whole.detach(), len(kl)) < share
    return torch.where(below, share * len(kl), whole).sum()


def _mean_of_all(whole: Tensor, num: int) -> Tensor:
    """The mean over the batches of all processes."""
    both = torch.cat([whole.reshape(-1), whole.new_tensor([num])])
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(both)
    return (both[:-1] / both[-1]).reshape(whole.shape)


def active_units(mu: Tensor) -> Tensor:
    r"""The number of latent units that depend on the data.

    .. math:: \bigl|\{j : \mathrm{Var}_x(\mu_j(x)) > 0.01\}\bigr|

    (Section 5.2, Burda et al. 2015.)

    Args:
        mu: (B, D) means of posteriors.

    Example:
        >>> active_units(torch.tensor([[0.0, 1.0], [0.0, -1.0]]))
        tensor(1)
    """
    return (mu.var(0, correction=0) > ACTIVE).sum()


def mutual_information(mu: Tensor, log_var: Tensor, z: Tensor) -> Tensor:
    r"""Information of z about which sequence it came from, in nats: at most :math:`\log B`.

    .. math:: \frac1B \sum_n \log \frac{q(z_n \mid x_n)}{\frac1B \sum_m q(z_n \mid x_m)}

    (Section 2, Hoffman and Johnson 2016, "ELBO surgery", at one draw for each sequence.)

    Args:
        mu: (B, D) means.
        log_var: (B, D) logarithms of the variances.
        z: (B, D) a draw from each posterior.

    Memory: B B numbers.
    """
    # Squares multiplied out, in double precision, since they nearly cancel.
    z_, mu_, log_var_ = z.double(), mu.double(), log_var.double()
    precision = (-log_var_).exp()
    squares = z_.square() @ precision.T - 2 * z_ @ (mu_ * precision).T
    own = (mu_.square() * precision + log_var_).sum(1)
    each_by_all = -0.5 * (squares + own)
    found = (each_by_all.diagonal() - each_by_all.logsumexp(1)).mean() + math.log(len(z))
    return found.to(z.dtype)


def normal_log_prob(x: Tensor, mu: Tensor | None = None, log_var: Tensor | None = None) -> Tensor:
    r"""Nats of a normal distribution with independent units, by default the standard one.

    Args:
        x: (..., D).
        mu: (..., D) means, or None for 0.
        log_var: (..., D) logarithms of the variances, or None for 0.

    Returns:
        (...).

    Example:
        >>> normal_log_prob(torch.zeros(1, 2))
        tensor([-1.8379])
    """
    nats = -0.5 * x.shape[-1] * math.log(2 * math.pi)
    if mu is not None:
        x = x - mu
    if log_var is None:
        return nats - 0.5 * x.square().sum(-1)
    return nats - 0.5 * (x.square() * (-log_var).exp() + log_var).sum(-1)


def collapse_remark(kl: float, num_active: float) -> str | None:
    """Advice where the posterior is the prior, or nearly, so that z says nothing; else None.

    Args:
        kl: Divergence from the prior, nats of a sequence.
        num_active: Active units.

    Example:
        >>> collapse_remark(9.0, 20) is None
        True
        >>> print(collapse_remark(0.02, 0)[:60])
        the posterior has collapsed: z holds 0.02 nats of a sequence
    """
    if kl >= FEWEST_NATS and num_active >= 1:
        return None
    return (
        f"the posterior has collapsed: z holds {kl:.2f} nats of a sequence by {num_active:.0f} "
        "active units, so that the decoder writes without it; set free_bits (8 or more) and let "
        "beta rise slowly (kl_schedule linear or cyclical, kl_steps about half of max_steps)"
    )
