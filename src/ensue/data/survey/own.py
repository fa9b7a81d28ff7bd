"""What the survey of one kind of items gives to the survey of all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Own:
    """Facts, unreadable items and findings; ``seconds`` of each item that can be read."""

    facts: Sequence[tuple[str, str]]
    unreadable: Sequence[tuple[str, str]]
    findings: Sequence[str]
    seconds: Mapping[str, float] = field(default_factory=dict)
    wants_groups: bool = False
