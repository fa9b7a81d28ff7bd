"""The label curve: the accuracy of a probe by the number of labeled training examples."""

from collections.abc import Sequence

import numpy as np

from ensue.data.store import Store
from ensue.errors import ConfigError
from ensue.evaluation.probes.classifiers import Kind
from ensue.evaluation.probes.probe import (
    OVER_ITEMS,
    Accuracy,
    Fold,
    ProbeResult,
    accuracy_of,
    read_folds,
    unseen_of,
)
from ensue.evaluation.probes.task import Task
from ensue.training.progress import Progress, Silence


def run_label_curve(
    task: Task,
    store: Store,
    kinds: Sequence[Kind],
    sizes: Sequence[int],
    *,
    draws: int = 10,
    seed: int = 0,
    progress: Progress | None = None,
) -> ProbeResult:
    """Train on several draws of a few labeled examples, and test on the whole test part.

    All kinds of features see the same draws. The interval is over draws and test items together.

    Args:
        task: The label to read; examples are drawn from its training part.
        store: The items to read from.
        kinds: Kinds of features and classifiers.
        sizes: Numbers of examples, from the number of classes to all.
        draws: Draws of each number; all examples can be drawn only once.
        seed: Seed of the draws and of the bootstrap.
        progress: Notified of each draw that is done.

    Raises:
        ConfigError: A number of examples can't be drawn.
    """
    sizes = sorted(set(sizes))
    check_sizes(sizes, draws, task)
    rng, (train, test) = np.random.default_rng(seed), task.sides
    folds = {
        size: [
            Fold(train[draw_examples(task.train.label, size, [seed, size, draw])], test)
            for draw in range(draws if size < len(train) else 1)
        ]
        for size in sizes
    }
    flat = [fold for some in folds.values() for fold in some]
    rows: list[Accuracy] = []
    for name, predicted in read_folds(task.pool, store, kinds, flat, progress or Silence()):
        ready = iter(predicted)
        for size, some in folds.items():
            mine = [next(ready) for _ in some]
            rows.append(accuracy_of(name, mine, task.test, rng, num_labels=size))
    return ProbeResult(
        label=task.label,
        level=task.level,
        split=task.split,
        num_train=len(train),
        num_test=len(test),
        num_classes=len(np.unique(task.train.label)),
        accuracies=tuple(rows),
        kind="label_curve",
        interval=OVER_ITEMS + " and draws" * (draws > 1),
        draws=draws,
        seed=seed,
        unseen=unseen_of(task.pool, folds[sizes[0]][:1]),
    )


def sizes_of(fractions: Sequence[float], task: Task) -> list[int]:
    """Return the numbers of examples for fractions of the training part.

    Raises:
        ConfigError: A fraction isn't above 0 and at most 1.
    """
    for fraction in fractions:
        if not 0 < fraction <= 1:
            raise ConfigError(f"a label fraction is {fraction}; it must be above 0 and up to 1")
    return [max(1, round(fraction * len(task.train))) for fraction in fractions]


def check_sizes(sizes: Sequence[int], draws: int, task: Task) -> None:
    """Refuse numbers of examples that leave out a class or exceed the training part."""
    least, most = len(np.unique(task.train.label)), len(task.train)
    if draws < 1:
        raise ConfigError(f"draws is {draws}; it must be 1 or more")
    for size in sizes:
        if not least <= size <= most:
            raise ConfigError(
                f"{size} labeled examples can't be drawn: {task.label!r} has {least} classes, each "
                f"needs an example, and there are {most} to train on; use num-labels {least} "
                f"to {most}, or label fractions from {least / most:.2g}"
            )


def draw_examples(labels: np.ndarray, num: int, seed: Sequence[int]) -> np.ndarray:
    """Draw the positions of ``num`` examples: one of each class, the others of any class.

    Example:
        >>> labels = np.array([*"aaaaaab"])
        >>> set(labels[draw_examples(labels, 2, [0])].tolist()) == {"a", "b"}
        True
    """
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    _, first = np.unique(labels[shuffled], return_index=True)
    others = np.delete(np.arange(len(labels)), first)
    return np.sort(shuffled[np.concatenate([first, others[: num - len(first)]])])
