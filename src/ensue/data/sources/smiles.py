"""Molecules as SMILES: one a line in files, or the column ``smiles`` of a table."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from ensue.data.config import DataConfig
from ensue.data.items import Items, as_text, file_facts
from ensue.data.sources.files import plain_items, walk
from ensue.data.sources.origin import Origin
from ensue.data.sources.table import label_columns
from ensue.data.sources.text import decoded
from ensue.errors import DataError

SMILES_SUFFIXES = {".smi", ".smiles"}
COLUMN = "smiles"


def is_smiles(path: Path) -> bool:
    """Whether its name says that it holds molecules, gzip's ending aside.

    Example:
        >>> is_smiles(Path("zinc.smi.gz"))
        True
    """
    return Path(path.name.removesuffix(".gz")).suffix.lower() in SMILES_SUFFIXES


def smiles_column(columns: pa.Table) -> str | None:
    """The name of the column of molecules, in letters of any case, or None."""
    return next((n for n in columns.column_names if n.lower() == COLUMN), None)


def read_smiles_folder(folder: Path, config: DataConfig) -> Items:
    """All molecules of the files below a folder.

    Raises:
        DataError: The folder holds none, or a file in it can't be read.
    """
    return read_smiles(sorted(filter(is_smiles, walk(folder))), config, folder)


def read_smiles(paths: Sequence[Path], config: DataConfig, base: Path) -> Items:
    """The molecules of files, one a line, named by paths below ``base`` and line numbers.

    What stands after the first white space of a line is the molecule's name, its label ``name``.
    Empty lines are left out, and so is a first line that says ``smiles``.

    Raises:
        DataError: There is none, or a file can't be read.
    """
    ids, raw, names = [], [], []
    for path in paths:
        for number, line in enumerate(decoded(path).splitlines(), 1):
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


def read_smiles_table(origin: Origin, columns: pa.Table, column: str, config: DataConfig) -> Items:
    """A table with a column of molecules, one a row; the other columns are labels.

    Empty cells are left out.

    Raises:
        DataError: It has no molecules.
    """
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
