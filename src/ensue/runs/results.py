"""Results: what a command has made. Each shows itself and names the command that comes next."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

READERS = {
    ".parquet": "pyarrow.parquet.read_table",
    ".csv": "pyarrow.csv.read_csv",
    ".npz": "numpy.load",
}


@dataclass(frozen=True)
class Next:
    """A command of Ensue to go on with; the command line adds what both have in common.

    Attributes:
        verb: Its name.
        words: What it works on.
        options: Its options.
    """

    verb: str
    words: tuple[str | Path, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


class Result(Protocol):
    """What every command returns.

    ``files`` are those that it wrote, ``show`` prints the rest, and ``suggest`` gives the next
    command: one of Ensue, a line for a shell, or None.
    """

    @property
    def files(self) -> tuple[Path, ...]: ...

    def show(self, console: Console) -> None: ...

    def suggest(self) -> Next | str | None: ...


@dataclass(frozen=True, kw_only=True)
class Written:
    """The result of a verb: ``num_rows`` rows in ``files``, about ``num_items`` items.

    ``skipped`` are those that couldn't be used, each with the reason; ``notes`` are worth a line
    each; ``next`` is the next command, where it isn't to open the file.
    """

    what: str
    num_rows: int
    num_items: int
    files: tuple[Path, ...]
    skipped: Sequence[tuple[str, str]] = ()
    notes: tuple[str, ...] = ()
    next: str | None = None

    def show(self, console: Console) -> None:
        of = "" if self.what == "items" else f" of {self.num_items:,} items"
        console.print(f"{self.num_rows:,} {self.what}{of}")
        for note in (*left_out(self.skipped), *self.notes):
            console.print(note)

    def suggest(self) -> str:
        return self.next or open_in_python(self.files[0])


def left_out(skipped: Sequence[tuple[str, str]]) -> list[str]:
    """A sentence about what couldn't be used, if something couldn't."""
    if not skipped:
        return []
    name, reason = skipped[0]
    are = "item is" if len(skipped) == 1 else "items are"
    return [f"{len(skipped):,} {are} left out, such as {name!r}: {reason}"]


def open_file(path: Path) -> str:
    """The command that shows a file.

    Example:
        >>> open_file(Path("my run/report.html"))
        "open 'my run/report.html'"
    """
    return shlex.join(["open", str(path)])


def open_in_python(path: Path) -> str:
    """The command that prints a table; other files are opened.

    Example:
        >>> open_in_python(Path("a.npz"))
        'python -c \\'import numpy; print(numpy.load("a.npz"))\\''
    """
    if path.suffix not in READERS:
        return open_file(path)
    reader = READERS[path.suffix]
    module = reader.rpartition(".")[0]
    code = f"import {module}; print({reader}({json.dumps(str(path))}))"
    return shlex.join(["python", "-c", code])
