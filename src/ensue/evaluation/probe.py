"""Probes: how well a linear classifier reads a label off frozen features, beside baselines.

A task says which items, which moments of them and which labels; every kind of features is then
asked at the same moments. The classifier is scikit-learn's logistic regression on standardized
features.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ensue.data.splits import TEST, VALIDATION, held_out, splits_of
from ensue.data.store import Store
from ensue.errors import DataError, unknown
from ensue.evaluation.represent import Represents

Level = Literal["frame", "item"]
NUM_BOOTSTRAPS, MAX_ITERATIONS = 1000, 100
FRAMES_PER_ITEM, MIN_ITEMS = 80, 200


@dataclass(frozen=True)
class Moments:
    """Labelled places: item ``row``, at ``time`` seconds (NaN: the whole item), with ``label``."""

    row: np.ndarray
    time: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True)
class Task:
    """What a probe is to read, and off what."""

    label: str
    level: Level
    split: str
    train: Moments
    test: Moments


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of one kind of features with its 95 % bootstrap interval over test items."""

    features: str
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class ProbeResult:
    """A task's accuracies, chance first."""

    label: str
    level: Level
    split: str
    num_train: int
    num_test: int
    num_classes: int
    accuracies: tuple[Accuracy, ...]


def make_task(
    store: Store,
    label: str,
    *,
    level: Level | None = None,
    num_train: int = 20_000,
    num_test: int = 20_000,
    test_fraction: float = 1 / 3,
    seed: int = 0,
) -> Task:
    """The task of reading ``label``, split so that a group never stands on both sides.

    A label column ``split`` says what is for training and what for the test, where there is
    one; otherwise ``test_fraction`` of the groups (of the items, where there are no groups) are
    for the test. A label each of whose values stands in one group only (the speaker himself)
    can't be read across groups: then the items of each value are split, among the test items
    where the column says which those are. Items with an empty label take no part.

    Args:
        store: The items.
        label: A label column, or the name of an intervals table.
        level: ``frame`` or ``item``; by default frames for intervals, items for columns.
        num_train: Items for training, at most; or about how many frames.
        num_test: Items for the test, at most; or about how many frames.
        test_fraction: Part for the test, where no column says it.
        seed: Of the split and of the frames.

    Raises:
        DataError: There is no such label, only one class, or nothing to test on.
    """
    if label not in store.labels and label not in store.intervals:
        raise DataError(unknown("label", label, [*store.labels, *store.intervals]))
    level = level or ("frame" if label in store.intervals else "item")
    train, test, split = _split(store, label, test_fraction, seed)
    rng = np.random.default_rng(seed)
    sides = [
        _moments(store, label, level, rows, num, rng)
        for rows, num in ((train, num_train), (test, num_test))
    ]
    num_classes = len(np.unique(sides[0].label))
    if num_classes < 2 or not len(sides[1]):
        raise DataError(
            f"a probe needs two values of {label!r} in the training part and an example in the "
            f"test part (values: {num_classes}, examples: {len(sides[1])})"
        )
    return Task(label, level, split, sides[0], sides[1])


def run_probe(
    task: Task,
    store: Store,
    features: dict[str, Represents],
    *,
    seed: int = 0,
    on_done: Callable[[], None] = lambda: None,
) -> ProbeResult:
    """Train and test one linear probe for each kind of features, beside chance.

    Args:
        task: What to read.
        store: Off which items.
        features: The kinds of features, by name.
        seed: Of the bootstrap.
        on_done: Called after each kind of features.
    """
    rng = np.random.default_rng(seed)
    values, counts = np.unique(task.train.label, return_counts=True)
    guess = np.full(len(task.test), values[counts.argmax()])
    accuracies = [_accuracy("chance (most frequent class)", guess, task.test, rng)]
    for name, represent in features.items():
        train, test = (_features_at(m, store, represent) for m in (task.train, task.test))
        accuracies.append(_accuracy(name, _classify(train, task.train.label, test), task.test, rng))
        on_done()
    return ProbeResult(
        task.label,
        task.level,
        task.split,
        len(task.train),
        len(task.test),
        len(values),
        tuple(accuracies),
    )


def _split(
    store: Store, label: str, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray, str]:
    """Training and test items, by position, and in words how they were told apart."""
    labels = np.asarray(store.labels[label]) if label in store.labels else None
    rows = np.arange(len(store)) if labels is None else np.flatnonzero(labels != "")
    if len(rows) < 2:
        raise DataError("a probe needs at least two labelled items: one to train, one to test")
    ids, split = np.asarray(store.ids), splits_of(store)[rows]
    group = ids if store.group is None else np.asarray(store.group)
    train, test = rows[~np.isin(split, [*TEST, *VALIDATION])], rows[np.isin(split, TEST)]
    told = len(train) > 0 and len(test) > 0
    if told and (labels is None or np.isin(labels[test], labels[train]).any()):
        apart = store.group is not None and not np.isin(group[test], group[train]).any()
        return train, test, "column split" + (", other groups" if apart else "")
    if labels is not None and (told or _confined(labels[rows], group[rows])):
        inside = test if len(test) else rows
        chosen = _some_of_each(labels[inside], fraction, seed)
        if not chosen.any():
            raise DataError(f"each value of {label!r} has one item only; a probe needs several")
        return inside[~chosen], inside[chosen], f"items of each {label}"
    unit = group if len(np.unique(group[rows])) > 1 else ids
    chosen = np.isin(unit[rows], held_out(unit[rows], fraction, seed=seed))
    words = "items" if unit is ids else "other groups"
    return rows[~chosen], rows[chosen], words


def _confined(labels: np.ndarray, group: np.ndarray) -> bool:
    """Whether each value stands in one group only."""
    return len(set(zip(labels.tolist(), group.tolist(), strict=True))) == len(np.unique(labels))


def _some_of_each(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """A ``fraction`` of the items of each value: at least one, never all."""
    chosen = np.zeros(len(labels), bool)
    for value in np.unique(labels):
        chosen[held_out(np.flatnonzero(labels == value), fraction, seed=seed)] = True
    return chosen


def _moments(
    store: Store,
    label: str,
    level: Level,
    rows: np.ndarray,
    num: int,
    rng: np.random.Generator,
) -> Moments:
    if level == "item":
        if label not in store.labels:
            raise DataError(f"the label {label!r} is one of frames; use level frame")
        rows = _at_most(rows, num, rng)
        labels = np.asarray(store.labels[label])[rows]
        return Moments(rows, np.full(len(rows), np.nan), labels)
    # To read one frame of an item costs what all of its frames cost.
    some = _at_most(rows, max(num // FRAMES_PER_ITEM, MIN_ITEMS), rng)
    return _frames(store, label, some, num, rng)


def _at_most(rows: np.ndarray, num: int, rng: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= num else np.sort(rng.permutation(rows)[:num])


def _frames(
    store: Store, label: str, rows: np.ndarray, num: int, rng: np.random.Generator
) -> Moments:
    """About ``num`` moments, drawn uniformly over the items' durations, that have a label."""
    seconds = store.lengths[rows] / store.rate
    times = [np.sort(rng.uniform(0, s, rng.poisson(num * s / seconds.sum()))) for s in seconds]
    row, time = np.repeat(rows, [len(t) for t in times]), np.concatenate(times)
    if label in store.labels:
        return Moments(row, time, np.asarray(store.labels[label])[row])
    by_item = store.intervals[label].by_item()
    if by_item.keys().isdisjoint(store.ids):
        raise DataError(
            f"the intervals {label!r} are of none of the items: they name {next(iter(by_item))!r} "
            f"and the items are named like {store.ids[0]!r}"
        )
    labels = [
        _label_at(t, by_item.get(str(store.ids[r]))) for r, t in zip(rows, times, strict=True)
    ]
    found = np.concatenate(labels)
    known = found != ""
    return Moments(row[known], time[known], found[known])


def _label_at(
    times: np.ndarray, intervals: tuple[np.ndarray, np.ndarray, np.ndarray] | None
) -> np.ndarray:
    """The label of each time, the empty text where there is none."""
    if intervals is None:
        return np.full(len(times), "")
    start, end, label = intervals
    at = np.searchsorted(start, times, side="right") - 1
    inside = (at >= 0) & (times < end[at])
    return np.where(inside, label[at], "")


def _features_at(moments: Moments, store: Store, represent: Represents) -> np.ndarray:
    """One row of features for each moment: the frame in which it lies, or the embedding."""
    begin = np.searchsorted(moments.row, np.arange(len(store) + 1))
    found: list[np.ndarray] = [np.empty(0)] * len(store)
    rows = np.unique(moments.row)
    for item in represent(store, rows):
        times = moments.time[begin[item.row] : begin[item.row + 1]]
        if np.isnan(times).all():
            found[item.row] = item.embedding[None]
        elif item.frames is None or item.frame_rate is None:
            raise DataError("these features have no frames; probe at level item")
        elif len(item.frames):
            at = (times * item.frame_rate).astype(int) - item.first
            here = (
                at >= 0
            )  # what lies beyond this piece is overwritten by the next, if there is one
            if not item.first:
                found[item.row] = np.empty((len(times), item.frames.shape[1]), np.float32)
            found[item.row][here] = item.frames[at[here].clip(max=len(item.frames) - 1)]
    return np.concatenate([found[r] for r in rows])


def _classify(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=MAX_ITERATIONS))
    with warnings.catch_warnings():
        # Accuracy has settled long before the last digits of the weights have.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return classifier.fit(train, labels).predict(test)


def _accuracy(
    features: str, predicted: np.ndarray, truth: Moments, rng: np.random.Generator
) -> Accuracy:
    """Whole items are drawn with replacement: the frames of one item aren't independent."""
    _, item = np.unique(truth.row, return_inverse=True)
    num = np.bincount(item)
    right = np.bincount(item, weights=predicted == truth.label)
    drawn = rng.integers(0, len(num), (NUM_BOOTSTRAPS, len(num)))
    means = right[drawn].sum(1) / num[drawn].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Accuracy(features, float(right.sum() / num.sum()), float(low), float(high))
