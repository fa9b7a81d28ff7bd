"""The types of data that a user may name."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa


class Streams(Protocol):
    """A table of any library that hands on its columns as Arrow's."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any: ...


class Interchanges(Protocol):
    """A table of any library that keeps the data frame interchange protocol."""

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> Any: ...


Data = (
    str | Path | np.ndarray | pa.Table | Streams | Interchanges | Mapping[str, Any] | Iterable[Any]
)
"""A folder, manifest, table or file; ``builtin:NAME``; or values of a program, such as a DataFrame,
an array, or a list of texts, paths, rows, recordings or images (``ensue.data.sources.memory``)."""
