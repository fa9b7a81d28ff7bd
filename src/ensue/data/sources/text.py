"""Texts: files, their lines or sentences, or the column ``text`` of a table."""

import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from ensue.data.config import DataConfig
from ensue.data.items import Document, Items, as_text, file_facts
from ensue.data.sources.files import folder_label, plain_items, walk
from ensue.data.sources.origin import Origin
from ensue.data.sources.table import label_columns
from ensue.errors import DataError

TEXT_SUFFIXES = {".txt", ".text"}
PARAGRAPH = re.compile(r"\n\s*\n")
SENTENCE_END = re.compile(r"""[.!?]["')\]]*\s+(?=["'(\[]*(\w))""")
SHORTENED = {"Mr", "Mrs", "Ms", "Dr", "St", "Prof", "Rev", "Hon", "Capt", "Col", "Gen", "Messrs"}


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
    """Files as items, or their lines or sentences, named by paths below ``base`` and numbers.

    Raises:
        DataError: There is no file, or none that isn't empty, of lines or sentences.
    """
    if not paths:
        raise DataError(f"there is no text in {str(base)!r}; texts are {', '.join(TEXT_SUFFIXES)}")
    inside = [p.relative_to(base) for p in paths]
    names = [p.as_posix() for p in inside]
    facts = [file_facts(p) for p in paths]
    if config.text_items == "file":
        return _items([Document(p) for p in paths], names, folder_label(inside), config, facts)
    cut = sentences if config.text_items == "sentence" else str.splitlines
    ids, parts = [], []
    for name, path in zip(names, paths, strict=True):
        for number, part in enumerate(cut(decoded(path)), 1):
            if part.strip():
                ids.append(f"{name}:{number}")
                parts.append(part)
    if not parts:
        raise DataError(f"every line in {str(base)!r} is empty")
    return _items(parts, ids, {}, config, facts)


def sentences(text: str) -> list[str]:
    """The sentences of a text, white space within them as single spaces.

    One ends at a full stop, an exclamation or a question mark that a capital letter follows, not
    after initials and the likes of "Mr."; and where a paragraph does.

    Example:
        >>> sentences("Mr. A. Weston thought so. 'Did he?' Yes! And   so on.")
        ['Mr. A. Weston thought so.', "'Did he?'", 'Yes!', 'And so on.']
    """
    found = []
    for paragraph in PARAGRAPH.split(text):
        flat, begin = " ".join(paragraph.split()), 0
        for end in SENTENCE_END.finditer(flat):
            if not end[1].isupper():
                continue
            word = flat[flat.rfind(" ", begin, end.start()) + 1 : end.start()].strip("\"'([")
            if word not in SHORTENED and not (len(word) == 1 and word.isupper() and word != "I"):
                found.append(flat[begin : end.end()].strip())
                begin = end.end()
        found.append(flat[begin:])
    return [sentence for sentence in found if sentence]


def read_text_table(origin: Origin, columns: pa.Table, config: DataConfig) -> Items:
    """A table with a column ``text``, one item a row; the other columns are labels.

    Raises:
        DataError: It has no rows.
    """
    if not columns.num_rows:
        raise DataError(f"the table {origin.name!r} has no rows")
    ids = [str(i) for i in range(columns.num_rows)]
    labels = label_columns(columns, without=("text",))
    return _items(as_text(columns, "text"), ids, labels, config, [origin.facts])


def _items(
    raw: Sequence[Document | str],
    ids: list[str],
    labels: dict[str, list[str]],
    config: DataConfig,
    facts: Sequence[object],
) -> Items:
    return plain_items("text", raw, ids, labels, config, [*facts, config.text_items])


def decoded(path: Path) -> str:
    """A file of text as a whole, without the mark of byte order that some editors begin it with.

    Raises:
        DataError: It can't be read, or isn't UTF-8.
    """
    try:
        return Document(path).read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{str(path)!r} isn't UTF-8, so its lines can't be told: {error}"
        ) from error
