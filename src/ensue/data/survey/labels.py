"""The survey of labels: their balance and gaps, values that look equal; what is no label."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ensue.data.cells import FEW_VALUES, is_gap, reads_as_number
from ensue.data.items import Items
from ensue.data.labels import SPLIT
from ensue.data.lookalikes import lookalikes, told_alike


@dataclass(frozen=True, kw_only=True)
class LabelFacts:
    """A label column: its different values, the share of the commonest and the rarest, gaps."""

    name: str
    num_values: int
    commonest: str
    commonest_share: float
    rarest: str
    rarest_share: float
    num_empty: int


@dataclass(frozen=True, kw_only=True)
class Labels:
    """The columns that are labels, facts about those that aren't, and what to fix."""

    labels: Sequence[LabelFacts]
    facts: Sequence[tuple[str, str]]
    findings: Sequence[str]


def look_at_labels(items: Items, group: str | None, *, has_columns: bool = False) -> Labels:
    """Look at every column that isn't modeled: labels, numbers, and the column ``split``.

    Args:
        items: The data.
        group: The column that groups, which is one of names, whatever it holds.
        has_columns: Whether the items are columns too, of which some may not be chosen.
    """
    facts, findings, labels, numbers = [], [], [], []
    for name, values in items.labels.items():
        if name == SPLIT:
            facts.append((f"column {SPLIT}", _counted(values)))
        elif name != group and is_measured(values):
            numbers.append(name)
        else:
            label = _facts_of(name, values)
            labels.append(label)
            # A column of numbers that wasn't chosen is hardly there to be probed.
            is_class = not has_columns or name == group or not are_numbers(values)
            findings += [*_gaps(label, len(items)), *_rare(label, len(items)) * is_class]
            findings += _alike(name, values)
    if numbers:
        facts.append(("numbers that aren't labels", ", ".join(numbers)))
    return Labels(labels=labels, facts=facts, findings=findings)


def are_numbers(values: Sequence[str]) -> bool:
    """Return whether all cells that aren't gaps are numbers, and some are.

    Example:
        >>> are_numbers(["1", "NA", "2.5"]), are_numbers(["1", "x"]), are_numbers([""])
        (True, False, False)
    """
    known = [v for v in values if not is_gap(v)]
    return bool(known) and all(map(reads_as_number, known))


def is_measured(values: Sequence[str]) -> bool:
    """Return whether a column holds measurements: fractions, or whole numbers of many values.

    Example:
        >>> is_measured(["0.5", "1"]), is_measured(["0", "1"])
        (True, False)
    """
    if not are_numbers(values):
        return False
    different = {float(v) for v in values if not is_gap(v)}
    return len(different) > FEW_VALUES or any(v % 1 for v in different)


def _counted(values: Sequence[str]) -> str:
    counts = Counter(value or "empty, and so trained on" for value in values)
    return ", ".join(f"{name} ({num:,})" for name, num in counts.most_common())


def _facts_of(name: str, values: Sequence[str]) -> LabelFacts:
    counts = Counter(v for v in values if v != "")
    ordered = [*counts.most_common(), ("", 0)] if not counts else counts.most_common()
    (commonest, most), (rarest, least) = ordered[0], ordered[-1]
    total = max(sum(counts.values()), 1)
    return LabelFacts(
        name=name,
        num_values=len(counts),
        commonest=commonest,
        commonest_share=most / total,
        rarest=rarest,
        rarest_share=least / total,
        num_empty=len(values) - sum(counts.values()),
    )


def _gaps(label: LabelFacts, num_items: int) -> list[str]:
    if label.num_empty == num_items:
        return [f"the label {label.name!r} is empty everywhere; leave the column out"]
    if label.num_values == 1:
        return [f"the label {label.name!r} is {label.commonest!r} everywhere; it can't be probed"]
    if label.num_empty:
        return [
            f"the label {label.name!r} is empty for {label.num_empty} items; probes leave them out"
        ]
    return []


def _rare(label: LabelFacts, num_items: int) -> list[str]:
    known = num_items - label.num_empty
    if not 1 < label.num_values < known or round(label.rarest_share * known) != 1:
        return []
    return [
        f"the label {label.name!r} has values with one item only, such as {label.rarest!r}; "
        "a probe can't both learn and test them"
    ]


def _alike(name: str, values: Sequence[str]) -> list[str]:
    """Values that look equal; those that differ in capitals only are listed apart."""
    equal = lookalikes(values)
    known = {value for group in equal for value, _ in group}
    capitals = [
        group
        for group in lookalikes((v for v in values if len(v) > 2), capitals=False)
        if not {value for value, _ in group} <= known
    ]
    findings = []
    if equal:
        findings.append(f"values of the label {name!r} look equal and aren't: {told_alike(equal)}")
    if capitals:
        findings.append(
            f"values of the label {name!r} differ in capitals only: {told_alike(capitals)}"
        )
    return findings
