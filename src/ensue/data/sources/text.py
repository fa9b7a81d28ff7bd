"""Texts: files, their lines, or the column ``text`` of a table."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from ensue.data.config import DataConfig
from ensue.data.items import Document, Items, as_text, file_facts
from ensue.data.sources.files import folder_label, plain_items, walk
from ensue.data.sources.table import label_columns
from ensue.errors import DataError

TEXT_SUFFIXES = {".txt", ".text", ".smi"}


def is_text(path: Path) -> bool:
    """Whether its name says that it is text, gzip's ending aside.

    Example:
        >>> is_text(Path("a.txt.gz"))
        True
    """
    return Path(path.name.removesuffix(".gz")).suffix.lower() in TEXT_SUFFIXES


def read_text_folder(folder: Path, config: DataConfig) -> Items:
    """All texts below a folder; the names of the sub-folders are the column ``label``.

    Raises:
        DataError: The folder holds no text, or a folder in it can't be read.
    """
    return read_documents(sorted(filter(is_text, walk(folder))), config, folder)


def read_documents(paths: Sequence[Path], config: DataConfig, base: Path) -> Items:
    """Files as items, or their lines, named by their paths below ``base`` (and line numbers).

    Raises:
        DataError: There is no file, or no line that isn't empty.
    """
    if not paths:
        raise DataError(f"there is no text in {str(base)!r}; texts are {', '.join(TEXT_SUFFIXES)}")
    inside = [p.relative_to(base) for p in paths]
    names = [p.as_posix() for p in inside]
    facts = [file_facts(p) for p in paths]
    if config.text_items == "file":
        return _items([Document(p) for p in paths], names, folder_label(inside), config, facts)
    ids, lines = [], []
    for name, path in zip(names, paths, strict=True):
        for number, line in enumerate(_decoded(path).splitlines(), 1):
            if line.strip():
                ids.append(f"{name}:{number}")
                lines.append(line)
    if not lines:
        raise DataError(f"every line in {str(base)!r} is empty")
    return _items(lines, ids, {}, config, facts)


def read_text_table(path: Path, columns: pa.Table, config: DataConfig) -> Items:
    """A table with a column ``text``, one item a row; the other columns are labels.

    Raises:
        DataError: It has no rows.
    """
    if not columns.num_rows:
        raise DataError(f"the table {str(path)!r} has no rows")
    ids = [str(i) for i in range(columns.num_rows)]
    labels = label_columns(columns, without=("text",))
    return _items(as_text(columns, "text"), ids, labels, config, [file_facts(path)])


def _items(
    raw: Sequence[Document | str],
    ids: list[str],
    labels: dict[str, list[str]],
    config: DataConfig,
    facts: Sequence[object],
) -> Items:
    return plain_items("text", raw, ids, labels, config, [*facts, config.text_items])


def _decoded(path: Path) -> str:
    try:
        return Document(path).read().decode()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{str(path)!r} isn't UTF-8, so its lines can't be told: {error}"
        ) from error
