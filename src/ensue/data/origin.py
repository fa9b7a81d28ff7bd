"""Origins: where the columns of a table are from, a file or the memory of a program."""

from dataclasses import dataclass
from pathlib import Path

from ensue.data.items import file_facts


@dataclass(frozen=True)
class Origin:
    """Where the columns of a table are from.

    Attributes:
        name: What messages call it.
        folder: The folder that paths in it are relative to.
        facts: What changes when the table does.

    Example:
        >>> Origin("the list of rows", Path(), "a hash of them").name
        'the list of rows'
    """

    name: str
    folder: Path
    facts: object

    @classmethod
    def of_file(cls, path: Path) -> "Origin":
        """A file: paths are relative to its folder, and it changes with its size and time."""
        return cls(str(path), path.parent, file_facts(path))
