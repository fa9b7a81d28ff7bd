"""The task of a probe: the items, moments and labels to train on and to test on.

Every kind of features is read at the same moments.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ensue.data.splits import TEST, VALIDATION, held_out, splits_of
from ensue.data.store import Store
from ensue.errors import DataError, unknown

Level = Literal["frame", "item"]
FRAMES_PER_ITEM, MIN_ITEMS = 80, 200


@dataclass(frozen=True)
class Moments:
    """Labeled places: item ``row``, at ``time`` seconds (NaN: the whole item), with ``label``."""

    row: np.ndarray
    time: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def at(self, positions: np.ndarray) -> "Moments":
        """Select some of them, by position or by a mask."""
        return Moments(self.row[positions], self.time[positions], self.label[positions])


@dataclass(frozen=True)
class Task:
    """The label that a probe reads, and the moments that it is trained and tested on."""

    label: str
    level: Level
    split: str
    train: Moments
    test: Moments

    @property
    def pool(self) -> Moments:
        """Return all moments, those for training first."""
        pairs = [(getattr(self.train, n), getattr(self.test, n)) for n in ("row", "time", "label")]
        return Moments(*(np.concatenate(pair) for pair in pairs))

    @property
    def sides(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions of the training part and of the test part in the pool."""
        cut = len(self.train)
        return np.arange(cut), np.arange(cut, cut + len(self.test))


def groups_apart(train: Moments, test: Moments, store: Store) -> bool:
    """Return whether the test part and the training part have no group in common."""
    if store.group is None:
        return False
    group = np.asarray(store.group)
    return not np.isin(group[test.row], group[train.row]).any()


def make_task(
    store: Store,
    label: str,
    *,
    level: Level | None = None,
    num_train: int = 20_000,
    num_test: int = 20_000,
    test_fraction: float = 1 / 3,
    seed: int = 0,
    whole_cells: bool = True,
    known_values: bool = True,
) -> Task:
    """Make the task of reading ``label``, split so that a group is never on both sides.

    Where there is a label column ``split``, it says which items are for training and which for the
    test; otherwise ``test_fraction`` of the groups (of the items, where there are no groups) are
    for the test. A label each of whose values is in one group only (such as the speaker) can't be
    read across groups: then the items of each value are split, among the test items where the
    column says which those are. Items with an empty label are left out.

    Args:
        store: The items.
        label: A label column, or the name of an intervals table.
        level: ``frame`` or ``item``; by default frames for intervals, items for columns.
        num_train: Items for training at most, or frames approximately.
        num_test: Items for the test at most, or frames approximately.
        test_fraction: Share of the test part, where no column gives the split.
        seed: Seed of the split and of the frames.
        whole_cells: Whether a cell is one value; otherwise it holds several, and the split doesn't
            depend on them.
        known_values: Whether values of the test part must also be in the training part, as they
            must be to be read; to verify new speakers, they needn't be.

    Raises:
        DataError: There is no such label, only one class, or nothing to test on.
    """
    level = level_of(store, label, level)
    train, test, split = _split(store, label, test_fraction, seed, whole_cells, known_values)
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


def make_pool(
    store: Store,
    label: str,
    *,
    level: Level | None = None,
    num: int = 20_000,
    seed: int = 0,
) -> tuple[Moments, Level]:
    """Return all labeled moments, at most about ``num``, without a split.

    Raises:
        DataError: There is no such label, or it has one value only.
    """
    level = level_of(store, label, level)
    rows, _ = labelled_rows(store, label)
    pool = _moments(store, label, level, rows, num, np.random.default_rng(seed))
    if len(np.unique(pool.label)) < 2:
        raise DataError(f"a probe needs two values of {label!r}, and all examples have the same")
    return pool, level


def level_of(store: Store, label: str, level: Level | None) -> Level:
    """Return ``level``, by default ``frame`` for intervals and ``item`` for columns.

    Raises:
        DataError: There is no such label.
    """
    if label not in store.labels and label not in store.intervals:
        raise DataError(unknown("label", label, [*store.labels, *store.intervals]))
    return level or ("frame" if label in store.intervals else "item")


def labelled_rows(store: Store, label: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the positions of the items with a label, and the label of every item of the store.

    Raises:
        DataError: A column of labels is empty or constant, or there is one item only.
    """
    labels = np.asarray(store.labels[label]) if label in store.labels else None
    rows = np.arange(len(store)) if labels is None else np.flatnonzero(labels != "")
    if not len(rows):
        raise DataError(
            f"the column {label!r} is empty: none of the {len(store)} items has a label"
        )
    if len(rows) < 2:
        raise DataError(
            f"a probe needs at least two labeled items, one to train and one to test; "
            f"{label!r} has one"
        )
    if labels is not None and len(np.unique(labels[rows])) < 2:
        raise DataError(
            f"all {len(rows)} labeled items have the same {label!r}, {str(labels[rows[0]])!r}; "
            "a probe needs two values"
        )
    return rows, labels


def some_of_each(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Return a mask of a ``fraction`` of each value's items: at least one of two, but never all."""
    chosen = np.zeros(len(labels), bool)
    for value in np.unique(labels):
        chosen[held_out(np.flatnonzero(labels == value), fraction, seed=seed)] = True
    return chosen


def _split(
    store: Store, label: str, fraction: float, seed: int, whole_cells: bool, known_values: bool
) -> tuple[np.ndarray, np.ndarray, str]:
    """Return training and test items by position, and the way they were split in words."""
    rows, labels = labelled_rows(store, label)
    labels = labels if whole_cells else None
    ids, split = np.asarray(store.ids), splits_of(store)[rows]
    group = ids if store.group is None else np.asarray(store.group)
    train, test = rows[~np.isin(split, [*TEST, *VALIDATION])], rows[np.isin(split, TEST)]
    has_both = len(train) > 0 and len(test) > 0
    meets = labels is None or np.isin(labels[test], labels[train]).any()
    if has_both and (meets or not known_values):
        apart = store.group is not None and not np.isin(group[test], group[train]).any()
        return train, test, "column split" + (", other groups" if apart else "")
    if labels is not None and (has_both or _confined(labels[rows], group[rows])):
        inside = test if len(test) else rows
        if has_both and len(np.unique(labels[test])) < 2:
            raise DataError(
                f"the test part (column split) holds only {str(labels[test][0])!r} of {label!r}, "
                "which the training part lacks; give both parts items of the same values"
            )
        chosen = some_of_each(labels[inside], fraction, seed)
        if not chosen.any():
            raise DataError(f"each value of {label!r} has one item only; a probe needs several")
        return inside[~chosen], inside[chosen], f"items of each {label}"
    unit = group if len(np.unique(group[rows])) > 1 else ids
    chosen = np.isin(unit[rows], held_out(unit[rows], fraction, seed=seed))
    words = "items" if unit is ids else "other groups"
    return rows[~chosen], rows[chosen], words


def _confined(labels: np.ndarray, group: np.ndarray) -> bool:
    """Return whether each value is in one group only."""
    return len(set(zip(labels.tolist(), group.tolist(), strict=True))) == len(np.unique(labels))


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
    # Reading one frame of an item costs as much as reading all of them.
    some = _at_most(rows, max(num // FRAMES_PER_ITEM, MIN_ITEMS), rng)
    return _frames(store, label, some, num, rng)


def _at_most(rows: np.ndarray, num: int, rng: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= num else np.sort(rng.permutation(rows)[:num])


def _frames(
    store: Store, label: str, rows: np.ndarray, num: int, rng: np.random.Generator
) -> Moments:
    """Draw about ``num`` moments with a label, uniformly over the items' durations."""
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
    drawn_labels = np.concatenate(labels)
    known = drawn_labels != ""
    return Moments(row[known], time[known], drawn_labels[known])


def _label_at(
    times: np.ndarray, intervals: tuple[np.ndarray, np.ndarray, np.ndarray] | None
) -> np.ndarray:
    """Return the label at each time, or an empty text where there is none."""
    if intervals is None:
        return np.full(len(times), "")
    start, end, label = intervals
    at = np.searchsorted(start, times, side="right") - 1
    inside = (at >= 0) & (times < end[at])
    return np.where(inside, label[at], "")
