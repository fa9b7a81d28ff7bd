"""``embed``: the same table whatever its parts, and a job that was stopped goes on."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest

from ensue import embed
from ensue.errors import DataError
from ensue.evaluation import represent
from ensue.verbs.tables import TableParts

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
