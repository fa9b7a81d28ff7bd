"""The laws of reading numbers: scikit-learn's measures, and nothing explained by noise."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score

from ensue.data.store import Store
from ensue.errors import DataError
from ensue.evaluation.probes.numeric import fitted_ridge, numbers_of, run_numeric
from ensue.evaluation.probes.task import Moments, Task, make_task
from tests.evaluation.probes.features import embeddings, rows_with


def task_of(y: np.ndarray, **columns: list[str]) -> tuple[Task, Store]:
    store = rows_with(hours=[f"{value:.6f}" for value in y], **columns)
    return make_task(store, "hours", whole_cells=False), store


def test_figures_are_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((120, 6))
    y = x @ rng.standard_normal(6) + 0.5 * rng.standard_normal(120)
    task, store = task_of(y)
    result = run_numeric(task, store, {"x": embeddings(x)}, seed=seed)
    mean, found = result.rows
    train, test = (np.asarray(side.row) for side in (task.train, task.test))
    truth = numbers_of(task.test, "hours")
    predicted = fitted_ridge(x[train], numbers_of(task.train, "hours"), train).predict(x[test])
    assert found.value == pytest.approx(r2_score(truth, predicted))
    assert found.error == pytest.approx(mean_absolute_error(truth, predicted))
    assert found.low < found.value < found.high <= 1
    assert found.error_low is not None
    assert found.error_high is not None
    assert found.error_low < found.error < found.error_high
    assert mean.value <= 0
    assert mean.error is not None
    assert mean.error > found.error


def test_noise_explains_nothing_and_the_number_itself_everything(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.normal(1000, 50, 300)
    task, store = task_of(y)
    features = {"noise": embeddings(rng.standard_normal((300, 20))), "y": embeddings(y[:, None])}
    _, noise, itself = run_numeric(task, store, features, seed=seed).rows
    assert noise.value < 0.1
    assert itself.value > 0.999
    assert itself.error == pytest.approx(0, abs=0.1)


def test_a_change_of_units_changes_the_error_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((90, 3))
    y = x.sum(1) + rng.standard_normal(90)
    rows = []
    for scale in (1.0, 60.0):
        task, store = task_of(y * scale)
        rows.append(run_numeric(task, store, {"x": embeddings(x)}).rows[1])
    hours, minutes = rows
    assert minutes.value == pytest.approx(hours.value, abs=1e-5)
    assert minutes.error == pytest.approx(60 * hours.error, rel=1e-4)


def test_labels_that_are_no_numbers_are_refused() -> None:
    for label, message in (("soon", "'soon', which is no number"), ("inf", "infinite")):
        with pytest.raises(DataError, match=message):
            numbers_of(Moments(np.zeros(2), np.zeros(2), np.array(["1", label])), "hours")
    task, store = task_of(np.array([1.0, 2, 2, 2]), split=["train", "train", "test", "test"])
    with pytest.raises(DataError, match="no variance to explain"):
        run_numeric(task, store, {})
