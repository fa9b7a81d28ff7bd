"""The store: encoded items end to end in one memory-mapped file, so that reading is slicing.

A store is a folder: ``values.bin`` (float32, or int32 of tokens), ``offsets.npy`` (int64),
``index.parquet`` (id, group, labels), ``skipped.csv``, ``meta.json``. It is keyed by the items and
the codec, built under a lock in a temporary folder, and renamed when it is whole.
"""

import csv
import json
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import torch
from filelock import FileLock

from ensue.configuration import FORMAT, check_format, to_plain
from ensue.data.codecs.protocols import Codec
from ensue.data.items import Intervals, Items, fingerprint, require_few_skipped
from ensue.errors import DataError
from ensue.files import drafted, read_json, read_text, require_file, writing

LABEL, VALUES = "label.", "values.bin"
READING = "cells as written, samples typed, stretches exact"
"""A name of the way files are read; stores that were written under another one are made again."""
ITEMS_A_TASK = 8
STEPS_AHEAD = 2**20
"""Steps of an item that are read before it is its turn; the rest of a long one is read then."""
OnItem = Callable[[int, int], None] | None


@dataclass(frozen=True)
class Store:
    """Encoded items by position: ``store[i]`` is a (T, ...) tensor, float32 or int32.

    Attributes:
        ids: A name for each item.
        lengths: (N,) steps of each item.
        labels: Columns of labels.
        group: Group of each item, or None.
        intervals: Labels of stretches of time, by name.
        skipped: What couldn't be read, and why.
        rate: Steps a second; 1 where time has no unit.
        sequence: Whether items have a length; otherwise each is one step.
        folder: Where it lies.
    """

    values: np.ndarray
    offsets: np.ndarray
    ids: Sequence[str]
    labels: Mapping[str, Sequence[str]]
    group: Sequence[str] | None
    intervals: Mapping[str, Intervals]
    skipped: Sequence[tuple[str, str]]
    rate: float
    sequence: bool
    folder: Path

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    def __getitem__(self, i: int) -> torch.Tensor:
        return torch.from_numpy(self.read(i, 0, int(self.offsets[i + 1] - self.offsets[i])))

    def read(self, i: int, start: int, stop: int) -> np.ndarray:
        """A copy of steps ``start`` to ``stop`` of item i."""
        begin = self.offsets[i]
        return np.array(self.values[begin + start : begin + stop])

    def read_once(self, i: int, start: int, stop: int) -> np.ndarray:
        """The same, without keeping its pages mapped, which count as memory of the process."""
        if not isinstance(self.values, np.memmap):
            return self.read(i, start, stop)
        shape = (stop - start, *self.values.shape[1:])
        offset = (int(self.offsets[i]) + start) * self.values.itemsize * math.prod(shape[1:])
        return np.array(np.memmap(self.folder / VALUES, self.values.dtype, "r", offset, shape))


def open_store(
    items: Items,
    codec: Codec,
    cache: Path,
    *,
    max_skipped: float = 0.05,
    shortest: int = 1,
    on_item: OnItem = None,
) -> Store:
    """The store of the items in ``cache``, built there unless it lies there already.

    Args:
        items: What to encode.
        codec: Encodes them.
        cache: Folder of stores.
        max_skipped: Part of the items that may be unreadable.
        shortest: Steps below which an item can't be used.
        on_item: Called with (how many are done, of how many) while the store is built.

    Raises:
        DataError: More items are unreadable than allowed, the cache can't be written, or the
            store in it is damaged.
    """
    # The index holds names, groups and labels, which settings may change and the files not.
    index = [list(items.ids), items.group and list(items.group), items.labels]
    settings = [shortest, *sorted(to_plain(codec).items())]
    key = fingerprint([FORMAT, READING, items.fingerprint, *index, settings])
    folder = cache / key
    remedy = "give another --cache (by default it is next to --out)"
    with writing(f"the store in {str(cache)!r}", remedy=remedy):
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{key}.lock"):
            if not (folder / "meta.json").exists():
                _build(items, codec, folder, shortest, on_item)
    try:
        store = _open(folder, items, codec)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataError(f"the store {str(folder)!r} is damaged: {error}; delete it") from error
    _judge(store, len(items), max_skipped)
    return store


def _build(items: Items, codec: Codec, folder: Path, shortest: int, on_item: OnItem) -> None:
    with drafted(folder, replaces_folder=True) as draft:
        draft.mkdir()
        found = _write_values(items, codec, draft / VALUES, shortest, on_item)
        offsets = np.concatenate([[0], np.cumsum(found.lengths, dtype=np.int64)])
        np.save(draft / "offsets.npy", offsets)
        pyarrow.parquet.write_table(_index(items, found.kept), draft / "index.parquet")
        with open(draft / "skipped.csv", "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("item", "reason"), *found.skipped])
        (draft / "meta.json").write_text(
            json.dumps({"format": FORMAT, "shape": found.shape, "dtype": found.dtype})
        )


@dataclass
class _Values:
    """The values written so far: which items, their steps and shape, and what was left out."""

    kept: list[int]
    lengths: list[int]
    shape: list[int]
    dtype: str
    skipped: list[tuple[str, str]]


def _write_values(
    items: Items, codec: Codec, path: Path, shortest: int, on_item: OnItem
) -> _Values:
    """Items are read ahead in threads and written in their order, whatever the threads do."""
    found = _Values([], [], [], "float32", [])
    with open(path, "wb") as file:
        for i, pieces in enumerate(_read_ahead(items, codec)):
            if on_item is not None:
                on_item(i + 1, len(items))
            begin = file.tell()
            try:
                length, shape, dtype = _write_item(pieces, file)
                if length < shortest:
                    raise DataError(f"it has {length} steps, and the model needs {shortest}")
            except DataError as error:
                found.skipped.append((items.ids[i], str(error)))
                file.seek(begin)
                file.truncate()
                continue
            found.kept.append(i)
            found.lengths.append(length)
            found.shape, found.dtype = shape, dtype
    return found


def _write_item(pieces: Iterable[torch.Tensor], file: BinaryIO) -> tuple[int, list[int], str]:
    length, shape, dtype = 0, [], "float32"
    for x in pieces:
        values = np.ascontiguousarray(x.numpy())
        file.write(values.data)
        length, shape, dtype = length + len(x), list(x.shape[1:]), values.dtype.name
    return length, shape, dtype


def _read_ahead(items: Items, codec: Codec) -> Iterator[Iterable[torch.Tensor]]:
    """The pieces of each item in order; the first ones are read before they are asked for."""

    def begin(rows: range) -> list[Iterable[torch.Tensor]]:
        return [_begun(codec.pieces(items.raw[row])) for row in rows]

    parts = iter(
        range(i, min(i + ITEMS_A_TASK, len(items))) for i in range(0, len(items), ITEMS_A_TASK)
    )
    num_threads = os.cpu_count() or 1
    with ThreadPoolExecutor(num_threads) as pool:
        waiting = deque(pool.submit(begin, rows) for rows in islice(parts, 2 * num_threads))
        try:
            while waiting:
                begun = waiting.popleft().result()
                waiting.extend(pool.submit(begin, rows) for rows in islice(parts, 1))
                yield from begun
        finally:
            pool.shutdown(cancel_futures=True)


def _begun(pieces: Iterator[torch.Tensor]) -> Iterable[torch.Tensor]:
    """The same pieces, up to STEPS_AHEAD of them read; an error comes in its place."""
    head: list[torch.Tensor] = []
    try:
        while sum(map(len, head)) < STEPS_AHEAD:
            head.append(next(pieces))
    except StopIteration:
        return head
    except DataError as error:
        return _failing(error)
    return chain(head, pieces)


def _failing(error: DataError) -> Iterator[torch.Tensor]:
    raise error
    yield


def _index(items: Items, kept: Sequence[int]) -> pa.Table:
    columns = {"id": [items.ids[i] for i in kept]}
    if items.group is not None:
        columns["group"] = [items.group[i] for i in kept]
    for name, values in items.labels.items():
        columns[LABEL + name] = [values[i] for i in kept]
    return pa.table({n: pa.array(v, pa.string()) for n, v in columns.items()})


def _open(folder: Path, items: Items, codec: Codec) -> Store:
    meta = read_json(folder / "meta.json")
    check_format(meta, str(folder / "meta.json"))
    for name in (VALUES, "index.parquet", "offsets.npy"):
        require_file(folder / name)
    index = pyarrow.parquet.read_table(folder / "index.parquet")
    offsets = np.load(folder / "offsets.npy")
    shape = (int(offsets[-1]), *meta["shape"])
    empty = not offsets[-1]
    values = (
        np.zeros(shape, meta["dtype"])
        if empty
        else np.memmap(folder / VALUES, meta["dtype"], "r", shape=shape)
    )
    listed = StringIO(read_text(folder / "skipped.csv", most=None), newline="")
    skipped = [(row["item"], row["reason"]) for row in csv.DictReader(listed)]
    names = index.column_names
    facts = codec.facts()
    return Store(
        values=values,
        offsets=offsets,
        ids=index["id"].to_pylist(),
        labels={n.removeprefix(LABEL): index[n].to_pylist() for n in names if n.startswith(LABEL)},
        group=index["group"].to_pylist() if "group" in names else None,
        intervals=items.intervals,
        skipped=skipped,
        rate=float(facts.get("sample_rate") or facts.get("step_rate") or 1),
        sequence=codec.sequence,
        folder=folder,
    )


def _judge(store: Store, total: int, max_skipped: float) -> None:
    listed = f"; the list is {store.folder / 'skipped.csv'}"
    require_few_skipped(store.skipped, total, max_skipped, more=listed)
    if not len(store):
        raise DataError(f"no item can be used; the list is {store.folder / 'skipped.csv'}")
