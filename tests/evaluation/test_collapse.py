"""Collapse diagnostics against their definitions, and what they must say at the extremes."""

import numpy as np
import pytest

from ensue.evaluation.collapse import alignment, effective_rank, uniformity


def test_effective_rank_counts_the_directions_of_a_ball(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ball = np.zeros((4000, 10))
    ball[:, :3] = rng.standard_normal((4000, 3))
    turned = ball @ np.linalg.qr(rng.standard_normal((10, 10)))[0]
    assert effective_rank(5 + turned) == pytest.approx(3, rel=0.01)  # sampling


def test_a_point_has_no_direction_and_a_line_has_one() -> None:
    assert effective_rank(np.ones((5, 4))) == 0
    assert effective_rank(np.outer(np.arange(5.0), np.ones(4))) == pytest.approx(1)


def test_uniformity_is_its_definition_over_pairs(seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((7, 3))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    pairs = [np.exp(-2 * np.square(unit[i] - unit[j]).sum()) for i in range(7) for j in range(i)]
    assert uniformity(x) == pytest.approx(np.log(np.mean(pairs)), abs=1e-12)


def test_embeddings_that_point_one_way_are_not_uniform() -> None:
    assert uniformity(np.outer(np.arange(1, 6.0), np.ones(4))) == pytest.approx(0, abs=1e-12)


def test_alignment_runs_from_together_to_opposite(seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((7, 3))
    assert alignment(x, 3 * x) == pytest.approx(0, abs=1e-12)
    assert alignment(x, -x) == pytest.approx(4)
