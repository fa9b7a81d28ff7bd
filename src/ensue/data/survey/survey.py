"""The survey of any items: their facts by kind, their labels, splits and intervals."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ensue.data.config import DataConfig
from ensue.data.items import Items
from ensue.data.kinds import KINDS, imported
from ensue.data.splits import TEST, splits_of, train_validation, with_held_out_part
from ensue.data.survey.intervals import survey_intervals
from ensue.data.survey.labels import LabelFacts, look_at_labels
from ensue.data.surveyed import Surveyed
from ensue.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Survey:
    """The facts and findings of a survey.

    Attributes:
        kind: What the items are.
        num_items: How many, readable or not.
        facts: Names and values worth knowing.
        labels: The label columns.
        unreadable: Items that can't be used, and why.
        findings: What to fix, each with its remedy.
        usable: Whether ``train`` would take the data.
    """

    kind: str
    num_items: int
    facts: Sequence[tuple[str, str]]
    labels: Sequence[LabelFacts]
    unreadable: Sequence[tuple[str, str]]
    findings: Sequence[str]
    usable: bool


def survey(
    items: Items, config: DataConfig, *, on_item: Callable[[], None] = lambda: None
) -> Survey:
    """Read every item once, and say what is there.

    Args:
        items: The data.
        config: The settings that they would be trained with.
        on_item: Called after each item, from any thread.

    Raises:
        DataError: Nothing would be left to train on.
    """
    looked: Surveyed = imported(KINDS[items.kind].survey)(items, config, on_item)
    split = splits_of(items)
    facts = [*looked.facts, *_sides(items, config)]
    if num_test := int(np.isin(split, TEST).sum()):
        facts.append(("left for the test", f"{num_test:,} items"))
    findings = [*looked.findings, *_groups(items, split, looked.wants_groups)]
    labels = look_at_labels(items, config.group, has_columns=looked.has_columns)
    facts += labels.facts
    findings += [*labels.findings, *looked.findings_on_values]
    for name, table in items.intervals.items():
        found, texts = survey_intervals(name, table, looked.seconds)
        facts.append((f"intervals {name}", found))
        findings += texts
    allowed = config.max_skipped * len(items)
    if looked.unreadable:
        item, reason = looked.unreadable[0]
        findings.insert(
            0,
            f"{len(looked.unreadable)} of {len(items)} items can't be used, the first is {item!r}: "
            f"{reason}; fix or remove them (max_skipped allows {config.max_skipped:.0%})",
        )
    return Survey(
        kind=items.kind,
        num_items=len(items),
        facts=facts,
        labels=labels.labels,
        unreadable=looked.unreadable,
        findings=findings,
        usable=len(looked.unreadable) <= allowed and len(looked.unreadable) < len(items),
    )


def _sides(items: Items, config: DataConfig) -> list[tuple[str, str]]:
    """The items to train on and those held out, or of one long text its parts."""
    sides = "trained on", "held out for validation"
    # A text that can't be read is listed with the unreadable.
    with contextlib.suppress(DataError):
        parts = with_held_out_part(items, config.validation, config.window_tokens)
        if parts is not items:
            words = [f"{name!r}, by its bytes" for name in parts.ids]
            return list(zip(sides, words, strict=True))
    train, held_out = train_validation(items, config.validation)
    words = [f"{len(train):,} items", f"{len(held_out):,} items{_by_group(items)}"]
    return list(zip(sides, words, strict=True))


def _by_group(items: Items) -> str:
    return "" if items.group is None else f", by group ({len(set(items.group))} groups)"


def _groups(items: Items, split: np.ndarray, wanted: bool) -> list[str]:
    if items.group is None:
        return [
            "no column says which items belong together; if several are of one speaker or session, "
            "name it with --group, so that none is in both training and validation"
        ] * wanted
    group = np.asarray(items.group)
    across = set(group[np.isin(split, TEST)]) & set(group[~np.isin(split, TEST)])
    if not across:
        return []
    return [
        f"{len(across)} groups are both in training and in the test (column split), such as "
        f"{min(across).item()!r}; a test on them says nothing of new ones"
    ]
