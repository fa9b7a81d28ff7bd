"""The source of molecules as SMILES: one a line in files, or the column ``smiles`` of a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from ensue.data.cells import as_text
from ensue.data.config import DataConfig
from ensue.data.files import plain_items
from ensue.data.items import Items, file_facts
from ensue.data.labels import label_columns
from ensue.data.lines import decoded, lines
from ensue.data.origin import Origin
from ensue.data.sources.text_files import TextFiles
from ensue.data.wanted import Wanted
from ensue.errors import DataError

COLUMN = "smiles"


@dataclass(frozen=True)
class SmilesSource(TextFiles):
    """Molecules: one a line in files, one a row in tables, or texts in a list."""

    column: ClassVar[str] = COLUMN

    def read_paths(self, paths: Sequence[Path], config: DataConfig, base: Path) -> Items:
        """Return the molecules of files, one a line; see :func:`read_smiles`."""
        return read_smiles(paths, config, base)

    def takes_columns(self, columns: pa.Table, config: DataConfig, wanted: Wanted) -> bool:
        """Return whether a table has a column of molecules, and no columns to model are chosen."""
        return not config.columns and smiles_column(columns) is not None

    def read_columns(self, origin: Origin, columns: pa.Table, config: DataConfig) -> Items:
        """A table with a column of molecules, one a row; the other columns are labels.

        Empty cells are left out.

        Raises:
            DataError: It has no molecules.
        """
        column = smiles_column(columns)
        assert column is not None
        if not columns.num_rows:
            raise DataError(f"the table {origin.name!r} has no rows")
        raw = [smiles.strip() for smiles in as_text(columns, column)]
        kept = [i for i, smiles in enumerate(raw) if smiles]
        if not kept:
            raise DataError(f"the column {column!r} of {origin.name!r} is empty")
        labels = {
            name: [values[i] for i in kept]
            for name, values in label_columns(columns, without=(column,)).items()
        }
        ids, facts = [str(i) for i in kept], [origin.facts, column]
        return plain_items("smiles", [raw[i] for i in kept], ids, labels, config, facts)

    def takes_texts(self, config: DataConfig) -> bool:
        """Return whether the settings say that texts are molecules."""
        return config.tokens == "smiles"


def smiles_column(columns: pa.Table) -> str | None:
    """The name of the column of molecules, in letters of any case, or None."""
    return next((n for n in columns.column_names if n.lower() == COLUMN), None)


def read_smiles(paths: Sequence[Path], config: DataConfig, base: Path) -> Items:
    """The molecules of files, one a line, named by paths below ``base`` and line numbers.

    The rest of a line, after its first white space, is the molecule's name, its label ``name``.
    Empty lines are left out, and so is a first line that says ``smiles``.

    Raises:
        DataError: There is none, or a file can't be read.
    """
    ids, raw, names = [], [], []
    for path in paths:
        for number, line in enumerate(lines(decoded(path)), 1):
            smiles, *name = line.split(maxsplit=1)[:2] or [""]
            if smiles and not (number == 1 and smiles.lower() == COLUMN):
                ids.append(f"{path.relative_to(base).as_posix()}:{number}")
                raw.append(smiles)
                names.append(name[0].strip() if name else "")
    if not raw:
        place = paths[0] if len(paths) == 1 else base
        raise DataError(f"there is no molecule in {str(place)!r}; give one SMILES a line")
    labels = {"name": names} if any(names) else {}
    return plain_items("smiles", raw, ids, labels, config, [file_facts(p) for p in paths])
