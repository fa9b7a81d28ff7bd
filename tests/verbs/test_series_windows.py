"""Flows of windows of series: trained, scored window by window, drawn, shown on a page."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

import ensue
from ensue.cli import main
from ensue.errors import ConfigError

RHO, NUM_STEPS = 0.9, 6


def walk(rng: np.random.Generator, num: int) -> np.ndarray:
    """An autoregression of first order with variance 1, times 20, plus 300."""
    x = np.empty(num)
    x[0] = rng.standard_normal()
    for t in range(1, num):
        x[t] = RHO * x[t - 1] + math.sqrt(1 - RHO**2) * rng.standard_normal()
    return 300 + 20 * x


@pytest.fixture(scope="module")
def meters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten logs of 400 steps."""
    folder, rng = tmp_path_factory.mktemp("meters"), np.random.default_rng(0)
    for i in range(10):
        rows = [f"{t},{value:.5f}" for t, value in enumerate(walk(rng, 400))]
        (folder / f"{i}.csv").write_text("\n".join(["time,load", *rows]) + "\n")
    return folder


@pytest.fixture(scope="module", params=["maf", "realnvp"])
def run(meters: Path, request: pytest.FixtureRequest) -> Path:
    out = meters.parent / "runs" / request.param
    words = f"train {request.param} {meters} --out {out} --window {NUM_STEPS} --window-stride 2"
    assert main(f"{words} --max-steps 40 --batch-size 64 --seed 1 --quiet".split()) == 0
    return out


def test_log_densities_of_windows_are_those_of_the_process(run: Path) -> None:
    """In the units of the log: the mean of exact log-densities of an autoregression."""
    rng = np.random.default_rng(1)
    windows = [walk(rng, 50)[-NUM_STEPS:, None] for _ in range(400)]
    own = math.log(2 * math.pi * math.e) / 2
    entropy = NUM_STEPS * (own + math.log(20)) + (NUM_STEPS - 1) * math.log(1 - RHO**2) / 2
    scores = ensue.load(run).score(windows)
    assert scores.mean() == pytest.approx(-entropy, abs=0.3)


def test_each_window_has_a_score_and_a_vector(run: Path, meters: Path) -> None:
    out = run.parent / "scores.csv"
    assert main(f"score {run} {meters} --out {out} --quiet".split()) == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert len(rows) == 10 * 198
    assert rows[1]["item"] == "0.csv[2:8]"
    assert (rows[1]["series"], rows[1]["start"]) == ("0.csv", "2")
    x = np.loadtxt(meters / "0.csv", delimiter=",", skiprows=1)[:, 1]
    loaded = ensue.load(run)
    assert float(rows[1]["nats"]) == pytest.approx(loaded.score([x[2:8]])[0], abs=1e-4)
    assert loaded.embed([x[2:8]]).shape == (1, NUM_STEPS)


def test_drawn_windows_go_together_as_those_of_the_process(run: Path) -> None:
    drawn = np.stack(ensue.load(run).sample(2000))[:, :, 0]
    assert drawn.shape == (2000, NUM_STEPS)
    neighbors = [np.corrcoef(drawn[:, t], drawn[:, t + 1])[0, 1] for t in range(NUM_STEPS - 1)]
    assert np.allclose(neighbors, RHO, atol=0.05)
    assert drawn.mean() == pytest.approx(300, abs=3)
    assert drawn.std() == pytest.approx(20, abs=2)


def test_the_model_alone_cuts_windows_as_in_training(run: Path, meters: Path) -> None:
    out = run.parent / "alone.csv"
    words = f"score {run}/model {meters} --out {out} --cache {run.parent}/cache --quiet"
    assert main(words.split()) == 0
    assert len(out.read_text().splitlines()) == 1 + 10 * 198


def test_the_page_shows_what_was_drawn(run: Path) -> None:
    assert "as many that the model drew" in (run / "report.html").read_text()


def test_it_goes_on_with_the_same_windows(run: Path, meters: Path) -> None:
    words = f"train {run.name} {meters} --out {run} --resume --max-steps 42 --quiet"
    assert main(words.split()) == 0


def test_counts_have_probabilities_that_sum_to_one_at_most(tmp_path: Path) -> None:
    """A lower bound of each of the windows of two counts, summed over nearly all of them."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(3, (400, 2, 1))
    out = tmp_path / "run"
    ensue.train("maf", counts, out=out, window=2, max_steps=60, quiet=True)
    every = np.stack(np.meshgrid(np.arange(14), np.arange(14)), -1).reshape(-1, 2, 1)
    nats = ensue.load(out).score(list(every))
    assert 0.8 < np.exp(nats).sum() <= 1.01
    drawn = ensue.load(out).sample(5)
    assert all((x == np.rint(x)).all() for x in drawn)


@pytest.mark.parametrize("family", ["cpc", "causal"])
def test_families_that_read_step_by_step_refuse_windows(family: str, tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((20, 30, 2))
    with pytest.raises(ConfigError, match="window is 10, and is for families that model windows"):
        ensue.train(family, x, out=tmp_path / "run", window=10, max_steps=2, quiet=True)


def test_a_flow_of_series_asks_for_the_length_of_windows(tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((20, 30, 2))
    with pytest.raises(ConfigError, match="give it in steps with --window"):
        ensue.train("maf", x, out=tmp_path / "run", max_steps=2, quiet=True)
    with pytest.raises(ConfigError, match=r"series, not table; .*\(series, steps, channels\)"):
        ensue.train("maf", x[0], out=tmp_path / "run", window=5, max_steps=2, quiet=True)
    assert not (tmp_path / "run").exists()
