"""The source of texts: files, their lines or sentences, or the column ``text`` of a table."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from ensue.data.cells import as_text
from ensue.data.config import DataConfig
from ensue.data.files import plain_items
from ensue.data.items import Document, Items, file_facts
from ensue.data.labels import folder_label, label_columns
from ensue.data.lines import decoded, lines
from ensue.data.origin import Origin
from ensue.data.sources.text_files import TextFiles
from ensue.data.wanted import Wanted
from ensue.errors import DataError

TEXT = "text"
PARAGRAPH = re.compile(r"\n\s*\n")
SENTENCE_END = re.compile(r"""[.!?]["')\]]*\s+(?=["'(\[]*(\w))""")
SHORTENED = {"Mr", "Mrs", "Ms", "Dr", "St", "Prof", "Rev", "Hon", "Capt", "Col", "Gen", "Messrs"}


@dataclass(frozen=True)
class TextSource(TextFiles):
    """Texts: files, their lines or sentences, one a row in tables, or those in a list.

    The names of a folder's sub-folders are the column ``label``.
    """

    column: ClassVar[str] = TEXT

    def read_paths(self, paths: Sequence[Path], config: DataConfig, base: Path) -> Items:
        """Return files as texts, or their lines or sentences; see :func:`read_documents`."""
        return read_documents(paths, config, base)

    def takes_columns(self, columns: pa.Table, config: DataConfig, wanted: Wanted) -> bool:
        """Return whether a table has the column ``text``."""
        return TEXT in columns.column_names

    def read_columns(self, origin: Origin, columns: pa.Table, config: DataConfig) -> Items:
        """A table with a column ``text``, one item a row; the other columns are labels.

        Raises:
            DataError: It has no rows.
        """
        if not columns.num_rows:
            raise DataError(f"the table {origin.name!r} has no rows")
        ids = [str(i) for i in range(columns.num_rows)]
        labels = label_columns(columns, without=(TEXT,))
        return _items(as_text(columns, TEXT), ids, labels, config, [origin.facts])

    def takes_texts(self, config: DataConfig) -> bool:
        """Return True: texts of a list are texts."""
        return True


def read_documents(paths: Sequence[Path], config: DataConfig, base: Path) -> Items:
    """Files as items, or their lines or sentences, named by paths below ``base`` and numbers.

    Raises:
        DataError: All files are empty, of lines or sentences.
    """
    inside = [p.relative_to(base) for p in paths]
    names = [p.as_posix() for p in inside]
    facts = [file_facts(p) for p in paths]
    if config.text_items == "file":
        return _items([Document(p) for p in paths], names, folder_label(inside), config, facts)
    cut = sentences if config.text_items == "sentence" else lines
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
    for paragraph in PARAGRAPH.split("\n".join(lines(text))):
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


def _items(
    raw: Sequence[Document | str],
    ids: list[str],
    labels: dict[str, list[str]],
    config: DataConfig,
    facts: Sequence[object],
) -> Items:
    return plain_items("text", raw, ids, labels, config, [*facts, config.text_items])
