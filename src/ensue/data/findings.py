"""Findings: what is told of data before a model is trained on them; a part that any kind has.

What is particular to a kind of data (levels of sound, gaps of a table) is in ``survey``.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ensue.data.items import Intervals
from ensue.data.splits import TEST, TRAIN, VALIDATION

TOLERANCE_SECONDS = 0.01
"""Tables of times round to hundredths of a second."""


@dataclass(frozen=True)
class Finding:
    """Something to know: ``refused`` stops ``train``, a ``warning`` needs a decision."""

    level: Literal["refused", "warning", "note"]
    text: str


@dataclass(frozen=True, kw_only=True)
class LabelFacts:
    """A label column: how many values, how they are shared out, and whether a group tells them.

    Attributes:
        name: Of the column.
        num_values: Different ones, the empty one not counted.
        largest: The most frequent value and its share of the labelled items.
        smallest: The rarest value and its share.
        num_empty: Items without a label.
        num_single: Values that one item only has.
        confined: Each value stands in one group only (the speaker himself).
    """

    name: str
    num_values: int
    largest: tuple[str, float]
    smallest: tuple[str, float]
    num_empty: int
    num_single: int
    confined: bool


@dataclass(frozen=True, kw_only=True)
class IntervalFacts:
    """A table of intervals: how much of the items it labels, and what doesn't fit them.

    Attributes:
        name: Of the table.
        num_labels: Different labels.
        coverage: Part of the items' time that has a label.
        num_unknown: Names in the table that no item has.
        num_bare: Items of which the table says nothing.
        num_overlapping: Intervals that begin before the one before them ends.
        num_outside: Intervals that end after their item.
    """

    name: str
    num_labels: int
    coverage: float
    num_unknown: int
    num_bare: int
    num_overlapping: int
    num_outside: int


def label_facts(name: str, values: Sequence[str], group: Sequence[str] | None) -> LabelFacts:
    """What a label column holds.

    Example:
        >>> facts = label_facts("who", ["a", "a", "b", ""], ["g", "g", "h", "h"])
        >>> facts.num_values, facts.largest[0], facts.num_empty, facts.num_single, facts.confined
        (2, 'a', 1, 1, True)
    """
    labelled = [i for i, v in enumerate(values) if v != ""]
    counts = Counter(values[i] for i in labelled).most_common()
    share = [(value, count / len(labelled)) for value, count in counts] or [("", 0.0)]
    pairs = {(values[i], group[i]) for i in labelled} if group is not None else set()
    return LabelFacts(
        name=name,
        num_values=len(counts),
        largest=share[0],
        smallest=share[-1],
        num_empty=len(values) - len(labelled),
        num_single=sum(count == 1 for _, count in counts),
        confined=len(pairs) == len(counts) > 0,
    )


def interval_facts(name: str, intervals: Intervals, seconds: Mapping[str, float]) -> IntervalFacts:
    """What a table of intervals says of items of so many ``seconds``.

    Raises:
        DataError: Its times aren't numbers, or an interval ends before it starts.
    """
    by_item = intervals.by_item()
    labels = {label for _, _, found in by_item.values() for label in found.tolist() if label}
    covered, overlapping, outside = 0.0, 0, 0
    for item, (start, end, _) in by_item.items():
        reached = np.maximum.accumulate(np.concatenate([[0.0], end[:-1]]))
        overlapping += int((start[1:] < reached[1:] - 1e-9).sum())
        if item in seconds:
            last = seconds[item]
            outside += int((end > last + TOLERANCE_SECONDS).sum())
            covered += float((np.minimum(end, last) - np.maximum(start, reached)).clip(0).sum())
    return IntervalFacts(
        name=name,
        num_labels=len(labels),
        coverage=covered / max(sum(seconds.values()), 1e-9),
        num_unknown=len(by_item.keys() - seconds.keys()),
        num_bare=len(seconds.keys() - by_item.keys()),
        num_overlapping=overlapping,
        num_outside=outside,
    )


def findings_of_labels(facts: LabelFacts) -> list[Finding]:
    """What of a label column would stop a probe or mislead it."""
    name = facts.name
    if not facts.num_values:
        return [Finding("warning", f"label {name!r} is empty throughout; fill it or leave it out")]
    if facts.num_values == 1:
        value = facts.largest[0]
        return [Finding("warning", f"label {name!r} is always {value!r}; a probe needs two values")]
    found = []
    if facts.num_empty:
        text = f"{facts.num_empty:,} items have no {name!r}; probes pass over them"
        found.append(Finding("note", text))
    if facts.num_single and facts.num_single < facts.num_values:
        text = f"{facts.num_single:,} values of {name!r} have one item; a probe can't test them"
        found.append(Finding("note", f"{text}; merge them or give more items"))
    return found


def findings_of_intervals(facts: IntervalFacts) -> list[Finding]:
    """What of an intervals table doesn't fit the items."""
    many = {
        "names that no item has; write them as the items are named": facts.num_unknown,
        "items without an interval; frames of them aren't probed": facts.num_bare,
        "intervals that overlap; the later one counts": facts.num_overlapping,
        "intervals that end after their item; check the times": facts.num_outside,
    }
    return [
        Finding("warning", f"intervals {facts.name!r}: {num:,} {what}")
        for what, num in many.items()
        if num
    ]


def findings_of_split(split: np.ndarray, group: Sequence[str] | None) -> list[Finding]:
    """Groups that the column ``split`` cuts through."""
    if group is None or not (split != "").any():
        return []
    side = np.where(np.isin(split, TEST), "test", np.where(np.isin(split, VALIDATION), "val", ""))
    sides: dict[str, set[str]] = {}
    for one, where in zip(group, side.tolist(), strict=True):
        sides.setdefault(one, set()).add(where)
    cut = [one for one, where in sides.items() if len(where) > 1]
    text = f"{len(cut)} groups stand on several sides of 'split', {next(iter(cut), '')!r} first"
    return [Finding("warning", f"{text}; give each group one of them")] if cut else []


def split_counts(split: np.ndarray) -> dict[str, int]:
    """Items of each split by the column; empty ones are trained on."""
    counts = Counter(split[split != ""].tolist())
    return {name: counts[name] for name in (*TRAIN, *VALIDATION, *TEST) if counts[name]}
