"""The command line: what a person types, what they see, and how errors look."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
import yaml

from ensue.cli import main
from ensue.cli.main import with_values
from tests.conftest import QUICK, SMALL


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of two kinds from three places."""
    path = tmp_path_factory.mktemp("places") / "places.csv"
    rng = np.random.default_rng(1)
    rows = [
        f"{a:.4f},{b:.4f},{'xy'[i % 2]},p{i % 3}"
        for i, (a, b) in enumerate(rng.normal(5, 3, (60, 2)))
    ]
    path.write_text("\n".join(["height,width,kind,place", *rows]) + "\n")
    return path


@pytest.fixture
def cpc_copy(cpc_run: Path, tmp_path: Path) -> Path:
    """A run that a test may add probes to."""
    return Path(shutil.copytree(cpc_run, tmp_path / "cpc"))


@pytest.fixture
def nvp_copy(nvp_run: Path, tmp_path: Path) -> Path:
    """A run that a test may add probes to."""
    return Path(shutil.copytree(nvp_run, tmp_path / "nvp"))


def said(capsys: pytest.CaptureFixture[str], words: str) -> tuple[int, str, str]:
    status = main(words.split())
    out, err = capsys.readouterr()
    return status, out, err


def test_train_ends_with_the_files_and_the_next_command(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"train cpc {recordings} --out {tmp_path}/run --sample-rate 8000 {QUICK} {SMALL}"
    status, out, _ = said(capsys, words)
    assert status == 0
    assert "trained cpc for 4 steps" in out
    assert "chance" in out
    *_, wrote, following = out.strip().splitlines()
    assert all(Path(word).exists() for word in wrote.split()[1:])
    assert following.startswith("next: ensue ")


def test_embed_writes_a_vector_per_item_with_labels(
    cpc_run: Path, recordings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "e.parquet"
    assert main(f"embed {cpc_run} {recordings} --out {out}".split()) == 0
    found = pyarrow.parquet.read_table(out)
    assert found.column_names == ["item", "label", "embedding"]
    assert sorted(set(found["label"].to_pylist())) == ["ann", "bob"]
    assert np.array(found["embedding"].to_pylist()).shape == (10, 2 * 6)


def test_embed_by_frame_writes_the_time_of_each(
    cpc_run: Path, recordings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "f.npz"
    assert main(f"embed {cpc_run} {recordings} --out {out} --level frame".split()) == 0
    found = np.load(out)
    first = found["time"][found["item"] == "ann/0.wav"]
    np.testing.assert_allclose(first, (np.arange(100) + 0.5) / 100)
    assert found["features"].shape == (len(found["time"]), 6)


def test_embeddings_do_not_depend_on_how_they_are_asked_for(
    cpc_run: Path, recordings: Path, tmp_path: Path
) -> None:
    import ensue

    out = tmp_path / "e.npz"
    assert main(f"embed {cpc_run} {recordings} --out {out}".split()) == 0
    found = np.load(out)
    alone = ensue.load(cpc_run).embed([recordings / name for name in found["item"]])
    np.testing.assert_allclose(found["embedding"], alone, rtol=1e-4, atol=1e-5)


def test_score_is_in_original_units_and_says_its_kind(
    nvp_run: Path, table: Path, tmp_path: Path
) -> None:
    import ensue

    out = tmp_path / "s.csv"
    assert main(f"score {nvp_run} {table} --out {out}".split()) == 0
    found = pyarrow.csv.read_csv(out)
    assert found.column_names == ["item", "kind", "nats", "score_kind"]
    run = ensue.load(nvp_run)
    rows = pyarrow.csv.read_csv(table).select(["height", "width"]).to_pylist()
    np.testing.assert_allclose(found["nats"].to_numpy(), run.score(rows), rtol=1e-5)
    # Standardized values have another density: log p(raw) = log p(x) - log of both deviations.
    model_units = [float(run.model.log_prob(run.codec.encode(r)[None]).detach()) for r in rows]
    shift = np.log(run.codec.std).sum()
    np.testing.assert_allclose(found["nats"].to_numpy() + shift, model_units, rtol=1e-5)


def test_score_of_cpc_is_information(cpc_run: Path, recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "s.parquet"
    assert main(f"score {cpc_run} {recordings} --out {out}".split()) == 0
    assert set(pyarrow.parquet.read_table(out)["score_kind"].to_pylist()) == {"information"}


def test_sample_writes_original_columns(nvp_run: Path, table: Path) -> None:
    assert main(f"sample {nvp_run} --num 7 --seed 3".split()) == 0
    found = pyarrow.csv.read_csv(nvp_run / "samples" / "samples.csv")
    assert found.column_names == ["height", "width"]
    assert found.num_rows == 7


def test_probe_prints_a_table_and_adds_it_to_the_report(
    cpc_copy: Path, recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = said(capsys, f"probe {cpc_copy} {recordings} --label label --report --quiet")
    assert status == 0
    for name in (
        "chance",
        "MFCC with deltas",
        "untrained, waveform",
        "untrained, log_mel",
        "this run",
    ):
        assert name in out
    assert "What the features tell" in (cpc_copy / "report.html").read_text()
    (probe,) = json.loads((cpc_copy / "probes.json").read_text())["probes"]
    assert probe["label"] == "label"


@pytest.mark.parametrize(
    ("options", "kind", "shown"),
    [
        ("--num-labels 2,4 --draws 3 --knn 1", "label_curve", "1 nearest neighbors"),
        ("--label-fractions 0.5,1", "label_curve", "labels"),
        ("--leave-one-group-out --group place", "leave_one_group_out", "3 groups left out once"),
        ("--verify", "verification", "equal error rate"),
        ("--separator ;", "multi_label", "mean average precision"),
        ("--finetune --finetune-steps 2", "accuracy", "same network, supervised from scratch"),
    ],
)
def test_every_question_has_a_table_a_result_and_a_report(
    options: str,
    kind: str,
    shown: str,
    nvp_copy: Path,
    places: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, out, err = said(
        capsys, f"probe {nvp_copy} {places} --label kind --report {options} --quiet"
    )
    assert status == 0, err
    assert "chance" in out
    assert shown in out
    assert "intervals: 95 %" in out
    probes = json.loads((nvp_copy / "probes.json").read_text())["probes"]
    (found,) = [p for p in probes if p["kind"] == kind and p["source"] == str(places)]
    rows = found["accuracies"] if "accuracies" in found else found["rows"]
    assert all(r["low"] <= r.get("accuracy", r.get("value")) <= r["high"] for r in rows)
    assert rows[-1]["features"].split(",")[0] in (nvp_copy / "report.html").read_text()


def test_probes_of_the_first_version_are_still_drawn(
    nvp_copy: Path, places: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, f"probe {nvp_copy} {places} --label kind --quiet")[0] == 0
    path = nvp_copy / "probes.json"
    old = json.loads(path.read_text())
    for p in old["probes"]:
        for name in ("kind", "interval", "draws", "seed"):
            p.pop(name, None)
    (first,) = [p for p in old["probes"] if "accuracies" in p][-1:]
    path.write_text(json.dumps({"format": 1, "probes": [first]}))
    assert said(capsys, f"probe {nvp_copy} {places} --label kind --quiet")[0] == 0
    (again,) = json.loads(path.read_text())["probes"]
    assert again["kind"] == "accuracy"


def test_report_is_one_file_that_asks_for_nothing(cpc_run: Path) -> None:
    page = (cpc_run / "report.html").read_text()
    addresses = re.findall(r"""(?:src|href|url)\s*[=(]\s*["'`]?([^"'>)]{1,20})""", page)
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "@import" not in page


def test_charts_take_all_their_colors_from_the_theme(cpc_run: Path) -> None:
    charts = re.findall(r"<svg.*?</svg>", (cpc_run / "report.html").read_text(), re.DOTALL)
    colors = {c for svg in charts for c in re.findall(r"(?:fill|stroke): ?([^;\"]+)", svg)}
    assert "var(--ink)" in colors
    assert {c for c in colors if c.startswith("#")} <= {"#808080"}  # error bars suit both themes


@pytest.mark.parametrize("what", ["families", "recipes", "data"])
def test_list_names_what_there_is(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = said(capsys, f"list {what}")
    assert status == 0
    expected = {"families": "cpc", "recipes": "moons", "data": "builtin:speech"}
    assert expected[what] in out


def test_family_help_lists_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = said(capsys, "train cpc --help")
    assert status == 0
    for option in ("--horizon", "--window-seconds", "--learning-rate"):
        assert option in out


RUBBISH = {
    "train cpd {rec} --out {new}": "did you mean 'cpc'",
    "trian cpc {rec} --out {new}": "train",
    "train cpc {rec} --out {new} --horizn 3": "did you mean 'horizon'",
    "train cpc {rec} --out {new} --horizon many": "model.horizon is 'many'",
    "train cpc {rec} --out {new} --horizon 0 --batch-size -1": "training.batch_size is '-1'",
    "train cpc {rec} --out {new} --recipe speach": "did you mean 'speech'",
    "train cpc {rec} --out {new} --recipe moons": "is for 'realnvp'",
    "train cpc {rec}/nowhere --out {new}": "no file or folder",
    "train cpc builtin:speach --out {new}": "did you mean 'speech'",
    "train cpc {rec} --out {new} --sample-rate 8000 --horizon 300 --quiet": "--horizon 127 or less",
    "train cpc {rec} --out {rec}": "--resume",
    "train cpc {table} --out {new}": "families for table: maf, realnvp",
    "train cpc {table} --out {new} --time kind": "holds 'x' in row 1, which is no time",
    "train realnvp {rec} --out {new}": "families for audio: cpc",
    "train realnvp {table} --out {new} --columns kinds": "unknown column 'kinds'",
    "train cpc {rec}": "--out",
    "embed {rec} {rec} --out {new}.parquet": "isn't a run folder",
    "embed {cpc} {rec} --out {new}.txt": "its ending must be one of",
    "embed {nvp} {table} --out {new}.npz --level frame": "no features by frame",
    "embed {cpc} {rec} --out {new}.npz --level word": "level",
    "probe {cpc} {rec} --label speeker": "unknown label",
    "probe {nvp} {table} --label nothing": "unknown label",
    "probe {nvp} {table} --label kind --num-labels few": "give numbers with commas between",
    "probe {nvp} {table} --label kind --num-labels 1": "has 2 classes",
    "probe {nvp} {table} --label kind --draws 3": "give num-labels or label-fractions too",
    "probe {nvp} {table} --label kind --knn 0": "knn is 0",
    "probe {nvp} {table} --label kind --leave-one-group-out": "name one with --group",
    "probe {nvp} {table} --label kind --verify --num-labels 4": "ask one at a time",
    "probe {nvp} {table} --label kind --verify --finetune": "leave out finetune",
    "probe {nvp} {table} --label kind --finetune-steps 9": "of --finetune",
    "probe {nvp} {table} --label kind --finetune --finetune-rate -1": "learning rate above 0",
    "sample {cpc}": "families that do: causal, charrnn, vae, seq2seq, masked",
    "sample {nvp} --top-k 3": "doesn't generate token by token",
    "sample {txt} --top-k 0": "top_k",
    "sample {txt} --min-length 9 --max-length 3": "min_length is 9 but max_length 3",
    "sample {txt} --temperature -1": "temperature is -1",
    "complete {nvp} --prompt a": "families that do: causal, charrnn, masked",
    "complete {txt}": "give DATA with beginnings of items, or one text as --prompt",
    "complete {txt} {table} --prompt a": "give DATA with beginnings of items, or one text",
    "complete {txt} {rec}": "families for audio: cpc",
    "complete {txt} --prompt a --method beam --temperature 0.5": "beam doesn't draw",
    "train charrnn {table} --out {new}": "families for table: maf, realnvp",
    "train realnvp {table} --out {new} --speed-perturbation .1": "for data of kind audio",
    "check {table} --window-tokens 5": "for data of kind text",
    "sample {nvp} --num 0": "at least 1",
    "sample {nvp} --temperature -1": "temperature",
    "list famlies": "families",
}


@pytest.mark.parametrize("words", RUBBISH)
def test_rubbish_is_one_line_that_names_it_and_exit_2(
    words: str,
    recordings: Path,
    table: Path,
    cpc_run: Path,
    nvp_run: Path,
    text_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    new = tmp_path / "new"
    paths = {"rec": recordings, "table": table, "cpc": cpc_run, "nvp": nvp_run, "txt": text_run}
    filled = words.format(**paths, new=new)
    status, _, err = said(capsys, filled)
    assert status == 2
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert RUBBISH[words] in err
    assert not new.exists(), "a refused command leaves nothing behind"


def test_several_problems_are_told_at_once(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"train cpc {recordings} --out {tmp_path}/x --horizon 0 --batch-size 0 --validation 2"
    _, _, err = said(capsys, words)
    for name in ("model.horizon", "training.batch_size", "data.validation"):
        assert name in err


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file or folder"):
        main(f"train cpc {tmp_path}/nowhere --out {tmp_path}/x --debug".split())


def test_recipe_is_overridden_by_single_settings(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "mine.yaml"
    sections = {
        "model": {"depth": 3, "num_bins": 5, "transform": "spline"},
        "training": {"max_steps": 9},
    }
    recipe.write_text(yaml.safe_dump({"format": 1, "family": "realnvp", **sections}))
    words = f"train realnvp {table} --out {tmp_path}/run --recipe {recipe} {QUICK} --depth 4"
    assert said(capsys, words)[0] == 0
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert (config["model"]["depth"], config["model"]["num_bins"]) == (4, 5)
    assert config["training"]["max_steps"] == 4


def test_config_of_a_run_is_a_recipe(
    table: Path, nvp_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = nvp_run / "config.yaml"
    words = f"train realnvp {table} --out {tmp_path}/run --recipe {recipe} --quiet"
    assert said(capsys, words)[0] == 0
    before, now = (
        yaml.safe_load((r / "config.yaml").read_text()) for r in (nvp_run, tmp_path / "run")
    )
    assert before == now


def test_probe_takes_frame_labels_that_training_knew_nothing_of(
    cpc_run: Path, recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    halves = [
        f"{who}/{i}.wav,{start},{start + 0.5},{label}"
        for who in ("ann", "bob")
        for i in range(5)
        for start, label in ((0, "early"), (0.5, "late"))
    ]
    intervals = tmp_path / "halves.csv"
    intervals.write_text("\n".join(["item,start,end,label", *halves]))
    words = f"probe {cpc_run} {recordings} --label half --intervals half={intervals} --quiet"
    status, out, err = said(capsys, words)
    assert status == 0, err
    assert "half by frame: 2 classes" in out


BROKEN_RECIPES = ["model: [1, 2]", "model: abc", "3: {}", "model: {depth: [}", "- a", "\udce9"]


@pytest.mark.parametrize("text", BROKEN_RECIPES)
def test_broken_recipe_is_one_line(
    text: str, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_bytes(f"format: 1\nfamily: realnvp\n{text}\n".encode(errors="surrogateescape"))
    status, _, err = said(capsys, f"train realnvp {table} --out {tmp_path}/x --recipe {recipe}")
    assert status == 2
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_unreadable_items_are_counted_and_listed(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for path in recordings.rglob("*.wav"):
        os.link(path, mixed / f"{path.parent.name}{path.name}")
    (mixed / "broken.wav").write_text("this is no sound")
    words = f"train cpc {mixed} --out {tmp_path}/run --sample-rate 8000 {QUICK} {SMALL}"
    status, _, err = said(capsys, words)
    assert status == 2
    assert "1 of 11 items" in err
    status, out, _ = said(capsys, f"{words} --max-skipped 0.2")
    assert status == 0
    assert "1 items couldn't be used" in out
    assert "broken.wav" in (tmp_path / "run" / "skipped.csv").read_text()


def test_plain_lines_instead_of_a_bar_where_there_is_no_terminal(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = QUICK.replace(" --quiet", "")
    _, _, err = said(capsys, f"train realnvp {table} --out {tmp_path}/run {quick}")
    assert "training: 4 of 4  loss" in err
    assert "\x1b" not in err


def test_a_setting_without_a_value_is_true() -> None:
    words = "train vae x.smi --freeze-embeddings --out r --max-steps 3 --quiet --bidirectional"
    expected = words.replace("embeddings", "embeddings true") + " true"
    assert with_values(words.split()) == expected.split()
    assert with_values(["report", "r", "--quiet"]) == ["report", "r", "--quiet"]
