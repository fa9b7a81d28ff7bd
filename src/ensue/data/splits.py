"""Splits: what is trained on, what is validated on, and what is left for the test."""

from dataclasses import replace

import numpy as np

from ensue.data.items import Document, Items, fingerprint
from ensue.data.labels import SPLIT
from ensue.data.store import Store
from ensue.errors import DataError, unknown

TRAIN, VALIDATION, TEST = ("train",), ("validation", "valid", "val", "dev"), ("test",)


def train_validation(items: Items | Store, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the training and the validation items.

    A label column ``split`` decides where there is one: ``test`` rows are never used here, and
    ``validation`` rows are the validation set. Where it names none, a ``fraction`` of the groups
    (of the items, where there are no groups) is held out, the same whatever the seed.

    Raises:
        DataError: Nothing is left to train on, or the column has a name that isn't known.
    """
    positions = np.arange(len(items))
    split = splits_of(items)
    usable = positions[~np.isin(split, TEST)]
    validation = positions[np.isin(split, VALIDATION)]
    if not len(validation) and fraction:
        unit = np.asarray(items.ids if items.group is None else items.group)[usable]
        if len(np.unique(unit)) < 2:
            unit = np.asarray(items.ids)[usable]
        validation = usable[np.isin(unit, held_out(unit, fraction))]
    train = np.setdiff1d(usable, validation)
    if not len(train):
        raise DataError(
            f"no item is left to train on: {len(items)} items, column {SPLIT!r} counted"
        )
    return train, validation


def with_held_out_part(
    items: Items, fraction: float, window: int, *, trained_on: str | None = None
) -> Items:
    """One long text as two items, of which the last is held out; other items as they are.

    The text is cut at the end of a line, else at a blank, after ``1 - fraction`` of its bytes. The
    parts are items, so that no window crosses the cut; they are named by the text and their bytes.
    A text whose last part would be shorter than two windows stays whole.

    Args:
        items: What is to be trained on.
        fraction: Part of the text that is held out.
        window: Tokens of a window.
        trained_on: The fingerprint of what a run was trained on, if there is one. A run that was
            begun when a text had no part held out goes on with the whole text.

    Raises:
        DataError: The text can't be read.
    """
    if items.fingerprint == trained_on:
        return items
    if items.kind != "text" or len(items) != 1 or not fraction or splits_of(items)[0]:
        return items
    (raw,), (name,) = items.raw, items.ids
    content = raw.read() if isinstance(raw, Document) else raw.encode()
    cut, size = _cut(content, fraction), len(content)
    if size - cut < 2 * window:
        return items
    if isinstance(raw, Document):
        parts = [replace(raw, end=cut), replace(raw, start=cut, end=size)]
    else:
        parts = [content[:cut].decode(), content[cut:].decode()]
    labels = {column: [*values, *values] for column, values in items.labels.items()}
    return replace(
        items,
        ids=[f"{name}@0-{cut}", f"{name}@{cut}-{size}"],
        raw=parts,
        labels={**labels, SPLIT: [TRAIN[0], VALIDATION[0]]},
        group=None if items.group is None else [*items.group, *items.group],
        fingerprint=fingerprint([items.fingerprint, cut]),
    )


def _cut(content: bytes, fraction: float) -> int:
    """Where the last ``fraction`` of a text begins, or soon after; never inside a character."""
    begin = round((1 - fraction) * len(content))
    latest = begin + (len(content) - begin) // 10
    for end in (b"\n", b"\r", b" "):
        if (at := content.find(end, begin, latest)) >= 0:
            return at + 1
    while content[begin : begin + 1] and content[begin] & 0xC0 == 0x80:  # goes on a character
        begin += 1
    return begin


def splits_of(items: Items | Store) -> np.ndarray:
    """The split of each item by the label column ``split``; the empty text where there is none.

    Raises:
        DataError: It names a split that isn't known, which would be trained on in silence.
    """
    split = np.asarray(items.labels.get(SPLIT, [""] * len(items)))
    known = [*TRAIN, *VALIDATION, *TEST]
    for name in np.unique(split[split != ""]).tolist():
        if name not in known:
            raise DataError(
                f"{unknown('split', name, known)}; an empty one is trained on, and a column that "
                "means something else needs another name"
            )
    return split


def held_out(unit: np.ndarray, fraction: float, *, seed: int = 0) -> np.ndarray:
    """A ``fraction`` of the different values of ``unit``: at least one, never all.

    Example:
        >>> held_out(np.array(["a", "b", "b", "c"]), 0.4)
        array(['c'], dtype='<U1')
    """
    values = np.unique(unit)
    num = min(max(1, round(fraction * len(values))), len(values) - 1)
    return np.sort(np.random.default_rng(seed).permutation(values)[:num])
