"""Data that a Python program holds: looked at, and handed to the source that reads them.

| what is given | what it is |
|---|---|
| a DataFrame, columns, a list of rows, an array with named fields | as a table file with those columns: texts where one is called ``text``, molecules ``smiles``, files ``path``, questions ``question``, else rows |
| an array or tensor (N, D) of numbers, a list of N rows of numbers | rows, with columns ``x0``, ``x1``, ... |
| columns or rows of which one holds images or recordings | these, with the others as labels |
| an array (N, H, W) or (N, H, W, 3), a list of such images of any sizes | images |
| a list of :class:`pathlib.Path` | files, by their endings |
| a list of texts | files, where all have an ending that is known or all are there; else texts |
| a list of (samples, rate) pairs | recordings |

Two of these can't be told apart by looking. Who asks may know (:class:`Wanted`): for a run or a
family of one kind, a list of texts is of that kind, and samples without a rate are at the run's own.
Without that, texts are texts and not molecules (give ``{"smiles": [...]}``, or the setting
``tokens`` smiles), and samples without a rate are refused.
"""  # noqa: E501

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ensue.data.arrays import are_numbers, as_array, is_array
from ensue.data.config import DataConfig
from ensue.data.items import Items, Picture, file_facts, fingerprint, group_of
from ensue.data.samples import as_samples
from ensue.data.sources.audio import is_audio, read_audio_arrays
from ensue.data.sources.columns import TABLE_SUFFIXES
from ensue.data.sources.files import plain_items
from ensue.data.sources.image import is_image, read_image_array
from ensue.data.sources.smiles import is_smiles, read_smiles
from ensue.data.sources.table import label_columns, read_array
from ensue.data.sources.text import is_text, read_documents
from ensue.data.sources.values import (
    FORMS,
    by_column,
    columns_of_mapping,
    columns_of_rows,
    plain,
)
from ensue.errors import DataError

HUB = ("array", "sampling_rate")
"""The parts of a recording in data sets of the Hugging Face Hub."""
LISTED = "a list holds paths or texts, rows, images or (samples, rate) pairs"
ENDINGS = {"audio": is_audio, "image": is_image, "smiles": is_smiles, "text": is_text}
"""Judges of a file by its name, for each kind."""


@dataclass(frozen=True)
class Wanted:
    """Data that the caller can take: it decides where looking can't.

    Attributes:
        kinds: Of items; none where any will do.
        sample_rate: Hz of samples that come without their rate; None where they are refused.
        columns: Names of the columns of an array with as many.
    """

    kinds: Sequence[str] = ()
    sample_rate: int | None = None
    columns: Sequence[str] = ()

    def takes(self, kind: str) -> bool:
        """Return whether items of a kind are wanted, for all that is known."""
        return not self.kinds or kind in self.kinds


ANYTHING = Wanted()


def columns_in(
    data: np.ndarray | pa.Table | list[Any], config: DataConfig, wanted: Wanted
) -> pa.Table | None:
    """Data as columns, where they are a table, texts or molecules; None where they are others.

    Raises:
        DataError: Rows don't make a table.
    """
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, np.ndarray) or not data:
        return None
    if all(isinstance(v, Mapping) for v in data):
        return columns_of_rows(data)
    if not all(isinstance(v, str) for v in data) or _are_paths(data, wanted):
        return None
    said = config.tokens == "smiles" and wanted.takes("smiles")
    only_molecules = said or not wanted.takes("text")
    try:
        return pa.table({"smiles" if only_molecules else "text": pa.array(data, pa.string())})
    except UnicodeEncodeError as error:
        raise DataError(f"a text can't be written as UTF-8: {error}") from error


def labelled_in(data: object, config: DataConfig, wanted: Wanted) -> Items | None:
    """Columns or rows of which one column holds images or recordings, and the others its labels.

    Raises:
        DataError: The columns don't fit each other.
    """
    if isinstance(data, list) and data and all(isinstance(v, Mapping) for v in data):
        data = by_column(data)
    if not isinstance(data, Mapping):
        return None
    name = next((name for name, values in data.items() if _are_items(values)), None)
    if name is None:
        return None
    found = read_values(plain(data[name]), replace(config, group=None), wanted)
    others = {n: values for n, values in data.items() if n != name}
    if not others:
        return found
    columns = columns_of_mapping(others)
    if len(columns) != len(found):
        raise DataError(f"{name!r} has {len(found)} items, and its labels are {len(columns)}")
    labels = label_columns(columns, without=())
    return replace(
        found,
        labels=labels,
        group=group_of(labels, config.group),
        fingerprint=fingerprint([found.fingerprint, labels]),
    )


def read_values(
    data: np.ndarray | list[Any], config: DataConfig, wanted: Wanted = ANYTHING
) -> Items:
    """The items of an array, or of a list of files, arrays or recordings.

    Raises:
        DataError: The values are of several forms, or of one that isn't known.
    """
    if isinstance(data, np.ndarray):
        return _read_array(data, config, wanted)
    if not data:
        return read_audio_arrays(data, config)  # which refuses it
    if all(isinstance(v, str | Path) for v in data):
        return _read_files([Path(v).expanduser() for v in data], data, config, wanted)
    if all(map(is_recording, data)):
        return read_audio_arrays([as_recording(v) for v in data], config)
    if all(is_array(v) or are_numbers(v) for v in data):
        if _may_be_sound(data, wanted):
            raise DataError(
                f"{LISTED}, not {_types(data)}; give samples with their rate, or rows of a table "
                "as one array (rows, columns)"
            )
        return _read_arrays([as_array(v) for v in data], config, wanted)
    raise DataError(f"{LISTED}, not {_types(data)}; give {FORMS}")


def is_recording(value: object) -> bool:
    """Return whether a value is samples and their rate: a pair, or a mapping as on the HF Hub.

    Example:
        >>> is_recording((np.zeros(100), 8000)), is_recording((1.0, 8000)), is_recording("a.wav")
        (True, False, False)
    """
    if isinstance(value, Mapping):
        return set(HUB) <= value.keys()
    if not isinstance(value, tuple | list) or len(value) != 2:
        return False
    samples, rate = value
    return (
        np.ndim(rate) == 0
        and not isinstance(rate, str)
        and (is_array(samples) or are_numbers(samples))
    )


def as_recording(value: Any, rate: int | None = None) -> tuple[np.ndarray, int]:
    """Samples (S,) or (S, channels) and their rate.

    Args:
        value: Samples and their rate; samples alone where ``rate`` is given.
        rate: Hz.

    Raises:
        DataError: The rate is no whole number of Hz, or the samples have another shape.
    """
    if isinstance(value, Mapping):
        value = tuple(value[name] for name in HUB)
    return as_samples(tuple(value) if rate is None else (value, rate))


def _may_be_sound(values: Sequence[Any], wanted: Wanted) -> bool:
    """Return whether arrays of one dimension could be samples as well as rows."""
    known = wanted.sample_rate is not None or not wanted.takes("audio")
    return not known and any(is_array(v) and as_array(v).ndim == 1 for v in values)


def _are_items(values: Any) -> bool:
    """Return whether the values of a column are images or recordings."""
    if is_array(values):
        return as_array(values).ndim > 2
    if not isinstance(values, list | tuple) or not values or is_recording(values):
        return False
    return all(is_recording(v) or (is_array(v) and as_array(v).ndim > 1) for v in values)


def _are_paths(texts: list[str], wanted: Wanted) -> bool:
    """Return whether texts name files: all of them by their endings, or because they are there."""
    if wanted.kinds and not wanted.takes("text") and not wanted.takes("smiles"):
        return True
    if len(wanted.kinds) == 1:
        return False
    return all(_kind_of(Path(t)) or _is_table(Path(t)) for t in texts) or all(map(_is_there, texts))


def _is_there(name: str) -> bool:
    try:
        return os.path.isfile(Path(name).expanduser())
    except (ValueError, OSError, RuntimeError):
        return False


def _kind_of(path: Path) -> str | None:
    return next((kind for kind, is_of in ENDINGS.items() if is_of(path)), None)


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in TABLE_SUFFIXES


def _read_files(
    paths: list[Path], names: Sequence[str | Path], config: DataConfig, wanted: Wanted
) -> Items:
    """Files of one kind, as given.

    Raises:
        DataError: They are of several kinds, or tables, or one comes twice.
    """
    if any(map(_is_table, paths)):
        raise DataError("a list of files holds recordings, images or texts; give a table by itself")
    usual = next((k for k in wanted.kinds if len(wanted.kinds) == 1 and k in ENDINGS), "audio")
    kinds = {_kind_of(p) or usual: p for p in paths}
    if len(kinds) > 1:
        told = ", ".join(f"{str(p)!r} ({kind})" for kind, p in kinds.items())
        raise DataError(f"the files are of several kinds: {told}; give those of one kind")
    (kind,) = kinds
    if kind == "audio":
        return read_audio_arrays(names, config)
    if len(set(paths)) < len(paths):
        twice = next(p for p in paths if paths.count(p) > 1)
        raise DataError(f"the file {str(twice)!r} is listed twice; leave it out once")
    if kind == "image":
        facts = [file_facts(p) for p in paths]
        return plain_items("image", [*map(Picture, paths)], [*map(str, names)], {}, config, facts)
    whole = [p.absolute() for p in paths]
    base = Path(os.path.commonpath([p.parent for p in whole]))
    return (read_smiles if kind == "smiles" else read_documents)(whole, config, base)


def _read_array(x: np.ndarray, config: DataConfig, wanted: Wanted) -> Items:
    if wanted.sample_rate is not None and x.ndim > 1:
        return read_audio_arrays([as_recording(v, wanted.sample_rate) for v in x], config)
    if x.ndim > 2:
        return read_image_array(x, config)
    named = x.ndim == 2 and x.shape[1] == len(wanted.columns)
    return read_array(x, config, names=wanted.columns if named else None)


def _read_arrays(arrays: list[np.ndarray], config: DataConfig, wanted: Wanted) -> Items:
    """A list of arrays: recordings of a run, rows, or images.

    Raises:
        DataError: They are samples without a rate, or of several forms.
    """
    if wanted.sample_rate is not None:
        return read_audio_arrays([as_recording(x, wanted.sample_rate) for x in arrays], config)
    if all(x.ndim == 1 for x in arrays):
        return _read_rows(arrays, config, wanted)
    if not all(_is_picture(x) for x in arrays):
        strange = next(x for x in arrays if not _is_picture(x))
        raise DataError(
            f"the list holds an array {strange.shape} of {strange.dtype}; images are (H, W) or "
            "(H, W, 3) of uint8 or uint16, samples come as (samples, rate), and rows of a table as "
            "one array"
        )
    ids = [f"{i:06d}" for i in range(len(arrays))]
    facts = [(x.shape, x.tobytes()) for x in arrays]
    return plain_items("image", arrays, ids, {}, config, facts)


def _read_rows(rows: list[np.ndarray], config: DataConfig, wanted: Wanted) -> Items:
    if len({len(row) for row in rows}) > 1:
        raise DataError(
            f"a list of arrays of {min(map(len, rows)):,} to {max(map(len, rows)):,} numbers is no "
            "table; samples come with their rate, as a list of (samples, rate) pairs"
        )
    return _read_array(np.stack(rows), config, wanted)


def _types(values: Sequence[object]) -> str:
    return " and ".join(sorted({type(v).__name__ for v in values}))


def _is_picture(x: np.ndarray) -> bool:
    shaped = x.ndim == 2 or (x.ndim == 3 and x.shape[2] == 3)
    return shaped and x.dtype in (np.uint8, np.uint16) and x.size > 0
