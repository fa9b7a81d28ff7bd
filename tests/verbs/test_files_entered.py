"""A command runs through few files: what one reads to follow it."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import ensue

SOURCE = str(Path(ensue.__file__).parent)


def entered(call: Callable[[], Any]) -> set[str]:
    """The files of Ensue in which a call runs a function, once everything is imported."""
    files = set()

    def profile(frame: FrameType, event: str, arg: object) -> None:
        path = frame.f_code.co_filename
        if event == "call" and path.startswith(SOURCE):
            files.add(path[len(SOURCE) + 1 :])

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return files


@pytest.fixture
def embed(cpc_run: Path, recordings: Path, tmp_path: Path) -> Callable[[str], Any]:
    sound = recordings / "ann" / "0.wav"

    def call(name: str) -> Any:
        folder = tmp_path / name
        return ensue.embed(
            cpc_run, sound, out=folder / "a.parquet", cache=folder / "cache", quiet=True
        )

    return call


def test_embedding_one_file_enters_few_files(embed: Callable[[str], Any]) -> None:
    embed("first")
    files = entered(lambda: embed("second"))
    assert {"verbs/embed.py", "runs/loaded.py", "data/store.py"} <= files
    assert not {file for file in files if file.startswith(("report/", "cli/"))}
    assert len(files) <= 44, sorted(files)


def test_probe_enters_no_report_unless_it_is_asked_for(
    cpc_run: Path, recordings: Path, tmp_path: Path
) -> None:
    def probe(**options: Any) -> Any:
        cache = tmp_path / "cache"
        return ensue.probe(cpc_run, recordings, label="label", cache=cache, quiet=True, **options)

    probe(report=True)
    files = entered(probe)
    assert "evaluation/probes/probe.py" in files
    assert not {file for file in files if file.startswith("report/")}
    assert len(files) <= 60, sorted(files)
    assert "report/page.py" in entered(lambda: probe(report=True))
