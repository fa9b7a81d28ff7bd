"""KSG: equal to its definition, pair by pair."""

import numpy as np
import pytest
from scipy.special import digamma

from ensue.errors import DataError
from ensue.information.neighbors import ksg, ksg_refusal
from ensue.information.tasks import TASKS

SOME = (
    "normal 1x1",
    "swiss roll 2x1",
    "uniform noise 0.1",
    "student 2x2, 1 degree",
    "spiral 3x3, two pairs",
)


def by_pairs(x: np.ndarray, y: np.ndarray, k: int) -> float:
    terms = []
    for i in range(len(x)):
        of_x = np.delete(np.abs(x - x[i]).max(1), i)
        of_y = np.delete(np.abs(y - y[i]).max(1), i)
        distance = np.sort(np.maximum(of_x, of_y))[k - 1]
        counts = [(of < distance).sum() + 1 for of in (of_x, of_y)]
        terms.append(sum(digamma(count) for count in counts))
    return float(digamma(k) + digamma(len(x)) - np.mean(terms))


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("k", [1, 4])
def test_it_is_its_definition(name: str, k: int) -> None:
    x, y = TASKS[name].sample(300, seed=5)
    assert ksg(x, y, k) == pytest.approx(by_pairs(x, y, k), abs=1e-9)


def test_it_finds_what_a_line_shares() -> None:
    x, y = TASKS["normal 1x1, strong"].sample(5000, seed=1)
    assert ksg(x, y) == pytest.approx(TASKS["normal 1x1, strong"].information, abs=0.06)


def test_it_says_where_it_is_not_to_be_trusted() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 6))
    assert ksg_refusal(x, x) == "12 dimensions; at most 10"
    assert ksg_refusal(x[:50, :2], x[:50, :2]) == "50 pairs; at least 100"
    equal = ksg_refusal(x[:, :1].round(1), x[:, 1:2])
    assert equal is not None
    assert equal.endswith("rows of x are repeats; KSG needs all rows to differ")
    assert ksg_refusal(x[:, :2], x[:, 2:4]) is None
    with pytest.raises(DataError, match="KSG with 3 neighbors needs more than 3 pairs"):
        ksg(x[:3], x[:3])
    with pytest.raises(DataError, match="200 of 200 pairs are repeats"):
        ksg(np.zeros((200, 1)), np.zeros((200, 1)))
