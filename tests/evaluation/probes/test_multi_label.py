"""The laws of several labels an item: scikit-learn's precision, and chance at the prevalence."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from ensue.errors import DataError
from ensue.evaluation.probes.multi_label import average_precisions, run_multi_label
from ensue.evaluation.probes.task import make_task
from tests.evaluation.probes.features import embeddings, rows_with


@pytest.mark.parametrize("decimals", [1, 15])
def test_average_precision_is_that_of_scikit_learn(decimals: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random(80) < 0.3
    score = np.round(rng.standard_normal(80) + truth, decimals)
    weights = np.concatenate([np.ones((1, 80)), rng.integers(0, 4, (3, 80))])
    found = average_precisions(score, truth, weights)
    expected = [average_precision_score(truth, score, sample_weight=w) for w in weights]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)  # sums of 80 numbers near 1


def test_values_that_features_hold_are_read_and_noise_is_at_the_prevalence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    has = rng.random((600, 3)) < [0.5, 0.3, 0.1]
    names = np.array(["rain", "wind", "bird"])
    cells = [" ; ".join(names[row]) for row in has]
    store = rows_with(sound=cells)
    task = make_task(store, "sound", whole_cells=False)
    features = {
        "good": embeddings(has + 0.1 * rng.standard_normal((600, 3))),
        "noise": embeddings(rng.standard_normal((600, 3))),
    }
    result = run_multi_label(task, store, features, separator=";")
    chance, good, noise = result.rows
    assert chance.value == pytest.approx(has[task.test.row].mean(0).mean(), abs=1e-12)
    assert good.value > 0.99
    # The mean precision of noise lies a little above the prevalence where few have the value.
    assert abs(noise.value - chance.value) < 0.2
    assert all(r.low <= r.value <= r.high for r in (good, chance))
    assert result.num_classes == 3


def test_values_that_do_not_count_are_named() -> None:
    split = ["train"] * 4 + ["test"] * 3
    cells = ["all;a;b", "all;a", "all;b;lost", "all;b", "all;a", "all;b", "all;new"]
    store = rows_with(sound=cells, split=split)
    task = make_task(store, "sound", whole_cells=False)
    result = run_multi_label(task, store, {}, separator=";")
    assert result.num_classes == 2
    assert result.no_test_example == ("lost",)
    assert result.no_training_example == ("all", "new")


def test_nothing_that_counts_is_an_error() -> None:
    store = rows_with(sound=["a", "a;b", "c", "c"], split=[*["train"] * 2, *["test"] * 2])
    task = make_task(store, "sound", whole_cells=False)
    with pytest.raises(DataError, match="no value of 'sound' has an example in the training part"):
        run_multi_label(task, store, {}, separator=";")
