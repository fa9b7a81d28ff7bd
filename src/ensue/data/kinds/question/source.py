"""The source of questions: manifests with a picture or row of features, a question, its answer.

A table is one if it has the column ``question`` and the column ``path`` (of pictures) or ``row``
(of the file that the setting ``regions`` names); ``answer`` and ``concepts`` are optional.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ensue.data.cells import as_text
from ensue.data.config import DataConfig
from ensue.data.items import (
    Items,
    Picture,
    Question,
    file_facts,
    fingerprint,
    group_of,
    listed,
)
from ensue.data.kinds.question.regions import file_of_regions
from ensue.data.labels import ITEM, label_columns
from ensue.data.manifest import PATH, with_path
from ensue.data.origin import Origin
from ensue.data.wanted import Wanted
from ensue.errors import ConfigError, DataError

QUESTION, ROW, ANSWER, CONCEPTS = "question", "row", "answer", "concepts"


@dataclass(frozen=True)
class QuestionSource:
    """Questions: manifests of them.

    Attributes:
        endings: Of the names of files that hold nothing else, of which there are none.
    """

    endings: Collection[str]

    def takes_columns(self, columns: pa.Table, config: DataConfig, wanted: Wanted) -> bool:
        """Return whether a table holds questions."""
        names = with_path(columns).column_names
        return QUESTION in names and (PATH in names or ROW in names)

    def read_columns(self, origin: Origin, columns: pa.Table, config: DataConfig) -> Items:
        """A manifest of questions, one a row."""
        return read_questions(origin, with_path(columns), config)


def read_questions(origin: Origin, columns: pa.Table, config: DataConfig) -> Items:
    """A manifest of questions, one a row.

    Items are named by the column ``item``, else by number. Other columns are
    labels, and so is the answer. Where no column groups, the picture does: splits cut through none.
    Without the column ``question`` all are empty: they are to be written.

    Raises:
        DataError: It has no rows, or a row of features is no number.
        ConfigError: It has rows of a file, and the setting ``regions`` names none.
    """
    if not columns.num_rows:
        raise DataError(f"the manifest {origin.name!r} has no rows")
    for name in (QUESTION, ANSWER):
        if name in columns.column_names and pa.types.is_nested(columns[name].type):
            raise DataError(f"the column {name!r} holds lists; give one text a row")
    sources, facts = _sources(origin, columns, config)
    nothing = [""] * columns.num_rows
    texts = as_text(columns, QUESTION) if QUESTION in columns.column_names else nothing
    labels = label_columns(columns, without=(QUESTION, CONCEPTS))
    answers = labels.get(ANSWER, [None] * len(texts))
    concepts = as_text(columns, CONCEPTS) if CONCEPTS in columns.column_names else nothing
    raw = [
        Question(source, text, (answer or "").strip() or None, listed(known))
        for source, text, answer, known in zip(sources, texts, answers, concepts, strict=True)
    ]
    # One picture is one however its path is spelled: splits mustn't cut through it.
    units = [os.path.normpath(name) for name in labels[PATH if PATH in labels else ROW]]
    ids = [str(i) for i in range(len(raw))]
    if len(set(labels.get(ITEM, ()))) == len(ids):
        ids = labels.pop(ITEM)
    return Items(
        kind="question",
        ids=ids,
        raw=raw,
        labels=labels,
        group=group_of(labels, config.group) or units,
        fingerprint=fingerprint([origin.facts, *facts]),
    )


def _sources(
    origin: Origin, columns: pa.Table, config: DataConfig
) -> tuple[list[Picture | int | str], list[object]]:
    """The source of each question, and what changes when these do."""
    file = file_of_regions(config)
    if file is None and PATH not in columns.column_names:
        is_run = config.regions is not None
        remedy = "regions is a run, which looks at pictures; give the column path"
        raise ConfigError(
            f"the manifest {origin.name!r} has rows of a file; "
            f"{remedy if is_run else 'name it by the setting regions'}"
        )
    if file is not None:
        own = ROW if ROW in columns.column_names else PATH
        names = as_text(columns, own)
        found = _rows(names) if own == ROW else names
        return [*found], [file_facts(file)]
    names = as_text(columns, PATH)
    pictures = [Picture(Path(os.path.normpath(origin.folder / name))) for name in names]
    return [*pictures], [file_facts(p) for p in sorted({p.path for p in pictures})]


def _rows(names: list[str]) -> list[int]:
    strange = next((name for name in names if not name.isdecimal()), None)
    if strange is not None:
        raise DataError(f"the column {ROW!r} holds {strange!r}; rows are numbers from 0")
    return [int(name) for name in names]
