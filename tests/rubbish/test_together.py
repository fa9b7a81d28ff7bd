"""Ctrl-C in every phase, and two processes at one store: what follows works as if nothing was."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rubbish.asked import SOUND, Ask, Asked, require_one_line

AT = """
import importlib, os, signal, sys
from ensue.cli import main

place, words = sys.argv[1:]
module, _, name = place.partition(":")
owner = importlib.import_module(module)
*path, name = name.split(".")
for part in path:
    owner = getattr(owner, part)
do = getattr(owner, name)
seen = []

def interrupted(*arguments, **named):
    seen.append(1)
    once = name in ("_index", "save_model", "write_report", "read_folds") or "embed" in words
    if once or len(seen) == 2:
        os.kill(os.getpid(), signal.SIGINT)
    return do(*arguments, **named)

setattr(owner, name, interrupted)
sys.exit(main(words.split()))
"""
"""A command to which Ctrl-C comes while it is at a given function."""

TRAINING = {
    "reading": "ensue.data.kinds.audio.codec:AudioCodec.pieces",
    "storing": "ensue.data.store:_index",
    "first batch": "ensue.models.cpc:CPC.loss",
    "training": "ensue.training.module:TrainingModule.training_step",
    "checkpoint": "lightning.pytorch:Trainer.save_checkpoint",
    "saving": "ensue.training.run_folder:RunFolder.save_model",
    "report": "ensue.report:write_report",
}


def interrupted(place: str, words: str) -> Asked:
    found = subprocess.run(
        [sys.executable, "-c", AT, place, words], capture_output=True, text=True, timeout=60
    )
    return Asked(found.returncode, "", found.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("phase", TRAINING)
def test_interrupted_training_goes_on(
    phase: str, recordings: Path, tmp_path: Path, ask: Ask
) -> None:
    words = f"train cpc {recordings} --out {tmp_path}/run {SOUND}"
    words = words.replace("--max-steps 2", "--max-steps 3") + " --checkpoint-every 1"
    require_one_line(interrupted(TRAINING[phase], words), "interrupted", status=130)
    ask.require_whole()
    begun = (tmp_path / "run").exists()
    ask.works(f"{words} --resume" if begun else words)
    ask.works(f"embed {tmp_path}/run {recordings} --out {tmp_path}/e.npz --quiet")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("embed {run} {data} --out {out}.npz --quiet", "ensue.models.flows.realnvp:RealNVP.encode"),
        ("embed {run} {data} --out {out}.npz --quiet", "ensue.data.store:_index"),
        ("probe {run} {data} --label kind --quiet", "ensue.evaluation.probes.probe:read_folds"),
    ],
)
def test_interrupted_verb_leaves_nothing_and_works_again(
    words: str, place: str, nvp_run: Path, table: Path, tmp_path: Path, ask: Ask
) -> None:
    filled = words.format(run=nvp_run, data=table, out=tmp_path / "new")
    require_one_line(interrupted(place, filled), "interrupted", status=130)
    ask.require_whole()
    assert not list(tmp_path.glob("new*"))
    ask.works(filled)


@pytest.mark.slow
def test_processes_that_read_at_once_share_one_store(recordings: Path, tmp_path: Path) -> None:
    words = f"train cpc {recordings} --cache {tmp_path}/cache {SOUND} --out {tmp_path}/run"
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "ensue", *f"{words}{i}".split()],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        for i in (1, 2)
    ]
    told = [process.communicate(timeout=100)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert len([p for p in (tmp_path / "cache").iterdir() if p.is_dir()]) == 1


def test_ctrl_c_is_a_signal_here() -> None:
    """Python started by a shell in the background ignores it, and then so does every test here."""
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
