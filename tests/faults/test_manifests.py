"""A manifest names its files as others do, and a folder has the labels of the table in it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

from ensue.data.config import DataConfig
from ensue.data.items import Items
from ensue.data.sources import open_items
from ensue.data.survey import survey
from ensue.errors import ConfigError, DataError
from tests.data.stores import write_sound

Column = dict[str, list[str]]


def read(data: Any, **given: Any) -> Items:
    return open_items(data, DataConfig(**given), cache=Path("unused"))


def write_picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)
    return path


def write_rows(path: Path, columns: Column) -> Path:
    rows = list(zip(*columns.values(), strict=True))
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pa.table(columns), path)
    elif path.suffix == ".jsonl":
        lines = [json.dumps(dict(zip(columns, row, strict=True))) for row in rows]
        path.write_text("\n".join(lines))
    else:
        path.write_text("\n".join(map(",".join, [list(columns), *rows])) + "\n")
    return path


FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "audio": (write_sound, ".wav"),
    "image": (write_picture, ".png"),
}
SUFFIXES = [".csv", ".jsonl", ".parquet"]
NAMES = ["path", "file_name", "filename"]


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", NAMES)
def test_manifest_names_its_files_in_any_of_three_columns(
    name: str, suffix: str, kind: str, tmp_path: Path
) -> None:
    write, ending = FILES[kind]
    files = [f"sub/{i}{ending}" for i in range(2)]
    for file in files:
        write(tmp_path / file)
    columns = {"code": ["007", "7"], name: files, "size": ["1.0", "2"]}
    items = read(write_rows(tmp_path / f"m{suffix}", columns))
    assert (items.kind, list(items.ids)) == (kind, files)
    assert items.labels == {"code": ["007", "7"], "size": ["1.0", "2"]}


@pytest.mark.parametrize("name", NAMES)
def test_questions_name_their_pictures_so_too(name: str, tmp_path: Path) -> None:
    write_picture(tmp_path / "0.png")
    path = write_rows(tmp_path / "q.csv", {name: ["0.png"], "question": ["what?"]})
    items = read(path)
    assert (items.kind, items.raw[0].source.path) == ("question", tmp_path / "0.png")


def test_path_is_the_path_and_another_name_a_label(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav")
    columns = {"filename": ["old.wav"], "path": ["a.wav"]}
    items = read(write_rows(tmp_path / "m.csv", columns))
    assert (list(items.ids), items.labels) == (["a.wav"], {"filename": ["old.wav"]})


def test_rows_of_numbers_keep_their_file_names_as_labels(tmp_path: Path) -> None:
    """Features that were computed of recordings, and texts, aren't recordings."""
    columns = {"filename": ["a.wav", "b.wav"], "tempo": ["1.5", "2"]}
    items = read(write_rows(tmp_path / "features.csv", columns))
    assert (items.kind, items.labels) == ("table", {"filename": ["a.wav", "b.wav"]})
    columns = {"filename": ["a.txt", "b.txt"], "text": ["one", "two"]}
    assert read(write_rows(tmp_path / "texts.csv", columns)).kind == "text"
    write_sound(tmp_path / "a.wav")
    assert read(tmp_path / "features.csv").kind == "audio"
    assert read(tmp_path / "features.csv", columns=("tempo",)).kind == "table"


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", NAMES)
def test_folder_has_the_labels_of_the_table_in_it(
    name: str, suffix: str, kind: str, tmp_path: Path
) -> None:
    write, ending = FILES[kind]
    files = [f"train/{i}{ending}" for i in range(3)]
    for file in files:
        write(tmp_path / file)
    columns = {name: files[::-1], "code": ["1.0", "1", "007"], "group": list("aab")}
    write_rows(tmp_path / f"metadata{suffix}", columns)
    items = read(tmp_path)
    assert (items.kind, sorted(items.ids)) == (kind, files)
    code = dict(zip(items.ids, items.labels["code"], strict=True))
    assert code == dict(zip(files, ["007", "1", "1.0"], strict=True))
    assert sorted(items.group or ()) == ["a", "a", "b"]
    assert "label" not in items.labels
    assert not survey(items, DataConfig()).unreadable


def test_paths_are_relative_to_the_folder_of_their_table(tmp_path: Path) -> None:
    for part in ("train", "test"):
        write_picture(tmp_path / part / "0.png")
        columns = {"file_name": ["0.png"], "split": [part]}
        write_rows(tmp_path / part / "metadata.csv", columns)
    items = read(tmp_path)
    assert dict(zip(items.ids, items.labels["split"], strict=True)) == {
        "train/0.png": "train",
        "test/0.png": "test",
    }


def test_files_without_a_row_and_rows_without_a_file_are_told(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        write_sound(tmp_path / name)
    write_rows(tmp_path / "metadata.csv", {"file_name": ["a.wav", "gone.wav"], "who": ["x", "y"]})
    with pytest.warns(UserWarning, match=r"1 of 2 files .* have no row .*'b\.wav'"):
        items = read(tmp_path)
    assert dict(zip(items.ids, items.labels["who"], strict=True)) == {
        "a.wav": "x",
        "gone.wav": "y",
        "b.wav": "",
    }
    found = survey(items, DataConfig(max_skipped=0.5))
    assert found.unreadable == [("gone.wav", "it can't be read: there is no such file")]


def test_tables_that_say_no_labels_are_told(tmp_path: Path) -> None:
    write_sound(tmp_path / "ann" / "a.wav")
    write_rows(tmp_path / "metadata.csv", {"speaker": ["ann"], "age": ["33"]})
    with pytest.warns(UserWarning, match="no column path, file_name, filename"):
        assert read(tmp_path).labels == {"label": ["ann"]}
    write_rows(tmp_path / "metadata.jsonl", {"file_name": ["ann/a.wav"]})
    with pytest.raises(
        DataError, match=r"several tables of labels: metadata\.csv, metadata\.jsonl"
    ):
        read(tmp_path)


def test_columns_are_those_of_a_table(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav")
    path = write_rows(tmp_path / "m.csv", {"path": ["a.wav"], "tempo": ["1.5"]})
    with pytest.raises(ConfigError, match="columns are those of a table"):
        read(path, columns=("tempo",))
