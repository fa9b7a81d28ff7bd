"""Run folders that are damaged, foreign or too new."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.rubbish.asked import SOUND, TABLE, Ask


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def gone(path: Path) -> None:
    path.unlink()


def rubbish(path: Path) -> None:
    path.write_bytes(b"\x80\x81 rubbish")


def a_list(path: Path) -> None:
    path.write_text("[1, 2]")


def unknown_key(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "dept": 3}))


def newer(path: Path) -> None:
    if path.suffix == ".ckpt":
        torch.save({**torch.load(path, weights_only=True), "format": 2}, path)
    elif path.suffix == ".yaml":
        path.write_text(path.read_text().replace("format: 1", "format: 2", 1))
    else:
        path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))


DAMAGES = [
    *[("model/model.safetensors", d, "model.safetensors") for d in (half, empty, gone, rubbish)],
    *[("model/config.json", d, "config.json") for d in (half, empty, gone, rubbish, a_list)],
    *[("model/codec.json", d, "codec.json") for d in (half, empty, gone, rubbish, a_list)],
    *[("config.yaml", d, "config.yaml") for d in (half, empty, gone, rubbish, a_list)],
    ("model/config.json", unknown_key, "did you mean 'depth'"),
    ("model/codec.json", unknown_key, "dept"),
    ("model/config.json", newer, "upgrade ensue"),
    ("model/codec.json", newer, "upgrade ensue"),
    ("config.yaml", newer, "upgrade ensue"),
]


@pytest.mark.parametrize(("name", "damage", "says"), DAMAGES)
def test_damaged_run_is_refused_by_every_verb(
    name: str, damage: Callable[[Path], None], says: str, nvp_run: Path, table: Path, ask: Ask
) -> None:
    damage(nvp_run / name)
    out = nvp_run.parent / "new"
    ask.refused(f"embed {nvp_run} {table} --out {out}.npz --quiet", says=says)
    ask.refused(f"score {nvp_run} {table} --out {out}.npz --quiet", says=says)
    ask.refused(f"sample {nvp_run} --out {out}.csv", says=says)
    ask.refused(f"probe {nvp_run} {table} --label kind --quiet", says=says)
    if not name.endswith("config.json"):  # the new run has its own
        words = f"train realnvp {table} --out {out} --init-from {nvp_run} {TABLE}"
        ask.refused(words, says=says)
    assert not list(nvp_run.parent.glob("new*"))


@pytest.mark.parametrize("damage", [half, empty, rubbish, newer])
def test_checkpoint_that_is_damaged_is_refused(
    damage: Callable[[Path], None], nvp_run: Path, table: Path, ask: Ask
) -> None:
    (nvp_run / "model").rename(nvp_run.parent / "away")
    damage(nvp_run / "checkpoints" / "last.ckpt")
    ask.refused(f"train realnvp {table} --out {nvp_run} --resume {TABLE}", says="last.ckpt")


@pytest.mark.parametrize("damage", [half, empty, rubbish, a_list, newer])
def test_probes_that_are_damaged_are_refused(
    damage: Callable[[Path], None], nvp_run: Path, table: Path, ask: Ask
) -> None:
    words = f"probe {nvp_run} {table} --label kind --quiet"
    ask.works(words)
    damage(nvp_run / "probes.json")
    before = (nvp_run / "probes.json").read_bytes()
    ask.refused(words, says="probes.json")
    assert (nvp_run / "probes.json").read_bytes() == before


@pytest.mark.parametrize("damage", [half, empty, rubbish, a_list, newer])
def test_metrics_or_store_of_no_use_are_told(
    damage: Callable[[Path], None], nvp_run: Path, table: Path, ask: Ask
) -> None:
    ask.works(f"embed {nvp_run} {table} --out {nvp_run.parent}/e.npz --quiet")
    (meta,) = nvp_run.parent.glob("cache/*/meta.json")
    damage(meta)
    words = f"embed {nvp_run} {table} --out {nvp_run.parent}/new.npz --quiet"
    ask.refused(words, says="upgrade ensue" if damage is newer else "delete it")


@pytest.mark.parametrize("damage", [empty, gone, rubbish])
def test_metrics_that_are_damaged_are_told(
    damage: Callable[[Path], None], nvp_run: Path, table: Path, ask: Ask
) -> None:
    damage(nvp_run / "metrics.jsonl")
    words = f"train realnvp {table} --out {nvp_run} --resume {TABLE}"
    ask.refused(words, says="metrics.jsonl")


def test_run_of_another_family_is_refused(
    cpc_run: Path, nvp_run: Path, table: Path, recordings: Path, ask: Ask
) -> None:
    new = cpc_run.parent / "new"
    for words in (
        f"embed {cpc_run} {table} --out {new}.npz",
        f"score {nvp_run} {recordings} --out {new}.npz",
        f"probe {cpc_run} {table} --label kind",
        f"sample {cpc_run} --out {new}.csv",
        f"train realnvp {table} --out {cpc_run} --resume",
        f"train cpc {recordings} --out {nvp_run} --resume",
        f"train cpc {recordings} --out {new} --init-from {nvp_run} {SOUND}",
        f"train realnvp {table} --out {new} --init-from {cpc_run} {TABLE}",
    ):
        ask.refused(words, says=("cpc", "realnvp"))
    assert not list(cpc_run.parent.glob("new*"))


@pytest.mark.parametrize("path", ["nowhere", "file", "folder"])
def test_path_that_is_no_run_is_refused(path: str, table: Path, tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    run = tmp_path / path
    says = f"{str(run)!r} isn't a run folder"
    ask.refused(f"embed {run} {table} --out {tmp_path}/new.npz", says=says)
    ask.refused(f"probe {run} {table} --label kind", says=says)
    ask.refused(f"sample {run}", says=says)
    ask.refused(f"train realnvp {table} --out {tmp_path}/new --init-from {run}", says=says)
    assert not list(tmp_path.glob("new*"))
