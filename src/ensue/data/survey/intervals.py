"""The survey of an intervals table: whether it is of these items, and lies within them."""

from collections.abc import Mapping

import numpy as np

from ensue.data.items import Intervals
from ensue.data.lookalikes import lookalikes, told_alike

SLACK_SECONDS = 0.05  # tables round


def survey_intervals(
    name: str, intervals: Intervals, seconds: Mapping[str, float]
) -> tuple[str, list[str]]:
    """Return what the table covers, in words, and what to fix."""
    by_item = intervals.by_item()
    mine = {item: table for item, table in by_item.items() if item in seconds}
    covered = sum(float(np.clip(end - start, 0, None).sum()) for start, end, _ in mine.values())
    values = {label for _, _, labels in mine.values() for label in labels.tolist()}
    share = covered / max(sum(seconds.values()), 1e-9)
    facts = f"{len(values)} labels over {share:.0%} of the sound, {len(mine):,} items"
    findings = []
    if strangers := len(by_item) - len(mine):
        example = next(item for item in by_item if item not in seconds)
        findings.append(
            f"the intervals {name!r} name {strangers} items that aren't there, such as "
            f"{example!r}; items are named like {next(iter(seconds), '')!r}"
        )
    if outside := [i for i, (_, end, _) in mine.items() if end.max() > seconds[i] + SLACK_SECONDS]:
        findings.append(
            f"intervals {name!r} of {len(outside)} items end after the item, such as those of "
            f"{outside[0]!r}; are the times in seconds?"
        )
    if crossed := [i for i, t in mine.items() if (t[0][1:] < t[1][:-1] - SLACK_SECONDS).any()]:
        findings.append(
            f"intervals {name!r} of {len(crossed)} items overlap, such as those of {crossed[0]!r}; "
            "a frame has one label: the one that began last"
        )
    spoken = [label for _, _, labels in mine.values() for label in labels.tolist()]
    if alike := lookalikes(spoken):
        findings.append(
            f"labels of the intervals {name!r} look equal and aren't: {told_alike(alike)}"
        )
    return facts, findings
