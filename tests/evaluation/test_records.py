"""Records, beside sorting and slicing everything anew at each step."""

import numpy as np
import pytest

from ensue.evaluation.records import Apart, MovingDeviation, OverEarlier, each


def made(seed: int, num: int = 200) -> np.ndarray:
    """Values of which a few are alike, and some are missing."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 40, num) / 4.0
    x[rng.random(num) < 0.1] = np.nan
    return x


@pytest.mark.parametrize("rank", [1, 2, 7])
def test_a_record_is_over_the_rank_th_largest_before(rank: int, seed: int) -> None:
    x = made(seed) + 0.25
    for i, over in enumerate(each(OverEarlier(rank).push, x)):
        before = np.sort(x[:i][~np.isnan(x[:i])])[::-1]
        if np.isnan(x[i]) or len(before) < rank:
            assert over == 0
        else:
            assert over == pytest.approx(x[i] / before[rank - 1], rel=1e-12)


def test_a_series_of_zeros_has_no_records_until_something_happens() -> None:
    over = each(OverEarlier(3).push, np.array([0.0] * 9 + [1.0]))
    assert (over[:9] == 0).all()
    assert over[9] > 1e9


@pytest.mark.parametrize("num", [1, 5, 300])
def test_a_deviation_is_from_the_mean_of_those_before(num: int, seed: int) -> None:
    x = made(seed)
    for i, deviation in enumerate(each(MovingDeviation(num).push, x)):
        before = x[:i][~np.isnan(x[:i])][-num:]
        if np.isnan(x[i]) or not len(before):
            assert np.isnan(deviation)
        else:
            assert deviation == pytest.approx(abs(x[i] - before.mean()), abs=1e-9)


@pytest.mark.parametrize("num", [0, 1, 6])
def test_of_a_fault_the_first_steps_that_grow_are_left(num: int, seed: int) -> None:
    x = np.nan_to_num(made(seed))
    for i, left in enumerate(each(Apart(num).push, x)):
        before = x[max(0, i - num) : i]
        assert left == (x[i] if not len(before) or x[i] > before.max() else 0)
