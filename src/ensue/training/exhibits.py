"""Exhibits: the figures of a run's report, as plain files in ``RUN/exhibits``.

``NAME.json`` holds numbers and text, and may name pictures and sounds in the same folder.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ensue.configuration import FORMAT, check_format
from ensue.errors import CheckpointError
from ensue.files import read_bytes, read_json, written_whole

MOST = 2**30
"""Bytes of an exhibit, a picture or a sound, at most."""
REMEDY = "make it again with 'ensue report RUN DATA'"


@dataclass(frozen=True)
class Exhibits:
    """The exhibits of a run; :meth:`replace` writes all of them at once."""

    path: Path

    def has(self, name: str) -> bool:
        """Return whether there is an exhibit of that name."""
        return (self.path / f"{name}.json").exists()

    def read(self, name: str) -> dict[str, Any] | None:
        """Read the values of an exhibit by name; return None if the run has none.

        Raises:
            CheckpointError: It is damaged, or of a newer format.
        """
        if not self.has(name):
            return None
        path = self.path / f"{name}.json"
        values = read_json(path, most=MOST, error=CheckpointError, remedy=REMEDY)
        check_format(values, str(path))
        return values

    def file(self, name: str) -> bytes:
        """Read a picture or a sound.

        Raises:
            CheckpointError: It is missing, or isn't in the folder.
        """
        path = self.path / name
        if not path.resolve().is_relative_to(self.path.resolve()):
            raise CheckpointError(f"{name!r} leads out of {str(self.path)!r}")
        return read_bytes(path, most=MOST, error=CheckpointError)

    def damaged(self, name: str, problem: str) -> CheckpointError:
        """Return the error for an exhibit that can't be used."""
        return CheckpointError(
            f"{str(self.path / f'{name}.json')!r} is damaged: {problem}; {REMEDY}"
        )

    def replace(self, texts: Mapping[str, str], files: Mapping[str, bytes]) -> None:
        """Write all exhibits and delete earlier ones, whole or not at all.

        Args:
            texts: Texts made by :func:`to_json`, by name.
            files: Pictures and sounds, by name.
        """
        with written_whole(self.path, error=CheckpointError, replaces_folder=True) as draft:
            draft.mkdir(parents=True)
            for name, text in texts.items():
                (draft / f"{name}.json").write_text(text, encoding="utf-8")
            for name, content in files.items():
                (draft / name).parent.mkdir(exist_ok=True)
                (draft / name).write_bytes(content)


def to_json(values: Mapping[str, Any]) -> str:
    """Return the text of an exhibit.

    Raises:
        ValueError: A number isn't finite.
    """
    return json.dumps({"format": FORMAT, **values}, allow_nan=False) + "\n"
