"""A run loads as a whole, and its model folder does where that is all there is."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import ensue
from ensue.cli import main
from ensue.errors import CheckpointError


def test_a_model_folder_alone_gives_the_same(
    cpc_run: Path, recordings: Path, tmp_path: Path
) -> None:
    handed_on = shutil.copytree(cpc_run / "model", tmp_path / "handed-on")
    sounds = sorted(recordings.rglob("*.wav"))[:2]
    whole, alone = ensue.load(cpc_run), ensue.load(handed_on)
    assert alone.family == "cpc"
    np.testing.assert_array_equal(alone.embed(sounds), whole.embed(sounds))
    np.testing.assert_array_equal(alone.score(sounds), whole.score(sounds))
    words = f"embed {handed_on} {recordings} --out {tmp_path}/e.npz --quiet"
    assert main(words.split()) == 0


def test_a_table_too(nvp_run: Path, tmp_path: Path) -> None:
    handed_on = shutil.copytree(nvp_run / "model", tmp_path / "handed-on")
    assert ensue.load(handed_on).sample(3, seed=1) == ensue.load(nvp_run).sample(3, seed=1)


def test_a_folder_that_is_neither_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="run"):
        ensue.load(tmp_path)
