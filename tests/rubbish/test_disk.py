"""A disk that is full: what can't be written is told, and nothing half-written stays.

A limit on the size of a file stands for the full disk: it works without rights of any kind.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.rubbish.asked import SOUND, TABLE, Ask, Asked, require_one_line

pytestmark = pytest.mark.slow  # each is a process that imports torch

LIMITED = """
import resource, signal, sys
from ensue.cli import main
import ensue.training.fit  # what torch compiles or caches at import isn't limited
good, words, limit = sys.argv[1:]
assert not good or main(good.split()) == 0
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
sys.exit(main(words.split()))
"""


def limited(words: str, limit: int, folder: Path, good: str = "") -> Asked:
    """A command whose files may have ``limit`` bytes."""
    pytest.importorskip("resource", reason="this system has no limits of resources")
    found = subprocess.run(
        [sys.executable, "-c", LIMITED, good, words, str(limit)],
        capture_output=True,
        text=True,
        cwd=folder,
    )
    return Asked(found.returncode, "", found.stderr)


def drafts(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if ".tmp" in p.name]


@pytest.mark.slow
def test_store_that_does_not_fit_is_told(recordings: Path, tmp_path: Path) -> None:
    words = f"train cpc {recordings} --out {tmp_path}/run --cache {tmp_path}/cache {SOUND}"
    asked = limited(words, 20_000, tmp_path)
    require_one_line(asked, (f"{tmp_path}/cache", "File too large", "--cache"))
    assert not (tmp_path / "run").exists()
    assert not [p for p in (tmp_path / "cache").iterdir() if p.suffix != ".lock"]


@pytest.mark.parametrize("limit", [3_000, 20_000])
def test_run_that_does_not_fit_is_told_and_resumes(
    limit: int, table: Path, tmp_path: Path, ask: Ask
) -> None:
    """Too small for, by size: the settings, the checkpoint or the model, the report."""
    words = f"train realnvp {table} --out {tmp_path}/run --cache {tmp_path}/cache {TABLE}"
    asked = limited(words, limit, tmp_path)
    require_one_line(asked, (f"{tmp_path}/run", "File too large", "--resume"))
    assert not drafts(tmp_path)
    ask.works(f"{words} --resume")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_table_that_does_not_fit_is_told_and_the_old_one_stays(
    suffix: str, nvp_run: Path, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / f"out{suffix}"
    out.write_text("old")
    good = f"embed {nvp_run} {table} --out {tmp_path}/good{suffix} --quiet"
    asked = limited(f"embed {nvp_run} {table} --out {out} --quiet", 200, tmp_path, good)
    require_one_line(asked, (str(out), "File too large"))
    assert out.read_text() == "old"
    assert not drafts(tmp_path)
