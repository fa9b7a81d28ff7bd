"""Numbers read off frozen features by ridge regression: remaining life, solubility, a dose."""

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.linalg import LinAlgWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ensue.data.cells import reads_as_number
from ensue.data.store import Store
from ensue.errors import DataError
from ensue.evaluation.probes.classifiers import NUM_FOLDS, units
from ensue.evaluation.probes.features import features_at
from ensue.evaluation.probes.intervals import LEVELS, draw_weights
from ensue.evaluation.probes.measured import Measured, MeasuredResult
from ensue.evaluation.probes.probe import OVER_ITEMS
from ensue.evaluation.probes.task import Moments, Task
from ensue.evaluation.represent import Represents
from ensue.training.progress import Progress, Silence

PENALTIES = tuple(10.0**power for power in range(-2, 7))
"""Of the squared weights of standardized features; a weak one where there is no choice to make."""
USUAL_PENALTY = 1.0


def run_numeric(
    task: Task,
    store: Store,
    features: Mapping[str, Represents],
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> MeasuredResult:
    r"""Measure how much of a number's variance ridge regression explains, and its mean error.

    .. math:: R^2 = 1 - \frac{\sum_i (y_i - \hat y_i)^2}{\sum_i (y_i - \bar y)^2}, \qquad
        \mathrm{MAE} = \frac1N \sum_i |y_i - \hat y_i|

    over the test moments, :math:`\bar y` their mean. The first row predicts the mean of the
    training part: its R^2 is 0 or less. The penalty is chosen by three-fold cross-validation on
    the training part, whose folds keep items whole, or groups where the test has others.

    Args:
        task: The label to read, whose values are numbers.
        store: The items to read from.
        features: Kinds of features, by name.
        seed: Seed of the bootstrap.
        progress: Notified of each kind that is done.

    Raises:
        DataError: A value is no number, or all test values are equal.
    """
    progress = progress or Silence()
    train, test = (numbers_of(side, task.label) for side in (task.train, task.test))
    if np.ptp(test) == 0:
        raise DataError(
            f"all {len(test)} test values of {task.label!r} are {test[0]:g}, so that there is no "
            "variance to explain; test on more items"
        )
    _, unit = np.unique(task.test.row, return_inverse=True)
    weights = draw_weights(unit.max() + 1, np.random.default_rng(seed))
    rows = [
        _measured(
            "mean of the training part", np.full(len(test), train.mean()), test, unit, weights
        )
    ]
    progress.start(f"probing {task.label}", len(features))
    keep = units(task.train, task.test, store)
    try:
        for name, represent in features.items():
            x, of_test = (features_at(side, store, represent) for side in (task.train, task.test))
            predicted = fitted_ridge(x, train, keep).predict(of_test)
            rows.append(_measured(name, predicted, test, unit, weights))
            progress.advance(1, {})
    finally:
        progress.stop()
    return MeasuredResult(
        label=task.label,
        level=task.level,
        split=task.split,
        num_train=len(train),
        num_test=len(test),
        num_classes=len(np.unique(train)),
        rows=tuple(rows),
        kind="numeric",
        measure="variance explained (R²)",
        better="higher",
        interval=OVER_ITEMS,
        seed=seed,
    )


def numbers_of(moments: Moments, label: str) -> np.ndarray:
    """Return labels as numbers.

    Raises:
        DataError: One is no number, or not finite.

    Example:
        >>> numbers_of(Moments(np.zeros(2), np.zeros(2), np.array(["1.5", "-2"])), "hours")
        array([ 1.5, -2. ])
    """
    stranger = next((v for v in np.unique(moments.label) if not reads_as_number(str(v))), None)
    if stranger is not None:
        raise DataError(
            f"the label {label!r} has the value {str(stranger)!r}, which is no number; leave "
            "numeric out to read it as a class, or leave its cell empty"
        )
    y = moments.label.astype(np.float64)
    if not all(map(math.isfinite, y)):
        raise DataError(f"the label {label!r} has infinite values; leave their cells empty")
    return y


def fitted_ridge(x: np.ndarray, y: np.ndarray, unit: np.ndarray) -> Any:
    """Fit ridge regression to standardized (N, D) features, with the penalty that serves best.

    Args:
        x: (N, D) features of the training part.
        y: (N,) numbers.
        unit: (N,) unit that folds keep whole.
    """
    ridge = make_pipeline(StandardScaler(), Ridge(USUAL_PENALTY))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LinAlgWarning)  # a weak penalty of features that repeat
        if len(np.unique(unit)) < NUM_FOLDS:
            return ridge.fit(x, y)
        return GridSearchCV(
            ridge,
            {"ridge__alpha": PENALTIES},
            cv=GroupKFold(NUM_FOLDS),
            scoring="neg_mean_squared_error",
        ).fit(x, y, groups=unit)


def _measured(
    name: str, predicted: np.ndarray, truth: np.ndarray, unit: np.ndarray, weights: np.ndarray
) -> Measured:
    """R^2 and the mean absolute error, with intervals over whole units drawn with replacement."""
    off = truth - predicted
    sums = [np.bincount(unit, w) for w in (off**2, np.abs(off), truth, truth**2, np.ones(len(off)))]
    squared, absolute, first, second, count = (weights @ s for s in sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = 1 - squared / (second - first**2 / count)
    low, high = np.quantile(explained[np.isfinite(explained)], LEVELS)
    error_low, error_high = np.quantile(absolute / count, LEVELS)
    return Measured(
        name,
        float(1 - (off**2).sum() / np.square(truth - truth.mean()).sum()),
        float(low),
        float(high),
        error=float(np.abs(off).mean()),
        error_low=float(error_low),
        error_high=float(error_high),
    )
