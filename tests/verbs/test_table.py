"""Tables of numbers, whole numbers and categories through the verbs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import torch

import ensue
from ensue.cli import main
from ensue.data.codecs import load_codec
from ensue.data.config import DataConfig
from ensue.data.kinds.table.codec import TableCodec
from ensue.data.sources import open_items
from ensue.errors import ConfigError, DataError
from ensue.evaluation.column_surprise import column_surprise
from ensue.models.flows.dequantize import Rows

KINDS = ("elm", "oak", "yew")


def trees(num: int = 1500) -> pa.Table:
    """The height depends on the kind, the rings on the height; one column never changes."""
    rng = np.random.default_rng(0)
    kind = rng.choice(3, num, p=[0.2, 0.3, 0.5])
    height = 5.0 + 4 * kind + rng.normal(size=num)
    rings = rng.poisson(2 * height)
    return pa.table(
        {
            "height": height,
            "rings": rings,
            "kind": [KINDS[k] for k in kind],
            "county": ["north"] * num,
            "site": [str(i % 5) for i in range(num)],
        }
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trees") / "trees.parquet"
    pyarrow.parquet.write_table(trees(), path)
    return path


@pytest.fixture(scope="module")
def run(table: Path) -> Path:
    out = table.parent / "run"
    words = (
        f"train realnvp {table} --out {out} --columns height,rings,kind,county --transform spline "
        "--depth 4 --hidden-sizes 32,32 --max-steps 500 --batch-size 256 --learning-rate 0.005"
    )
    assert main([*words.split(), "--quiet"]) == 0
    return out


def test_samples_have_the_columns_and_types_of_the_table(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "s.parquet"
    assert main(f"sample {run} --num 2000 --out {out}".split()) == 0
    drawn, real = pyarrow.parquet.read_table(out), trees()
    assert drawn.column_names == ["height", "rings", "kind", "county"]
    for name in drawn.column_names:
        assert drawn.schema.field(name).type == real.schema.field(name).type
    assert set(drawn["kind"].to_pylist()) == set(KINDS)
    assert set(drawn["county"].to_pylist()) == {"north"}
    for kind in KINDS:
        of = lambda t, k=kind: t["height"].to_numpy()[np.array(t["kind"].to_pylist()) == k]  # noqa: E731
        assert abs(len(of(drawn)) / 2000 - len(of(real)) / 1500) < 0.08
        assert abs(of(drawn).mean() - of(real).mean()) < 0.6
    assert np.corrcoef(drawn["height"], drawn["rings"])[0, 1] > 0.7


def test_probabilities_of_all_categories_and_numbers_sum_to_at_most_one(run: Path) -> None:
    """A bound from below, with the density of heights summed over a grid: near 1, never above."""
    loaded = ensue.load(run)
    heights = np.linspace(-2, 22, 161)
    rows = [
        {"height": h, "rings": r, "kind": k} for h in heights for r in range(0, 61) for k in KINDS
    ]
    x = torch.stack([loaded.codec.encode(row) for row in rows])
    with torch.inference_mode():
        nats = loaded.model.log_prob(x).double().numpy() + loaded.codec.log_det(rows[0])
    mass = float(np.exp(nats).sum() * (heights[1] - heights[0]))
    assert 0.9 < mass < 1.02


def test_the_column_that_is_odd_is_told(run: Path, tmp_path: Path) -> None:
    data, out = tmp_path / "odd.csv", tmp_path / "scores.csv"
    odd = {"height": [13.0, 13.0, 5.0], "rings": [26, 3, 10], "kind": ["yew", "yew", "yew"]}
    pyarrow.csv.write_csv(pa.table({**odd, "county": ["north"] * 3}), data)
    assert main(f"score {run} {data} --out {out} --by-column --quiet".split()) == 0
    found = pyarrow.csv.read_csv(out).to_pylist()
    assert [row["score_kind"] for row in found] == ["lower_bound"] * 3
    assert found[0]["nats"] > max(found[1]["nats"], found[2]["nats"]) + 3
    assert found[0]["surprise.rings"] < 0 < found[1]["surprise.rings"]
    assert found[0]["surprise.kind"] < 0 < found[2]["surprise.kind"]
    by_hand = ensue.load(run).score([{name: values[1] for name, values in odd.items()}])
    assert by_hand == pytest.approx([found[1]["nats"]], rel=1e-5)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"height": 1.0, "rings": 3}, r"the columns \['kind'\] are missing"),
        ({"height": 1.0, "rings": 3, "kind": "fir"}, "unknown category in 'kind' 'fir'"),
        ({"height": 1.0, "rings": 3, "kind": None}, "missing or infinite in kind.*masked"),
        ({"height": np.nan, "rings": 3, "kind": "oak"}, "missing or infinite in height"),
        ({"height": "tall", "rings": 3, "kind": "oak"}, "a value is no number"),
    ],
)
def test_rows_that_cannot_be_read_are_told(run: Path, row: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        ensue.load(run).score([row])


def test_codec_round_trips_its_file_and_its_rows(run: Path) -> None:
    codec = load_codec(run / "model" / "codec.json")
    assert isinstance(codec, TableCodec)
    assert codec.whole == ("rings",)
    assert codec.categories == {"kind": KINDS}
    assert codec.constants == {"county": "north"}
    row = {"height": 7.25, "rings": 12, "kind": "oak", "county": "north"}
    assert codec.decode(codec.encode(row)) == pytest.approx(row)
    assert json.loads((run / "model" / "config.json").read_text())["grid"][2][2] == 3


@pytest.mark.parametrize(("first", "spread"), [(10**7, 10**5), (1_700_000_000, 2**20), (-3, 9)])
def test_whole_numbers_far_from_0_lie_on_their_grid(first: int, spread: int) -> None:
    values = first + np.random.default_rng(0).integers(0, spread, size=(200, 2))
    items = open_items(values, DataConfig(), cache=Path())
    codec = TableCodec.fit(items, DataConfig(), np.arange(200))
    x = torch.stack([codec.encode(row) for row in items.raw])
    on_grid = Rows(2, codec.facts()["grid"]).collect(x)
    assert [list(codec.decode(row).values()) for row in on_grid] == values.tolist()


def test_what_a_model_gives_that_is_no_number_is_told(run: Path) -> None:
    codec = ensue.load(run).codec
    with pytest.raises(DataError, match="no number that can be written for rings"):
        codec.decode(torch.tensor([0.0, torch.nan, 0.0]))


def test_too_many_categories_are_refused(tmp_path: Path, capsys: Any) -> None:
    names = {"x": list(range(400)), "name": [f"n{i}" for i in range(400)]}
    pyarrow.csv.write_csv(pa.table(names), tmp_path / "t.csv")
    words = f"train realnvp {tmp_path}/t.csv --out {tmp_path}/run --columns x,name --quiet"
    assert main(words.split()) == 2
    assert "'name' has 360 different categories" in capsys.readouterr().err


def test_surprise_equals_its_formula(seed: int, tmp_path: Path) -> None:
    class Normal(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mean = torch.nn.Parameter(torch.zeros(2))

        def log_prob(self, x: torch.Tensor) -> torch.Tensor:
            return -0.5 * (x - self.mean).square().sum(1) - (x[:, 0] * x[:, 1]).cos()

    class Rows:
        def __init__(self, values: np.ndarray) -> None:
            self.values = values

        def __len__(self) -> int:
            return len(self.values)

        def read(self, i: int, start: int, stop: int) -> np.ndarray:
            return self.values[i : i + 1]

    x, examples = np.random.default_rng(seed).normal(size=(2, 7, 2)).astype(np.float32)
    store: Any = Rows(x)
    found = column_surprise(Normal(), store, list(examples.T))
    log_p = lambda a, b: -0.5 * (a**2 + b**2) - np.cos(a * b)  # noqa: E731
    a, b = x.T
    expected = np.stack(
        [
            log_p(examples[:, 0], b[:, None]).mean(1) - log_p(a, b),
            log_p(a[:, None], examples[:, 1]).mean(1) - log_p(a, b),
        ],
        axis=1,
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_codec_without_examples_says_so() -> None:
    with pytest.raises(ConfigError, match="train again"):
        TableCodec(columns=("a",), mean=(0.0,), std=(1.0,)).encoded_examples()
