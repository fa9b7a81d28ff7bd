"""The strength of the penalty is chosen on the training part, on speakers left out if need be."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from ensue.evaluation.probes.classifiers import STRENGTHS, choose_strength, to_choose_on
from ensue.evaluation.probes.task import Moments


def speakers(num: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A word in five features, and forty in which each of six speakers says it in their own way."""
    rng = np.random.default_rng(seed)
    word, speaker = rng.integers(0, 2, num), np.arange(num) % 6
    ways = rng.normal(size=(6, 2, 40))
    clear = 0.35 * (2 * word[:, None] - 1) + rng.normal(size=(num, 5))
    return np.hstack([clear, ways[speaker, word] + rng.normal(size=(num, 40))]), word, speaker


def test_the_chosen_strength_is_the_best_on_speakers_left_out(seed: int) -> None:
    x, word, speaker = speakers(600, seed)
    thirds = [np.isin(speaker, pair) for pair in _thirds(x, word, speaker)]
    by_hand = [np.mean([_accuracy(x, word, third, c) for third in thirds]) for c in STRENGTHS]
    chosen = choose_strength(x, word, speaker)
    assert by_hand[STRENGTHS.index(chosen)] == pytest.approx(max(by_hand), abs=1e-12)


def test_it_depends_on_what_is_kept_apart() -> None:
    made = [speakers(600, seed) for seed in range(6)]
    found = {
        "items": [choose_strength(x, word, np.arange(600)) for x, word, _ in made],
        "speakers": [choose_strength(*one) for one in made],
    }
    assert np.mean(np.log(found["speakers"])) < np.mean(np.log(found["items"]))


@pytest.mark.parametrize("num", [100, 6000])
def test_few_examples_and_very_many_keep_the_usual_strength(num: int) -> None:
    assert choose_strength(*speakers(num, 0)) == 1.0


def test_a_class_of_two_examples_keeps_the_usual_strength() -> None:
    x, word, speaker = speakers(600, 0)
    word[:2] = 2
    assert choose_strength(x, word, speaker) == 1.0


@pytest.mark.parametrize(
    ("num", "time", "expected"),
    [(5000, np.nan, 5000), (7000, np.nan, 5000), (7000, 0.5, 7000)],
)
def test_it_is_chosen_on_some_of_very_many_items_but_not_of_frames(
    num: int, time: float, expected: int
) -> None:
    moments = Moments(np.arange(num), np.full(num, time), np.zeros(num))
    some = to_choose_on(moments)
    assert len(np.unique(some)) == len(some) == expected
    assert some.min() >= 0
    assert num - 20 < some.max() < num


def _thirds(x: np.ndarray, word: np.ndarray, speaker: np.ndarray) -> list[np.ndarray]:
    from sklearn.model_selection import StratifiedGroupKFold

    folds = StratifiedGroupKFold(3).split(x, word, speaker)
    return [np.unique(speaker[test]) for _, test in folds]


def _accuracy(x: np.ndarray, word: np.ndarray, test: np.ndarray, c: float) -> float:
    scaler = StandardScaler().fit(x[~test])
    model = LogisticRegression(C=c, max_iter=100).fit(scaler.transform(x[~test]), word[~test])
    return float((model.predict(scaler.transform(x[test])) == word[test]).mean())
