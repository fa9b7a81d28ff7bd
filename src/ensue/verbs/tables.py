"""Tables that verbs write: Parquet, npz or CSV by the name of the file, whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from ensue.errors import ConfigError, DataError

SUFFIXES = (".parquet", ".npz", ".csv")


def check_out(out: str | Path, suffixes: Sequence[str] = SUFFIXES) -> Path:
    """The path, if its ending says how to write it."""
    path = Path(out)
    if path.suffix not in suffixes:
        raise ConfigError(f"out is {str(out)!r}; its ending must be one of {', '.join(suffixes)}")
    return path


def write_table(columns: Mapping[str, Any], path: Path) -> None:
    """Write columns (lists or arrays; a 2-D array is a column of vectors).

    Raises:
        DataError: The file can't be written.
    """
    draft = path.with_name(f"{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".npz":
            # Not by keyword: a column may be called as one of savez's own arguments.
            with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as file:
                for name, values in columns.items():
                    with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
                        np.lib.format.write_array(entry, np.asarray(values), allow_pickle=False)
        else:
            table = pa.table({n: _column(v) for n, v in columns.items()})
            writer = pyarrow.csv.write_csv if path.suffix == ".csv" else pyarrow.parquet.write_table
            writer(table, draft)
        os.replace(draft, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise DataError(f"can't write {str(path)!r}: {error}") from error


def write_json(values: Any, path: Path) -> None:
    """Write plain values as JSON.

    Raises:
        DataError: The file can't be written.
    """
    draft = path.with_name(f"{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", "utf-8")
        os.replace(draft, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise DataError(f"can't write {str(path)!r}: {error}") from error


def _column(values: Any) -> pa.Array:
    if isinstance(values, np.ndarray) and values.ndim == 2:
        flat = pa.array(np.ascontiguousarray(values).ravel())
        return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    return pa.array(values)
