"""``evaluate`` of families without z: the units of the data, and nothing ignored."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

import ensue
from ensue.cli import main
from tests.conftest import QUICK


def test_densities_are_those_of_score_in_the_units_of_the_table(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(3, 1000, (60, 2))
    table = tmp_path / "far.csv"
    pyarrow.csv.write_csv(pa.table({"a": x[:, 0], "b": x[:, 1]}), table)
    run = tmp_path / "run"
    words = f"train realnvp {table} --out {run} --depth 2 --hidden-sizes 8 {QUICK}"
    assert main(words.split()) == 0
    found = ensue.evaluate(run, table, quiet=True)
    (section,) = found.sections
    rows = {name: values for name, values, _ in section.rows}
    out = tmp_path / "scores.csv"
    assert main(f"score {run} {table} --out {out} --quiet".split()) == 0
    nats = pyarrow.csv.read_csv(out)["nats"].to_numpy()
    assert rows["nats"][0] == pytest.approx(nats.mean(), rel=1e-6)
    assert rows["nats"][1] is None
    for name in ("num", "num_draws", "num_items", "temperature"):
        with pytest.raises(ValueError, match=name):
            ensue.evaluate(run, table, quiet=True, **{name: 3})


def test_texts_stand_beside_every_token_alike(text_run: Path, texts: Path) -> None:
    found = ensue.evaluate(text_run, texts, quiet=True)
    rows = {name: values for name, values, _ in found.sections[0].rows}
    num_tokens = ensue.load(text_run).codec.num_tokens
    assert rows["nats a token"][1] == pytest.approx(-math.log(num_tokens))
