"""Information of labels: by counts equal to enumeration, and of numbers about labels."""

import itertools
import math

import numpy as np
import pytest

import ensue
from ensue.errors import DataError
from ensue.information.labels import counted_information, entropy, one_hot

JOINT = {("a", "x"): 0.4, ("a", "y"): 0.1, ("b", "x"): 0.2, ("b", "y"): 0.3}


def truth() -> float:
    of_x = {k: sum(p for (a, _), p in JOINT.items() if a == k) for k in "ab"}
    of_y = {k: sum(p for (_, b), p in JOINT.items() if b == k) for k in "xy"}
    return sum(p * math.log(p / (of_x[a] * of_y[b])) for (a, b), p in JOINT.items())


@pytest.mark.parametrize("num", [6, 8])
def test_the_correction_brings_the_mean_nearer_to_the_truth(num: int) -> None:
    """The means over all draws of a few pairs, each with its probability."""
    mean = corrected = 0.0
    for draw in itertools.product(JOINT, repeat=num):
        probability = math.prod(JOINT[pair] for pair in draw)
        x, y = zip(*draw, strict=True)
        k = len(set(x)) + len(set(y)) - len(set(draw)) - 1
        found = counted_information(x, y)
        corrected += probability * found
        mean += probability * (found - k / (2 * num))
    assert abs(corrected - truth()) < abs(mean - truth())


def test_counts_are_their_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(0, 3, 12).tolist() for _ in range(2))
    plug_in = 0.0
    for a, b in set(zip(x, y, strict=True)):
        p = sum((i, j) == (a, b) for i, j in zip(x, y, strict=True)) / 12
        plug_in += p * math.log(p / (x.count(a) / 12 * y.count(b) / 12))
    k = len(set(x)) + len(set(y)) - len(set(zip(x, y, strict=True))) - 1
    assert counted_information(x, y) == pytest.approx(plug_in + k / 24)
    assert entropy(x) >= 0


def test_numbers_tell_labels_apart() -> None:
    """Two normal distributions a few deviations apart, by an integral over the line."""
    rng = np.random.default_rng(0)
    side = rng.integers(0, 2, 4000)
    x = rng.standard_normal(4000) + 2 * side
    t = np.linspace(-8, 10, 20_001)
    densities = [np.exp(-((t - m) ** 2) / 2) / math.sqrt(2 * math.pi) for m in (0, 2)]
    both = sum(densities) / 2
    exact = sum(np.trapezoid(p / 2 * np.log(p / both), t) for p in densities)
    labels = np.array(["left", "right"])[side]
    found = ensue.estimate_information(x, labels, max_steps=300, null=False)
    assert found.estimate == pytest.approx(exact, abs=0.05)
    assert found.entropy == pytest.approx(math.log(2), abs=1e-3)
    assert found.baselines["KSG"].endswith("rows of y are repeats; KSG needs all rows to differ")


def test_labels_on_both_sides_are_counted_too() -> None:
    rng = np.random.default_rng(1)
    pairs = np.array(list(JOINT))[rng.choice(4, 4000, p=list(JOINT.values()))]
    found = ensue.estimate_information(pairs[:, 0], pairs[:, 1], max_steps=200, null=False)
    assert found.baselines["counts"] == pytest.approx(truth(), abs=0.03)
    assert found.estimate == pytest.approx(truth(), abs=0.05)


def test_the_most_frequent_label_needs_no_column() -> None:
    assert one_hot(["b", "a", "b", "c"], "y").tolist() == [[0, 0], [1, 0], [0, 0], [0, 1]]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["a"] * 500, "y is 'a' throughout and carries no information"),
        ([f"{i}" for i in range(5000)], "y has 5,000 different labels"),
        (["a", ""] * 250, "pair 1 of y is ''; a label is a text"),
        ([["a", "b"]] * 500, r"y is \(500, 2\) of texts; labels are one text for each pair"),
        ([None, "a"] * 250, "pair 0 of y is None; a label is a text"),
    ],
)
def test_labels_that_tell_nothing_are_refused(labels: list[object], words: str) -> None:
    x = np.random.default_rng(0).standard_normal(len(labels))
    with pytest.raises(DataError, match=words):
        ensue.estimate_information(x, labels, max_steps=10)
