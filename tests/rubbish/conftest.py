"""Good data and good runs, made once; each test spoils a copy."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ensue.cli import main
from tests.rubbish.asked import SOUND, TABLE, Ask


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two speakers with four recordings each, of half a second."""
    folder = tmp_path_factory.mktemp("good") / "recordings"
    rng = np.random.default_rng(0)
    for speaker, pitch in (("ann", 200), ("bob", 500)):
        (folder / speaker).mkdir(parents=True)
        for i in range(4):
            time = np.arange(4000 + 100 * i) / 8000
            samples = 0.3 * np.sin(2 * np.pi * pitch * time) + 0.01 * rng.standard_normal(len(time))
            soundfile.write(folder / speaker / f"{i}.wav", samples, 8000)
    return folder


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty rows of two numbers and a label."""
    path = tmp_path_factory.mktemp("good") / "table.csv"
    values = np.random.default_rng(0).normal(5, 3, (40, 2))
    rows = [f"{a:.4f},{b:.4f},{'xy'[i % 2]}" for i, (a, b) in enumerate(values)]
    path.write_text("\n".join(["height,width,kind", *rows]) + "\n")
    return path


@pytest.fixture(scope="session")
def finished_cpc(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("good") / "cpc"
    assert main(["train", "cpc", str(recordings), "--out", str(out), *SOUND.split()]) == 0
    return out


@pytest.fixture(scope="session")
def finished_nvp(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("good") / "nvp"
    assert main(["train", "realnvp", str(table), "--out", str(out), *TABLE.split()]) == 0
    return out


@pytest.fixture
def cpc_run(finished_cpc: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(finished_cpc, tmp_path / "cpc"))


@pytest.fixture
def nvp_run(finished_nvp: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(finished_nvp, tmp_path / "nvp"))


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Ask:
    return Ask(capsys, tmp_path)
