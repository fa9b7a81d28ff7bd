"""The README: its Python blocks run, and what it shows exists."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ensue.verbs import VERBS
from ensue.verbs.train import train

README = Path(__file__).parent.parent / "README.md"


def test_python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recordings = tmp_path / "my_recordings"
    recordings.mkdir()
    rng = np.random.default_rng(0)
    for name in "abcd":
        soundfile.write(recordings / f"{name}.wav", 0.1 * rng.standard_normal(16000), 16000)
    small = {"max_steps": 2, "batch_size": 2, "channels": 16, "horizon": 3, "validation": 0.5}
    train("cpc", "my_recordings", out="runs/mine", quiet=True, **small)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        found: dict = {}
        exec(block, found)
        if "vectors" in found:
            assert found["vectors"].shape == (1, 256)
            assert found["frames"].shape == (100, 256)


def test_every_command_stands_in_the_table() -> None:
    text = README.read_text()
    assert [verb for verb in VERBS if f"`ensue {verb}" not in text] == []


def test_what_it_links_to_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README.read_text()):
        if "://" not in target:
            assert (README.parent / target).exists(), target


def test_measured_table_is_that_of_the_results() -> None:
    from benchmarks.table import BEGIN, END, table

    assert README.read_text().split(BEGIN)[1].split(END)[0] == table()
