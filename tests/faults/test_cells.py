"""A cell of a table is the text that was written, until its column is used as numbers."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ensue.data.config import DataConfig
from ensue.data.items import Items
from ensue.data.kinds.question.regions import read_regions
from ensue.data.kinds.text.codec import TextCodec
from ensue.data.sources import open_items
from ensue.data.store import open_store
from ensue.data.survey import survey
from ensue.errors import DataError
from ensue.runs.tables import write_table

SPELLINGS = [
    "007",
    "7",
    "1.10",
    "1.1",
    "1e3",
    "1000",
    "1.0",
    "1",
    "+1",
    "0x1F",
    "1_000",
    "-0",
    "0000",
]
WORDS = [
    "NA",
    "nan",
    "null",
    "None",
    "n/a",
    "#N/A",
    "True",
    "true",
    "inf",
    " 7",
    "7 ",
    "2020-01-01",
]
odd = st.sampled_from(
    [*SPELLINGS, *WORDS, "a,b", 'say "so"', "two\nlines", "a\r\nb", "\r", "\u2028"]
)
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
cells = st.lists(odd | text, min_size=1, max_size=20)
quick = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def read(data: Any, **given: Any) -> Items:
    return open_items(data, DataConfig(**given), cache=Path("unused"))


def write_csv(path: Path, columns: dict[str, list[str]], end: str = "\n") -> Path:
    """By Python's own writer, every cell in quotes."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator=end)
    writer.writerows([columns, *zip(*columns.values(), strict=True)])
    path.write_bytes(file.getvalue().encode())
    return path


def write_jsonl(path: Path, columns: dict[str, list[str]]) -> Path:
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_bytes(("\n".join(lines) + "\n").encode())
    return path


def write_parquet(path: Path, columns: dict[str, list[str]]) -> Path:
    pyarrow.parquet.write_table(pa.table(columns), path)
    return path


WRITERS = {"t.csv": write_csv, "t.jsonl": write_jsonl, "t.parquet": write_parquet}


@pytest.mark.parametrize("name", WRITERS)
@quick
@given(cells=cells)
@example(cells=[*SPELLINGS, *WORDS])
def test_labels_are_what_was_written(name: str, tmp_path: Path, cells: list[str]) -> None:
    columns = {"x": [str(i) for i in range(len(cells))], "code": cells}
    labels = read(WRITERS[name](tmp_path / name, columns), columns=("x",)).labels
    assert labels == {"code": cells}


@pytest.mark.parametrize("name", WRITERS)
@quick
@given(cells=cells)
def test_texts_are_what_was_written(name: str, tmp_path: Path, cells: list[str]) -> None:
    path = WRITERS[name](tmp_path / name, {"text": cells, "label": cells[::-1]})
    items = read(path)
    assert (items.kind, list(items.raw), items.labels["label"]) == ("text", cells, cells[::-1])


@quick
@given(cells=cells)
def test_what_we_write_is_read_back(tmp_path: Path, cells: list[str]) -> None:
    write_table({"x": np.arange(len(cells)), "code": cells}, tmp_path / "t.csv")
    assert read(tmp_path / "t.csv", columns=("x",)).labels == {"code": cells}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("width", [1, 40, 700_000])
def test_line_ends_in_quotes_stay_whole_in_tables_of_any_size(
    width: int, end: str, tmp_path: Path
) -> None:
    """Above 2 MB, and cells of more than 1 MB, as blocks of readers are smaller."""
    num = max(2_500_000 // (width + 20), 3)
    cells = [f'first {i}\nsecond, {"x" * width}\r\nthird "{i}"' for i in range(num)]
    path = write_csv(
        tmp_path / "t.csv", {"text": cells, "label": [f"{i:09d}" for i in range(num)]}, end
    )
    assert path.stat().st_size > 2_000_000
    items = read(path)
    assert list(items.raw) == cells
    assert items.labels["label"] == [f"{i:09d}" for i in range(num)]


def test_quote_that_is_never_closed_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('text,label\none,a\n"two,b\nthree,c\n')
    with pytest.raises(DataError, match=r"line 4: .*check its quotes"):
        read(tmp_path / "t.csv")


def test_numbers_of_json_are_spelled_as_in_the_file(tmp_path: Path) -> None:
    numbers = ["1.10", "1.1", "1e3", "1000", "1.0", "1", "123456789012345678901234567890", "true"]
    lines = [f'{{"x": {i}.5, "code": {number}}}' for i, number in enumerate(numbers)]
    (tmp_path / "t.jsonl").write_text("\n".join([*lines, '{"x": 9, "code": null}', '{"x": 1e1}']))
    items = read(tmp_path / "t.jsonl", columns=("x",))
    assert items.labels["code"] == [*numbers, "", ""]
    assert [row["x"] for row in items.raw] == [*(i + 0.5 for i in range(8)), 9, 10]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"x": 1, "x": 2}', "line 2 names a column twice"),
        ('{"x": {"y": 1}}', "column 'x' holds an object"),
        ('{"x": [1]}', "column 'x' holds lists and other values"),
        ("[1]", "line 2 is no object"),
        ('{"x": 1', "line 2 is no JSON"),
    ],
)
def test_json_that_would_lose_something_is_refused(line: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(f'{{"x": 1}}\n{line}\n')
    with pytest.raises(DataError, match=reason):
        read(tmp_path / "t.jsonl")


@pytest.mark.parametrize(
    ("kind", "values", "texts"),
    [
        (pa.float64(), [1.0, 1.1, 1e300, -0.0, None], ["1.0", "1.1", "1e+300", "-0.0", ""]),
        (pa.float32(), [1.0, 1.1], ["1.0", "1.1"]),
        (pa.int8(), [1, -7], ["1", "-7"]),
        (pa.bool_(), [True, False], ["true", "false"]),
        (pa.dictionary(pa.int8(), pa.string()), ["007", "7"], ["007", "7"]),
        (pa.dictionary(pa.int8(), pa.float64()), [1.0, 2.5], ["1.0", "2.5"]),
        (pa.large_string(), ["NA", "1.10"], ["NA", "1.10"]),
        (pa.list_(pa.float64()), [[1.0, 2.5], None, []], ["1.0;2.5", "", ""]),
        (pa.decimal128(5, 2), ["1.10", "1.00"], ["1.10", "1.00"]),
    ],
    ids=str,
)
def test_typed_cells_tell_their_type(
    kind: pa.DataType, values: list, texts: list[str], tmp_path: Path
) -> None:
    if pa.types.is_decimal(kind):
        column = pa.array(values, pa.string()).cast(kind)
    else:
        column = pa.array(values, kind)
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pa.table({"x": range(len(values)), "code": column}), path)
    assert read(path, columns=("x",)).labels == {"code": texts}


def test_columns_of_numbers_are_modeled_and_gaps_are_told(tmp_path: Path) -> None:
    rows = ["1,007,3 kg,a", "2.5,7,4,b", "NA,1e1,5,c"]
    (tmp_path / "t.csv").write_text("\n".join(["x,y,mass,kind", *rows]))
    items = read(tmp_path / "t.csv")
    assert [row["y"] for row in items.raw] == [7, 7, 10]
    assert math.isnan(items.raw[2]["x"])
    assert items.labels == {"mass": ["3 kg", "4", "5"], "kind": ["a", "b", "c"]}
    found = survey(items, DataConfig(max_skipped=0.5))
    assert found.unreadable == [("2", "values are missing or infinite in x")]
    assert any("'mass'" in text and "'3 kg'" in text for text in found.findings)


@pytest.mark.parametrize("cell", ["NA", "nan", "soon", "1:30", "1_0"])
def test_times_that_are_no_numbers_are_refused(cell: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(f"path,start,end\na.wav,0,1\nb.wav,0,{cell}\n")
    with pytest.raises(DataError, match=f"column 'end' isn't in seconds: .*'{cell}'"):
        read(tmp_path / "m.csv")


def test_names_and_groups_of_rows_are_text(tmp_path: Path) -> None:
    rows = ["01,1.5,007,1.10", "1,2.5,7,1.1", "001,3.5,07,1.10"]
    (tmp_path / "t.csv").write_text("\n".join(["item,x,who,class", *rows]))
    items = read(tmp_path / "t.csv", group="who", condition="class")
    assert items.ids == ["01", "1", "001"]
    assert items.group == ["007", "7", "07"]
    assert items.labels["class"] == ["1.10", "1.1", "1.10"]
    assert list(items.raw[0]) == ["x"]


def test_regions_are_found_by_the_names_that_were_written(tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", features=np.eye(2)[:, None], names=np.array(["0000", "0"]))
    (tmp_path / "q.csv").write_text("path,question,answer\n0,what?,1.0\n0000,why?,1\n")
    items = read(tmp_path / "q.csv", regions=str(tmp_path / "r.npz"))
    assert [raw.source for raw in items.raw] == ["0", "0000"]
    assert [raw.answer for raw in items.raw] == ["1.0", "1"]
    table = pa.table({"item": [10, 10, 2], "features": [[1.0], [2.0], [3.0]]})
    pyarrow.parquet.write_table(table, tmp_path / "r.parquet")
    assert read_regions(tmp_path / "r.parquet").names == ["10", "2"]  # type: ignore[union-attr]


def test_text_that_is_read_otherwise_is_stored_again(tmp_path: Path) -> None:
    """What lies in a cache of another spelling isn't taken for these cells."""
    (tmp_path / "t.csv").write_text("text\n007\nNA\n")
    store = open_store(read(tmp_path / "t.csv"), TextCodec(tokens="bytes"), tmp_path / "cache")
    assert [bytes(store[i].tolist()[1:-1]) for i in range(2)] == [b"007", b"NA"]


def test_folders_of_a_parquet_file_are_no_columns(tmp_path: Path) -> None:
    path = tmp_path / "year=2020" / "t.parquet"
    path.parent.mkdir()
    pyarrow.parquet.write_table(pa.table({"x": [1.0, 2.0]}), path)
    assert list(read(path).raw[0]) == ["x"]
