"""``check``: look at data, and find what to fix, before an hour of training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ensue.configuration import split_sections, validate
from ensue.data.config import DataConfig
from ensue.data.items import Items
from ensue.data.kinds import KINDS, require_settings_of
from ensue.data.sources import open_items
from ensue.data.sources.data import Data
from ensue.data.survey import LabelFacts, Survey, survey
from ensue.errors import DataError
from ensue.models.registry import FAMILIES
from ensue.runs.plan import describe
from ensue.runs.prepare import has_classes
from ensue.runs.progress import listener
from ensue.runs.reading import cache_of
from ensue.runs.results import Next
from ensue.runs.tables import check_out, write_table


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The survey of ``source``; ``files`` hold the list of unusable items, if asked for.

    ``family`` is a suggested family to train.
    """

    source: str
    survey: Survey
    family: str
    files: tuple[Path, ...]

    def show(self, console: Console) -> None:
        facts = self.survey
        console.print(f"{self.source}: {facts.num_items:,} items, {facts.kind}")
        grid = Table.grid(padding=(0, 2))
        for name, value in facts.facts:
            grid.add_row(f"  {name}", value)
        console.print(grid)
        if facts.labels:
            console.print(_labels(facts.labels))
        for text in facts.findings:
            console.print(f"- {text}")
        if not facts.findings:
            console.print("nothing to fix")

    def suggest(self) -> Next:
        return Next("train", (self.family, self.source), {"out": "runs/first"})


def check(
    data: Data,
    *,
    out: str | Path | None = None,
    cache: str | Path | None = None,
    quiet: bool = False,
    **settings: Any,
) -> Checked:
    """Look at data before training: counts, hours, rates, labels, splits, unusable items.

    Parameters
    ----------
    data
        A folder of recordings, a manifest, a table, a file, or builtin:NAME.
    out
        File for the list of unusable items with the reasons: .csv, .parquet or .npz.
    cache
        Folder for built-in data; by default "cache" in the current folder.
    quiet
        Show no progress.
    settings
        Any setting of the data, as `--name value`, the same as for `train`.

    Raises
    ------
    DataError
        Training would refuse the data.
    """
    path = None if out is None else check_out(out)
    data_settings = split_sections(settings, {"data": DataConfig}, also=("out", "cache", "quiet"))
    config = validate(DataConfig, data_settings["data"], section="data")
    items = open_items(data, config, cache=cache_of(cache, Path("run")))
    require_settings_of(config, items.kind)
    facts = _surveyed(items, config, quiet)
    if path is not None:
        names, reasons = ([row[i] for row in facts.unreadable] for i in (0, 1))
        write_table({"item": names, "reason": reasons}, path)
    if not facts.usable:
        listed = f"; the list is {str(path)!r}" if path else "; --out FILE.csv lists them all"
        raise DataError(facts.findings[0] + listed)
    return Checked(
        source=describe(data),
        survey=facts,
        family=_family_for(items.kind, config),
        files=() if path is None else (path,),
    )


def _surveyed(items: Items, config: DataConfig, quiet: bool) -> Survey:
    progress = listener(quiet)
    progress.start("looking", len(items))
    try:
        return survey(items, config, on_item=lambda: progress.advance(1, {}))
    finally:
        progress.stop()


def _family_for(kind: str, config: DataConfig) -> str:
    """Return a family that models such items, and takes classes where a condition is given."""
    families = [name for name, row in FAMILIES.items() if kind in row.kinds]
    usual = KINDS[kind].usual_family or families[0]
    if config.condition is None:
        return usual
    return next(filter(has_classes, [usual, *families]), usual)


def _labels(labels: Sequence[LabelFacts]) -> Table:
    table = Table(title="labels", title_justify="left")
    for name in ("column", "values", "commonest", "rarest", "empty"):
        table.add_column(name, justify="right" if name in ("values", "empty") else "left")
    for label in labels:
        table.add_row(
            label.name,
            f"{label.num_values:,}",
            f"{label.commonest} ({label.commonest_share:.1%})",
            f"{label.rarest} ({label.rarest_share:.1%})",
            f"{label.num_empty:,}",
        )
    return table
