"""What a user who feeds rubbish must see: one line, and nothing half-written."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from ensue.cli import main

SMALL = "--channels 8 --context-size 8 --horizon 2 --num-mels 10 --num-negatives 4"
QUICK = "--max-steps 2 --batch-size 2 --warmup-steps 1 --quiet"
SOUND = f"--sample-rate 8000 --window-seconds 0.3 {SMALL} {QUICK}"
TABLE = f"--depth 2 --hidden-sizes 8 {QUICK}"


@dataclass(frozen=True)
class Asked:
    """The exit status of a command, and what it said."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Ask:
    """Runs commands in this process; ``words`` may hold any text, spaces too."""

    capsys: pytest.CaptureFixture[str]
    folder: Path

    def __call__(self, words: str, *more: object) -> Asked:
        status = main([*words.split(), *map(str, more)])
        return Asked(status, *self.capsys.readouterr())

    def refused(self, words: str, *more: object, says: str | tuple[str, ...]) -> None:
        """The command exits with 2 and one line that says all of ``says``."""
        require_one_line(self(words, *more), says)
        self.require_whole()

    def works(self, words: str, *more: object) -> Asked:
        """The command succeeds."""
        asked = self(words, *more)
        assert asked.status == 0, asked.err
        self.require_whole()
        return asked

    def require_whole(self) -> None:
        """Nothing half-written lies about."""
        assert not [p for p in self.folder.rglob("*") if ".tmp" in p.name]


def require_one_line(asked: Asked, says: str | tuple[str, ...], *, status: int = 2) -> None:
    """One line ``error: ...`` (notes may stand before it) and nothing of a traceback."""
    lines = [line for line in asked.err.splitlines() if not line.startswith("note: ")]
    assert asked.status == status, asked.err
    assert len(lines) == 1, asked.err
    assert lines[0].startswith("error: ")
    assert "Traceback" not in asked.err + asked.out
    for words in (says,) if isinstance(says, str) else says:
        assert words in lines[0], lines[0]
