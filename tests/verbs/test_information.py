"""``ensue information``: two tables, two parts of one, and embeddings, as a sheet."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ensue
from ensue.cli import main
from ensue.verbs.information import information

QUICK = "--max-steps 100 --quick"


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """1,000 pairs: as two arrays, one CSV, and vectors by item, those of y in another order."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1000, 2))
    y = x[:, :1] + rng.standard_normal((1000, 1))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    rows = [f"{a},{b},{c},text" for a, b, c in np.concatenate([x, y], axis=1)]
    (tmp_path / "both.csv").write_text("\n".join(["a,b,c,note", *rows]) + "\n")
    order = rng.permutation(1000)
    for name, values, places in (("vx", x, np.arange(1000)), ("vy", y, order)):
        flat = pa.array(values[places].ravel())
        vectors = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
        columns = {"item": [f"item {i}" for i in places], "embedding": vectors}
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    return tmp_path


def test_all_forms_of_the_same_pairs_give_the_same_sheet(
    tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheets = []
    for words in (
        f"{tables}/x.npy {tables}/y.npy",
        f"{tables}/both.csv --x-columns a b --y-columns c",
        f"{tables}/vx.parquet {tables}/vy.parquet",
    ):
        assert main(f"information {words} {QUICK}".split()) == 0
        sheets.append(capsys.readouterr().out)
    assert sheets[0] == sheets[1] == sheets[2]
    for told in ("share at least 0.", "lower bound (InfoNCE)", "bits", "KSG", "700 to train on"):
        assert told in sheets[0]


def test_shuffled_pairs_stand_on_the_sheet(
    tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"information {tables}/x.npy {tables}/y.npy --max-steps 100"
    assert main(words.split()) == 0
    assert "shuffled pairs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("both.csv", "name the columns on both sides with --x-columns and --y-columns"),
        ("both.csv --x-columns a --y-columns a", "the column 'a' is on both sides"),
        ("x.npy y.npy --x-columns x0", "an array, whose columns have no names"),
        ("both.csv --x-columns a --y-columns d", "unknown column 'd'"),
        ("both.csv --x-columns a --y-columns note", "'text' throughout and carries no information"),
        ("both.csv --x-columns a --y-columns b note", "the columns note hold texts; give one"),
        ("x.npy nowhere.npy", "nowhere.npy"),
        ("x.npy both.csv --y-columns a --critic cat", "critic"),
        ("vx.parquet few.parquet", "the items of x and y differ, such as 'item 0'"),
    ],
)
def test_what_does_not_go_together_is_told(
    tables: Path,
    words: str,
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pq.write_table(pq.read_table(tables / "vy.parquet").slice(0, 500), tables / "few.parquet")
    monkeypatch.chdir(tables)
    assert main(f"information {words} {QUICK}".split()) == 2
    assert told in capsys.readouterr().err


def test_python_takes_tensors_and_lists() -> None:
    import torch

    x = torch.randn(400, 1)
    y = (x + torch.randn(400, 1))[:, 0].tolist()
    found = ensue.estimate_information(x, y, max_steps=0, null=False)
    assert found.num_pairs == 80


def test_items_named_by_numbers_are_paired_by_name(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, order = rng.standard_normal(1000), rng.permutation(1000)
    for name, places in (("x", np.arange(1000)), ("y", order)):
        rows = [f"{i},{x[i]}" for i in places]
        (tmp_path / f"{name}.csv").write_text("\n".join(["item,value", *rows]) + "\n")
    found = information(tmp_path / "x.csv", tmp_path / "y.csv", quick=True, max_steps=10)
    assert found.answer.saturated
