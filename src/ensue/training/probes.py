"""Entries of ``probes.json``, described in the same words for every kind of probe.

An entry has ``source label level split num_train num_test num_classes``, and since the second
version ``kind interval seed``; its rows are under ``accuracies``, or under ``rows`` where they
aren't accuracies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NAMED = 5
QUESTIONS = {
    "accuracy": "{label} by {level}",
    "label_curve": "{label} by {level}, few labels",
    "leave_one_group_out": "{label} by {level}, each group left out once",
    "verification": "{label}: the same or another?",
    "multi_label": "{label}, several an item",
    "numeric": "{label} by {level}, as a number",
}


@dataclass(frozen=True)
class Row:
    """A figure of one kind of features, with its interval; ``error`` is the error of numbers."""

    features: str
    value: float
    low: float
    high: float
    num_labels: int | None = None
    exact_over: int | None = None
    error: str = ""

    @property
    def name(self) -> str:
        """Name the features, and the number of labels in a label curve."""
        return self.features + (f", {self.num_labels:,} labels" if self.num_labels else "")

    @property
    def is_ours(self) -> bool:
        """Return whether the features are the run's own."""
        return "(this run)" in self.features


def rows_of(probe: Mapping[str, Any]) -> list[Row]:
    """Return the figures of any kind of probe.

    Example:
        >>> row = {"features": "MFCC", "accuracy": 0.5, "low": 0.4, "high": 0.6}
        >>> rows_of({"accuracies": [row]})
        [Row(features='MFCC', value=0.5, low=0.4, high=0.6, num_labels=None, exact_over=None, \
error='')]
    """
    entries = probe["accuracies"] if "accuracies" in probe else probe["rows"]
    return [
        Row(
            features=r["features"],
            value=r["accuracy"] if "accuracy" in r else r["value"],
            low=r["low"],
            high=r["high"],
            num_labels=r.get("num_labels"),
            exact_over=r.get("exact_over"),
            error=_error(r),
        )
        for r in entries
    ]


def _error(row: Mapping[str, Any]) -> str:
    if row.get("error") is None:
        return ""
    return f"{row['error']:.4g} ({row['error_low']:.4g} to {row['error_high']:.4g})"


def measure_of(probe: Mapping[str, Any]) -> str:
    """Return the name of the measure: accuracy, or another."""
    return probe.get("measure", "accuracy")


def notes_of(probe: Mapping[str, Any]) -> list[str]:
    """Return notes on the figures: examples that are always wrong, values that don't count.

    Example:
        >>> notes_of({"rows": [], "num_pairs": 1000, "num_test": 46})
        ['1,000 pairs of 46 test items']
    """
    notes = _exact(probe)
    if unseen := probe.get("unseen"):
        notes.append(_unseen(unseen))
    if probe.get("num_pairs") is not None:
        notes.append(f"{probe['num_pairs']:,} pairs of {probe['num_test']:,} test items")
    for name, what in (
        ("no_test_example", "no test item has"),
        ("no_training_example", "no or every training item has"),
    ):
        if values := probe.get(name):
            notes.append(f"{len(values)} values that {what} don't count: {', '.join(values)}")
    return notes


def _exact(probe: Mapping[str, Any]) -> list[str]:
    """Return a sentence on exact intervals, if there are any."""
    exact = [r for r in rows_of(probe) if r.exact_over]
    if not exact:
        return []
    units = probe["interval"].rpartition(" over ")[2].removesuffix(" and draws")
    return [
        "where all or nearly all are right, or wrong, the interval is exact (Clopper-Pearson), "
        f"over {exact[0].exact_over:,} {units}: {', '.join(r.name for r in exact)}"
    ]


def _unseen(unseen: Mapping[str, Any]) -> str:
    classes, most = unseen["classes"], f"{unseen['most']:.1%}"
    return (
        f"no training example has {named(classes)}, so that the {unseen['num']:,} of "
        f"{unseen['num_test']:,} test examples with {'it' if len(classes) == 1 else 'them'} count "
        f"as wrong: at most {most} can be right (balanced {unseen['most_balanced']:.1%}); give "
        "training examples of these classes (by a column split, --group or --num-train), or leave "
        "their labels empty"
    )


def named(values: Sequence[str]) -> str:
    """Return the first few values, and the number of the others.

    Example:
        >>> named(["a", "b"]), named([*"abcdefg"])
        ("'a', 'b'", "'a', 'b', 'c', 'd', 'e' and 2 more")
    """
    more = len(values) - NAMED
    return ", ".join(map(repr, values[:NAMED])) + (f" and {more} more" if more > 0 else "")


def values_of(probe: Mapping[str, Any]) -> str:
    """Return what there is to tell apart: a number of classes, or numbers.

    Example:
        >>> values_of({"kind": "numeric", "num_classes": 90}), values_of({"num_classes": 9})
        ('a number with 90 values', '9 classes')
    """
    num = f"{probe['num_classes']:,}"
    return f"a number with {num} values" if probe.get("kind") == "numeric" else f"{num} classes"


def ask_of(probe: Mapping[str, Any]) -> str:
    """Return the question in a few words."""
    return QUESTIONS[probe.get("kind", "accuracy")].format(**probe)


def caption_of(probe: Mapping[str, Any]) -> str:
    """Return a caption with the data, the split and the intervals."""
    better = ", lower is better" if probe.get("better") == "lower" else ""
    return (
        f"{probe['source']}: {values_of(probe)}, {probe['num_train']:,} to train and "
        f"{probe['num_test']:,} to test, split by {probe['split']}{better}. Intervals: "
        f"{probe.get('interval', '95 % bootstrap over items')}."
    )
