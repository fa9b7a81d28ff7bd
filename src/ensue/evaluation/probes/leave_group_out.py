"""Leave one group out: each group (a speaker) is the test once, after training on all others."""

from collections.abc import Sequence

import numpy as np

from ensue.data.store import Store
from ensue.errors import DataError
from ensue.evaluation.probes.classifiers import Kind
from ensue.evaluation.probes.intervals import interval_over_groups
from ensue.evaluation.probes.probe import (
    Accuracy,
    Fold,
    ProbeResult,
    balanced_accuracy,
    read_folds,
    unseen_of,
)
from ensue.evaluation.probes.task import Level, Moments
from ensue.training.progress import Progress, Silence

OVER_GROUPS = "95 %, Student's t over groups"


def run_leave_group_out(
    label: str,
    level: Level,
    pool: Moments,
    store: Store,
    kinds: Sequence[Kind],
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> ProbeResult:
    """Measure accuracy over the moments of all groups, each read without training on its group.

    The question is how well a new group is read, so the groups are the sample: the interval is
    over groups, not over items, since items of one group tend to be right or wrong together. A
    column ``split`` isn't used.

    Args:
        label: The label to read.
        level: Whether to read frames or items.
        pool: All labeled moments.
        store: The items to read from.
        kinds: Kinds of features and classifiers.
        seed: The seed that the pool was drawn with.
        progress: Notified of each group that is done.

    Raises:
        DataError: There are no groups or only one, or the label names the groups.
    """
    group = groups_of(label, pool, store)
    folds = [Fold(np.flatnonzero(group != g), np.flatnonzero(group == g)) for g in np.unique(group)]
    rows = [
        _accuracy(name, predicted, folds, pool, group)
        for name, predicted in read_folds(pool, store, kinds, folds, progress or Silence())
    ]
    return ProbeResult(
        label=label,
        level=level,
        split=f"each of {len(folds)} groups left out once",
        num_train=len(pool),
        num_test=len(pool),
        num_classes=len(np.unique(pool.label)),
        accuracies=tuple(rows),
        kind="leave_one_group_out",
        interval=OVER_GROUPS,
        seed=seed,
        unseen=unseen_of(pool, folds),
    )


def groups_of(label: str, pool: Moments, store: Store) -> np.ndarray:
    """Return the group of each moment, if one can be left out."""
    if store.group is None:
        raise DataError(
            "there is no column of groups to leave out; name one with --group "
            f"(the columns: {', '.join(store.labels) or 'none'})"
        )
    group = np.asarray(store.group)[pool.row]
    values = np.unique(group)
    if len(values) < 2:
        raise DataError(f"all labeled items are of one group, {str(values[0])!r}; it takes two")
    if all(len(np.unique(group[pool.label == v])) == 1 for v in np.unique(pool.label)):
        raise DataError(
            f"each value of {label!r} is in one group only, so that nobody could read it with "
            "the group left out; leave out another column with --group"
        )
    for left_out in values:
        if len(np.unique(pool.label[group != left_out])) < 2:
            raise DataError(
                f"without the group {str(left_out)!r} one value of {label!r} is left; it takes two"
            )
    return group


def _accuracy(
    name: str,
    predicted: Sequence[np.ndarray],
    folds: Sequence[Fold],
    pool: Moments,
    group: np.ndarray,
) -> Accuracy:
    label_read = np.empty(len(pool), pool.label.dtype)
    for fold, labels in zip(folds, predicted, strict=True):
        label_read[fold.test] = labels
    right = label_read == pool.label
    return Accuracy(
        features=name,
        accuracy=float(right.mean()),
        balanced=balanced_accuracy(pool.label, label_read),
        by_group={str(g): float(right[group == g].mean()) for g in np.unique(group)},
        **interval_over_groups(right, group)._asdict(),
    )
