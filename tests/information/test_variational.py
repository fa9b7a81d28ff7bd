"""Variational bounds: exact where the posterior is, below the truth elsewhere."""

import itertools
import math

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from ensue.information.variational import (
    active_units,
    elbo,
    free_bits,
    gaussian_kl,
    importance_weighted,
    kl_weight,
    mutual_information,
    normal_log_prob,
)

LATENTS, SEEN, NOISE = 3, 5, 0.4


class LinearGaussian:
    """x = W z + noise, whose evidence and posterior are known."""

    def __init__(self) -> None:
        self.w = torch.randn(SEEN, LATENTS, dtype=torch.float64)
        eye = torch.eye(SEEN, dtype=torch.float64)
        evidence = MultivariateNormal(torch.zeros_like(eye[0]), self.w @ self.w.T + NOISE**2 * eye)
        self.x = evidence.sample()
        self.evidence = evidence.log_prob(self.x)
        precision = torch.eye(LATENTS, dtype=torch.float64) + self.w.T @ self.w / NOISE**2
        covariance = precision.inverse()
        mean = covariance @ self.w.T @ self.x / NOISE**2
        self.posterior = MultivariateNormal(mean, (covariance + covariance.T) / 2)

    def log_p(self, z: torch.Tensor) -> torch.Tensor:
        seen = Normal(z @ self.w.T, NOISE).log_prob(self.x).sum(-1)
        return normal_log_prob(z) + seen


@pytest.mark.parametrize("num_draws", [1, 7])
def test_bounds_are_the_evidence_at_the_true_posterior(num_draws: int, seed: int) -> None:
    of = LinearGaussian()
    z = of.posterior.sample((num_draws,))
    for bound in (elbo, importance_weighted):
        found = bound(of.log_p(z), of.posterior.log_prob(z))
        assert float(found) == pytest.approx(float(of.evidence), abs=1e-10)


def test_bounds_are_ordered_elsewhere(seed: int) -> None:
    """ELBO, then ever closer ones, below the evidence: within 4 standard errors."""
    of = LinearGaussian()
    wide = MultivariateNormal(
        of.posterior.mean + 0.2, of.posterior.covariance_matrix * 2 + 0.05 * torch.eye(LATENTS)
    )
    z = wide.sample((64, 4000))
    log_p, log_q = of.log_p(z), wide.log_prob(z)
    found = [elbo(log_p[:1], log_q[:1])]
    found += [importance_weighted(log_p[:k], log_q[:k]) for k in (4, 64)]
    means = [float(f.mean()) for f in found] + [float(of.evidence)]
    errors = [float(f.std() / len(f) ** 0.5) for f in found] + [0.0]
    for (a, ea), (b, eb) in itertools.pairwise(zip(means, errors, strict=True)):
        assert a <= b + 4 * (ea + eb)
    assert means[0] < means[2]


def test_divergence_is_that_of_torch_distributions(seed: int) -> None:
    mu, log_var = torch.randn(2, 4, 6, dtype=torch.float64)
    expected = kl_divergence(Normal(mu, (log_var / 2).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(gaussian_kl(mu, log_var), expected, rtol=1e-12, atol=1e-12)
    tiny = torch.tensor([1e-9])
    assert float(gaussian_kl(torch.zeros(1), tiny)) >= 0


def test_log_prob_is_that_of_torch_distributions(seed: int) -> None:
    x, mu, log_var = torch.randn(3, 4, 6, dtype=torch.float64)
    expected = Normal(mu, (log_var / 2).exp()).log_prob(x).sum(-1)
    torch.testing.assert_close(normal_log_prob(x, mu, log_var), expected)
    torch.testing.assert_close(normal_log_prob(x), Normal(0.0, 1.0).log_prob(x).sum(-1))


def test_free_bits_are_the_larger_of_both_by_each_kind(seed: int) -> None:
    kl = torch.rand(5, 3, dtype=torch.float64)
    nats = float(kl.sum(1).mean())
    rows = [max(nats, float(row.sum())) for row in kl]
    units = [max(nats / 3, float(kl[:, j].mean())) for j in range(3)]
    assert float(free_bits(kl, nats, "sequence")) == pytest.approx(sum(rows))
    assert float(free_bits(kl, nats, "unit")) == pytest.approx(5 * sum(units))
    for above in (0.5 * nats, 2 * nats):
        whole = 5 * max(above, nats)
        assert float(free_bits(kl, above, "batch")) == pytest.approx(whole)


@pytest.mark.parametrize("kind", ["sequence", "batch", "unit"])
def test_what_is_free_has_no_slope(kind: str) -> None:
    kl = torch.full((4, 2), 0.1, requires_grad=True)
    free_bits(kl, 1.0, kind).sum().backward()  # type: ignore[arg-type]
    assert kl.grad is not None
    assert not kl.grad.any()
    kl.grad = None
    free_bits(kl, 0.1, kind).sum().backward()  # type: ignore[arg-type]
    assert (kl.grad == 1).all()


def test_schedules_begin_and_end_where_they_should() -> None:
    for schedule in ("linear", "logistic", "cyclical"):
        at = [
            kl_weight(t, schedule, start=0.1, end=0.9, steps=100, cycles=4)  # type: ignore[arg-type]
            for t in range(130)
        ]
        assert at[0] == pytest.approx(0.1, abs=0.01)
        assert set(at[100:]) == {0.9}
        assert min(at) >= 0.1
        assert max(at) <= 0.9
        if schedule != "cyclical":
            assert at == sorted(at)
    assert [round(w, 2) for w in at[:26:5]] == [0.1, 0.42, 0.74, 0.9, 0.9, 0.1]
    assert kl_weight(0, "constant", start=0.0, end=0.7, steps=9) == 0.7
    middle = kl_weight(50, "logistic", start=0.0, end=1.0, steps=100)
    assert middle == pytest.approx(0.5)


def test_information_is_all_where_items_are_far_apart_and_none_where_they_are_one(
    seed: int,
) -> None:
    far = 100.0 * torch.arange(8.0)[:, None]
    log_var, noise = torch.zeros(8, 1), torch.randn(8, 1)
    assert float(mutual_information(far, log_var, far + noise)) == pytest.approx(math.log(8))
    none = torch.zeros(8, 1)
    assert float(mutual_information(none, log_var, noise)) == pytest.approx(0, abs=1e-5)
    assert int(active_units(torch.cat([far, none], dim=1))) == 1
