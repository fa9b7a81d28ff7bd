"""``check``: what a user runs before an hour of training."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ensue.data.sources.kinds import Data
from ensue.errors import DataError
from ensue.verbs.plan import describe
from ensue.verbs.progress import listener
from ensue.verbs.tables import check_out, write_json
from ensue.verbs.train import cache_of

if TYPE_CHECKING:
    import numpy as np

    from ensue.data.config import DataConfig
    from ensue.data.findings import Finding, IntervalFacts, LabelFacts
    from ensue.data.items import Items
    from ensue.data.survey import Survey


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What ``check`` has found.

    Attributes:
        source: The data, in a word or a path.
        kind: What the items are.
        num_items: All of them, also those that can't be used.
        skipped: Items that can't be used, and why.
        facts: What is particular to the kind, by name.
        labels: What each label column holds.
        intervals: What each table of intervals holds.
        num_groups: Groups that splits don't cut through, or None.
        split: Items by the column ``split``.
        num_train: Items that would be trained on.
        num_held_out: Items that would be held out for validation.
        num_windows: Training windows (or rows) of an epoch.
        findings: What to know and to do, the worst first.
        usable: Whether ``train`` would take the data.
        files: What was written.
    """

    source: str
    kind: str
    num_items: int
    skipped: tuple[tuple[str, str], ...]
    facts: dict[str, Any]
    labels: tuple[LabelFacts, ...]
    intervals: tuple[IntervalFacts, ...]
    num_groups: int | None
    split: dict[str, int]
    num_train: int
    num_held_out: int
    num_windows: int
    findings: tuple[Finding, ...]
    usable: bool
    files: tuple[Path, ...] = ()


def check(
    data: Data,
    *,
    out: str | Path | None = None,
    cache: str | Path | None = None,
    quiet: bool = False,
    **settings: Any,
) -> Checked:
    """Read all data once and tell what training on them would meet; exit 2 if it would refuse.

    Parameters
    ----------
    data
        A folder of recordings, a manifest, a table, a file, or builtin:NAME.
    out
        File to write all of it to: .json.
    cache
        Folder for built-in data; by default "runs/cache".
    quiet
        Show no progress.
    settings
        Any setting of the data, as `--name value`: sample_rate, window_seconds, group, columns...
    """
    from ensue.configuration import split_sections, validate
    from ensue.data.config import DataConfig
    from ensue.data.sources import open_items

    path = None if out is None else check_out(out, (".json",))
    given = split_sections(settings, {"data": DataConfig}, also=("out", "cache", "quiet"))["data"]
    config = validate(DataConfig, given, section="data")
    items = open_items(data, config, cache=cache_of(cache, Path("runs/check")))
    progress = listener(quiet)
    progress.start("reading", len(items))
    try:
        checked = _checked(describe(data), items, config, lambda num: progress.advance(num, {}))
    finally:
        progress.stop()
    if path is None:
        return checked
    write_json({"format": 1, **dataclasses.asdict(checked)}, path)
    return dataclasses.replace(checked, files=(path,))


def _checked(source: str, items: Items, config: DataConfig, advance: Any) -> Checked:
    import numpy as np

    from ensue.data.findings import Finding, interval_facts, label_facts, split_counts
    from ensue.data.splits import splits_of, train_validation
    from ensue.data.survey import survey

    refused = []
    try:
        split, (train, held_out) = splits_of(items), train_validation(items, config.validation)
    except DataError as error:
        split, train, held_out = np.full(len(items), ""), np.arange(0), np.arange(0)
        refused.append(Finding("refused", str(error)))
    found = survey(items, config, train if len(train) else range(len(items)), advance)
    num_windows, too_short = _windows(items, config, found, train)
    seconds = {n: s / found.rate for n, s in zip(items.ids, found.steps.tolist(), strict=True) if s}
    labels = tuple(
        label_facts(name, values, items.group)
        for name, values in items.labels.items()
        if name != "split"
    )
    intervals = []
    for name, table in items.intervals.items():
        try:
            intervals.append(interval_facts(name, table, seconds))
        except DataError as error:
            refused.append(Finding("warning", f"intervals {name!r}: {error}"))
    findings = [
        *refused,
        *_unreadable(items, found, config),
        *too_short,
        *_general(items, found, config, labels, intervals, split, held_out),
    ]
    order = ("refused", "warning", "note")
    return Checked(
        source=source,
        kind=items.kind,
        num_items=len(items),
        skipped=found.skipped,
        facts=found.facts,
        labels=labels,
        intervals=tuple(intervals),
        num_groups=None if items.group is None else len(set(items.group)),
        split=split_counts(split),
        num_train=int((found.steps[train] > 0).sum()),
        num_held_out=int((found.steps[held_out] > 0).sum()),
        num_windows=num_windows,
        findings=tuple(sorted(findings, key=lambda f: order.index(f.level))),
        usable=not any(f.level == "refused" for f in findings),
    )


def _windows(
    items: Items, config: DataConfig, found: Survey, train: np.ndarray
) -> tuple[int, list[Finding]]:
    """Windows of an epoch, counted by what counts them in training."""
    import numpy as np

    from ensue.data.findings import Finding
    from ensue.data.store import Store
    from ensue.data.windows import Windows

    rows = train[found.steps[train] > 0]
    if not len(rows):
        return 0, []
    store = Store(
        values=np.empty(0, np.float32),
        offsets=np.concatenate([[0], np.cumsum(found.steps)]),
        ids=items.ids,
        labels=items.labels,
        group=items.group,
        intervals=items.intervals,
        skipped=found.skipped,
        rate=found.rate,
        sequence=found.size is not None,
        folder=Path(),
    )
    try:
        windows = Windows(
            store=store,
            rows=rows,
            size=found.size,
            short=config.short,
            speed_perturbation=config.speed_perturbation if found.size else 0.0,
        )
    except DataError as error:
        return 0, [Finding("refused", str(error))]
    return windows.num_windows, []


def _unreadable(items: Items, found: Survey, config: DataConfig) -> list[Finding]:
    from ensue.data.findings import Finding

    if not found.skipped:
        return []
    name, reason = found.skipped[0]
    many, all_of = len(found.skipped), len(items)
    text = f"{many:,} of {all_of:,} items can't be used (the first, {name!r}: {reason})"
    if many > config.max_skipped * all_of or many == all_of:
        allowed = f"max_skipped allows {config.max_skipped:.0%}"
        return [Finding("refused", f"{text}; {allowed}; mend them or leave them out")]
    return [Finding("warning", f"{text}; they are left out")]


def _general(
    items: Items,
    found: Survey,
    config: DataConfig,
    labels: tuple[LabelFacts, ...],
    intervals: list[IntervalFacts],
    split: np.ndarray,
    held_out: np.ndarray,
) -> list[Finding]:
    from ensue.data.findings import (
        Finding,
        findings_of_intervals,
        findings_of_labels,
        findings_of_split,
    )
    from ensue.data.survey import same_content

    twice = same_content(found.digests)
    findings = [*found.findings, *findings_of_split(split, items.group)]
    if twice:
        first = ", ".join(repr(items.ids[i]) for i in twice[0][:2])
        extra = sum(len(same) - 1 for same in twice)
        text = f"{extra:,} items have the content of another one (the first: {first})"
        findings.append(Finding("warning", f"{text}; leave one of each out"))
    if config.validation and not (found.steps[held_out] > 0).any():
        text = "there are too few items to hold some out: training has no validation loss"
        findings.append(Finding("note", f"{text}; give more items"))
    for facts in labels:
        findings += findings_of_labels(facts)
    for table in intervals:
        findings += findings_of_intervals(table)
    return findings
