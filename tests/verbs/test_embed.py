"""``embed``: the same table whatever its parts, and a job that was stopped goes on."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import torch

from ensue import embed, load
from ensue.data.items import Clip
from ensue.errors import ConfigError, DataError
from ensue.evaluation import represent
from ensue.runs.tables import TableParts

LEVELS = ["item", "frame"]


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of about three of the recordings, and two of those are long."""
    monkeypatch.setattr("ensue.verbs.embed.PART_STEPS", 25_000)
    monkeypatch.setattr(represent, "LONG_STEPS", 8350)
    monkeypatch.setattr(represent, "PIECE_STEPS", 2500)


def table(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".npz":
        return dict(np.load(path))
    found = pyarrow.parquet.read_table(path)
    return {name: np.array(found[name].to_pylist()) for name in found.column_names}


def assert_equal(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert a.keys() == b.keys()
    for name, values in a.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(values, b[name], rtol=0, atol=1e-5)
        else:
            assert values.tolist() == b[name].tolist()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_parts_and_pieces_change_nothing(
    request: pytest.FixtureRequest,
    cpc_run: Path,
    recordings: Path,
    tmp_path: Path,
    level: Any,
    suffix: str,
) -> None:
    embed(cpc_run, recordings, out=tmp_path / "whole.parquet", level=level, quiet=True)
    request.getfixturevalue("in_parts")
    written = embed(cpc_run, recordings, out=tmp_path / f"parts{suffix}", level=level, quiet=True)
    whole, parts = table(tmp_path / "whole.parquet"), table(tmp_path / f"parts{suffix}")
    assert_equal(whole, parts)
    assert written.num_rows == len(whole["item"])
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"parts{suffix}", "whole.parquet"]


@pytest.mark.parametrize("level", LEVELS)
def test_a_job_that_was_stopped_goes_on(
    monkeypatch: pytest.MonkeyPatch,
    in_parts: None,
    cpc_run: Path,
    recordings: Path,
    tmp_path: Path,
    level: Any,
) -> None:
    embed(cpc_run, recordings, out=tmp_path / "whole.npz", level=level, quiet=True)
    done: list[int] = []
    add = TableParts.add

    def stopped_at(part: int) -> Any:
        def one(self: TableParts, number: int, tables: Any) -> None:
            if number == part:
                next(iter(tables))
                raise KeyboardInterrupt
            done.append(number)
            add(self, number, tables)

        return one

    for part in (2, 1):  # the second time it would be stopped in what is done already
        monkeypatch.setattr(TableParts, "add", stopped_at(part))
        try:
            embed(cpc_run, recordings, out=tmp_path / "again.npz", level=level, quiet=True)
        except KeyboardInterrupt:
            assert part == 2
            assert not (tmp_path / "again.npz").exists()
    assert done == [0, 1, 2, 3]
    assert_equal(table(tmp_path / "whole.npz"), table(tmp_path / "again.npz"))


KILLED = """
import os, signal, sys
from ensue import embed
from ensue.evaluation import represent
from ensue.runs.tables import TableParts
sys.modules["ensue.verbs.embed"].PART_STEPS = 25_000
represent.LONG_STEPS, represent.PIECE_STEPS = 8350, 2500
add = TableParts.add
def dies(self, number, tables):
    def half():
        yield next(iter(tables))
        os.kill(os.getpid(), signal.SIGKILL)
    add(self, number, half() if number == 2 else tables)
TableParts.add = dies
run, data, out, level, layer = sys.argv[1:]
embed(run, data, out=out, level=level, layer=layer, quiet=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("level", "layer"), [("item", "context"), ("frame", "local")])
def test_a_killed_job_goes_on_and_ends_alike(
    monkeypatch: pytest.MonkeyPatch,
    in_parts: None,
    cpc_run: Path,
    recordings: Path,
    tmp_path: Path,
    level: Any,
    layer: str,
) -> None:
    job: dict[str, Any] = {"level": level, "layer": layer, "quiet": True}
    embed(cpc_run, recordings, out=tmp_path / "whole.npz", **job)
    words = map(str, (cpc_run, recordings, tmp_path / "again.npz", level, layer))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "again.npz").exists()
    done: list[int] = []
    add = TableParts.add

    def watched(self: TableParts, number: int, tables: Any) -> None:
        done.append(number)
        add(self, number, tables)

    monkeypatch.setattr(TableParts, "add", watched)
    embed(cpc_run, recordings, out=tmp_path / "again.npz", **job)
    assert done == [2, 3]
    whole, again = table(tmp_path / "whole.npz"), table(tmp_path / "again.npz")
    assert whole.keys() == again.keys()
    for name in whole:
        np.testing.assert_array_equal(whole[name], again[name])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.npz", "whole.npz"]


@pytest.mark.parametrize("layer", ["conv1", "local", "gru1", "context"])
def test_frames_of_a_layer_are_those_of_the_model(
    in_parts: None, cpc_run: Path, recordings: Path, tmp_path: Path, layer: str
) -> None:
    embed(cpc_run, recordings, out=tmp_path / "a.npz", level="frame", layer=layer, quiet=True)
    found, run = table(tmp_path / "a.npz"), load(cpc_run)
    model = run.model.up_to(layer)
    for name in np.unique(found["item"]):
        here = found["item"] == name
        with torch.inference_mode():
            f = model.encode(run.codec.encode(Clip(recordings / name))[None])
        expected = f.context[0].numpy()
        np.testing.assert_allclose(found["features"][here], expected, rtol=1e-5, atol=1e-5)
        times = (np.arange(len(expected)) + 0.5) / f.frame_rate
        np.testing.assert_allclose(found["time"][here], times)


def test_unknown_layers_and_families_without_are_refused(
    cpc_run: Path, nvp_run: Path, recordings: Path, table: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="unknown layer 'conv': did you mean 'conv"):
        embed(cpc_run, recordings, out=tmp_path / "a.npz", layer="conv", quiet=True)
    with pytest.raises(ConfigError, match=r"the contract 'layers'; families that do: cpc"):
        embed(nvp_run, table, out=tmp_path / "a.npz", layer="context", quiet=True)


def test_parts_of_another_job_are_thrown_away(tmp_path: Path) -> None:
    for key in ("one", "two"):
        parts = TableParts(tmp_path / "t.parquet", key)
        assert not parts.has(0)
        parts.add(0, [{"a": [key]}])
        assert parts.has(0)
    assert TableParts(tmp_path / "t.parquet", "two").has(0)
    assert parts.finish(1) == 1
    assert table(tmp_path / "t.parquet")["a"].tolist() == ["two"]


def test_a_file_that_can_not_be_written_leaves_the_parts(tmp_path: Path) -> None:
    parts = TableParts(tmp_path / "t.parquet", "key")
    parts.add(0, [{"a": [1]}])
    (tmp_path / "t.parquet").mkdir()
    with pytest.raises(DataError, match=r"can't write .*t\.parquet"):
        parts.finish(1)
    assert parts.has(0)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".t.parquet.parts", "t.parquet"]
