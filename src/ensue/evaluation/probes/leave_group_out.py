"""Every group (a speaker) once the test, read by what was trained on all others."""

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
    """Accuracy over the moments of all groups, each read by what never saw its group.

    The question is how well an unheard group is read, so that the groups are the sample: the
    interval is over them, not over items, of which those of one group are right or wrong
    together. A column ``split`` isn't asked.

    Args:
        label: What to read.
        level: Off frames or items.
        pool: All labelled moments.
        store: Off which items.
        kinds: Of features and classifiers.
        seed: That the pool was drawn with.
        progress: Told of each group that is done.

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
    """The group of each moment, if one can be left out."""
    if store.group is None:
        raise DataError(
            "there is no column of groups to leave out; name one with --group "
            f"(the columns: {', '.join(store.labels) or 'none'})"
        )
    group = np.asarray(store.group)[pool.row]
    values = np.unique(group)
    if len(values) < 2:
        raise DataError(f"all labelled items are of one group, {str(values[0])!r}; it takes two")
    if all(len(np.unique(group[pool.label == v])) == 1 for v in np.unique(pool.label)):
        raise DataError(
            f"each value of {label!r} stands in one group only, so that nobody could read it with "
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
    found = np.empty(len(pool), pool.label.dtype)
    for fold, labels in zip(folds, predicted, strict=True):
        found[fold.test] = labels
    right = found == pool.label
    return Accuracy(
        features=name,
        accuracy=float(right.mean()),
        balanced=balanced_accuracy(pool.label, found),
        by_group={str(g): float(right[group == g].mean()) for g in np.unique(group)},
        **interval_over_groups(right, group)._asdict(),
    )
