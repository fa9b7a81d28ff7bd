"""Names, options, settings and output paths that are wrong."""

from pathlib import Path

import pytest

from tests.rubbish.asked import SOUND, TABLE, Ask

NEARLY = {
    "trian cpc {rec} --out {new}": "train",
    "train cpd {rec} --out {new}": "did you mean 'cpc'",
    "train cpc {rec} --out {new} --horizn 3": "did you mean 'horizon'",
    "train cpc {rec} --out {new} --recipe speach": "did you mean 'speech'",
    "train realnvp builtin:mons --out {new}": "did you mean 'moons'",
    "train cpc {rec} --out {new} --group lable": "did you mean 'label'",
    "train realnvp {table} --out {new} --columns hight": "did you mean 'height'",
    "probe {nvp} {table} --label knid": "did you mean 'kind'",
    "embed {nvp} {table} --uot {new}.npz": "--out",
    "list famlies": "families",
}


@pytest.mark.parametrize("words", NEARLY)
def test_name_that_is_nearly_right_gets_a_suggestion(
    words: str, recordings: Path, table: Path, finished_nvp: Path, tmp_path: Path, ask: Ask
) -> None:
    new = tmp_path / "new"
    filled = words.format(rec=recordings, table=table, nvp=finished_nvp, new=new)
    ask.refused(filled, says=NEARLY[words])
    assert not list(tmp_path.glob("new*"))


def test_unknown_key_of_a_recipe_gets_a_suggestion(table: Path, tmp_path: Path, ask: Ask) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("format: 1\nfamily: realnvp\nmodel: {dept: 3}\ntraining: {max_step: 2}\n")
    words = f"train realnvp {table} --out {tmp_path}/new --recipe {recipe}"
    ask.refused(words, says=("did you mean 'depth'", "did you mean 'max_steps'"))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("text", ["", "format: 2\nfamily: realnvp", "family: realnvp", "a: [", "7"])
def test_recipe_that_is_none_is_refused(text: str, table: Path, tmp_path: Path, ask: Ask) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(text)
    words = f"train realnvp {table} --out {tmp_path}/new --recipe {recipe}"
    ask.refused(words, says="mine.yaml")
    ask.refused(f"{words}.gone.yaml", says="unknown recipe")
    ask.refused(words.replace(str(recipe), f"{tmp_path}"), says="unknown recipe")


def test_all_wrong_settings_are_told_at_once(recordings: Path, tmp_path: Path, ask: Ask) -> None:
    wrong = {
        "horizon": "0",
        "batch-size": "two",
        "learning-rate": "-1",
        "seed": "1.5",
        "validation": "1",
        "sample-rate": "0",
        "window-seconds": "nan",
        "max-steps": "99999999999999999999999999.5",
    }
    options = " ".join(f"--{name} {value}" for name, value in wrong.items())
    told = tuple(f".{name.replace('-', '_')} is " for name in wrong)
    ask.refused(f"train cpc {recordings} --out {tmp_path}/new {options}", says=told)
    assert not (tmp_path / "new").exists()


OUT_OF_RANGE = {
    "sample {nvp} --num -3": "num is -3",
    "sample {nvp} --num many": "many",
    "sample {nvp} --temperature nan": "temperature is nan",
    "sample {nvp} --out {new}.csv --temperature inf": "temperature is inf",
    "probe {nvp} {table} --label kind --num-train 0": "num_train is 0",
    "probe {nvp} {table} --label kind --num-test -1": "num_test is -1",
    "probe {nvp} {table} --label kind --seed -1": "seed is -1",
    "probe {nvp} {table} --label kind --max-skipped 2": "max_skipped is",
    "embed {nvp} {table} --out {new}.npz --max-skipped -1": "max_skipped is",
}


@pytest.mark.parametrize("words", OUT_OF_RANGE)
def test_number_out_of_range_is_told(
    words: str, table: Path, nvp_run: Path, tmp_path: Path, ask: Ask
) -> None:
    filled = words.format(table=table, nvp=nvp_run, new=tmp_path / "new")
    ask.refused(filled, says=OUT_OF_RANGE[words])
    assert not list(tmp_path.glob("new*"))


def test_batch_that_no_memory_holds_is_told(table: Path, tmp_path: Path, ask: Ask) -> None:
    words = f"train realnvp {table} --out {tmp_path}/run {TABLE}"
    huge = words.replace("--batch-size 2", "--batch-size 1000000000000")
    ask.refused(huge, says=("isn't enough memory", "batch_size"))


@pytest.mark.parametrize("out", ["{file}/new.npz", "new.txt", "new", "folder.npz", "/proc/new.npz"])
def test_output_that_can_not_be_written_is_told(
    out: str, table: Path, nvp_run: Path, tmp_path: Path, ask: Ask
) -> None:
    (tmp_path / "folder.npz").mkdir()
    path = Path(out.format(file=table)) if out[0] in "{/" else tmp_path / out
    ask.refused(f"embed {nvp_run} {table} --out {path} --quiet", says=str(path))
    assert not list(tmp_path.glob("new*"))


def test_output_in_a_folder_that_is_not_there_yet_works(
    table: Path, nvp_run: Path, tmp_path: Path, ask: Ask
) -> None:
    ask.works(f"embed {nvp_run} {table} --out {tmp_path}/a/b/new.npz --quiet")
    assert (tmp_path / "a" / "b" / "new.npz").exists()


def test_refused_command_leaves_an_old_output_alone(
    table: Path, nvp_run: Path, tmp_path: Path, ask: Ask
) -> None:
    out = tmp_path / "old.npz"
    out.write_text("old")
    (nvp_run / "model" / "model.safetensors").write_text("rubbish")
    ask.refused(f"embed {nvp_run} {table} --out {out} --quiet", says="model.safetensors")
    assert out.read_text() == "old"


@pytest.mark.parametrize("family", ["cpc", "realnvp"])
@pytest.mark.parametrize("place", ["--out", "--cache"])
def test_run_folder_or_cache_that_is_a_file_is_refused(
    place: str, family: str, recordings: Path, table: Path, tmp_path: Path, ask: Ask
) -> None:
    (tmp_path / "file").write_text("old")
    data, quick = (recordings, SOUND) if family == "cpc" else (table, TABLE)
    places = {"--out": f"{tmp_path}/run", "--cache": f"{tmp_path}/cache", place: f"{tmp_path}/file"}
    words = f"train {family} {data} {quick} " + " ".join(f"{k} {v}" for k, v in places.items())
    ask.refused(words, says=f"{tmp_path}/file")
    ask.refused(words.replace(f"{tmp_path}/file", f"{tmp_path}/file/x"), says=f"{tmp_path}/file")
    assert (tmp_path / "file").read_text() == "old"
    assert not (tmp_path / "run").exists()


def test_run_folder_that_holds_something_is_refused_and_left_alone(
    recordings: Path, tmp_path: Path, ask: Ask
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    words = f"train cpc {recordings} --out {tmp_path}/run {SOUND}"
    ask.refused(words, says=("--resume", "--init-from"))
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["mine.txt"]
    ask.refused(f"{words} --resume", says="isn't a run folder")
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["mine.txt"]
