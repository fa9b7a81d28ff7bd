"""The laws of verification: its rate is that of the ROC curve, and 50 % where nothing is known."""

import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn.metrics import roc_curve

from ensue.errors import DataError
from ensue.evaluation.probes.task import make_task
from ensue.evaluation.probes.verification import equal_error_rate, run_verification
from tests.evaluation.probes.features import embeddings, rows_with


@pytest.mark.parametrize("decimals", [1, 15])
def test_rate_is_where_the_roc_curve_crosses_the_other_diagonal(decimals: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    same = rng.random(300) < 0.3
    score = np.round(rng.standard_normal(300) + same, decimals)  # with one decimal, many are equal
    weight = rng.integers(1, 4, 300)
    for w in (None, weight):
        fpr, tpr, _ = roc_curve(same, score, sample_weight=w, drop_intermediate=False)
        expected = brentq(lambda x: 1 - x - np.interp(x, fpr, tpr), 0.0, 1.0)  # noqa: B023
        # brentq stops within 2e-12.
        assert equal_error_rate(score, same, w) == pytest.approx(expected, abs=1e-9)


def test_perfect_scores_have_no_errors_and_their_opposite_only_errors() -> None:
    same = np.array([True, True, False, False])
    assert equal_error_rate(np.array([4.0, 3, 2, 1]), same) == 0
    assert equal_error_rate(np.array([1.0, 2, 3, 4]), same) == 1
    assert equal_error_rate(np.zeros(4), same) == 0.5


@pytest.mark.parametrize(("num_speakers", "unit"), [(4, "test items"), (12, "values of the label")])
def test_speakers_are_told_apart_where_features_know_them(
    num_speakers: int, unit: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(num_speakers), 24)  # half of them are test items
    noise = rng.standard_normal((len(speaker), 20))
    known = noise + 2 * rng.standard_normal((num_speakers, 20))[speaker]
    store = rows_with(speaker=[f"s{i}" for i in speaker])
    task = make_task(store, "speaker")
    features = {"noise": embeddings(noise), "known": embeddings(known)}
    result = run_verification(task, store, features, seed=seed)
    chance, noisy, knowing = result.rows
    assert (chance.value, chance.low, chance.high) == (0.5, 0.5, 0.5)
    assert knowing.low <= knowing.value <= knowing.high < noisy.low
    assert knowing.value < 0.2
    assert abs(noisy.value - 0.5) < 0.25
    assert result.interval == f"95 % bootstrap over {unit}"
    assert result.num_pairs == len(task.test) * (len(task.test) - 1) // 2


def test_the_column_split_may_keep_new_speakers_for_the_test() -> None:
    speaker = np.repeat(["a", "b", "c", "d"], 6)
    split = np.where(np.isin(speaker, ["a", "b"]), "train", "test")
    store = rows_with(speaker=list(speaker), split=list(split))
    task = make_task(store, "speaker", known_values=False)
    assert set(task.train.label) == {"a", "b"}
    assert set(task.test.label) == {"c", "d"}
    assert task.split.startswith("column split")
    to_be_read = make_task(store, "speaker")
    assert set(to_be_read.train.label) == set(to_be_read.test.label) == {"c", "d"}


def test_features_that_add_a_constant_or_change_units_are_judged_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(4), 9)
    x = rng.standard_normal((36, 5)) + rng.standard_normal((4, 5))[speaker]
    store = rows_with(speaker=[f"s{i}" for i in speaker])
    features = {"x": embeddings(x), "shifted": embeddings(100 + x * [1, 2, 4, 8, 16])}
    _, one, other = run_verification(make_task(store, "speaker"), store, features).rows
    assert one.value == pytest.approx(other.value, abs=1e-9)  # the same pairs in the same order


def test_pairs_of_one_kind_only_are_refused() -> None:
    store = rows_with(speaker=[*"abab"], split=[*["train"] * 2, *["test"] * 2])
    with pytest.raises(DataError, match="all 1 pairs are different"):
        run_verification(make_task(store, "speaker"), store, {})
