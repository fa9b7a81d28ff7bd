"""Loggers: what each package reads back is what stands in ``metrics.jsonl``."""

import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ensue.errors import EnsueError, MissingExtraError
from ensue.training.loggers import NEEDED, scalars
from ensue.training.run_folder import RunFolder
from ensue.verbs.train import train

SETTINGS: dict[str, Any] = {
    "max_steps": 6,
    "batch_size": 8,
    "warmup_steps": 1,
    "log_every": 2,
    "validate_every": 3,
    "checkpoint_every": 2,
    "depth": 2,
    "hidden_sizes": (8,),
    "quiet": True,
}
TABLE = np.random.default_rng(0).standard_normal((60, 3))

Found = dict[str, list[tuple[int, float]]]


def by_tensorboard(run: Path) -> Found:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard")).Reload()
    return {n: [(e.step, e.value) for e in events.Scalars(n)] for n in events.Tags()["scalars"]}


def by_mlflow(run: Path) -> Found:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{run}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'ensue'")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.data.params["model.depth"] == "2"
    return {
        n: [(m.step, m.value) for m in client.get_metric_history(found.info.run_id, n)]
        for n in found.data.metrics
    }


def leveldb_records(data: bytes) -> Iterator[bytes]:
    """The records of a log of LevelDB, which a ``.wandb`` file is after seven bytes of its own."""
    whole, at, block = b"", 7, 32_768
    while at + 7 <= len(data):
        if block - at % block < 7:  # no header fits into the rest of a block
            at += block - at % block
            continue
        size, part = struct.unpack_from("<HB", data, at + 4)
        if not part:
            return
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        if part in (1, 4):  # whole, or the last part
            yield whole
            whole = b""


def by_wandb(run: Path) -> Found:
    from wandb.proto import wandb_internal_pb2

    (path,) = run.glob("wandb/offline-run-*/*.wandb")
    assert path.read_bytes()[:4] == b":W&B"
    found: Found = {}
    records: list[Any] = []
    deadline = time.monotonic() + 20  # a process of its own writes, after a failed run later on
    while not any(r.HasField("exit") for r in records) and time.monotonic() < deadline:
        time.sleep(0.05)
        some = leveldb_records(path.read_bytes())
        records = [wandb_internal_pb2.Record.FromString(data) for data in some]
    for record in (r for r in records if r.history.item):
        row = {i.key or i.nested_key[0]: json.loads(i.value_json) for i in record.history.item}
        for name, value in row.items():
            if not name.startswith("_") and name != "trainer/global_step":
                found.setdefault(name, []).append((row["trainer/global_step"], value))
    return found


READERS = {"tensorboard": by_tensorboard, "mlflow": by_mlflow, "wandb": by_wandb}


def in_metrics(run: Path) -> Found:
    found: Found = {}
    for line in RunFolder(run).read_metrics():
        for name, value in scalars(line).items():
            found.setdefault(name, []).append((line["step"], value))
    return found


def require_same(found: Found, metrics: Found) -> None:
    assert found.keys() == metrics.keys()
    for name, points in metrics.items():
        # TensorBoard keeps float32.
        np.testing.assert_allclose(sorted(found[name]), points, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # what the readers say of their own dependencies
@pytest.mark.parametrize("logger", READERS)
def test_log_says_what_the_metrics_say(logger: str, tmp_path: Path) -> None:
    environment = dict(os.environ)
    train("realnvp", TABLE, out=tmp_path / "run", logger=logger, **SETTINGS)
    require_same(READERS[logger](tmp_path / "run"), in_metrics(tmp_path / "run"))
    assert dict(os.environ) == environment


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("logger", READERS)
def test_resumed_run_has_each_step_once(
    logger: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off after step 5, whose lines are told, and resumed from the checkpoint of step 4."""
    from ensue.models.flows.realnvp import RealNVP

    loss = RealNVP.loss

    def cut_off(self: Any, batch: Any, *, step: int) -> Any:
        if self.training and step == 5:
            raise EnsueError("cut off")
        return loss(self, batch, step=step)

    settings = {**SETTINGS, "log_every": 1, "checkpoint_every": 2}
    with monkeypatch.context() as patch:
        patch.setattr(RealNVP, "loss", cut_off)
        with pytest.raises(EnsueError, match="cut off"):
            train("realnvp", TABLE, out=tmp_path / "run", logger=logger, **settings)
    assert max(step for step, _ in READERS[logger](tmp_path / "run")["loss"]) == 5
    train("realnvp", TABLE, out=tmp_path / "run", logger=logger, resume=True, **settings)
    found = READERS[logger](tmp_path / "run")
    assert sorted(step for step, _ in found["loss"]) == [1, 2, 3, 4, 5, 6]
    require_same(found, in_metrics(tmp_path / "run"))


@pytest.mark.parametrize("logger", NEEDED)
def test_missing_package_is_refused_with_the_command(
    logger: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"ensue\[track\]"):
        train("realnvp", TABLE, out=tmp_path / "run", logger=logger, **SETTINGS)
    assert not (tmp_path / "run").exists()


def test_none_is_the_default_and_nothing_is_imported(tmp_path: Path) -> None:
    program = (
        "import sys, ensue, ensue.training.fit\n"
        f"loaded = {{n.partition('.')[0] for n in sys.modules}} & set({list(NEEDED)})\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    train("realnvp", TABLE, out=tmp_path / "run", **SETTINGS)
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["training"]["logger"] is None
