"""``check`` says what is odd about labels and columns, and goes on with what it was told."""

import shlex
import shutil
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ensue
from ensue.cli import main
from ensue.data.config import DataConfig
from ensue.data.lookalikes import lookalikes, looks
from ensue.data.sources import open_items
from ensue.data.survey import Survey, survey
from tests.data.stores import write_lines

MARKS = ["\u00a0", "\u200b", "\u2009", "\ufeff", "\u00ad", "\u3000", "\t"]


def look(path: Path, **settings: object) -> Survey:
    config = DataConfig(**settings)  # type: ignore[arg-type]
    return survey(open_items(path, config, cache=Path()), config)


def findings(found: Survey, *words: str) -> list[str]:
    return [text for text in found.findings if all(word in text for word in words)]


def write_table(path: Path, **columns: Sequence[object]) -> Path:
    rows = [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    return write_lines(path, ",".join(columns), *rows)


def values(num: int, seed: int = 0) -> list[str]:
    return [f"{x:.4f}" for x in np.random.default_rng(seed).normal(size=num)]


# Labels that look equal


@given(text=st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1))
def test_other_forms_of_a_text_look_as_it_does(text: str) -> None:
    for form in ("NFC", "NFD"):
        assert looks(unicodedata.normalize(form, text)) == looks(text)
    for mark in (" ", *MARKS):
        assert looks(text + mark) == looks(mark + text) == looks(text)


@given(
    first=st.text("abcxyz", min_size=1, max_size=3),
    second=st.text("abcxyz", min_size=1, max_size=3),
)
def test_texts_of_plain_letters_look_equal_only_where_they_are(first: str, second: str) -> None:
    assert (looks(first) == looks(second)) == (first == second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("caf\u00e9", "cafe\u0301"),
        ("dog", "dog "),
        ("dog", " dog"),
        ("a dog", "a  dog"),
        ("a dog", "a\u00a0dog"),
        ("dog", "\uff44\uff4f\uff47"),
        ("dog", "do\u200bg"),
        ("cop", "\u0441\u043e\u0440"),
        ("x-y", "x\u2013y"),
        ("it's", "it\u2019s"),
    ],
)
def test_a_pair_is_found_and_made_visible(tmp_path: Path, one: str, other: str) -> None:
    label = [one, other, "else"] * 10
    found = look(write_table(tmp_path / "t.csv", x=values(30), label=label))
    assert findings(found, "'label'", "look equal", ascii(one), ascii(other), "(10)")
    assert next(facts for facts in found.labels if facts.name == "label").num_values == 3


def test_values_that_a_reader_tells_apart_are_no_pair() -> None:
    assert not lookalikes(["t", "t\u02b0", "T", "x2", "x\u00b2", "\u00e9", "e", "", "10", "1.0"])


def test_a_blank_looks_as_the_empty_cell() -> None:
    assert lookalikes(["a", " "]) == [[(" ", 1), ("", 0)]]


def test_capitals_are_told_by_themselves(tmp_path: Path) -> None:
    label = ["Dog", "dog", "cat"] * 10
    found = look(write_table(tmp_path / "t.csv", x=values(30), label=label))
    assert findings(found, "in capitals only", "'Dog'", "'dog'")
    assert not findings(found, "look equal")


def test_labels_of_stretches_and_categories_are_looked_at_too(
    recordings: Path, tmp_path: Path
) -> None:
    rows = [f"ann/0.wav,{0.1 * i:.1f},{0.1 * i + 0.1:.1f},{'p ' if i % 2 else 'p'}" for i in (0, 1)]
    intervals = write_lines(tmp_path / "i.csv", "item,start,end,label", *rows)
    found = look(recordings, sample_rate=8000, intervals=(f"phone={intervals}",))
    assert findings(found, "'phone'", "look equal", "'p '")
    table = write_table(tmp_path / "t.csv", x=values(30), color=["red", "red ", "blue"] * 10)
    assert findings(look(table, columns=("x", "color")), "'color'", "look equal", "'red '")


def test_a_probe_says_it_and_keeps_the_classes_apart(nvp_run: Path, tmp_path: Path) -> None:
    label = ["dog", "dog ", "cat"] * 20
    columns = {"height": values(60), "width": values(60, 1), "animal": label}
    data = write_table(tmp_path / "t.csv", **columns)
    run = shutil.copytree(nvp_run, tmp_path / "run")  # others read it without a probe
    with pytest.warns(UserWarning, match=r"'animal' look equal .*'dog' \(20\) and 'dog ' \(20\)"):
        probed = ensue.probe(run, data, label="animal", quiet=True)
    assert probed.result.num_classes == 3


# Columns that aren't what they seem


@pytest.mark.parametrize("name", ["count", "Unnamed: 0", "index", "id"])
@pytest.mark.parametrize("first", [0, 1])
def test_row_numbers_are_found_with_the_columns_to_take(
    tmp_path: Path, name: str, first: int
) -> None:
    numbers = np.arange(first, 40 + first)
    for order in (numbers, np.random.default_rng(0).permutation(numbers)):
        columns = {name: order, "x": values(40), "y": values(40, 1)}
        found = look(write_table(tmp_path / "t.csv", **columns))
        assert findings(found, repr(name), "row numbers", "--columns x,y")
    assert not findings(look(tmp_path / "t.csv", columns=("x", "y")), "row numbers")


def test_the_remedy_can_be_taken_as_it_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = {"index": range(40), "body height": values(40), "b": values(40, 1)}
    path = write_table(tmp_path / "t.csv", **columns)
    assert main(["check", str(path), "--quiet"]) == 0
    told = next(line for line in capsys.readouterr().out.splitlines() if "row numbers" in line)
    remedy = shlex.split(told[told.index("--columns") :])
    assert main(["check", str(path), "--quiet", *remedy]) == 0
    assert "row numbers" not in capsys.readouterr().out


def test_measured_whole_numbers_are_no_row_numbers(tmp_path: Path) -> None:
    ages = np.random.default_rng(0).integers(18, 90, 60)
    even = np.arange(60) * 2
    found = look(write_table(tmp_path / "t.csv", age=ages, even=even, x=values(60)))
    assert not findings(found, "row numbers")


def test_the_column_split_is_told_as_what_it_is(tmp_path: Path) -> None:
    split = ["train"] * 30 + ["test"] * 9 + ["validation"]
    found = look(write_table(tmp_path / "t.csv", x=values(40), y=values(40, 1), split=split))
    assert dict(found.facts)["column split"] == "train (30), test (9), validation (1)"
    assert "split" not in [label.name for label in found.labels]
    assert not findings(found, "the label 'split'")


def test_a_split_in_numbers_is_not_modeled_unasked(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", x=values(40), split=[0, 1] * 20)
    with pytest.raises(ensue.EnsueError, match="unknown split"):
        look(path)
    assert look(path, columns=("x", "split")).num_items == 40


def test_numbers_that_were_not_chosen_are_no_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    age = [*rng.integers(18, 60, 59), 93]
    grade = [*rng.integers(1, 4, 59), 9]
    columns = {"x": values(60), "y": values(60, 1), "z": values(60, 2), "age": age, "grade": grade}
    found = look(write_table(tmp_path / "t.csv", **columns), columns=("x",))
    assert not findings(found, "can't both learn and test")
    assert dict(found.facts)["numbers that aren't labels"] == "y, z, age"
    assert [label.name for label in found.labels] == ["grade"]


def test_a_column_of_names_that_are_numbers_is_a_label_where_it_groups(tmp_path: Path) -> None:
    speaker = [str(1000 + i // 2) for i in range(60)]
    found = look(write_table(tmp_path / "t.csv", x=values(60), speaker=speaker), group="speaker")
    assert [label.name for label in found.labels] == ["speaker"]


# What comes next


def following(out: str) -> list[str]:
    line = out.strip().splitlines()[-1]
    assert line.startswith("next: ensue ")
    return shlex.split(line.removeprefix("next: ensue "))


def test_the_next_command_keeps_the_settings_and_runs_as_it_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "it's my data"
    folder.mkdir()
    columns = {"body height": values(60), "b$": values(60, 1), "c": range(60), "who": "ab" * 30}
    path = write_table(folder / "t 1.csv", **columns)
    given = ["--columns", "body height,b$", "--group", "who", "--validation", "0.3"]
    cache = ["--cache", str(tmp_path / "my cache")]
    assert main(["check", str(path), "--quiet", *given, *cache]) == 0
    words = following(capsys.readouterr().out)
    assert words[:5] == ["train", words[1], str(path), "--out", "runs/first"]
    for option in (given[:2], given[2:4], given[4:], cache):
        assert words[words.index(option[0]) + 1] == option[1]
    assert "--quiet" not in words
    quick = "--max-steps 2 --batch-size 4 --warmup-steps 1 --depth 2 --hidden-sizes 8 --quiet"
    assert main([*words, *quick.split()]) == 0
    assert ensue.load("runs/first").codec.columns == ("body height", "b$")
    # Out of these, drawing takes none.
    assert following(capsys.readouterr().out) == ["sample", "runs/first", "--num", "100"]


@pytest.mark.parametrize(
    "words",
    [
        ["--sample-rate", "8000", "--group", "label", "--window-seconds", "0.5"],
        ["--max-skipped", "0.2", "--short", "skip"],
        ["--speed-perturbation", "0.1", "--validation", "0"],
    ],
)
def test_every_setting_of_the_data_is_kept(
    recordings: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main(["check", str(recordings), *words]) == 0
    after = following(capsys.readouterr().out)
    assert after[5:] == words


def test_flags_and_lists_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--grayscale", "--image-size", "8,8", "--levels", "16"]
    assert main(["check", "builtin:digits", "--cache", str(tmp_path), *words]) == 0
    after = following(capsys.readouterr().out)
    assert {"--grayscale", "8,8", "16"} < set(after)
    assert main([*after, "--help"]) == 0


def test_a_family_that_takes_classes_is_named_where_a_condition_is_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--condition", "label", "--cache", str(tmp_path)]
    assert main(["check", "builtin:digits", *words]) == 0
    after = following(capsys.readouterr().out)
    assert after[1] != "realnvp"
    assert after[after.index("--condition") + 1] == "label"


def test_training_hands_on_what_the_next_verb_reads_alike(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = "--channels 8 --context-size 6 --horizon 2 --num-mels 10 --num-negatives 4"
    steps = "--max-steps 2 --batch-size 4 --warmup-steps 1 --quiet"
    small = [*sizes.split(), *steps.split(), "--sample-rate", "8000", "--window-seconds", "0.3"]
    kept = ["--cache", str(tmp_path / "c"), "--max-skipped", "0.2"]
    out = ["--out", str(tmp_path / "run")]
    assert main(["train", "cpc", str(recordings), *out, *small, *kept]) == 0
    after = following(capsys.readouterr().out)
    assert after == ["embed", out[1], "DATA", "--out", "embeddings.parquet", *kept]


def test_files_with_odd_names_are_shown_by_a_command_that_runs(
    nvp_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "it's $HOME.csv"
    assert main(["sample", str(nvp_run), "--num", "3", "--out", str(out)]) == 0
    line = capsys.readouterr().out.strip().splitlines()[-1].removeprefix("next: ")
    _, _, code = shlex.split(line)
    exec(code, {})
    assert "height" in capsys.readouterr().out
