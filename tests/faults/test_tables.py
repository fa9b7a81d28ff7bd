"""Tables: a value that can't be is refused, settings of single columns hold, flows begin well."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import multivariate_normal
from sklearn.covariance import ShrunkCovariance
from sklearn.model_selection import KFold

import ensue
from ensue.configuration import fill, validate
from ensue.data.batches import Batch
from ensue.data.codecs import load_codec, save_codec
from ensue.data.config import DataConfig
from ensue.data.kinds.table.codec import TableCodec
from ensue.data.sources import open_items
from ensue.errors import ConfigError, DataError
from ensue.models.flows.maf import MAF, MAFConfig
from ensue.models.flows.realnvp import RealNVP, RealNVPConfig
from ensue.models.loading import load_model
from ensue.nn.made import MADE

FLOWS = [(RealNVP, RealNVPConfig), (MAF, MAFConfig)]


def codec_of(values: Any, **settings: Any) -> TableCodec:
    values = np.asarray(values, dtype=float)
    items = open_items(values, DataConfig(), cache=Path())
    return TableCodec.fit(items, DataConfig(**settings), np.arange(len(values)))


def begun(values: Any, family: int = 0, **settings: Any) -> tuple[Any, TableCodec, torch.Tensor]:
    """A flow as it is before its first step, its codec, and the encoded rows."""
    codec = codec_of(values, **settings)
    model_class, config_class = FLOWS[family]
    config = fill(config_class(), codec.facts()).suited(len(values))
    model = model_class(config).eval()
    columns = [f"x{j}" for j in range(np.shape(values)[1])]
    rows = [dict(zip(columns, map(float, row), strict=True)) for row in values]
    x = torch.stack([codec.encode(row) for row in rows])
    model.standardize(Batch(x=x))
    return model, codec, x


# Values that a column can't have

WHOLE = codec_of(np.random.default_rng(0).integers(0, 9, (60, 2)))


@given(st.floats(-1e6, 1e6).filter(lambda v: v != round(v)))
def test_fraction_in_a_column_of_whole_numbers_is_refused_by_name(value: float) -> None:
    with pytest.raises(DataError, match=r"'x1' has the value .*whole numbers.*--continuous x1"):
        WHOLE.encode({"x0": 1, "x1": value})


@given(st.integers(-(2**21), 2**21))
def test_whole_number_beyond_those_seen_is_possible(value: int) -> None:
    row = {"x0": 1, "x1": value}
    assert WHOLE.decode(WHOLE.encode(row)) == row


@pytest.mark.parametrize("value", [1e300, -1e300, 1e9])
def test_number_too_far_to_tell_is_refused(value: float) -> None:
    with pytest.raises(DataError, match=r"'x1' has the value .*too far"):
        WHOLE.encode({"x0": 1, "x1": value})
    with pytest.raises(DataError, match="too large in x0"):
        codec_of([[0.5], [1.5]]).encode({"x0": 1e300})


def test_fraction_is_refused_by_score(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 9, (40, 2)).astype(float)
    settings = {"max_steps": 2, "depth": 2, "num_threads": 1, "quiet": True}
    ensue.train("realnvp", x, out=tmp_path / "run", cache=tmp_path, **settings)
    run = ensue.load(tmp_path / "run")
    assert np.isfinite(run.score([{"x0": 5, "x1": 5}])).all()
    with pytest.raises(DataError, match=r"'x1' has the value 5\.5"):
        run.score([{"x0": 5, "x1": 5.5}])


def test_whole_numbers_are_continuous_where_the_user_says_so() -> None:
    x = np.random.default_rng(0).integers(0, 9, (40, 2))
    assert codec_of(x, continuous=("x1",)).whole == ("x0",)
    assert codec_of(x, continuous=("all",)).whole == ()
    assert codec_of(x, continuous=("all",)).encode({"x0": 1, "x1": 5.5}).isfinite().all()


# Bounds and logarithms

BOUNDS = st.tuples(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.floats(-60, 60))


@given(BOUNDS, st.sampled_from(["both", "low", "high"]))
def test_whatever_a_model_gives_is_inside_the_bounds_and_can_be_read_again(
    numbers: tuple[float, float, float], which: str
) -> None:
    low, width, code = numbers
    high = low + width
    text = {"both": f"x0={low}:{high}", "low": f"x0={low}:", "high": f"x0=:{high}"}[which]
    x = low + width * np.linspace(0.1, 0.9, 9)[:, None]
    codec = codec_of(x, bounds=(text,), continuous=("all",))
    row = codec.decode(torch.tensor([code]))
    assert which == "high" or row["x0"] > low
    assert which == "low" or row["x0"] < high
    assert codec.encode(row).isfinite().all()


def mixed_rows(num: int = 300) -> np.ndarray:
    rng = np.random.default_rng(0)
    ages, hours = rng.integers(18, 90, num), np.minimum(rng.poisson(3, num) + 1, 99)
    return np.stack([ages, hours, rng.lognormal(0, 2, num), rng.uniform(2, 3, num)], axis=1)


OF_MIXED = {"bounds": ("x0=18:89", "x1=1:", "x3=2:3"), "log": ("x2",)}


@pytest.mark.parametrize("family", [0, 1])
def test_no_draw_of_ten_thousand_leaves_the_bounds(family: int) -> None:
    model, codec, _ = begun(mixed_rows(), family, **OF_MIXED)
    with torch.no_grad():
        drawn = model.sample(10_000, temperature=3.0).values
    rows = [codec.decode(x) for x in drawn]
    columns = {name: np.array([row[name] for row in rows], dtype=float) for name in rows[0]}
    assert (columns["x0"].min(), columns["x0"].max()) == (18, 89)
    assert columns["x1"].min() == 1
    assert columns["x2"].min() > 0
    assert 2 < columns["x3"].min() < columns["x3"].max() < 3


@pytest.mark.parametrize(
    ("settings", "first", "last"),
    [
        ({"bounds": ("x0=2:3",)}, 2.0, 3.0),
        ({"log": ("x0",)}, 0.0, 9.0),
        ({"bounds": ("x0=:3.5",)}, -3.0, 3.5),
        ({"rank": ("x0",)}, -3.0, 8.0),
    ],
)
def test_density_in_original_units_integrates_to_one(
    settings: dict[str, Any], first: float, last: float
) -> None:
    x = np.random.default_rng(0).uniform(2.1, 2.9, (200, 1))
    model, codec, _ = begun(x, 1, **settings)
    # Close to the ends, where the mass beyond the data is next to a bound.
    ends = first + (last - first) * expit(np.linspace(-25, 25, 40_001))
    at = np.union1d(ends, np.linspace(first, last, 40_001))
    at = at[(at > first) & (at < last)]
    with torch.no_grad():
        nats = model.log_prob(torch.stack([codec.encode({"x0": v}) for v in at])).double().numpy()
    density = np.exp(nats + [codec.log_det({"x0": v}) for v in at])
    # The trapezoids err by the corners of ranks, and by float32.
    assert np.trapezoid(density, at) == pytest.approx(1, abs=5e-3)


def test_probabilities_of_bounded_whole_numbers_sum_to_one() -> None:
    x = np.random.default_rng(0).binomial(10, 0.8, (400, 1))
    model, codec, _ = begun(x, 1, bounds=("x0=0:10",))
    rows = torch.stack([codec.encode({"x0": v}) for v in range(11)])
    with torch.no_grad():
        nats = model.density._bound(rows, None, 0, 4000) + codec.log_det({"x0": 0})
    # Before training a mean of 4,000 draws is within a percent of the integral over each step.
    assert float(nats.double().exp().sum()) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"bounds": ("x3=2.5:3",)}, r"'x3' has the value .*2.5:3 are excluded"),
        ({"bounds": ("x0=20:89",)}, r"'x0' has the value 18, outside its bounds"),
        ({"bounds": ("x0=89:18",)}, r"'x0=89:18'; write COLUMN=LOW:HIGH"),
        ({"bounds": ("x0",)}, r"write COLUMN=LOW:HIGH"),
        ({"bounds": ("x9=1:2",)}, r"unknown column for bounds 'x9'"),
        ({"log": ("x2",), "rank": ("x2",)}, r"'x2' is named twice"),
        ({"rank": ("x0",)}, r"'x0' holds whole numbers; add --continuous x0"),
    ],
)
def test_settings_that_do_not_fit_a_column_are_refused_by_name(
    settings: dict[str, Any], says: str
) -> None:
    with pytest.raises((ConfigError, DataError), match=says):
        codec_of(mixed_rows(), **settings)


def test_value_on_a_continuous_bound_is_refused_and_on_a_whole_one_taken() -> None:
    codec = codec_of(mixed_rows(), **OF_MIXED)
    row = {"x0": 18, "x1": 1, "x2": 1.0, "x3": 2.5}
    assert codec.decode(codec.encode(row))["x0"] == 18
    with pytest.raises(DataError, match="'x3' has the value 3"):
        codec.encode({**row, "x3": 3.0})
    with pytest.raises(DataError, match="'x0' has the value 17, outside its bounds 18:89"):
        codec.encode({**row, "x0": 17})


def test_codec_with_maps_round_trips_its_file(tmp_path: Path) -> None:
    codec = codec_of(mixed_rows(), bounds=("x0=18:89",), log=("x2",), rank=("x3",))
    save_codec(codec, tmp_path / "codec.json")
    assert load_codec(tmp_path / "codec.json") == codec
    old = {"kind": "table", "format": 1, "columns": ["a"], "mean": [1.0], "std": [2.0]}
    (tmp_path / "old.json").write_text(json.dumps(old))
    assert load_codec(tmp_path / "old.json").encode({"a": 5.0}).tolist() == [2.0]


# Columns that ruin a density


def spoiled(num: int = 6497) -> np.ndarray:
    rng = np.random.default_rng(0)
    x = rng.normal(10, 1, (num, 3))
    x[rng.choice(num, 193, replace=False), 1] = rng.uniform(1e12, 1e15, 193)
    return x


def test_extreme_values_are_found_and_ranks_keep_the_others_apart(tmp_path: Path) -> None:
    x = spoiled()
    np.savetxt(tmp_path / "t.csv", x, delimiter=",", header="a,b,c", comments="")
    findings = ensue.check(tmp_path / "t.csv", cache=tmp_path, quiet=True).survey.findings
    assert [f for f in findings if "193 values" in f and "--rank b" in f]
    assert not [f for f in findings if "'a'" in f or "'c'" in f]
    with pytest.warns(UserWarning, match="'x1' has 193 values of 6,497 far from the others"):
        plain = codec_of(x)
    ranked = codec_of(x, rank=("x1",))
    usual = [{"x0": 10.0, "x1": v, "x2": 10.0} for v in (9.0, 11.0)]
    low, high = (float(plain.encode(row)[1]) for row in usual)
    assert high - low < 1e-6
    low, high = (float(ranked.encode(row)[1]) for row in usual)
    # Two deviations apart, as without the extreme values.
    assert high - low == pytest.approx(2, abs=0.2)


def test_columns_that_hardly_vary_copy_others_or_have_heavy_tails_are_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(10, 1, 2000)
    b = np.where(np.arange(2000) < 1995, 3.0, rng.normal(size=2000))
    table = {
        "plain": a,
        "scaled": 32 - 1.8 * a,
        "nearly": b,
        "tiny": 1e9 + rng.normal(0, 1, 2000),
        "heavy": rng.standard_t(2, 2000),
        "income": rng.lognormal(0, 1, 2000),
        "count": rng.poisson(1, 2000),
    }
    x = np.stack(list(table.values()), axis=1)
    np.savetxt(tmp_path / "t.csv", x, delimiter=",", header=",".join(table), comments="")
    findings = ensue.check(tmp_path / "t.csv", cache=tmp_path, quiet=True).survey.findings
    for words in (
        "'scaled' is a copy of 'plain'",
        "'nearly' is 3 in 99.8% of the rows",
        "'tiny' varies by",
        "--rank heavy",
        "--log income",
        "--bounds count=0:",
    ):
        assert [f for f in findings if words in f], words
    assert not [f for f in findings if "'plain' " in f]


# Where flows begin


def shrunk_gaussian(x: np.ndarray) -> Any:
    """The shrinkage whose Gaussian did best on rows left out in turn, fitted to all rows."""

    def fitted(part: np.ndarray, shrinkage: float) -> Any:
        found = ShrunkCovariance(shrinkage=shrinkage).fit(part)
        return multivariate_normal(found.location_, found.covariance_)

    def held_out(shrinkage: float) -> float:
        folds = KFold(5).split(x)
        return float(np.mean([fitted(x[a], shrinkage).logpdf(x[b]).mean() for a, b in folds]))

    every = (1e-6, 1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3)
    return fitted(x, max(every, key=held_out))


@pytest.mark.parametrize("family", [0, 1])
@pytest.mark.parametrize("num", [40, 400])
def test_step_zero_is_the_fitted_gaussian(family: int, num: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.normal(size=(num, 5)) @ rng.normal(size=(5, 5)))
    model_class, config_class = FLOWS[family]
    model = model_class(config_class(num_features=5).suited(num)).double().eval()
    model.standardize(Batch(x=x))
    expected = shrunk_gaussian(x.numpy()).logpdf(x.numpy())
    with torch.no_grad():
        np.testing.assert_allclose(model.log_prob(x).numpy(), expected, atol=1e-5)


def test_sizes_follow_the_rows_are_told_and_can_be_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = np.random.default_rng(0).normal(size=(60, 3))
    settings = {"max_steps": 2, "num_threads": 1, "depth": 2, "start": "identity"}
    ensue.train("realnvp", x, out=tmp_path / "run", cache=tmp_path, **settings)
    told = capsys.readouterr().err
    assert "suited to 54 rows: " in told
    assert "dropout 0.1" in told
    assert "depth" not in told
    config = load_model(tmp_path / "run" / "model").config
    assert (config.depth, config.start, config.dropout) == (2, "identity", 0.1)


def test_model_saved_before_there_were_sizes_is_read_as_it_was() -> None:
    old = {"format": 1, "family": "realnvp", "depth": 8, "hidden_sizes": [64, 64]}
    old |= {"transform": "affine", "num_features": 2, "grid": []}
    model = RealNVP(validate(RealNVPConfig, old, section="config.json"))
    assert len(model.flow.layers) == 1
    zeros = model.log_prob(torch.zeros(1, 2))
    assert zeros.item() == pytest.approx(-math.log(2 * math.pi))
    images = {"format": 1, "family": "realnvp", "depth": 2, "hidden_sizes": [64, 64]}
    images |= {"transform": "affine", "num_tokens": 5, "bos": 4, "shape": [1, 4, 4]}
    assert RealNVP(validate(RealNVPConfig, images, section="config.json")).config.depth == 2


def test_weights_of_a_run_carry_over_with_the_sizes_chosen_for_it(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(60, 3))
    settings = {"max_steps": 2, "num_threads": 1, "quiet": True, "cache": tmp_path}
    ensue.train("realnvp", x, out=tmp_path / "a", depth=2, **settings)
    ensue.train("realnvp", x + 1, out=tmp_path / "b", init_from=tmp_path / "a", **settings)
    a, b = (load_model(tmp_path / name / "model").config for name in "ab")
    assert a == b


@pytest.mark.slow
def test_small_table_with_no_settings_beats_one_gaussian(tmp_path: Path) -> None:
    from sklearn.datasets import load_wine

    x = np.random.default_rng(0).permutation(load_wine().data)
    ensue.train("realnvp", x[:142], out=tmp_path / "run", cache=tmp_path, quiet=True, patience=99)
    nats = ensue.load(tmp_path / "run").score(
        [{f"x{j}": v for j, v in enumerate(row)} for row in x[142:].tolist()]
    )
    gaussian = multivariate_normal(x[:142].mean(0), np.cov(x[:142].T))
    assert nats.mean() > gaussian.logpdf(x[142:]).mean()


# Networks that can't connect all values


def test_made_with_fewer_units_than_values_says_so() -> None:
    sizes = {"num_levels": 3, "embedding_size": 2, "num_layers": 1, "num_orders": 1}
    with pytest.warns(UserWarning, match="9 values and hidden_size is 4.*use 8 units or more"):
        MADE(9, hidden_size=4, **sizes)
    with pytest.warns(
        UserWarning, match="9 values and the narrowest of hidden_sizes is 4.*8 units or more"
    ):
        MAF(MAFConfig(num_features=9, hidden_sizes=(16, 4)))
