"""``score``, ``sample``: what a trained run makes of data, as tables; ``embed`` stands beside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ensue.configuration import require_at_least
from ensue.data.sources.kinds import Data
from ensue.training.progress import Progress, Silence
from ensue.verbs.loaded import Loaded, load
from ensue.verbs.prepare import cache_of, encode, require_kind
from ensue.verbs.progress import listener
from ensue.verbs.tables import check_out, write_table

if TYPE_CHECKING:
    from ensue.data.items import Items
    from ensue.data.store import Store


OWN_COLUMNS = {"item", "embedding", "time", "features", "nats", "score_kind"}


@dataclass(frozen=True, kw_only=True)
class Written:
    """A table that a verb wrote: ``num_rows`` rows into ``files``, about ``num_items`` items."""

    what: str
    num_rows: int
    num_items: int
    skipped: int
    files: tuple[Path, ...]


def score(
    run: str | Path,
    data: Data,
    *,
    out: str | Path,
    max_skipped: float = 0.05,
    cache: str | Path | None = None,
    quiet: bool = False,
) -> Written:
    """Write a score per item in nats, and say what kind of number it is.

    Information about the frames ahead is counted among the frames of the item; an item of more
    than 30 seconds (480,000 samples) is scored in pieces of 10 to 20, and has the mean of them.

    Parameters
    ----------
    run
        A run folder.
    data
        A folder of recordings, a manifest, a table, a file, or builtin:NAME.
    out
        File to write: .parquet, .csv or .npz.
    max_skipped
        Part of the items that may be unreadable.
    cache
        Folder for prepared data; by default "cache" beside the run.
    quiet
        Show no progress.
    """
    import numpy as np

    from ensue.evaluation.represent import score_items
    from ensue.models.registry import require_contract

    path = check_out(out)
    loaded = load(run).on_best_device()
    require_contract(loaded.family, "scores")
    progress = listener(quiet)
    items, store = open_data(loaded, data, cache, max_skipped=max_skipped, progress=progress)
    totals, kind = score_items(loaded.model, store)
    if kind == "exact":
        where = {name: i for i, name in enumerate(items.ids)}
        totals = totals + np.array([loaded.codec.log_det(items.raw[where[n]]) for n in store.ids])
    columns = {
        **labelled(store, range(len(store))),
        "nats": totals,
        "score_kind": [kind] * len(store),
    }
    write_table(columns, path)
    return _written(f"scores ({kind})", columns, store, path)


def sample(
    run: str | Path,
    *,
    num: int = 100,
    out: str | Path | None = None,
    temperature: float = 1.0,
    seed: int = 0,
) -> Written:
    """Draw new items from a trained model.

    Parameters
    ----------
    run
        A run folder.
    num
        How many.
    out
        File to write: .csv, .parquet or .npz; by default samples/samples.csv in the run.
    temperature
        1 draws from the model, less is closer to the likeliest.
    seed
        Of the draw.
    """
    from ensue.training.run_folder import RunFolder

    path = check_out(out or RunFolder(Path(run)).samples / "samples.csv")
    require_at_least(1, num=num)
    require_at_least(0, temperature=temperature)
    drawn = load(run).sample(num, temperature=temperature, seed=seed)
    columns = {name: [row[name] for row in drawn] for name in drawn[0]}
    write_table(columns, path)
    return Written(what="samples", num_rows=num, num_items=num, skipped=0, files=(path,))


def open_data(
    loaded: Loaded,
    data: Data,
    cache: str | Path | None,
    *,
    max_skipped: float,
    group: str | None = None,
    intervals: Sequence[str] = (),
    progress: Progress | None = None,
) -> tuple[Items, Store]:
    """Data read as the run's own were: the same settings and codec."""
    from ensue.configuration import validate
    from ensue.data.config import DataConfig
    from ensue.data.sources import open_items

    # Which groups and intervals a run was trained with says nothing of other data.
    mine = {"group": group, "intervals": intervals, "max_skipped": max_skipped}
    config = validate(DataConfig, {**loaded.config["data"], **mine}, section="data")
    folder = cache_of(cache, loaded.path)
    items = open_items(data, config, cache=folder)
    require_kind(loaded.family, items.kind)
    store = encode(
        items,
        loaded.codec,
        loaded.model,
        folder,
        max_skipped=max_skipped,
        progress=progress or Silence(),
    )
    return items, store


def labelled(store: Store, rows: Iterable[int]) -> dict[str, list[str]]:
    """Ids and labels; a label named as one of our own columns is written as ``label.NAME``."""
    rows = list(rows)
    named = {f"label.{n}" if n in OWN_COLUMNS else n: v for n, v in store.labels.items()}
    return {name: [v[row] for row in rows] for name, v in {"item": store.ids, **named}.items()}


def _written(what: str, columns: dict[str, Any], store: Store, path: Path) -> Written:
    return Written(
        what=what,
        num_rows=len(columns["item"]),
        num_items=len(store),
        skipped=len(store.skipped),
        files=(path,),
    )
