"""Exhibits: what a run has to show beside figures, as plain files in ``RUN/exhibits``.

``NAME.json`` holds numbers and text, and may name pictures and sounds that lie beside it.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ensue.configuration import FORMAT, check_format
from ensue.training.whole import written_whole


@dataclass(frozen=True)
class Exhibits:
    """The exhibits of a run; made anew as a whole, by :meth:`replace`."""

    path: Path

    def read(self, name: str) -> dict[str, Any] | None:
        """An exhibit by name, or None where the run has none."""
        path = self.path / f"{name}.json"
        if not path.exists():
            return None
        found = json.loads(path.read_text())
        check_format(found, str(path))
        return found

    def file(self, name: str) -> bytes:
        """A picture or a sound."""
        return (self.path / name).read_bytes()

    def replace(self, exhibits: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        """Write all exhibits in the place of earlier ones, whole or not at all."""
        with written_whole(self.path) as draft:
            draft.mkdir(parents=True)
            for name, values in exhibits.items():
                text = json.dumps({"format": FORMAT, **values}, allow_nan=False)
                (draft / f"{name}.json").write_text(text + "\n")
            for name, content in files.items():
                (draft / name).parent.mkdir(exist_ok=True)
                (draft / name).write_bytes(content)
            shutil.rmtree(self.path, ignore_errors=True)
