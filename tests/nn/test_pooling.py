"""Pooling over time: a stream in pieces has the moments of the whole."""

import torch

from ensue.nn.pooling import add_frames, mean_and_deviation, no_moments


def test_pieces_of_any_length_have_the_moments_of_the_whole(seed: int) -> None:
    x = 1e3 + torch.randn(2, 60, 5, dtype=torch.float64)
    moments = no_moments(2, 5, x)
    for piece in x.split([1, 0, 7, 30, 22], dim=1):
        moments = add_frames(moments, piece)
    expected = torch.cat([x.mean(1), x.std(1, correction=0)], -1)
    torch.testing.assert_close(mean_and_deviation(moments), expected, rtol=1e-9, atol=1e-9)


def test_padding_changes_nothing(seed: int) -> None:
    x, lengths = torch.randn(3, 20, 4), torch.tensor([20, 1, 7])
    found = mean_and_deviation(add_frames(no_moments(3, 4, x), x, lengths))
    for i, n in enumerate(lengths):
        alone = x[i, :n]
        expected = torch.cat([alone.mean(0), alone.std(0, correction=0)])
        # One frame has the deviation 1e-5 of the smallest variance.
        torch.testing.assert_close(found[i], expected, rtol=1e-5, atol=2e-5)


def test_its_gradient_is_finite_where_nothing_varies() -> None:
    x = torch.ones(1, 4, 2, requires_grad=True)
    mean_and_deviation(add_frames(no_moments(1, 2, x), x)).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
