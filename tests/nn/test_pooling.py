"""Pooling over time: a stream in pieces has the statistics of the whole. Over a grid: a loop."""

import math

import pytest
import torch

from ensue.nn.pooling import add_frames, no_statistics, pool, pool_cells


def test_pieces_of_any_length_have_the_moments_of_the_whole(seed: int) -> None:
    x = 1e3 + torch.randn(2, 60, 5, dtype=torch.float64)
    statistics = no_statistics(2, 5, x)
    for piece in x.split([1, 0, 7, 30, 22], dim=1):
        statistics = add_frames(statistics, piece)
    steps = x.diff(dim=1).square().mean(1).sqrt()
    expected = torch.cat([x.mean(1), x.std(1, correction=0), steps, x.amax(1), x.amin(1)], -1)
    found = pool(statistics, "extremes")
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(pool(statistics, "dynamics"), found[:, :15])
    torch.testing.assert_close(pool(statistics, "statistics"), found[:, :10])
    torch.testing.assert_close(pool(statistics, "mean"), statistics["mean"])


def test_padding_changes_nothing(seed: int) -> None:
    x, lengths = torch.randn(3, 20, 4), torch.tensor([20, 1, 7])
    found = pool(add_frames(no_statistics(3, 4, x), x, lengths), "extremes")
    for i, n in enumerate(lengths):
        alone = x[i, :n]
        steps = alone.diff(dim=0).square().sum(0).div(max(n - 1, 1)).sqrt()
        parts = [alone.mean(0), alone.std(0, correction=0), steps, alone.amax(0), alone.amin(0)]
        expected = torch.cat(parts)
        # One frame has the deviation 1e-5 of the smallest variance.
        torch.testing.assert_close(found[i], expected, rtol=1e-5, atol=2e-5)


def test_its_gradient_is_finite_where_nothing_varies() -> None:
    x = torch.ones(1, 4, 2, requires_grad=True)
    pool(add_frames(no_statistics(1, 2, x), x), "extremes").sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_a_stream_that_brought_nothing_is_finite() -> None:
    assert pool(no_statistics(1, 2, torch.zeros(1)), "extremes").isfinite().all()


@pytest.mark.parametrize(("Y", "X", "cells"), [(7, 7, 3), (6, 4, 2), (5, 3, 1), (2, 1, 3)])
def test_cells_are_the_means_over_their_places(Y: int, X: int, cells: int, seed: int) -> None:
    x = torch.randn(2, Y, X, 5, dtype=torch.float64)
    expected = []
    for i in range(cells):
        for j in range(cells):
            rows = range(i * Y // cells, math.ceil((i + 1) * Y / cells))
            columns = range(j * X // cells, math.ceil((j + 1) * X / cells))
            expected.append(torch.stack([x[:, y, c] for y in rows for c in columns]).mean(0))
    torch.testing.assert_close(pool_cells(x, cells), torch.cat(expected, 1), rtol=0, atol=1e-12)
