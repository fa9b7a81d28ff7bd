"""Protocols of sources, one for each form of data: a kind keeps those that its data come in.

A source is made with the endings of its kind's files. Who looks at data asks the sources in the
order of ``ensue.data.kinds.KINDS``; the first one that takes them reads them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from ensue.data.config import DataConfig
from ensue.data.items import Items
from ensue.data.origin import Origin
from ensue.data.wanted import Wanted


@runtime_checkable
class ReadsFiles(Protocol):
    """Reads files that hold nothing but items of its kind, and folders of them.

    ``read_files`` takes the files that a program lists, and the names that they are called by.
    """

    def takes_file(self, path: Path) -> bool: ...
    def read_file(self, path: Path, config: DataConfig) -> Items: ...
    def read_folder(self, folder: Path, config: DataConfig) -> Items: ...
    def read_files(
        self, paths: Sequence[Path], names: Sequence[str], config: DataConfig
    ) -> Items: ...


@runtime_checkable
class ReadsManifests(Protocol):
    """Reads tables whose rows are files, each of them one item."""

    def is_item_file(self, path: Path) -> bool: ...
    def read_columns(self, origin: Origin, columns: pa.Table, config: DataConfig) -> Items: ...


@runtime_checkable
class ReadsRecords(ReadsFiles, Protocol):
    """Reads folders of tables each of which is an item, with a row a step."""

    def takes_record(self, path: Path) -> bool: ...


@runtime_checkable
class ReadsColumns(Protocol):
    """Reads tables that are items of its kind by their columns, the settings, or what is wanted."""

    def takes_columns(self, columns: pa.Table, config: DataConfig, wanted: Wanted) -> bool: ...
    def read_columns(self, origin: Origin, columns: pa.Table, config: DataConfig) -> Items: ...


@runtime_checkable
class ReadsTexts(Protocol):
    """Reads a list of texts as the ``column`` of a table, if the settings don't say otherwise."""

    column: str

    def takes_texts(self, config: DataConfig) -> bool: ...


@runtime_checkable
class ReadsValues(Protocol):
    """Reads an array, or a list of arrays and the like.

    ``takes_values`` raises DataError for values that it could read if it knew more of them.
    """

    def takes_values(self, values: np.ndarray | list[Any], wanted: Wanted) -> bool: ...
    def read_values(
        self, values: np.ndarray | list[Any], config: DataConfig, wanted: Wanted
    ) -> Items: ...


@runtime_checkable
class KnowsItems(Protocol):
    """Knows a single value that is an item, and no label."""

    def is_item(self, value: object) -> bool: ...
