"""All verbs on series: trained on files with gaps, embedded, scored, probed, shown on a page."""

from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import ensue
from ensue.cli import main

SMALL = "--channels 8 --context-size 6 --num-negatives 4 --max-steps 4 --batch-size 4 --quiet"


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve logs of two channels at 2 Hz, six of a slow machine, with some values missing."""
    folder = tmp_path_factory.mktemp("machines")
    rng = np.random.default_rng(0)
    for label, period in (("slow", 20), ("fast", 6)):
        (folder / label).mkdir()
        for i in range(6):
            t = np.arange(90 + 5 * i)
            x = np.sin(2 * np.pi * t / period + i) + 0.1 * rng.standard_normal(len(t))
            y = rng.standard_normal(len(t))
            rows = [f"{k / 2},{x[k]:.4f},{'' if k % 9 == 4 else round(y[k], 3)}" for k in t]
            text = "\n".join(["time,current,noise", *rows[:30], *rows[33:]])
            (folder / label / f"{i}.csv").write_text(text + "\n")
    return folder


@pytest.fixture(scope="module")
def run(machines: Path) -> Path:
    out = machines.parent / "runs" / "machines"
    assert main(f"train cpc {machines} --out {out} {SMALL} --validation 0.3".split()) == 0
    return out


def test_a_run_knows_channels_rate_and_length(run: Path) -> None:
    loaded = ensue.load(run)
    assert loaded.codec.facts() == {"step_rate": 2.0, "num_channels": 2, "num_steps": 102}
    page = (run / "report.html").read_text()
    assert "current" in page


def test_vectors_of_frames_have_their_time(run: Path, machines: Path) -> None:
    out = machines.parent / "frames.parquet"
    assert main(f"embed {run} {machines} --level frame --out {out} --quiet".split()) == 0
    table = pq.read_table(out).to_pydict()
    first = [
        t for t, item in zip(table["time"], table["item"], strict=True) if item == "fast/0.csv"
    ]
    hop = ensue.load(run).model.hop
    np.testing.assert_allclose(np.diff(first), hop / 2)
    assert len(first) == 90 // hop


def test_items_are_embedded_scored_and_probed(
    run: Path, machines: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = machines.parent
    assert main(f"embed {run} {machines} --out {out}/v.parquet --quiet".split()) == 0
    assert len(pq.read_table(out / "v.parquet")) == 12
    assert main(f"score {run} {machines} --out {out}/s.csv --quiet".split()) == 0
    scores = pyarrow.csv.read_csv(out / "s.csv")
    assert np.isfinite(scores["nats"].to_numpy()).all()
    assert main(f"probe {run} {machines} --label label --quiet".split()) == 0
    told = capsys.readouterr().out
    for row in ("chance", "four statistics", "raw values", "untrained, series", "cpc (this run)"):
        assert row in told


def test_python_takes_arrays_as_the_run_has_channels(run: Path) -> None:
    loaded = ensue.load(run)
    x = np.random.default_rng(0).standard_normal((40, 2))
    x[5:9] = np.nan
    assert loaded.embed([x, x[:30]]).shape[0] == 2
    assert np.isfinite(loaded.frames(x)).all()
    with pytest.raises(ValueError, match=r"has 3 channels, and those of the training data are 2"):
        loaded.embed([np.zeros((40, 3))])


def test_horizons_begin_beyond_what_frames_share(run: Path) -> None:
    model = ensue.load(run).model
    geometry = -(-model.receptive_field // model.hop)
    assert model.config.nearest == geometry > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--horizon 1", "horizon is 1 but frames nearer than"),
        ("--kernels 3 --strides 1,2", "kernels are 1 and strides 2"),
        ("--kernels 2 --strides 3", "a stride of 3 with a kernel of 2 leaves steps unseen"),
        ("--encoder log_mel", "takes audio, and the data are series"),
        ("--time when", "unknown column of times 'when'"),
        ("--tokens words", "tokens is for data of kind text, smiles or question, not series"),
        ("--rate 3", "rows aren't equally far apart"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    options: str, message: str, machines: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = machines.parent / "refused"
    code = main(f"train cpc {machines} --out {out} {SMALL} {options}".split())
    assert code == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not out.exists()
