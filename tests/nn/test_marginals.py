"""Layers that begin with the data: splines of single columns, and the Gaussian that fits."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.covariance import LedoitWolf
from sklearn.datasets import load_breast_cancer
from torch import nn

from ensue.errors import ConfigError
from ensue.nn.marginals import TIE, Marginals, knots_of
from ensue.nn.whitening import Whitening, fitted_gaussian


def moved(layer: nn.Module) -> nn.Module:
    """The layer in float64, away from where it begins."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return layer.double()


@pytest.mark.parametrize("layer_of", [Whitening, lambda D: Marginals(D, num_bins=9)])
def test_inverse_and_log_determinant_are_those_of_the_jacobian(layer_of: type, seed: int) -> None:
    data = torch.randn(200, 4).double() @ torch.randn(4, 4).double()
    layer = moved(layer_of(4))
    layer.standardize(data)
    x = data[:5]
    z, log_det = layer(x)
    back, back_det = layer.inverse(z)
    torch.testing.assert_close(back, x, atol=1e-8, rtol=0)
    torch.testing.assert_close(back_det, -log_det, atol=1e-6, rtol=0)
    for i in range(len(x)):
        jacobian = torch.autograd.functional.jacobian(lambda v: layer(v[None])[0][0], x[i])
        expected = torch.linalg.slogdet(jacobian).logabsdet
        torch.testing.assert_close(log_det[i], expected, atol=1e-8, rtol=0)


def test_whitened_data_are_standard_and_have_the_gaussian_s_density(seed: int) -> None:
    data = torch.randn(5000, 3).double() @ torch.randn(3, 3).double() + 5
    layer = Whitening(3).double()
    layer.standardize(data)
    with torch.no_grad():
        z, log_det = layer(data)
    torch.testing.assert_close(z.t().cov(), torch.eye(3).double(), atol=0.01, rtol=0)
    nats = torch.distributions.Normal(0, 1).log_prob(z).sum(1) + log_det
    expected = multivariate_normal(data.mean(0).numpy(), np.cov(data.t().numpy()))
    # The shrinkage chosen is the least, or close to it.
    assert float(nats.mean()) == pytest.approx(expected.logpdf(data.numpy()).mean(), abs=0.01)


def test_shrinkage_by_folds_is_better_than_by_formula_where_columns_are_nearly_collinear(
    seed: int,
) -> None:
    values = np.random.default_rng(seed).permutation(load_breast_cancer().data)
    learned, test = (
        (part - values.mean(0)) / values.std(0) for part in (values[:455], values[455:])
    )
    formula = LedoitWolf().fit(learned)
    nats = [
        np.median(multivariate_normal(mean, covariance).logpdf(test))
        for mean, covariance in (
            fitted_gaussian(learned),
            (formula.location_, formula.covariance_),
        )
    ]
    assert nats[0] > nats[1] + 2


def test_columns_that_copy_each_other_are_fitted() -> None:
    x = torch.randn(100, 1).double() * torch.ones(3).double()
    layer = Whitening(3).double()
    layer.standardize(x)
    assert layer(x)[0].isfinite().all()


@pytest.mark.parametrize("num_bins", [4, 16, 64])
def test_knots_increase_and_hold_what_many_rows_share(num_bins: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shared = np.repeat(rng.normal(size=3), 40)
    values = np.concatenate([shared, rng.normal(size=200), [1e6]])
    knots = knots_of(values, num_bins)
    assert len(knots) == num_bins + 1
    assert (np.diff(knots) > 0).all()
    assert knots[0] < values.min() < values.max() < knots[-1]
    commonest = np.unique(shared)[: (num_bins - 2) // 2]
    if num_bins > 8:
        for value in commonest:
            k = np.searchsorted(knots, value)
            assert knots[k] - knots[k - 1] <= TIE * 1.001


def test_marginals_begin_as_the_identity_wherever_the_knots_lie() -> None:
    layer = Marginals(2, num_bins=8)
    x = torch.randn(50, 2)
    layer.standardize(x)
    z, log_det = layer(x)
    torch.testing.assert_close(z, x, atol=1e-5, rtol=0)
    torch.testing.assert_close(log_det, torch.zeros(50), atol=1e-4, rtol=0)
    with pytest.raises(ConfigError, match="num_bins is 3"):
        Marginals(2, num_bins=3)
