"""The figures: what they show is true, and they are drawn alike each time."""

import math
from itertools import pairwise
from pathlib import Path

import pytest
from docs.figures.log_n import CANDIDATES, TRUTHS, certified

FIGURES = Path(__file__).parent.parent.parent / "docs" / "figures"
# Of 4000 contexts; the log-ratio has a standard deviation of about 1 nat.
STANDARD_ERROR = 1 / math.sqrt(4000)


@pytest.mark.parametrize("truth", TRUTHS)
def test_certified_information_rises_to_the_truth_below_log_n(truth: float) -> None:
    found = [certified(truth, n) for n in CANDIDATES]
    for n, nats in zip(CANDIDATES, found, strict=True):
        assert nats <= math.log(n)
        assert nats <= truth + 4 * STANDARD_ERROR
    assert all(b > a - 4 * STANDARD_ERROR for a, b in pairwise(found))
    assert found[-1] > truth - 0.1


def test_numbers_in_the_text_are_those_of_the_figure() -> None:
    text = (FIGURES.parent / "explanation" / "info-nce.md").read_text()
    assert "64 candidates certify little more than 3.4, and 16 no more than 2.8" in text
    assert 3.4 < certified(4, 64) < 3.45
    assert math.log(16) < 2.8


@pytest.mark.parametrize("name", ["collapse", "patches", "songs", "windows"])
def test_a_figure_is_drawn_alike_each_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FIGURES.parent))
    monkeypatch.syspath_prepend(str(FIGURES.parent / "_ext"))
    from drawn_figures import PAPERS, svg

    light, again, dark = (svg(name, *PAPERS[p]) for p in ("light", "light", "dark"))
    assert light == again != dark
