"""``check``: what is in the data, and what to mend, before an hour of training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ensue.data.kinds import require_settings_of
from ensue.data.sources.data import Data
from ensue.errors import DataError
from ensue.runs.plan import describe
from ensue.runs.prepare import cache_of
from ensue.runs.progress import listener
from ensue.runs.tables import write_table

if TYPE_CHECKING:
    from ensue.data.survey import Survey


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What was found in ``source``; ``files`` hold the list of unusable items, if asked for."""

    source: str
    survey: Survey
    files: tuple[Path, ...]


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
        File for the list of items that can't be used and why: .csv, .parquet or .npz.
    cache
        Folder for built-in data; by default "cache" here.
    quiet
        Show no progress.
    settings
        Any setting of the data, as `--name value`, as `train` would have it.

    Raises
    ------
    DataError
        Training would refuse the data.
    """
    from ensue.configuration import split_sections, validate
    from ensue.data.config import DataConfig
    from ensue.data.sources import open_items
    from ensue.data.survey import survey
    from ensue.runs.tables import check_out

    path = None if out is None else check_out(out)
    given = split_sections(settings, {"data": DataConfig}, also=("out", "cache", "quiet"))
    config = validate(DataConfig, given["data"], section="data")
    items = open_items(data, config, cache=cache_of(cache, Path("run")))
    require_settings_of(config, items.kind)
    progress = listener(quiet)
    progress.start("looking", len(items))
    try:
        found = survey(items, config, on_item=lambda: progress.advance(1, {}))
    finally:
        progress.stop()
    if path is not None:
        names, reasons = ([row[i] for row in found.unreadable] for i in (0, 1))
        write_table({"item": names, "reason": reasons}, path)
    if not found.usable:
        listed = f"; the list is {str(path)!r}" if path else "; --out FILE.csv lists them all"
        raise DataError(found.findings[0] + listed)
    return Checked(source=describe(data), survey=found, files=() if path is None else (path,))
