"""Several labels for an item: each value is read alone, one against the rest."""

from collections.abc import Mapping, Sequence

import numpy as np

from ensue.data.store import Store
from ensue.errors import DataError
from ensue.evaluation.probes.classifiers import fitted, logistic_regression
from ensue.evaluation.probes.features import features_at
from ensue.evaluation.probes.intervals import LEVELS, at_an_end, draw_weights
from ensue.evaluation.probes.measured import Measured, MeasuredResult
from ensue.evaluation.probes.task import Task
from ensue.evaluation.represent import Represents
from ensue.training.progress import Progress, Silence

BLOCK = 100
"""Draws of the bootstrap computed at a time: B x N numbers for N test items."""


def run_multi_label(
    task: Task,
    store: Store,
    features: Mapping[str, Represents],
    *,
    separator: str,
    seed: int = 0,
    progress: Progress | None = None,
) -> MeasuredResult:
    """Measure the mean average precision of one logistic regression per value.

    Chance is the values' prevalence. A value counts where some training items have it and some
    don't, and a test item has it; the values that don't count are named. The interval is over test
    items.

    Args:
        task: A task at level item, with several values in a cell.
        store: The items to read from.
        features: Kinds of features, by name.
        separator: The text between the values of a cell.
        seed: Seed of the bootstrap.
        progress: Notified of each kind that is done.

    Raises:
        DataError: No value can be trained and tested.
    """
    progress = progress or Silence()
    cells = [values_of(side.label, separator) for side in (task.train, task.test)]
    values = sorted(set().union(*cells[0], *cells[1]))
    train, test = (np.array([[v in c for v in values] for c in side]) for side in cells)
    learned = np.asarray(train.any(0)) & ~np.asarray(train.all(0))
    tested = np.asarray(test.any(0))
    counts = np.flatnonzero(learned & tested)
    if not len(counts):
        raise DataError(
            f"no value of {task.label!r} has an example in the training part, a counterexample "
            f"there and an example in the test part; there are {len(values)} values in all"
        )
    train, test = train[:, counts], test[:, counts]
    weights = draw_weights(len(test), np.random.default_rng(seed))
    chance = np.zeros((len(test), len(counts)))
    rows = [_measured("chance (prevalence)", chance, test, weights)]
    progress.start(f"probing {task.label}", len(features))
    try:
        for name, represent in features.items():
            x, y = (features_at(side, store, represent) for side in (task.train, task.test))
            scores = [
                fitted(logistic_regression(), x, column).decision_function(y) for column in train.T
            ]
            rows.append(_measured(name, np.stack(scores, axis=1), test, weights))
            progress.advance(1, {})
    finally:
        progress.stop()
    return MeasuredResult(
        label=task.label,
        level=task.level,
        split=task.split,
        num_train=len(train),
        num_test=len(test),
        num_classes=len(counts),
        rows=tuple(rows),
        kind="multi_label",
        measure="mean average precision",
        better="higher",
        interval="95 % bootstrap over test items",
        seed=seed,
        no_test_example=tuple(v for v, has in zip(values, tested, strict=True) if not has),
        no_training_example=tuple(v for v, has in zip(values, learned, strict=True) if not has),
    )


def values_of(cells: Sequence[str] | np.ndarray, separator: str) -> list[set[str]]:
    """Return the values in each cell; blanks around them are ignored.

    Example:
        >>> values_of(["rain; wind", "rain;"], ";") == [{"rain", "wind"}, {"rain"}]
        True
    """
    return [{v.strip() for v in str(cell).split(separator)} - {""} for cell in cells]


def average_precisions(score: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    r"""Return the (B,) average precision of one value for each row of weights, or NaN.

    .. math:: \mathrm{AP} = \sum_n (R_n - R_{n-1}) P_n

    over the thresholds from the highest score down; equal scores are one threshold. NaN where no
    example of the value is drawn.

    Args:
        score: (N,) scores, higher where an item seems to have the value.
        truth: (N,) true where it has.
        weights: (B, N) weights of the items.

    Example:
        >>> average_precisions(np.array([3, 2, 1]), np.array([1, 0, 1]), np.ones((1, 3))).round(4)
        array([0.8333])
    """
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    w, y = weights[:, order], truth[order]
    right, all_ = np.cumsum(w * y, axis=1)[:, last], np.cumsum(w, axis=1)[:, last]
    precision = right / np.maximum(all_, 1)
    with np.errstate(invalid="ignore"):
        return (np.diff(right, axis=1, prepend=0) * precision).sum(1) / right[:, -1]


def _measured(name: str, scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> Measured:
    value = float(_mean_precision(scores, truth, np.ones((1, len(truth))))[0])
    blocks = [weights[b : b + BLOCK] for b in range(0, len(weights), BLOCK)]
    drawn = np.concatenate([_mean_precision(scores, truth, block) for block in blocks])
    low, high = np.nanquantile(drawn, LEVELS)
    # Where every item with a value scores above all others, these items count as the right ones.
    num_with = int(truth.any(1).sum())
    return Measured(name, value, *at_an_end(value, (float(low), float(high)), num_with))


def _mean_precision(scores: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mean over the values that a draw has examples of."""
    pairs = zip(scores.T, truth.T, strict=True)
    each = np.stack([average_precisions(s, y, weights) for s, y in pairs])
    had = np.isfinite(each)
    with np.errstate(invalid="ignore"):
        return np.where(had, each, 0).sum(0) / had.sum(0)
