"""The survey says what was put there, and what to mend."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from ensue.data.config import DataConfig
from ensue.data.items import Intervals, Items
from ensue.data.sources import open_items
from ensue.data.survey import Survey, survey
from tests.data.stores import write_lines, write_sound


def look(path: Path | np.ndarray, **settings: object) -> Survey:
    config = DataConfig(**settings)  # type: ignore[arg-type]
    return survey(open_items(path, config, cache=Path()), config)


def findings(found: Survey, *words: str) -> list[str]:
    return [text for text in found.findings if all(word in text for word in words)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(8):
        write_sound(tmp_path / "sounds" / "ab"[i % 2] / f"{i}.wav", seconds=1 + 0.1 * i)
    return tmp_path / "sounds"


def test_durations_rates_and_windows_are_counted(folder: Path) -> None:
    found = look(folder, sample_rate=8000, window_seconds=0.5)
    facts = dict(found.facts)
    assert (found.kind, found.num_items, found.usable) == ("audio", 8, True)
    assert facts["total"] == "10.8 s"
    assert facts["shortest, median, longest"] == "1 s, 1.35 s, 1.7 s"
    assert facts["sample rates"] == "8,000 Hz (8)"
    assert facts["channels"] == "1 (8)"
    # As many as fit side by side: two up to 1.4 s, three from 1.5 s on.
    assert facts["windows of 0.5 s in an epoch"] == str(2 * 5 + 3 * 3)


def test_labels_are_counted_with_their_balance(tmp_path: Path) -> None:
    for i in range(5):
        write_sound(tmp_path / f"{i}.wav")
    rows = ["path,kind,same,void,once"]
    rows += [f"{i}.wav,{'x' if i < 3 else 'y' if i < 4 else ''},s,,{'pqqqq'[i]}" for i in range(5)]
    found = look(write_lines(tmp_path / "m.csv", *rows), sample_rate=8000)
    kind, same, void, _ = found.labels
    assert (kind.num_values, kind.commonest, kind.rarest, kind.num_empty) == (2, "x", "y", 1)
    assert (kind.commonest_share, kind.rarest_share) == (0.75, 0.25)
    assert (same.num_values, void.num_values, void.num_empty) == (1, 0, 5)
    assert findings(found, "'same'", "everywhere", "can't be probed")
    assert findings(found, "'void'", "empty everywhere")
    assert findings(found, "'once'", "one item only", "'p'")
    assert findings(found, "'kind'", "empty for 1 items")


def test_what_is_wrong_with_recordings_is_said(folder: Path) -> None:
    (folder / "a" / "copy.wav").write_bytes((folder / "a" / "0.wav").read_bytes())
    soundfile.write(folder / "a" / "silent.wav", np.zeros(8000), 8000)
    soundfile.write(folder / "a" / "loud.wav", np.sign(np.sin(np.arange(8000.0))), 16000)
    found = look(folder, sample_rate=16000, window_seconds=1.05)
    assert findings(found, "silent: 1 of 11", "a/silent.wav")
    assert findings(found, "clipped", "1 of 11", "a/loud.wav")
    assert findings(found, "same samples", "a/copy.wav = a/0.wav")
    assert findings(found, "sample rates differ")
    assert findings(found, "shorter than a window of 1.05 s: 4 of 11", "padded")
    assert findings(found, "little to learn from")
    assert findings(found, "--group")


def test_a_rate_beyond_the_recordings_is_told(folder: Path) -> None:
    assert findings(look(folder, sample_rate=16000), "--sample-rate 8000")
    assert not findings(look(folder, sample_rate=8000), "--sample-rate")


@pytest.mark.parametrize(("num_bad", "usable"), [(1, True), (3, False)])
def test_unreadable_items_are_named_and_judged_as_training_would(
    folder: Path, num_bad: int, usable: bool
) -> None:
    for i in range(num_bad):
        write_lines(folder / f"bad{i}.wav", "text")
    soundfile.write(folder / "nan.wav", np.full(100, np.nan), 8000, "FLOAT")
    found = look(folder, sample_rate=8000, max_skipped=0.2)
    assert [name for name, _ in found.unreadable] == [
        *(f"bad{i}.wav" for i in range(num_bad)),
        "nan.wav",
    ]
    assert found.unreadable[-1][1] == "it has NaN or infinite samples"
    assert f"{num_bad + 1} of {9 + num_bad} items" in found.findings[0]
    assert found.usable is usable


def test_groups_that_cross_the_split_are_told(tmp_path: Path) -> None:
    rows = ["path,speaker,split"]
    for i in range(6):
        write_sound(tmp_path / f"{i}.wav")
        rows.append(f"{i}.wav,{'ann' if i < 4 else 'bob'},{'test' if i > 2 else 'train'}")
    found = look(write_lines(tmp_path / "m.csv", *rows), sample_rate=8000)
    assert findings(found, "1 groups", "'ann'", "column split")
    assert dict(found.facts)["left for the test"] == "3 items"
    assert not findings(found, "--group")


def test_intervals_are_compared_with_the_items(folder: Path) -> None:
    config = DataConfig(sample_rate=8000)
    items = open_items(folder, config, cache=Path())

    def judged(*rows: tuple[str, float, float, str]) -> tuple[dict[str, str], Survey]:
        item, start, end, label = zip(*rows, strict=True)
        table = pa.table({"item": item, "start": start, "end": end, "label": label})
        with_table: Items = dataclasses.replace(items, intervals={"phone": Intervals(table)})
        found = survey(with_table, config)
        return dict(found.facts), found

    facts, found = judged(("a/0.wav", 0, 0.5, "x"), ("a/0.wav", 0.5, 1, "y"))
    assert facts["intervals phone"] == "2 labels over 9% of the sound, 1 items"
    assert not findings(found, "phone")
    assert findings(judged(("a/0.wav", 0, 90, "x"))[1], "end after the item", "seconds?")
    assert findings(
        judged(("a/0.wav", 0, 0.5, "x"), ("a/0.wav", 0.2, 1, "y"))[1], "overlap", "a/0.wav"
    )
    assert findings(judged(("stranger", 0, 1, "x"))[1], "aren't there", "'stranger'", "a/0.wav")


def test_a_table_is_judged_by_its_columns() -> None:
    rng = np.random.default_rng(0)
    table = np.stack([rng.standard_normal(50), np.ones(50), np.arange(50) % 3 / 2], 1)
    table[7, 0] = np.nan
    found = look(table, max_skipped=0.1)
    assert dict(found.facts)["columns"] == "3"
    assert found.unreadable == [("7", "values are missing or infinite in x0")]
    assert findings(found, "'x0'", "lacks 1 of 50")
    assert findings(found, "constant", "x1")
    assert findings(found, "no density", "x2")
