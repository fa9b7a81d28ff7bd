"""Probes: the accuracy of reading a label off features, with chance, baselines and intervals.

One split, or a curve over few labels, or every group left out in turn: each is a list of folds
on one pool of labeled moments, and every kind of features is tested on the same folds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ensue.data.store import Store
from ensue.evaluation.probes.classifiers import Kind, chance
from ensue.evaluation.probes.intervals import (
    at_an_end,
    bootstrap_class_mean,
    proportion_interval,
)
from ensue.evaluation.probes.task import Level, Moments, Task
from ensue.evaluation.probes.unseen import Unseen, unseen_in
from ensue.training.progress import Progress, Silence

OVER_ITEMS = "95 % bootstrap over test items"


@dataclass(frozen=True)
class Fold:
    """Positions in a pool of moments: to train on, and to test on."""

    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Accuracy:
    """The accuracy of a classifier on one kind of features.

    Attributes:
        features: Name of the features, and of the classifier where it isn't the linear one.
        accuracy: Share of the test moments that were read right; the mean over draws.
        low: Lower end of its 95 % interval.
        high: Upper end of its 95 % interval.
        balanced: The mean over classes of the share of each that was read right.
        balanced_low: Lower end of its 95 % interval, where groups weren't left out in turn.
        balanced_high: Upper end of it.
        num_labels: Labeled training moments of a draw, in a label curve.
        by_group: Accuracy in each group, where groups were left out in turn.
        exact_over: Number of units that the interval is exact over, if it is exact.
    """

    features: str
    accuracy: float
    low: float
    high: float
    balanced: float | None = None
    balanced_low: float | None = None
    balanced_high: float | None = None
    num_labels: int | None = None
    by_group: dict[str, float] | None = None
    exact_over: int | None = None


@dataclass(frozen=True)
class ProbeResult:
    """Accuracies of a task, chance first.

    Attributes:
        label: The label that was read.
        level: Whether frames or items were read.
        split: In words, how the test part was separated from the training part.
        num_train: Training moments.
        num_test: Test moments.
        num_classes: Values of the label in training.
        accuracies: One row for each kind of features (and number of labels).
        kind: ``accuracy``, ``label_curve`` or ``leave_one_group_out``.
        interval: The kind of interval, in words.
        draws: Draws of the labeled examples, for a label curve.
        seed: Seed of splits, draws and the bootstrap.
        unseen: Classes of the test part without a training example, which count as wrong.
    """

    label: str
    level: Level
    split: str
    num_train: int
    num_test: int
    num_classes: int
    accuracies: tuple[Accuracy, ...]
    kind: str = "accuracy"
    interval: str = OVER_ITEMS
    draws: int = 1
    seed: int = 0
    unseen: Unseen | None = None


def run_probe(
    task: Task,
    store: Store,
    kinds: Sequence[Kind],
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> ProbeResult:
    """Train on one part and test on the other, for each kind of features and for chance.

    Args:
        task: The label to read, and its split.
        store: The items to read from.
        kinds: Kinds of features and classifiers.
        seed: Seed of the bootstrap.
        progress: Notified of each kind that is done.
    """
    rng, pool, fold = np.random.default_rng(seed), task.pool, Fold(*task.sides)
    accuracies = [
        accuracy_of(name, predicted, task.test, rng)
        for name, predicted in read_folds(pool, store, kinds, [fold], progress or Silence())
    ]
    return ProbeResult(
        label=task.label,
        level=task.level,
        split=task.split,
        num_train=len(task.train),
        num_test=len(task.test),
        num_classes=len(np.unique(task.train.label)),
        accuracies=tuple(accuracies),
        seed=seed,
        unseen=unseen_of(pool, [fold]),
    )


def unseen_of(pool: Moments, folds: Sequence[Fold]) -> Unseen | None:
    """Return the classes that no fold can get right: tested there, and not trained on."""
    return unseen_in((pool.label[fold.train], pool.label[fold.test]) for fold in folds)


def read_folds(
    pool: Moments, store: Store, kinds: Sequence[Kind], folds: Sequence[Fold], progress: Progress
) -> Iterable[tuple[str, list[np.ndarray]]]:
    """Yield chance and each kind by name, with its labels for the test moments of each fold."""
    for kind in (chance, *kinds):
        for name, reader in kind(pool, store).items():
            if not reader.tells:
                progress.start(f"probing: {name}", len(folds))
            try:
                predicted = []
                for fold in folds:
                    predicted.append(reader.read(fold.train, fold.test))
                    if not reader.tells:
                        progress.advance(1, {})
            finally:
                progress.stop()
            yield name, predicted


def accuracy_of(
    features: str,
    predicted: Sequence[np.ndarray],
    truth: Moments,
    rng: np.random.Generator,
    *,
    num_labels: int | None = None,
) -> Accuracy:
    """Return the mean accuracy over the draws of one test part, with its bootstrap interval."""
    right = np.stack([p == truth.label for p in predicted])
    interval = proportion_interval(right, truth.row, rng)
    balanced = float(np.mean([balanced_accuracy(truth.label, p) for p in predicted]))
    # Of a generator of its own, so that the intervals of later rows don't depend on it.
    drawn = bootstrap_class_mean(right, truth.label, truth.row, rng.spawn(1)[0])
    low, high, _ = at_an_end(balanced, drawn, len(np.unique(truth.row)))
    return Accuracy(
        features=features,
        accuracy=float(right.mean()),
        balanced=balanced,
        balanced_low=low,
        balanced_high=high,
        num_labels=num_labels,
        **interval._asdict(),
    )


def balanced_accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Return the mean over the test's classes of the share of each that was read right.

    Example:
        >>> balanced_accuracy(np.array([*"aaab"]), np.array([*"aaaa"]))
        0.5
    """
    each = [np.mean(predicted[truth == value] == value) for value in np.unique(truth)]
    return float(np.mean(each))
