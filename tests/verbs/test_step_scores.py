"""``score --level step``: a machine that fails, told by surprise and by distance."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from ensue.cli import main
from tests.data.stores import write_sound

SMALL = "--channels 16 --context-size 16 --num-anchors 16 --max-steps 60 --batch-size 8 --quiet"
TIMES = "--time time --step-labels broken"


def write(path: Path, seed: int, *, broken: bool) -> None:
    """A log of 400 steps at 10 Hz, of which the second channel sticks for a while."""
    rng, t = np.random.default_rng(seed), np.arange(400)
    first = np.sin(t / 5 + seed) + 0.1 * rng.standard_normal(400)
    second = np.sin(t / 5 + seed + 1) + 0.1 * rng.standard_normal(400)
    is_broken = (t >= 250) & (t < 330) & broken
    second[is_broken] = 2 + 0.1 * rng.standard_normal(is_broken.sum())
    rows = [
        f"{k / 10},{a:.4f},{b:.4f},{int(w)}"
        for k, a, b, w in zip(t, first, second, is_broken, strict=True)
        if k != 100  # a row is lacking
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(["time,first,second,broken", *rows]) + "\n")


LIKELY = "--channels 12 --skip-channels 12 --num-layers 4 --max-steps 60 --batch-size 8 --quiet"


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    for i in range(8):
        write(folder / "usual" / f"{i}.csv", i, broken=False)
    for i in range(3):
        write(folder / "free" / f"{i}.csv", 20 + i, broken=False)
        write(folder / "new" / f"{i}.csv", 10 + i, broken=True)
    assert main(f"train cpc {folder}/usual --out {folder}/run {TIMES} {SMALL}".split()) == 0
    train = f"train causal {folder}/usual --out {folder}/likely {TIMES} {LIKELY}"
    assert main(train.split()) == 0
    return folder


def table(logs: Path, options: str = "", run: str = "run") -> dict[str, np.ndarray]:
    out = logs / "steps.parquet"
    command = f"score {logs}/{run} {logs}/new --level step --out {out} --quiet {options}"
    assert main(command.split()) == 0
    return {name: np.array(cells) for name, cells in pq.read_table(out).to_pydict().items()}


def test_a_fault_stands_out(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = table(logs, f"--threshold-from {logs}/free --rate 0.01")
    told = capsys.readouterr().out
    assert "area under the ROC curve by broken (mean of 3 items with both)" in told
    assert "alarm above mahalanobis_local" in told
    broken = steps["broken"] == "1"
    for name in ("nearest_local", "mahalanobis_local"):
        alarm = steps[f"alarm.{name}"]
        assert alarm[~broken & (steps["step"] < 250)].mean() < 0.05
        assert alarm[broken].mean() > 0.5


def test_rows_and_times_lead_back_to_the_file(logs: Path) -> None:
    steps = table(logs)
    first = steps["item"] == "0.csv"
    assert first.sum() == 400
    np.testing.assert_allclose(steps["time"][first], np.arange(400) / 10)
    np.testing.assert_array_equal(steps["row"][first][98:103], [98, 99, -1, 100, 101])
    assert steps["broken"][first][100] == ""
    assert set(steps) == {
        "item", "step", "time", "row", "broken", "surprise",
        "nearest_local", "nearest_context", "mahalanobis_local", "mahalanobis_context",
        "mahalanobis_values", "mahalanobis_both",
    }  # fmt: skip
    assert np.isnan(steps["surprise"][first][0])
    assert np.isfinite(steps["surprise"][first][60:]).all()


def test_surprise_is_told_by_horizon_and_channel(logs: Path) -> None:
    steps = table(logs, "--by-horizon --by-channel")
    horizons = np.stack([x for name, x in steps.items() if name.startswith("surprise.ahead_")])
    late = steps["step"] > 200
    np.testing.assert_allclose(horizons.mean(0)[late], steps["surprise"][late])
    broken = steps["broken"] == "1"
    begins = broken & (steps["step"] < 270)
    assert steps["surprise.second"][begins].mean() > steps["surprise.first"][begins].mean()


def test_a_reference_may_be_given(logs: Path) -> None:
    own = table(logs)
    other = table(logs, f"--reference {logs}/free")
    assert not np.allclose(own["nearest_local"][60:], other["nearest_local"][60:])


def test_exact_nats_are_told_by_step_and_channel(logs: Path) -> None:
    steps = table(logs, f"--by-channel --threshold-from {logs}/free --rate 0.01", "likely")
    parts = steps["surprise.first"] + steps["surprise.second"]
    np.testing.assert_allclose(parts, steps["surprise"], rtol=1e-6)
    scores = f"score {logs}/likely {logs}/new --out {logs}/whole.parquet --quiet"
    assert main(scores.split()) == 0
    whole = pq.read_table(logs / "whole.parquet")["nats"].to_numpy()
    each = steps["surprise"].reshape(3, -1).sum(1)
    np.testing.assert_allclose(-each, whole, rtol=1e-4)
    broken = steps["broken"] == "1"
    assert steps["deviation"][broken].mean() > 1.5 * np.nanmean(steps["deviation"][~broken])
    assert steps["alarm.deviation"][broken].mean() > 0.3


@pytest.mark.parametrize("run", ["run", "likely"])
def test_records_need_no_usual_steps(logs: Path, run: str) -> None:
    steps = table(logs, "--records", run)
    np.testing.assert_array_equal(steps["alarm.record"], steps["record"] > 1.13)
    late = steps["step"] >= 150  # a row is lacking at 100
    alarms = steps["step"][steps["alarm.record"] & late]
    assert len(alarms)
    assert ((alarms >= 250) & (alarms < 330)).mean() > 0.5
    first = steps["record"][steps["item"] == "0.csv"]
    assert (first[:10] == 0).all()


def test_means_of_steps_shift_by_more_of_their_own_deviation(logs: Path) -> None:
    """The fault lasts; of one reference, the distance of means is larger where it is."""
    single, means = (table(logs, f"--average {num}")["mahalanobis_values"] for num in (1, 8))
    steps = table(logs)
    inside = (steps["broken"] == "1") & (steps["step"] >= 260)
    usual = (steps["broken"] == "0") & (steps["step"] >= 20) & (steps["step"] < 250)
    ratio = [np.nanmean(x[inside]) / np.nanmean(x[usual]) for x in (single, means)]
    assert ratio[1] > ratio[0]


@pytest.mark.parametrize(
    "option", ["--reference FREE", "--by-horizon", "--average 3", "--average 0"]
)
def test_what_a_likelihood_has_no_use_for_is_refused(
    logs: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = option.replace("FREE", str(logs / "free"))
    out = logs / "refused.parquet"
    command = f"score {logs}/likely {logs}/new --level step --out {out} --quiet {words}"
    assert main(command.split()) == 2
    assert "of a CPC, and this run is causal; leave it out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--records", "records: of scores by step; add --level step"),
        ("--rate 0.1", "rate: of scores by step; add --level step"),
        ("--level step --average 0", "average is 0"),
        ("--level step --rate 0.1", "there is nothing to take a threshold from"),
        ("--level step --threshold-from FREE --rate 2", "rate is 2; it must lie between 0 and 1"),
        ("--level step --by-column", "by_column: of scores by item"),
        ("--level step --reference nowhere", "nowhere"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    logs: Path, options: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = options.replace("FREE", str(logs / "free"))
    out = logs / "refused.parquet"
    assert main(f"score {logs}/run {logs}/new --out {out} --quiet {options}".split()) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_a_run_of_sound_has_no_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sounds, run = tmp_path / "sounds", tmp_path / "run"
    for i in range(4):
        write_sound(sounds / f"{i}.wav", seconds=1.3, rate=16_000)
    tiny = "--max-steps 2 --channels 4 --context-size 4 --batch-size 2 --quiet"
    assert main(f"train cpc {sounds} --out {run} {tiny}".split()) == 0
    out = tmp_path / "s.csv"
    assert main(f"score {run} {sounds} --level step --out {out} --quiet".split()) == 2
    assert (
        "steps are measured by a CPC or a causal model of series, and this run is cpc of audio"
        in capsys.readouterr().err
    )


def test_the_page_shows_series_with_their_surprise(logs: Path) -> None:
    found = json.loads((logs / "run" / "exhibits" / "logs.json").read_text())
    assert set(found["helps"]) == {"first", "second"}
    shown = found["logs"]
    assert len(shown) == 3
    means = [np.nanmean(np.array(log["surprise"], dtype=float)) for log in shown]
    assert means == sorted(means)
    assert shown[0]["values"]["first"][100] is None  # the row that is lacking
    page = (logs / "run" / "report.html").read_text()
    assert "The use of each channel" in page
    assert "surprise, nats" in page
