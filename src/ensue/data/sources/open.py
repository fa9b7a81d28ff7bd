"""Open what a user names: look at it, and hand it to the source that reads it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from ensue.data.columns import TABLE_SUFFIXES, is_table, read_columns
from ensue.data.config import DataConfig
from ensue.data.corpora import BUILTIN
from ensue.data.files import walk
from ensue.data.items import Items
from ensue.data.kinds import KINDS, kinds_with_files, source_of, sources_of_kinds
from ensue.data.manifest import PATH, first_file, manifest_inside, names_files, with_path
from ensue.data.origin import Origin
from ensue.data.sources.builtin import open_builtin
from ensue.data.sources.data import Data
from ensue.data.sources.memory import columns_in, labelled_in, read_values
from ensue.data.sources.protocols import (
    ReadsColumns,
    ReadsFiles,
    ReadsManifests,
    ReadsRecords,
)
from ensue.data.values import in_memory, plain
from ensue.data.wanted import ANYTHING, Wanted
from ensue.errors import DataError, unknown
from ensue.files import require_file


def open_items(data: Data, config: DataConfig, *, cache: Path, wanted: Wanted = ANYTHING) -> Items:
    """The items that ``data`` names.

    Args:
        data: A folder of recordings, images, molecules or texts, a manifest or table (CSV, JSON
            Lines, Parquet; with a column ``text`` or ``smiles`` its rows are texts or molecules,
            with one of pictures images),
            one file, ``builtin:NAME``, or what a program holds (``ensue.data.sources.memory``).
        config: Settings of the data.
        cache: Folder in which a built-in corpus is made once.
        wanted: What decides where values in memory could be several things.

    Raises:
        DataError: There is nothing of that name, or nothing in it can be read.
    """
    if not isinstance(data, str | Path):
        return _open_values(data, config, wanted)
    if str(data).startswith("builtin:"):
        return _open_builtin(str(data).removeprefix("builtin:"), config, cache)
    path = Path(data).expanduser()
    if not path.exists():
        raise DataError(
            f"there is no file or folder {str(data)!r}; "
            f"DATA is a folder, a manifest, a file or builtin:NAME ({', '.join(BUILTIN)})"
        )
    if path.is_dir():
        return _open_folder(path, config)
    require_file(path)
    for source in _sources_of_files():
        if source.takes_file(path):
            return source.read_file(path, config)
    if is_table(path):
        return items_of_columns(Origin.of_file(path), read_columns(path), config, wanted)
    raise DataError(f"{str(data)!r} is of no known type; {_known_types()}")


def items_of_columns(
    origin: Origin, columns: pa.Table, config: DataConfig, wanted: Wanted = ANYTHING
) -> Items:
    """The items that a table lists, one a row, or series with a row a step.

    Args:
        origin: Where the table is from.
        columns: Its columns.
        config: Settings of the data.
        wanted: What decides where the columns alone don't say.

    Raises:
        DataError: It has no rows, or they can't be read.
    """
    sources = _takers(origin, columns, config, wanted)
    return next(sources).read_columns(origin, columns, config)


def _takers(
    origin: Origin, columns: pa.Table, config: DataConfig, wanted: Wanted
) -> Iterator[ReadsManifests | ReadsColumns]:
    """The sources that take a table, in order; the last kind takes any."""
    is_judged = False
    for source in sources_of_kinds():
        if isinstance(source, ReadsColumns):
            if source.takes_columns(columns, config, wanted):
                yield source
        elif isinstance(source, ReadsManifests) and not is_judged:
            # Which of the kinds that have manifests it is, is decided at the place of the first.
            is_judged = True
            if (reader := _reader_of_manifest(origin, columns, config)) is not None:
                yield reader


def _reader_of_manifest(
    origin: Origin, columns: pa.Table, config: DataConfig
) -> ReadsManifests | None:
    """The source that takes the first file that a table names; None where its rows aren't files.

    Files with a strange ending are recordings: the first kind that has manifests is to say why
    they can't be read.
    """
    if config.columns and PATH not in columns.column_names:
        return None
    readers = [s for s in sources_of_kinds() if isinstance(s, ReadsManifests)]
    if not names_files(columns, origin.folder, lambda p: any(r.is_item_file(p) for r in readers)):
        return None
    first = first_file(with_path(columns))
    return next((reader for reader in readers if reader.is_item_file(first)), readers[0])


def _open_values(data: object, config: DataConfig, wanted: Wanted) -> Items:
    values = data if isinstance(data, Mapping) else plain(data)
    if (items := labelled_in(values, config, wanted)) is not None:
        return items
    values = plain(values)
    columns = columns_in(values, config, wanted)
    if columns is None:
        return read_values(values, config, wanted)
    return items_of_columns(in_memory(columns), columns, config, wanted)


def _open_builtin(name: str, config: DataConfig, cache: Path) -> Items:
    if name not in BUILTIN:
        raise DataError(unknown("built-in corpus", name, BUILTIN))
    return open_builtin(name, config, cache)


def _open_folder(folder: Path, config: DataConfig) -> Items:
    """The items of the first kind that has any files in a folder.

    Files that are items have the labels of a table ``metadata`` next to them, if there is one.
    """
    paths, sources = list(walk(folder)), list(_sources_of_files())
    readers = [source for source in sources if isinstance(source, ReadsManifests)]
    listed = (list(filter(reader.is_item_file, paths)) for reader in readers)
    files = next(filter(None, listed), None)
    if files and (manifest := manifest_inside(folder, files, paths)) is not None:
        return items_of_columns(*manifest, config)
    for source in sources:
        if any(map(source.takes_file, paths)):
            return source.read_folder(folder, config)
    for source in sources:
        if isinstance(source, ReadsRecords) and any(map(source.takes_record, paths)):
            return source.read_folder(folder, config)
    *nouns, last = [KINDS[kind].noun for kind in kinds_with_files()]
    raise DataError(
        f"there are no {', '.join(nouns)} or {last} in {str(folder)!r}; {_known_types()}"
    )


def _sources_of_files() -> Iterator[ReadsFiles]:
    return (source_of(kind) for kind in kinds_with_files())


def _known_types() -> str:
    files = [
        KINDS[kind].files.format(endings=", ".join(KINDS[kind].endings))
        for kind in kinds_with_files()
    ]
    tables = f"a manifest or table is one file: {', '.join(sorted(TABLE_SUFFIXES))}"
    return ", ".join([*files, tables])
