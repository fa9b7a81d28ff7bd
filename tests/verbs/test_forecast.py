"""``forecast``, ``sample``, ``complete``, ``score`` and ``compress`` of series value by value."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import ensue
from ensue.cli import main

SMALL = (
    "--max-steps 150 --channels 16 --skip-channels 16 --num-layers 5 --batch-size 16 "
    "--learning-rate 0.01 --quiet --num-threads 1"
)


def write(path: Path, seed: int, steps: int = 120) -> None:
    """A wave with a period of 12 steps, and counts that follow it."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = ["time,wave,count"]
    for k in range(steps):
        wave = np.sin(2 * np.pi * (k + seed) / 12)
        wave_cell = "" if k % 17 == 9 else f"{wave + 0.05 * rng.normal():.8f}"
        rows.append(f"{k},{wave_cell},{rng.poisson(300 + 200 * wave)}")
    path.write_text("\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forecast")
    for i in range(12):
        write(folder / "logs" / f"{i:02d}.csv", i)
    write(folder / "new" / "a.csv", 30)
    write(folder / "new" / "b.csv", 31, steps=90)
    assert main(f"train causal {folder}/logs --out {folder}/run {SMALL}".split()) == 0
    return folder


def told(logs: Path, name: str, words: str, capsys: pytest.CaptureFixture[str]) -> str:
    out = logs / name
    assert main(f"forecast {logs}/run {logs}/new --out {out} --quiet {words}".split()) == 0
    return capsys.readouterr().out


def test_forecasts_are_measured_beside_naive_ones(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = told(logs, "f.parquet", "--steps 12 --given 60 --season 12 --num 40", capsys)
    table = pq.read_table(logs / "f.parquet").to_pydict()
    assert [*table] == ["item", "step", "channel", "mean", "q0.1", "q0.5", "q0.9", "value"]
    assert len(table["item"]) == 2 * 12 * 2
    assert table["step"][:3] == [60, 60, 61]
    rows = {
        (i, s, c): n
        for n, (i, s, c) in enumerate(
            zip(table["item"], table["step"], table["channel"], strict=True)
        )
    }
    lines = (logs / "new" / "a.csv").read_text().splitlines()[1:]
    for step in (60, 65, 71):
        count = float(lines[step].split(",")[2])
        assert table["value"][rows["a.csv", step, "count"]] == count
    assert all(
        a <= b <= c for a, b, c in zip(*(table[f"q{q}"] for q in (0.1, 0.5, 0.9)), strict=True)
    )
    for word in ("this run", "last value", "last season", "CRPS", "MASE", "wave, in its own units"):
        assert word in out
    # A wave is foreseen: the error is far below that of the last value.
    known = np.array([v is not None and np.isfinite(v) for v in table["value"]])
    of_wave = np.array(table["channel"]) == "wave"
    error = np.array(table["mean"], float) - np.array(table["value"], float)
    assert np.abs(error[known & of_wave]).mean() < 0.35


def test_the_future_is_forecast_where_all_is_given(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = told(logs, "g.csv", "--steps 3 --num 20 --quantiles 0.25 0.75", capsys)
    table = pyarrow.csv.read_csv(logs / "g.csv").to_pydict()
    assert [*table] == ["item", "step", "channel", "mean", "q0.25", "q0.75"]
    assert sorted(set(table["step"])) == [90, 91, 92, 120, 121, 122]
    assert "3 steps ahead of 2 series of 2 channels" in out
    assert "MASE" not in out


def test_forecasts_in_python_are_draws(logs: Path) -> None:
    run = ensue.load(logs / "run")
    x = np.genfromtxt(logs / "new" / "a.csv", delimiter=",", skip_header=1)[:, 1:]
    first, again = (run.forecast([x, x[:50]], 5, num=7, seed=3) for _ in range(2))
    assert [draws.shape for draws in first] == [(7, 5, 2)] * 2
    np.testing.assert_array_equal(first[1], again[1])
    counts = first[0][:, :, 1]
    np.testing.assert_array_equal(counts, counts.round())


def test_calibrated_draws_are_those_stretched_by_the_errors_of_earlier_ones(logs: Path) -> None:
    run = ensue.load(logs / "run")
    x = np.genfromtxt(logs / "new" / "a.csv", delimiter=",", skip_header=1)[:, 1:]
    plain = run.forecast([x], 4, num=50, seed=1)[0]
    wider = run.forecast([x], 4, num=50, seed=1, calibrate=3)[0]
    np.testing.assert_allclose(np.median(wider, 0), np.median(plain, 0))
    factors = (wider - np.median(wider, 0)).std(0) / (plain - np.median(plain, 0)).std(0)
    np.testing.assert_allclose(factors, np.broadcast_to(factors[0], factors.shape))
    # Too short for a third one: two are made.
    assert run.forecast([x[:11]], 4, num=9, calibrate=3)[0].shape == (9, 4, 2)
    words = "--steps 4 --given 60 --calibrate 2 --num 20 --quiet"
    assert main(f"forecast {logs}/run {logs}/new --out {logs}/c.csv {words}".split()) == 0


def test_what_lies_before_the_last_window_changes_no_forecast(logs: Path) -> None:
    run = ensue.load(logs / "run")
    x = np.genfromtxt(logs / "new" / "a.csv", delimiter=",", skip_header=1)[:, 1:]
    long = np.concatenate([x * 1.5, x, x])
    whole = run.forecast([long], 4, num=5)[0]
    window = run.config["data"]["window_steps"]
    seen = min(window, run.codec.series.longest)
    np.testing.assert_array_equal(whole, run.forecast([long[-seen:]], 4, num=5)[0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--steps 0", "steps is 0"),
        ("--steps 2 --given 0", "given is 0"),
        ("--steps 2 --season 0", "season is 0"),
        ("--steps 2 --given 100", "given is 100 steps, and the series 'b.csv' has 90"),
        ("--steps 2 --quantiles 0 0.5", "give some between 0 and 1"),
        ("--steps 2 --given 50 --season 60", "season is 60 steps, and a history has 50"),
        ("--steps 2 --temperature -1", "temperature"),
        ("--steps 2 --num 0", "num is 0"),
        ("--steps 2 --calibrate -1", "calibrate is -1"),
        ("--steps 2 --calibrate 5 --num 1", "num is 1, and calibrate needs quantiles"),
        ("--steps 9 --given 9 --calibrate 5", "calibrate needs a forecast of 9 steps before"),
    ],
)
def test_what_cannot_be_forecast_is_told(
    words: str, message: str, logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "none.csv"
    assert main(f"forecast {logs}/run {logs}/new --out {out} --quiet {words}".split()) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_families_that_cannot_forecast_name_those_that_can(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = "--max-steps 2 --channels 8 --context-size 6 --quiet"
    assert main(f"train cpc {logs}/logs --out {logs}/cpc {few}".split()) == 0
    assert main(f"forecast {logs}/cpc {logs}/new --steps 2 --out {logs}/x.csv".split()) == 2
    assert "causal" in capsys.readouterr().err
    text = logs / "text.txt"
    text.write_text("What follows. " * 99)
    small = "--max-steps 2 --channels 8 --num-layers 2 --quiet"
    assert main(f"train causal {text} --out {logs}/texts {small}".split()) == 0
    assert main(f"forecast {logs}/texts {text} --steps 2 --out {logs}/x.csv".split()) == 2
    assert "forecast is for series, and this run is of text" in capsys.readouterr().err


def test_drawn_and_completed_series_are_tables_by_step(logs: Path) -> None:
    for words in ("sample {0}/run --num 2", "complete {0}/run {0}/new --known 0.9 --num 2"):
        assert main(f"{words} --out {{0}}/drawn.csv".format(logs).split()) == 0
        table = pyarrow.csv.read_csv(logs / "drawn.csv").to_pydict()
        assert {"draw", "step", "wave", "count"} <= {*table}
    assert {*table["item"]} == {"a.csv", "b.csv"}
    assert {*table["draw"]} == {0, 1}


def test_scores_are_exact_and_told_by_value(logs: Path) -> None:
    assert main(f"score {logs}/run {logs}/new --out {logs}/s.csv --quiet".split()) == 0
    table = pyarrow.csv.read_csv(logs / "s.csv").to_pydict()
    assert {*table["score_kind"]} == {"exact"}
    assert all(np.isfinite(table["bits_per_value"]))


def test_whole_numbers_are_compressed_and_come_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("constriction", reason="needs the extra `coding`")
    rng = np.random.default_rng(0)
    values = (3000 + 400 * np.sin(np.arange(600) / 9) + 20 * rng.normal(size=600)).round()
    for part, rows in (("learned", values[:400]), ("packed", values[400:])):
        (tmp_path / part).mkdir()
        lines = [f"{int(v)}" for v in rows]
        (tmp_path / part / "log.csv").write_text("\n".join(["count", *lines]) + "\n")
    rows = "--stamps ignore"
    assert main(f"train causal {tmp_path}/learned --out {tmp_path}/run {rows} {SMALL}".split()) == 0
    words = f"compress {tmp_path}/run {tmp_path}/packed --out {tmp_path}/log.ensue --quiet"
    assert main(words.split()) == 0
    packed = (tmp_path / "log.ensue").stat().st_size
    words = f"decompress {tmp_path}/run {tmp_path}/log.ensue --out {tmp_path}/again --quiet"
    assert main(words.split()) == 0
    restored = (tmp_path / "again" / "log.csv").read_bytes()
    assert restored == (tmp_path / "packed" / "log.csv").read_bytes()
    assert packed < len(restored) / 2
    (tmp_path / "packed" / "log.csv").write_text("count\n3000\n99999\n")
    with contextlib.redirect_stderr(io.StringIO()) as err:
        assert (
            main(f"compress {tmp_path}/run {tmp_path}/packed --out {tmp_path}/x.ensue".split()) == 2
        )
    assert "'count' is 99999 at step 1; levels are from" in err.getvalue()
    assert not (tmp_path / "x.ensue").exists()
