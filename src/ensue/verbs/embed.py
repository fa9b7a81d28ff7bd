"""``embed``: write one vector per item, or per frame, of recordings of any length and number."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np

from ensue.data.items import fingerprint
from ensue.data.sources.data import Data
from ensue.data.store import Store
from ensue.errors import ConfigError, Interrupted
from ensue.evaluation.represent import Represented, Represents, by_model
from ensue.models.protocols import HasLayers
from ensue.nn.pooling import Pooled, Pooling
from ensue.runs.encoder import encoder_of
from ensue.runs.loaded import Loaded, load
from ensue.runs.reading import Opened, Reading, open_data
from ensue.runs.results import Written
from ensue.runs.tables import TableParts, check_out, labeled

PART_STEPS = 16_000_000
"""Steps (samples, of sound) of the items of one part; a longer item is a part of its own."""
PART_ITEMS = 16_384


def embed(
    run: str | Path,
    data: Data,
    *,
    out: str | Path,
    level: Literal["item", "frame"] = "item",
    layer: str | None = None,
    pooling: Pooling | None = None,
    embedding: Pooled | None = None,
    **reading: Unpack[Reading],
) -> Written:
    """Write one vector per item, or per frame, with item ids and labels.

    After an interruption, the same command continues where it stopped.

    Parameters
    ----------
    run
        A run folder.
    data
        A folder of recordings, a manifest, a table, a file, or builtin:NAME.
    out
        File to write: .parquet or .npz.
    level
        One vector per item, or one per frame with its time (of images, per patch with its row and
        column).
    layer
        Layer of the model, such as context (the default), local, conv1 or gru1.
    pooling
        Of a CPC: mean, statistics, dynamics, extremes or cells (3 x 3 parts of an image); by
        default the run's own.
    embedding
        Of a CPC: frames that one vector per item is pooled from: context, local or both; by
        default the run's own.
    reading
        Options for reading the data.
    """
    path = check_out(out, (".parquet", ".npz"), data=data)
    loaded = load(run).on_best_device()
    model = encoder_of(loaded, pooling=pooling, embedding=embedding)
    most_steps = _steps_of_part(loaded, layer)
    represent = by_model(model, layer=layer)
    opened = open_data(loaded, data, **reading)
    store = opened.store
    if level == "frame" and not store.sequence:
        _require_grid(next(iter(represent(store, [0]))))
    parts = list(_parts(store, most_steps))
    key = _key(loaded, store, level, layer, pooling, embedding)
    table = TableParts(path, key=key)
    tables = _item_tables if level == "item" else _frame_tables
    _add_parts(table, ((rows, tables(represent, store, rows)) for rows in parts), opened)
    return Written(
        what="embeddings" if level == "item" else "frames",
        num_rows=table.finish(len(parts)),
        num_items=len(store),
        skipped=store.skipped,
        files=(path,),
    )


def _steps_of_part(loaded: Loaded, layer: str | None) -> int:
    """Make parts smaller for lower layers, whose frames per second are more: all are in memory."""
    if layer is None:
        return PART_STEPS
    model = loaded.model_as(HasLayers, "layers")
    return int(PART_STEPS * model.up_to(layer).hop / model.hop)


def _add_parts(
    table: TableParts,
    parts: Iterable[tuple[np.ndarray, Iterator[dict[str, Any]]]],
    opened: Opened,
) -> None:
    """Add the parts that aren't there yet.

    Raises:
        Interrupted: It was stopped, and the parts written so far are kept.
    """
    progress = opened.progress
    progress.start("embedding", len(opened.store))
    try:
        for number, (rows, tables) in enumerate(parts):
            if not table.has(number):
                table.add(number, tables)
            progress.advance(len(rows), {})
    except KeyboardInterrupt as stop:
        if not table.has(0):
            raise
        raise Interrupted("interrupted; the same command continues where it stopped") from stop
    finally:
        progress.stop()


def _key(loaded: Loaded, store: Store, *options: str | None) -> str:
    """Return a hash of the weights, the items and the settings, which a part depends on."""
    labels = [list(store.ids), store.labels]
    return fingerprint([loaded.hash, str(store.folder), labels, *options])


def _parts(store: Store, most: int) -> Iterator[np.ndarray]:
    """Yield the items in order, in parts of at most ``most`` steps."""
    first, steps = 0, 0
    for row, length in enumerate(store.lengths):
        if row > first and (steps + length > most or row - first == PART_ITEMS):
            yield np.arange(first, row)
            first, steps = row, 0
        steps += length
    yield np.arange(first, len(store))


def _item_tables(represent: Represents, store: Store, rows: np.ndarray) -> Iterator[dict[str, Any]]:
    by_row = {r.row: r.embedding for r in represent(store, rows)}  # the last piece has it whole
    yield {**labeled(store, rows), "embedding": np.stack([by_row[row] for row in rows])}


def _frame_tables(
    represent: Represents, store: Store, rows: np.ndarray
) -> Iterator[dict[str, Any]]:
    """Yield every frame with the time of its center, or its row and column on a grid.

    Items come in order, and the pieces of one as they come.

    Raises:
        ConfigError: The features have no frames.
    """
    for r in _in_order(represent(store, rows), rows):
        if r.frames is None or r.frame_rate is r.grid is None:
            raise ConfigError("this family has no features by frame; use --level item")
        num = len(r.frames)
        labels = {name: value * num for name, value in labeled(store, [r.row]).items()}
        yield {**labels, **_places(r, num), "features": r.frames}


def _require_grid(r: Represented) -> None:
    if r.frames is None or r.grid is None:
        raise ConfigError("this family has no features by frame; use --level item")


def _places(r: Represented, num: int) -> dict[str, np.ndarray]:
    if r.grid is not None:
        row, column = np.divmod(np.arange(num), r.grid[1])
        return {"patch_row": row, "patch_column": column}
    assert r.frame_rate is not None
    return {"time": (r.first + np.arange(num) + 0.5) / r.frame_rate}


def _in_order(found: Iterable[Represented], rows: np.ndarray) -> Iterator[Represented]:
    """Sort by item; a result that comes early waits, unless there is only one item."""
    if len(rows) == 1:
        yield from found
        return
    by_row: dict[int, list[Represented]] = {}
    for r in found:
        by_row.setdefault(r.row, []).append(r)
    for row in rows:
        yield from by_row.pop(row)
