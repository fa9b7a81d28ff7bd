"""Training: resumed = uninterrupted, two processes = one, accumulated = whole."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ensue.errors import CheckpointError, ConfigError, TrainingError
from ensue.runs.loaded import load
from ensue.training.run_folder import RunFolder
from ensue.verbs.train import train

CPC_SETTINGS = {
    "channels": 16,
    "context_size": 12,
    "horizon": 3,
    "num_mels": 20,
    "num_negatives": 8,
    "window_seconds": 0.2,
    "sample_rate": 8000,
}
TRAINING_SETTINGS = {
    "max_steps": 30,
    "batch_size": 4,
    "warmup_steps": 5,
    "log_every": 4,
    "validate_every": 6,
    "checkpoint_every": 5,
    "num_threads": 1,
    "accelerator": "cpu",
}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve noises of different lengths, two of them shorter than a window."""
    import soundfile

    folder = tmp_path_factory.mktemp("recordings")
    rng = np.random.default_rng(0)
    for i in range(12):
        samples = 0.1 * rng.standard_normal(1000 + 400 * i)
        soundfile.write(folder / f"{i:02d}.wav", samples, 8000)
    return folder


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((200, 3)) @ np.diag([1.0, 2.0, 0.1])


def words(family: str, data: Path, out: Path, **settings: Any) -> list[str]:
    options = [w for k, v in settings.items() for w in (f"--{k.replace('_', '-')}", str(v))]
    return ["train", family, str(data), "--out", str(out), "--quiet", *options]


def run_cli(
    arguments: list[str], *, launcher: list[str] | None = None
) -> subprocess.CompletedProcess:
    command = [*(launcher or [sys.executable]), "-m", "ensue", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model" / "model.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("family", ["cpc", "realnvp"])
def test_run_that_was_killed_and_resumed_ends_bit_equal(
    family: str, recordings: Path, tmp_path: Path, seed: int
) -> None:
    data, settings = recordings, {**CPC_SETTINGS, **TRAINING_SETTINGS}
    if family == "realnvp":
        data = tmp_path / "table.csv"
        np.savetxt(
            data,
            np.random.default_rng(0).standard_normal((99, 3)),
            delimiter=",",
            header="a,b,c",
            comments="",
        )
        settings = TRAINING_SETTINGS
    settings = {**settings, "max_steps": 300, "accumulate": 2, "seed": seed % 1000}
    whole = run_cli(words(family, data, tmp_path / "whole", **settings))
    assert whole.returncode == 0, whole.stderr
    arguments = words(family, data, tmp_path / "killed", **settings)
    process = subprocess.Popen([sys.executable, "-m", "ensue", *arguments])
    killed = RunFolder(tmp_path / "killed")
    deadline = time.monotonic() + 120
    while not killed.checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(np.random.default_rng(seed).uniform(0, 0.6))
    assert process.poll() is None, "it ended before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not killed.model.exists()
    resumed = run_cli([*arguments, "--resume"])
    assert resumed.returncode == 0, resumed.stderr
    assert killed.metrics.read_text() == (tmp_path / "whole" / "metrics.jsonl").read_text()
    one, two = weights(tmp_path / "whole"), weights(killed.path)
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.slow
@pytest.mark.parametrize(
    "extra", [{}, {"num_anchors": 2, "own_sequence": "false"}, {"candidates": "aligned"}]
)
def test_two_processes_train_as_one_does(
    extra: dict[str, Any], recordings: Path, tmp_path: Path
) -> None:
    """Loss and weights after one step of plain gradient, and the validation loss."""
    settings = {
        **CPC_SETTINGS,
        **TRAINING_SETTINGS,
        **extra,
        "max_steps": 3,
        "log_every": 1,
        "validate_every": 3,
    }
    one = run_cli(words("cpc", recordings, tmp_path / "one", **settings))
    assert one.returncode == 0, one.stderr
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    two = run_cli(words("cpc", recordings, tmp_path / "two", **settings), launcher=launcher)
    assert two.returncode == 0, two.stderr
    lines = [RunFolder(tmp_path / name).read_metrics() for name in ("one", "two")]
    assert len(lines[0]) == len(lines[1]) == 4
    for a, b in zip(*lines, strict=True):
        for name in ("loss", "val_loss"):
            if name in a:
                assert a[name] == pytest.approx(b[name], abs=1e-5)
    # The first loss is before any update, and so free of what rounding does to Adam.
    assert lines[0][0]["loss"] == pytest.approx(lines[1][0]["loss"], abs=1e-6)


def test_accumulated_batches_weigh_what_they_count(table: np.ndarray, tmp_path: Path) -> None:
    """Two batches of 8 in one step give the weights of one batch of 16."""
    settings = {**TRAINING_SETTINGS, "max_steps": 8, "warmup_steps": 0, "dropout": 0.0}
    train("realnvp", table, out=tmp_path / "whole", quiet=True, **{**settings, "batch_size": 16})
    train(
        "realnvp",
        table,
        out=tmp_path / "parts",
        quiet=True,
        **{**settings, "batch_size": 8, "accumulate": 2},
    )
    one, two = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-4, atol=1e-5)


def test_patience_stops_and_keeps_the_best_weights(table: np.ndarray, tmp_path: Path) -> None:
    settings = {
        **TRAINING_SETTINGS,
        "max_steps": 2000,
        "learning_rate": 0.05,
        "schedule": "constant",
    }
    train(
        "realnvp",
        table[:60],
        out=tmp_path / "run",
        quiet=True,
        patience=2,
        validation=0.5,
        **settings,
    )
    lines = [x for x in RunFolder(tmp_path / "run").read_metrics() if "val_loss" in x]
    losses = [x["val_loss"] for x in lines]
    assert lines[-1]["step"] < 2000
    assert int(np.argmin(losses)) == len(losses) - 3
    loaded = load(tmp_path / "run")
    best = load_file(tmp_path / "run" / "checkpoints" / "best.safetensors")
    assert all(torch.equal(best[k], v) for k, v in loaded.model.state_dict().items())


def test_run_folder_holds_what_it_should(table: np.ndarray, tmp_path: Path) -> None:
    trained = train("realnvp", table, out=tmp_path / "run", quiet=True, **TRAINING_SETTINGS)
    names = {p.name for p in (tmp_path / "run").iterdir()}
    assert names == {
        "config.yaml",
        "environment.json",
        "metrics.jsonl",
        "train.log",
        "checkpoints",
        "model",
        "skipped.csv",
        "report.html",
        "data.json",
        "exhibits",
    }
    assert {p.name for p in (tmp_path / "run" / "model").iterdir()} == {
        "config.json",
        "codec.json",
        "model.safetensors",
        "README.md",
    }
    assert all(path.exists() for path in trained.files)
    assert trained.steps == 30
    # The checkpoint is tensors and plain data.
    torch.load(RunFolder(tmp_path / "run").checkpoint, weights_only=True)
    assert all("step" in line for line in RunFolder(tmp_path / "run").read_metrics())


def test_full_folder_is_refused_and_left_alone(table: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(ConfigError, match=r"--resume.*--init-from"):
        train("realnvp", table, out=tmp_path, cache=tmp_path.parent / "cache", quiet=True)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_resume_refuses_changed_settings_and_shows_the_difference(
    table: np.ndarray, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    train("realnvp", table, out=out, quiet=True, **TRAINING_SETTINGS)
    with pytest.raises(ConfigError, match=r"learning_rate was 0\.001 and is 0\.01"):
        train("realnvp", table, out=out, resume=True, quiet=True, learning_rate=0.01)
    before = weights(out)
    again = train("realnvp", table, out=out, resume=True, quiet=True)
    assert again.steps == 30
    assert all(torch.equal(before[name], value) for name, value in weights(out).items())


@pytest.mark.parametrize("patience", [None, 2])
def test_run_cut_off_before_its_model_was_saved_is_finished_without_a_step(
    patience: int | None, table: np.ndarray, tmp_path: Path
) -> None:
    settings = {**TRAINING_SETTINGS, "patience": patience, "learning_rate": 0.05, "max_steps": 200}
    out = tmp_path / "run"
    train("realnvp", table[:60], out=out, quiet=True, **settings)
    before, lines = weights(out), RunFolder(out).metrics.read_text()
    shutil.rmtree(out / "model")
    train("realnvp", table[:60], out=out, resume=True, quiet=True)
    assert RunFolder(out).metrics.read_text() == lines
    assert all(torch.equal(before[name], value) for name, value in weights(out).items())


def test_resume_without_a_run_or_with_half_a_checkpoint_says_so(
    table: np.ndarray, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match="isn't a run folder"):
        train("realnvp", table, out=tmp_path / "none", resume=True, quiet=True)
    out = tmp_path / "run"
    train("realnvp", table, out=out, quiet=True, **TRAINING_SETTINGS)
    shutil.rmtree(out / "model")
    checkpoint = RunFolder(out).checkpoint
    checkpoint.write_bytes(checkpoint.read_bytes()[:2000])
    with pytest.raises(CheckpointError, match="damaged"):
        train("realnvp", table, out=out, resume=True, quiet=True)


def test_init_from_starts_a_new_run_from_the_weights(table: np.ndarray, tmp_path: Path) -> None:
    train("realnvp", table, out=tmp_path / "first", quiet=True, depth=3, **TRAINING_SETTINGS)
    settings = {**TRAINING_SETTINGS, "max_steps": 1, "learning_rate": 1e-12}
    train(
        "realnvp",
        table,
        out=tmp_path / "second",
        init_from=tmp_path / "first",
        quiet=True,
        **settings,
    )
    one, two = weights(tmp_path / "first"), weights(tmp_path / "second")
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=0, atol=1e-6)


def test_run_cut_off_before_its_first_checkpoint_begins_again_where_it_had_begun(
    table: np.ndarray, tmp_path: Path
) -> None:
    settings = {**TRAINING_SETTINGS, "max_steps": 3}
    train("realnvp", table, out=tmp_path / "first", quiet=True, depth=3, **settings)
    out = tmp_path / "second"
    begun = {"out": out, "quiet": True, **settings}
    train("realnvp", table, init_from=tmp_path / "first", **begun)
    whole = weights(out)
    with pytest.raises(ConfigError, match="leave init_from out"):
        train("realnvp", table, init_from=tmp_path / "first", resume=True, **begun)
    shutil.rmtree(out / "model")
    shutil.rmtree(out / "checkpoints")
    train("realnvp", table, out=out, resume=True, quiet=True)
    again = weights(out)
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_init_from_refuses_data_of_another_form(table: np.ndarray, tmp_path: Path) -> None:
    train("realnvp", table, out=tmp_path / "first", quiet=True, **TRAINING_SETTINGS)
    with pytest.raises(ConfigError, match="of the same form"):
        train(
            "realnvp",
            table[:, :2],
            out=tmp_path / "second",
            init_from=tmp_path / "first",
            quiet=True,
        )
    assert not (tmp_path / "second").exists()


def test_resume_refuses_other_data(table: np.ndarray, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train("realnvp", table, out=out, quiet=True, **TRAINING_SETTINGS)
    shutil.rmtree(out / "model")
    with pytest.raises(ConfigError, match="data have changed"):
        train("realnvp", 100 * table, out=out, resume=True, quiet=True)


def test_diverged_run_stops_and_publishes_no_model(table: np.ndarray, tmp_path: Path) -> None:
    settings = {**TRAINING_SETTINGS, "learning_rate": 1e30, "warmup_steps": 0}
    with pytest.raises(TrainingError, match="lower learning_rate"):
        train("realnvp", table, out=tmp_path / "run", quiet=True, **settings)
    assert not (tmp_path / "run" / "model").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"accelerator": "gpu"}, "accelerator is gpu"),
        ({"batch_size": 5, "devices": 2}, "batch_size 5"),
        ({"patience": 1, "validation": 0}, "patience is 1"),
    ],
)
def test_what_cannot_be_done_is_refused_before_a_folder_is_made(
    settings: dict[str, Any], message: str, table: np.ndarray, tmp_path: Path
) -> None:
    if torch.cuda.is_available() and "accelerator" in settings:
        pytest.skip("this machine has a GPU")
    with pytest.raises(ConfigError, match=message):
        train(
            "realnvp", table, out=tmp_path / "run", quiet=True, **{**TRAINING_SETTINGS, **settings}
        )
    assert not (tmp_path / "run").exists()


def test_training_leaves_the_process_as_it_was(
    table: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside a SLURM shell, too: that a job runs around it says nothing."""
    monkeypatch.setenv("SLURM_PROCID", "1")
    monkeypatch.setenv("SLURM_NTASKS", "1")
    environment, threads = dict(os.environ), torch.get_num_threads()
    settings = {**TRAINING_SETTINGS, "num_threads": 2}
    assert train("realnvp", table, out=tmp_path / "run", quiet=True, **settings).steps == 30
    assert dict(os.environ) == environment
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_interrupted_training_raises_and_gives_ctrl_c_back(
    table: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ensue.models.flows.realnvp import RealNVP

    real, calls = RealNVP.loss, []

    def interrupted(self: Any, batch: Any, *, step: int) -> Any:
        calls.append(step)
        if step == 12:
            raise KeyboardInterrupt
        return real(self, batch, step=step)

    monkeypatch.setattr(RealNVP, "loss", interrupted)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train("realnvp", table, out=tmp_path / "run", quiet=True, **TRAINING_SETTINGS)
    assert signal.getsignal(signal.SIGINT) is handler
    monkeypatch.setattr(RealNVP, "loss", real)
    assert train("realnvp", table, out=tmp_path / "run", resume=True, quiet=True).steps == 30
