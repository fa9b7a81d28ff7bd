"""Raw items: what a user hands a run in Python, as its codec takes them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from ensue.data.arrays import are_numbers, as_array, is_array
from ensue.data.codecs import Codec
from ensue.data.config import DataConfig
from ensue.data.items import Clip, Picture
from ensue.data.sources.memory import Wanted, as_recording, is_recording
from ensue.data.sources.open import open_items
from ensue.data.sources.values import plain
from ensue.errors import DataError


def wanted_by(codec: Codec) -> Wanted:
    """Items that a codec takes: those of its kind, samples at its rate, its columns."""
    columns = tuple(getattr(codec, "columns", ()))
    return Wanted((codec.kind,), codec.facts().get("sample_rate"), columns)


def raws_of(data: Any, codec: Codec, config: DataConfig) -> list[Any]:
    """Several items as ``codec.encode`` takes them.

    A list of texts is texts, of paths, or of molecules, as the codec has it; samples alone are at
    the codec's own rate; a row may be numbers in the order of the codec's columns. A DataFrame, or
    columns by name, is read as a table file would be.

    Args:
        data: A list, an array of several items, a table, or what can be iterated over.
        codec: Of the run.
        config: The settings that its data were read with.

    Raises:
        DataError: It is one item where several are asked for, or holds something else.
    """
    if isinstance(data, str | Path) and Path(data).exists():
        raise DataError(
            f"the items are the path {str(data)!r}; give a list of items here, and files to the "
            "functions and commands embed and score, which read them"
        )
    if data is None or isinstance(data, str | bytes | Path):
        raise DataError(f"the items are {data!r:.60}; give a list of them")
    if is_recording(data):
        raise DataError("the items are one (samples, rate) pair; give a list of them")
    values = data if isinstance(data, Mapping) else plain(data)
    if _is_table(values, codec):
        wanted = wanted_by(codec)
        own = replace(config, columns=wanted.columns) if codec.kind == "table" else config
        items = open_items(values, own, cache=Path(), wanted=wanted)
        if items.kind != codec.kind:
            raise DataError(f"the items are {items.kind}, and this run's are {codec.kind}")
        return list(items.raw)
    return [raw_of(value, codec) for value in values]


def raw_of(value: Any, codec: Codec) -> Any:
    """One item as ``codec.encode`` takes it.

    Raises:
        DataError: It is none of the codec's kind.
    """
    return codec.of_user(READ.get(codec.kind, _as_it_is)(value, codec))


def _is_table(values: Any, codec: Codec) -> bool:
    """Return whether values are columns; rows by name may be items already."""
    if isinstance(values, pa.Table | Mapping):
        return True
    named = isinstance(values, list) and values and all(isinstance(v, Mapping) for v in values)
    return bool(named) and codec.kind not in ("table", "question")


def _recording(value: Any, codec: Codec) -> Any:
    if isinstance(value, str | Path | Clip):
        return value
    if is_recording(value):
        return as_recording(value)
    rate = codec.facts()["sample_rate"]
    if not (is_array(value) and as_array(value).ndim in (1, 2)) and not are_numbers(value):
        raise DataError(
            f"an item is {value!r:.60}; give a path, a (samples, rate) pair, or samples at this "
            f"run's {rate:,} Hz"
        )
    return as_recording(value, rate)


def _picture(value: Any, codec: Codec) -> Any:
    if isinstance(value, str | Path | Picture):
        return value
    if not is_array(value):
        raise DataError(
            f"an item is {value!r:.60}; give a path, or an array (H, W) or (H, W, 3) of uint8 or "
            "uint16"
        )
    return as_array(value)


def _row(value: Any, codec: Codec) -> Any:
    if isinstance(value, Mapping):
        return value
    numbers = as_array(value).tolist() if is_array(value) or are_numbers(value) else None
    names = _columns_of(codec, len(numbers) if isinstance(numbers, list) else 0)
    if not isinstance(numbers, list) or len(numbers) != len(names):
        raise DataError(
            f"an item is {value!r:.60}; give a row {{column: value}}, or {len(names)} numbers, in "
            f"the order of the columns ({', '.join(names)})"
        )
    return dict(zip(names, numbers, strict=True))


def _columns_of(codec: Any, num: int) -> Sequence[str]:
    """The columns of a row of numbers: those modeled, or all of an array that was trained on."""
    of_array = [f"x{i}" for i in range(num)]
    every = {*codec.columns, *(codec.constants or {})}
    return of_array if every == set(of_array) else codec.columns


def _as_it_is(value: Any, codec: Codec) -> Any:
    return value


READ: dict[str, Callable[[Any, Codec], Any]] = {
    "audio": _recording,
    "image": _picture,
    "table": _row,
}
"""Kinds of which an item has several forms; of the others ``of_user`` says what one may be."""
