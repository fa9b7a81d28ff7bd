"""Raw items: what a user hands a run in Python, as its codec takes them."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from ensue.data.codecs.protocols import Codec, HasColumns
from ensue.data.config import DataConfig
from ensue.data.kinds import KINDS
from ensue.data.kinds.audio.samples import is_recording
from ensue.data.sources.open import open_items
from ensue.data.values import plain
from ensue.data.wanted import Wanted
from ensue.errors import DataError


def wanted_by(codec: Codec) -> Wanted:
    """Items that a codec takes: those of its kind, samples at its rate, its columns."""
    columns = codec.columns if isinstance(codec, HasColumns) else ()
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
    if isinstance(data, str | Path) and os.path.exists(data):
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
        of_run = replace(config, columns=wanted.columns) if wanted.columns else config
        items = open_items(values, of_run, cache=Path(), wanted=wanted)
        if items.kind != codec.kind:
            raise DataError(f"the items are {items.kind}, and this run's are {codec.kind}")
        return list(items.raw)
    return [codec.of_user(value) for value in values]


def _is_table(values: Any, codec: Codec) -> bool:
    """Return whether values are columns; rows by name may be items already."""
    if isinstance(values, pa.Table | Mapping):
        return True
    is_named = isinstance(values, list) and values and all(isinstance(v, Mapping) for v in values)
    return bool(is_named) and not KINDS[codec.kind].is_mapping
