"""What ``probes.json`` holds, in the same words for every kind of probe.

An entry has ``source label level split num_train num_test num_classes``, and since the second
version ``kind interval seed``; its rows stand under ``accuracies``, or under ``rows`` where they
aren't accuracies.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

QUESTIONS = {
    "accuracy": "{label} by {level}",
    "label_curve": "{label} by {level}, few labels",
    "leave_one_group_out": "{label} by {level}, each group left out once",
    "verification": "{label}: the same or another?",
    "multi_label": "{label}, several an item",
}


@dataclass(frozen=True)
class Row:
    """A figure of one kind of features, with its interval."""

    features: str
    value: float
    low: float
    high: float
    num_labels: int | None = None

    @property
    def name(self) -> str:
        """The features, and how many labels they had in a curve."""
        return self.features + (f", {self.num_labels:,} labels" if self.num_labels else "")

    @property
    def is_ours(self) -> bool:
        """Whether they are of the run itself."""
        return "(this run)" in self.features


def rows_of(probe: Mapping[str, Any]) -> list[Row]:
    """The figures of any kind of probe.

    Example:
        >>> row = {"features": "MFCC", "accuracy": 0.5, "low": 0.4, "high": 0.6}
        >>> rows_of({"accuracies": [row]})
        [Row(features='MFCC', value=0.5, low=0.4, high=0.6, num_labels=None)]
    """
    found = probe["accuracies"] if "accuracies" in probe else probe["rows"]
    return [
        Row(
            features=r["features"],
            value=r["accuracy"] if "accuracy" in r else r["value"],
            low=r["low"],
            high=r["high"],
            num_labels=r.get("num_labels"),
        )
        for r in found
    ]


def measure_of(probe: Mapping[str, Any]) -> str:
    """What the figures are: accuracy, or another measure by name."""
    return probe.get("measure", "accuracy")


def ask_of(probe: Mapping[str, Any]) -> str:
    """The question in a few words."""
    return QUESTIONS[probe.get("kind", "accuracy")].format(**probe)


def caption_of(probe: Mapping[str, Any]) -> str:
    """How the question was asked."""
    better = ", lower is better" if probe.get("better") == "lower" else ""
    return (
        f"{probe['source']}: {probe['num_classes']} classes, {probe['num_train']:,} to train and "
        f"{probe['num_test']:,} to test, split by {probe['split']}{better}. Intervals: "
        f"{probe.get('interval', '95 % bootstrap over items')}."
    )
