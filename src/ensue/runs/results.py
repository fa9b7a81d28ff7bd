"""Results of commands. Each prints itself and suggests the next command."""

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
    """The next command of Ensue; the command line adds the options that both have in common.

    Attributes:
        verb: Its name.
        words: Its positional arguments.
        options: Its options.
    """

    verb: str
    words: tuple[str | Path, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


class Result(Protocol):
    """The result of a command.

    ``files`` are the files that it wrote, ``show`` prints the rest, and ``suggest`` gives the next
    command: one of Ensue, a line for a shell, or None.
    """

    @property
    def files(self) -> tuple[Path, ...]: ...

    def show(self, console: Console) -> None: ...

    def suggest(self) -> Next | str | None: ...


@dataclass(frozen=True, kw_only=True)
class Written:
    """The result of a verb: ``num_rows`` rows in ``files``, about ``num_items`` items.

    ``skipped`` are the items that couldn't be used, each with the reason; ``notes`` are printed, a
    line each; ``next`` is the next command, if it isn't to open the file.
    """

    what: str
    num_rows: int
    num_items: int
    files: tuple[Path, ...]
    skipped: Sequence[tuple[str, str]] = ()
    notes: tuple[str, ...] = ()
    next: str | None = None

    def show(self, console: Console) -> None:
        items = "item" if self.num_items == 1 else "items"
        total = "" if self.what == "items" else f" of {self.num_items:,} {items}"
        console.print(f"{self.num_rows:,} {self.what}{total}")
        for note in (*left_out(self.skipped), *self.notes):
            console.print(note)

    def suggest(self) -> str:
        return self.next or open_in_python(self.files[0])


def left_out(skipped: Sequence[tuple[str, str]]) -> list[str]:
    """Return a sentence about the items that couldn't be used, if there are any."""
    if not skipped:
        return []
    name, reason = skipped[0]
    are = "item is" if len(skipped) == 1 else "items are"
    return [f"{len(skipped):,} {are} left out, such as {name!r}: {reason}"]


def open_file(path: Path) -> str:
    """Return the command that shows a file.

    Example:
        >>> open_file(Path("my run/report.html"))
        "open 'my run/report.html'"
    """
    return shlex.join(["open", str(path)])


def open_in_python(path: Path) -> str:
    """Return the command that prints a table; other files are opened.

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
