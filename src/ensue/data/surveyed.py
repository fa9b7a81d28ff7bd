"""The survey of one kind of items, which the survey of any items completes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Surveyed:
    """Facts and findings that one kind of items has, and none of the others.

    Attributes:
        facts: Names and values worth knowing.
        unreadable: Items that can't be used, and why.
        findings: What to fix, each with its remedy.
        findings_on_values: The same, on the values that are modeled; listed after the labels.
        seconds: Of each item that can be read, where it has a duration.
        wants_groups: Whether data without groups are worth a finding.
        has_columns: Whether a column that isn't modeled may be one that wasn't chosen, and no
            label.
    """

    facts: Sequence[tuple[str, str]]
    unreadable: Sequence[tuple[str, str]]
    findings: Sequence[str]
    findings_on_values: Sequence[str] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    wants_groups: bool = False
    has_columns: bool = False


def repeated(noun: str, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """The finding that items come twice, by pairs of their names; none where none do."""
    if not pairs:
        return []
    first, again = pairs[0]
    return [
        f"{len(pairs)} {noun} come twice, such as {first!r} and {again!r}; one of them in training "
        "and one in validation or test would count as learned"
    ]
