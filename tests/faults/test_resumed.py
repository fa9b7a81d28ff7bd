"""Runs that go on: longer, shorter, unfinished and used, interrupted between two steps."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ensue.cli import main
from ensue.errors import CheckpointError, ConfigError, Interrupted
from ensue.models.flows.realnvp import RealNVP
from ensue.runs.loaded import load
from ensue.training.callbacks import SaveCheckpoint
from ensue.training.run_folder import RunFolder
from ensue.verbs.train import Trained, train

SETTINGS: dict[str, Any] = {
    "batch_size": 8,
    "warmup_steps": 1,
    "log_every": 4,
    "validate_every": 6,
    "checkpoint_every": 5,
    "validation": 0.3,
    "schedule": "constant",
    "depth": 2,
    "num_threads": 1,
    "accelerator": "cpu",
    "quiet": True,
}


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((40, 3))


def state(run: Path) -> dict[str, bytes]:
    """What a run ended with, byte for byte."""
    folder = RunFolder(run)
    files = [folder.metrics, run / "model" / "model.safetensors", folder.best, folder.kept]
    return {path.name: path.read_bytes() for path in files}


def made(rows: np.ndarray, out: Path, **settings: Any) -> Trained:
    return train("realnvp", rows, out=out, **{**SETTINGS, **settings})


def longer(rows: np.ndarray, out: Path, **settings: Any) -> Trained:
    return train("realnvp", rows, out=out, resume=True, quiet=True, **settings)


def stop_after(monkeypatch: pytest.MonkeyPatch, step: int, number: int) -> None:
    """A signal that arrives in the middle of a step, and is heeded after it."""
    real = RealNVP.loss

    def signaled(self: RealNVP, batch: Any, *, step: int, at: int = step) -> Any:
        if step == at - 1 and self.training and signal.getsignal(number) is not signal.SIG_DFL:
            os.kill(os.getpid(), number)
        return real(self, batch, step=step)

    monkeypatch.setattr(RealNVP, "loss", signaled)


@pytest.mark.parametrize("ends", [[7, 20], [8, 12, 13, 20], [3, 20]])
def test_run_that_is_made_longer_ends_as_one_that_had_that_length(
    ends: list[int], rows: np.ndarray, tmp_path: Path
) -> None:
    """Where the learning rate is constant; the old end may lie between two lines of metrics."""
    whole = made(rows, tmp_path / "whole", max_steps=ends[-1])
    made(rows, tmp_path / "parts", max_steps=ends[0])
    for end in ends[1:]:
        trained = longer(rows, tmp_path / "parts", max_steps=end)
        assert trained.steps == end
        assert "instead of" in trained.notes[0]
    assert state(tmp_path / "parts") == state(whole.run)
    assert RunFolder(tmp_path / "parts").read_config()["training"]["max_steps"] == ends[-1]


@pytest.mark.parametrize("end", [7, 12])
def test_run_that_is_ended_early_ends_as_one_that_had_that_length(
    end: int, rows: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = made(rows, tmp_path / "whole", max_steps=end)
    stop_after(monkeypatch, end, signal.SIGINT)
    with pytest.raises(Interrupted):
        made(rows, tmp_path / "cut", max_steps=20)
    monkeypatch.undo()
    trained = longer(rows, tmp_path / "cut", max_steps=3)
    assert f"ends at step {end}" in trained.notes[0]
    assert state(tmp_path / "cut") == state(whole.run)
    again = longer(rows, tmp_path / "cut", max_steps=14)
    made(rows, tmp_path / "fourteen", max_steps=14)
    assert state(again.run) == state(tmp_path / "fourteen")


def test_cosine_of_another_length_is_told(rows: np.ndarray, tmp_path: Path) -> None:
    made(rows, tmp_path / "run", max_steps=8, schedule="cosine")
    trained = longer(rows, tmp_path / "run", max_steps=16)
    assert trained.steps == 16
    assert "learning rate goes from 0 to 0.000" in " ".join(trained.notes)


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        ({"checkpoint_every": 3}, True),
        ({"checkpoint_minutes": 1}, True),
        ({"patience": 3}, True),
        ({"keep": "last"}, True),
        ({"validate_every": 5}, False),
        ({"schedule": "cosine"}, False),
        ({"seed": 3}, False),
        ({"num_threads": 2}, False),
    ],
)
def test_what_changes_no_number_may_change_and_the_rest_is_refused(
    change: dict[str, Any], allowed: bool, rows: np.ndarray, tmp_path: Path
) -> None:
    made(rows, tmp_path / "run", max_steps=7)
    lines = RunFolder(tmp_path / "run").metrics.read_bytes()
    if allowed:
        longer(rows, tmp_path / "run", **change)
        config = RunFolder(tmp_path / "run").read_config()["training"]
        assert change.items() <= config.items()
    else:
        with pytest.raises(ConfigError, match="keeps its settings"):
            longer(rows, tmp_path / "run", **change)
    assert RunFolder(tmp_path / "run").metrics.read_bytes() == lines


def test_finished_run_can_end_with_its_other_weights(rows: np.ndarray, tmp_path: Path) -> None:
    settings = {"max_steps": 60, "learning_rate": 0.05, "validation": 0.5}
    run = made(rows, tmp_path / "run", **settings).run
    best = load_file(RunFolder(run).best)
    for keep in ("last", "best"):
        longer(rows, run, keep=keep)
        ended = load_file(run / "model" / "model.safetensors")
        is_best = all(torch.equal(ended[name], best[name]) for name in best)
        assert is_best == (keep == "best")
        assert json.loads(RunFolder(run).kept.read_text())["weights"] == keep


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_saves_the_step_and_says_so_and_the_run_ends_as_if_nothing_had_been(
    number: int, rows: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = made(rows, tmp_path / "whole", max_steps=20)
    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    stop_after(monkeypatch, 3, number)
    with pytest.raises(Interrupted, match=r"step 3 is saved, and .* continues"):
        made(rows, tmp_path / "cut", max_steps=20)
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert not RunFolder(tmp_path / "cut").model.exists()
    monkeypatch.undo()
    longer(rows, tmp_path / "cut")
    assert state(tmp_path / "cut") == state(whole.run)


def test_second_ctrl_c_stops_at_once_and_nothing_is_promised(
    rows: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = RealNVP.loss

    def signaled(self: RealNVP, batch: Any, *, step: int) -> Any:
        if self.training:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, batch, step=step)

    monkeypatch.setattr(RealNVP, "loss", signaled)
    with pytest.raises(Interrupted, match=r"before a step was saved.*begins the run again"):
        made(rows, tmp_path / "cut", max_steps=20)
    assert not RunFolder(tmp_path / "cut").checkpoint.exists()
    monkeypatch.undo()
    made(rows, tmp_path / "whole", max_steps=20)
    longer(rows, tmp_path / "cut")
    assert state(tmp_path / "cut") == state(tmp_path / "whole")


def test_checkpoints_come_by_time_too_and_change_nothing(
    rows: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    real = SaveCheckpoint._save
    monkeypatch.setattr(
        SaveCheckpoint,
        "_save",
        lambda self, trainer: (saved.append(trainer.global_step), real(self, trainer))[1],
    )
    rare = {"max_steps": 14, "checkpoint_every": 1000, "validation": 0}
    one = made(rows, tmp_path / "one", checkpoint_minutes=1e-9, **rare)
    assert saved == list(range(1, 15))
    saved.clear()
    two = made(rows, tmp_path / "two", **rare)
    assert saved == [14]
    assert RunFolder(one.run).metrics.read_bytes() == RunFolder(two.run).metrics.read_bytes()


@pytest.fixture(scope="module")
def unfinished(rows: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was interrupted after 5 of 20 steps, and its data as table.csv beside it."""
    folder = tmp_path_factory.mktemp("unfinished")
    np.savetxt(folder / "table.csv", rows, delimiter=",", header="a,b,c", comments="")
    labeled = [",".join([*map(str, row), "xy"[i % 2]]) for i, row in enumerate(rows)]
    (folder / "labeled.csv").write_text("\n".join(["a,b,c,kind", *labeled]) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 5, signal.SIGINT)
        with pytest.raises(Interrupted):
            train(
                "realnvp",
                folder / "table.csv",
                out=folder / "run",
                **{**SETTINGS, "max_steps": 20},
            )
    return folder


@pytest.mark.parametrize(
    "words",
    [
        "embed {0}/run {0}/table.csv --out {1}/x.parquet --quiet",
        "score {0}/run {0}/table.csv --out {1}/x.csv --quiet",
        "sample {0}/run --num 3 --out {1}/x.csv",
        "evaluate {0}/run {0}/table.csv --quiet",
        "report {0}/run {0}/table.csv --quiet",
        "probe {0}/run {0}/labeled.csv --label kind --quiet",
        "train realnvp {0}/table.csv --out {1}/run --init-from {0}/run --max-steps 1 --quiet",
    ],
)
def test_unfinished_run_is_used_by_its_last_checkpoint_and_says_so(
    words: str, unfinished: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(words.format(unfinished, tmp_path).split()) == 0
    told = capsys.readouterr().err
    assert "isn't finished" in told
    assert "after step 5 of 20" in told
    assert not RunFolder(unfinished / "run").model.exists()


def test_unfinished_run_has_the_weights_of_its_checkpoint(unfinished: Path) -> None:
    with pytest.warns(UserWarning, match="after step 5 of 20"):
        model = load(unfinished / "run").model
    saved = torch.load(RunFolder(unfinished / "run").checkpoint, weights_only=True)["state_dict"]
    assert all(torch.equal(saved[f"model.{n}"], v) for n, v in model.state_dict().items())


@pytest.mark.slow
def test_two_processes_that_are_made_longer_end_as_two_that_had_that_length(
    unfinished: Path, tmp_path: Path
) -> None:
    """Between two lines of metrics each process keeps sums of its own."""
    settings = {name: value for name, value in SETTINGS.items() if name != "quiet"}
    options = [w for k, v in settings.items() for w in (f"--{k.replace('_', '-')}", str(v))]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node=2", "-m", "ensue", "train", "realnvp"]

    def run(out: str, *words: str) -> None:
        command = [*torchrun, str(unfinished / "table.csv"), "--out", str(tmp_path / out), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr

    run("whole", *options, "--max-steps", "14")
    run("parts", *options, "--max-steps", "7")
    run("parts", "--resume", "--max-steps", "14")
    assert state(tmp_path / "parts") == state(tmp_path / "whole")


def test_run_without_a_checkpoint_is_refused_in_words(unfinished: Path, tmp_path: Path) -> None:
    shutil.copytree(unfinished / "run", tmp_path / "run")
    (RunFolder(tmp_path / "run").checkpoints / "codec.json").unlink()
    with pytest.raises(CheckpointError, match=r"no model yet.*--resume"):
        load(tmp_path / "run")
    RunFolder(tmp_path / "run").checkpoint.unlink()
    with pytest.raises(CheckpointError, match=r"no checkpoint yet.*--resume"):
        load(tmp_path / "run")
