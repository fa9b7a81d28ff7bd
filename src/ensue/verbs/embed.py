"""``embed``: one vector per item, or per frame, of recordings of any length and number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ensue.data.sources.data import Data
from ensue.errors import ConfigError, Interrupted
from ensue.runs.loaded import Loaded, load
from ensue.runs.progress import listener
from ensue.runs.tables import TableParts, check_out
from ensue.verbs.apply import Written, labelled, open_data

if TYPE_CHECKING:
    import numpy as np

    from ensue.data.store import Store
    from ensue.evaluation.represent import Represented, Represents

PART_STEPS = 16_000_000
"""Steps (samples, of sound) of the items of one part; a longer item is a part by itself."""
PART_ITEMS = 16_384


def embed(
    run: str | Path,
    data: Data,
    *,
    out: str | Path,
    level: Literal["item", "frame"] = "item",
    layer: str | None = None,
    max_skipped: float = 0.05,
    cache: str | Path | None = None,
    quiet: bool = False,
) -> Written:
    """Write one vector per item, or per frame, with item ids and labels.

    Interrupted, the same command goes on where it stopped.

    Parameters
    ----------
    run
        A run folder.
    data
        A folder of recordings, a manifest, a table, a file, or builtin:NAME.
    out
        File to write: .parquet or .npz.
    level
        One vector per item, or one per frame with its time.
    layer
        Layer of the model, such as context (the default), local, conv1 or gru1.
    max_skipped
        Part of the items that may be unreadable.
    cache
        Folder for prepared data; by default "cache" beside the run.
    quiet
        Show no progress.
    """
    from ensue.evaluation.represent import by_model
    from ensue.models.protocols import HasLayers
    from ensue.models.traits import EncodingModel

    path = check_out(out, (".parquet", ".npz"), data=data)
    loaded = load(run).on_best_device()
    model = loaded.model_as(EncodingModel, "encodes")
    share = 1.0
    if layer is not None:
        whole = loaded.model_as(HasLayers, "layers")
        share = whole.up_to(layer).hop / whole.hop
    represent = by_model(model, layer=layer)
    progress = listener(quiet)
    _, store = open_data(loaded, data, cache, max_skipped=max_skipped, progress=progress)
    if level == "frame" and not store.sequence:
        raise ConfigError("this family has no features by frame; use --level item")
    tables = _item_tables if level == "item" else _frame_tables
    # Lower layers have more frames a second, and a part's frames stand in memory.
    parts = list(_parts(store, int(PART_STEPS * share)))
    table = TableParts(path, key=_key(loaded, store, level, layer))
    progress.start("embedding", len(store))
    try:
        for number, rows in enumerate(parts):
            if not table.has(number):
                table.add(number, tables(represent, store, rows))
            progress.advance(len(rows), {})
    except KeyboardInterrupt as stop:
        if not table.has(0):
            raise
        raise Interrupted("interrupted; the same command goes on where it stopped") from stop
    finally:
        progress.stop()
    return Written(
        what="embeddings" if level == "item" else "frames",
        num_rows=table.finish(len(parts)),
        num_items=len(store),
        skipped=store.skipped,
        files=(path,),
    )


def _key(loaded: Loaded, store: Store, level: str, layer: str | None) -> str:
    """What a part depends on: the weights, the items and the settings."""
    from ensue.data.items import fingerprint

    labels = [list(store.ids), store.labels]
    return fingerprint([loaded.hash, str(store.folder), labels, level, layer])


def _parts(store: Store, most: int) -> Iterator[np.ndarray]:
    """The items in order, cut into parts of at most so many steps."""
    import numpy as np

    first, steps = 0, 0
    for row, length in enumerate(store.lengths):
        if row > first and (steps + length > most or row - first == PART_ITEMS):
            yield np.arange(first, row)
            first, steps = row, 0
        steps += length
    yield np.arange(first, len(store))


def _item_tables(represent: Represents, store: Store, rows: np.ndarray) -> Iterator[dict[str, Any]]:
    import numpy as np

    by_row = {r.row: r.embedding for r in represent(store, rows)}  # the last piece has it whole
    yield {**labelled(store, rows), "embedding": np.stack([by_row[row] for row in rows])}


def _frame_tables(
    represent: Represents, store: Store, rows: np.ndarray
) -> Iterator[dict[str, Any]]:
    """Every frame with the time of its center: items in order, pieces as they come.

    Raises:
        ConfigError: The features have no frames.
    """
    for r in _in_order(represent(store, rows), rows):
        if r.frames is None or r.frame_rate is None:
            raise ConfigError("this family has no features by frame; use --level item")
        yield _frames(r, store, r.frame_rate)


def _frames(r: Represented, store: Store, frame_rate: float) -> dict[str, Any]:
    import numpy as np

    assert r.frames is not None
    num = len(r.frames)
    labels = {name: value * num for name, value in labelled(store, [r.row]).items()}
    time = (r.first + np.arange(num) + 0.5) / frame_rate
    return {**labels, "time": time, "features": r.frames}


def _in_order(found: Iterable[Represented], rows: np.ndarray) -> Iterator[Represented]:
    """By item; what comes early waits, unless it is of the only item that there is."""
    if len(rows) == 1:
        yield from found
        return
    by_row: dict[int, list[Represented]] = {}
    for r in found:
        by_row.setdefault(r.row, []).append(r)
    for row in rows:
        yield from by_row.pop(row)
