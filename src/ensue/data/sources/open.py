"""Open what a user names: look at it, and hand it to the source that reads it."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from ensue.data.cells import as_text
from ensue.data.config import DataConfig
from ensue.data.items import Items
from ensue.data.sources.audio import (
    AUDIO_SUFFIXES,
    is_audio,
    read_audio_file,
    read_audio_folder,
    read_manifest,
)
from ensue.data.sources.builtin import BUILTIN, open_builtin
from ensue.data.sources.columns import TABLE_SUFFIXES, read_columns
from ensue.data.sources.files import walk
from ensue.data.sources.image import (
    IMAGE_SUFFIXES,
    is_idx,
    is_image,
    read_idx,
    read_image_file,
    read_image_folder,
    read_image_manifest,
)
from ensue.data.sources.kinds import Data
from ensue.data.sources.manifest import PATH, manifest_inside, names_files, with_path
from ensue.data.sources.memory import ANYTHING, Wanted, columns_in, labelled_in, read_values
from ensue.data.sources.origin import Origin
from ensue.data.sources.question import is_question_table, read_questions
from ensue.data.sources.smiles import (
    SMILES_SUFFIXES,
    is_smiles,
    read_smiles,
    read_smiles_folder,
    read_smiles_table,
    smiles_column,
)
from ensue.data.sources.table import read_table
from ensue.data.sources.text import (
    TEXT_SUFFIXES,
    is_text,
    read_documents,
    read_text_folder,
    read_text_table,
)
from ensue.data.sources.values import in_memory, plain
from ensue.errors import DataError, unknown


def open_items(data: Data, config: DataConfig, *, cache: Path, wanted: Wanted = ANYTHING) -> Items:
    """The items that ``data`` names.

    Args:
        data: A folder of recordings, images, molecules or texts, a manifest or table (CSV, JSON
            Lines, Parquet; with a column ``text`` or ``smiles`` its rows are texts or molecules),
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
    if is_smiles(path):
        return read_smiles([path], config, path.parent)
    if is_text(path):
        return read_documents([path], config, path.parent)
    if is_audio(path):
        return read_audio_file(path, config)
    if is_idx(path):
        return read_idx([path], config, path.parent)
    if is_image(path):
        return read_image_file(path, config)
    if path.suffix.lower() in TABLE_SUFFIXES:
        return items_of_columns(Origin.of_file(path), read_columns(path), config)
    raise DataError(f"{str(data)!r} is of no known type; {_known_types()}")


def items_of_columns(origin: Origin, columns: pa.Table, config: DataConfig) -> Items:
    """The items that a table lists, one a row: what they are is told by its columns.

    Args:
        origin: Where the table is from.
        columns: Its columns.
        config: Settings of the data.

    Raises:
        DataError: It has no rows, or they can't be read.
    """
    if is_question_table(with_path(columns)):
        return read_questions(origin, with_path(columns), config)
    is_rows = bool(config.columns) and PATH not in columns.column_names
    if not is_rows and names_files(columns, origin.folder):
        columns = with_path(columns)
        if is_image(Path(next(filter(None, as_text(columns, PATH)), ""))):
            return read_image_manifest(origin, columns, config)
        return read_manifest(origin, columns, config)
    if not config.columns and (column := smiles_column(columns)):
        return read_smiles_table(origin, columns, column, config)
    if "text" in columns.column_names:
        return read_text_table(origin, columns, config)
    return read_table(origin, columns, config)


def _open_values(data: object, config: DataConfig, wanted: Wanted) -> Items:
    values = data if isinstance(data, Mapping) else plain(data)
    if (items := labelled_in(values, config, wanted)) is not None:
        return items
    values = plain(values)
    columns = columns_in(values, config, wanted)
    if columns is None:
        return read_values(values, config, wanted)
    return items_of_columns(in_memory(columns), columns, config)


def _open_builtin(name: str, config: DataConfig, cache: Path) -> Items:
    if name not in BUILTIN:
        raise DataError(unknown("built-in corpus", name, BUILTIN))
    return open_builtin(name, config, cache)


def _open_folder(folder: Path, config: DataConfig) -> Items:
    """Recordings if there are any, else images, else molecules, else texts.

    Recordings and images have the labels of a table ``metadata`` next to them, if there is one.
    """
    paths = list(walk(folder))
    files = list(filter(is_audio, paths)) or list(filter(is_image, paths))
    if files and (manifest := manifest_inside(folder, files, paths)) is not None:
        return items_of_columns(*manifest, config)
    if any(map(is_audio, paths)):
        return read_audio_folder(folder, config)
    if any(is_image(p) or is_idx(p) for p in paths):
        return read_image_folder(folder, config)
    if any(map(is_smiles, paths)):
        return read_smiles_folder(folder, config)
    if any(map(is_text, paths)):
        return read_text_folder(folder, config)
    raise DataError(
        f"there are no recordings, images, molecules or texts in {str(folder)!r}; {_known_types()}"
    )


def _known_types() -> str:
    return (
        f"sound is {', '.join(sorted(AUDIO_SUFFIXES))}, "
        f"images are {', '.join(sorted(IMAGE_SUFFIXES))}, "
        f"text is {', '.join(sorted(TEXT_SUFFIXES))} (or .gz of one), "
        f"molecules are {', '.join(sorted(SMILES_SUFFIXES))} (or .gz of one), "
        f"a manifest or table is a file by itself: {', '.join(sorted(TABLE_SUFFIXES))}"
    )
