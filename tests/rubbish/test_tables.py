"""Manifests, tables and labels that are wrong."""

from pathlib import Path

import pytest

from tests.rubbish.asked import SOUND, TABLE, Ask

MANIFESTS = {
    "file,label\nann/0.wav,a\n": "no numeric column",
    "path,label\n": "has no rows",
    "": "as a table",
    "path,start,end\nann/0.wav,0.3,0.1\n": "before it starts",
    "path,start,end\nann/0.wav,-1,0.1\n": "a start is 0 or more",
    "path,start,end\nann/0.wav,soon,later\n": "isn't in seconds",
    "path,start,end\nann/0.wav,90,91\n": "after the end of the file",
    "path,start,end\nann/0.wav,0,91\n": "it ends at 91.0 s",
    "path\nann/0.wav\nann/0.wav\n": "'ann/0.wav@0' is listed twice",
    "path,path\nann/0.wav,b\n": "several columns 'path'",
    "path,label\nann/0.wav,a\nann/9.wav,b\n": "there is no such file",
    "path,label\nann/0.wav,a\n,b\n": "row 2",
    "path,label\nann/0.wav,a,b,c\n": "as a table",
    "path,split\nann/0.wav,trian\n": "did you mean 'train'",
    "path,split\nann/0.wav,test\n": "no item is left to train on",
    "path,label\nann/0.wav,caf\udce9\n": "UTF-8",
    "path\nann/caf\udce9.wav\n": "UTF-8",
    "path\nann/\0.wav\n": "no such file",
}


@pytest.mark.parametrize("text", MANIFESTS)
def test_wrong_manifest_is_refused(text: str, recordings: Path, tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "ann").symlink_to(recordings / "ann")
    manifest = tmp_path / "manifest.csv"
    manifest.write_bytes(text.encode(errors="surrogateescape"))
    family = "realnvp" if text.startswith("file") else "cpc"
    quick = TABLE if family == "realnvp" else SOUND
    ask.refused(f"train {family} {manifest} --out {tmp_path}/run {quick}", says=MANIFESTS[text])
    assert not (tmp_path / "run").exists()


def test_manifest_without_paths_is_no_sound(recordings: Path, tmp_path: Path, ask: Ask) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("file,age\na.wav,3\n")
    words = f"train cpc {manifest} --out {tmp_path}/run {SOUND}"
    ask.refused(words, says=("column 'path'", "the data are table"))


def test_times_out_of_order_over_rows_work(recordings: Path, tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "ann").symlink_to(recordings / "ann")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("path,start,end\nann/0.wav,0.25,0.5\nann/0.wav,0,0.25\nann/1.wav,,\n")
    ask.works(f"train cpc {manifest} --out {tmp_path}/run {SOUND}")


TABLES = {
    "t.parquet": (b"no parquet", "as a table"),
    "e.parquet": (b"", "as a table"),
    "t.csv": (b"a,b\n1,2\nx\n", "as a table"),
    "u.csv": (b"a,b\n1,caf\xe9\n2,x\n", "UTF-8"),
    "n.csv": (b"a,b\n,\n,\n", "no numeric column"),
    "c.csv": (b"a,b\n1,2\n1,2\n1,2\n", "every column is constant"),
    "i.csv": (b"a,b\ninf,2\nnan,3\n", "every row has a missing value"),
    "l.csv": (b"a,b\nx,y\nz,w\n", "no numeric column"),
    "z.csv": (b"\0\0\0\0", "z.csv"),
    "t.xlsx": (b"PK", "no known type"),
}


@pytest.mark.parametrize("name", TABLES)
def test_table_that_is_none_is_refused(name: str, tmp_path: Path, ask: Ask) -> None:
    content, says = TABLES[name]
    (tmp_path / name).write_bytes(content)
    ask.refused(f"train realnvp {tmp_path / name} --out {tmp_path}/run {TABLE}", says=says)
    assert not (tmp_path / "run").exists()


def test_table_of_one_row_is_refused(tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    ask.refused(f"train realnvp {tmp_path}/t.csv --out {tmp_path}/run {TABLE}", says="constant")


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ("aaaaaaaaaa", "have the same 'kind'"),
        ("          ", "is empty"),
        ("a         ", "at least two labeled items"),
        ("abcdefghij", "one item only"),
    ],
)
def test_label_that_tells_nothing_is_refused(
    labels: str, says: str, nvp_run: Path, tmp_path: Path, ask: Ask
) -> None:
    rows = [f"{i % 7},{i % 3},{c.strip()}" for i, c in enumerate(labels)]
    (tmp_path / "t.csv").write_text("\n".join(["height,width,kind", *rows]) + "\n")
    probe = f"probe {nvp_run} {tmp_path}/t.csv --label kind --quiet"
    ask.refused(probe, says=says)
    assert not (nvp_run / "probes.json").exists()


def test_value_with_one_item_among_others_is_probed(
    nvp_run: Path, tmp_path: Path, ask: Ask
) -> None:
    rows = [f"{i % 7},{i % 3},{c}" for i, c in enumerate("aaaaaabbbbbbbbc")]
    (tmp_path / "t.csv").write_text("\n".join(["height,width,kind", *rows]) + "\n")
    ask.works(f"probe {nvp_run} {tmp_path}/t.csv --label kind --quiet")


def test_label_column_that_is_not_there_names_those_that_are(
    table: Path, nvp_run: Path, tmp_path: Path, ask: Ask
) -> None:
    ask.refused(f"probe {nvp_run} {table} --label color --quiet", says="There are: kind")
    (tmp_path / "t.csv").write_text("height,width\n1,2\n3,4\n")
    ask.refused(f"probe {nvp_run} {tmp_path}/t.csv --label kind --quiet", says="There are: none")


INTERVALS = {
    "item,start,end\nann/0.wav,0,1\n": "label",
    "item,start,end,label\n": "no rows",
    "item,start,end,label\nzoe/0.wav,0,1,a\n": "none of the items",
    "item,start,end,label\nann/0.wav,a,b,a\n": "isn't in seconds",
    "item,start,end,label\nann/0.wav,0.4,0.1,a\nann/1.wav,0.3,0.1,b\n": "before",
}


@pytest.mark.parametrize("text", INTERVALS)
def test_wrong_intervals_are_refused(
    text: str, recordings: Path, cpc_run: Path, tmp_path: Path, ask: Ask
) -> None:
    (tmp_path / "i.csv").write_text(text)
    words = f"probe {cpc_run} {recordings} --label x --intervals x={tmp_path}/i.csv --quiet"
    ask.refused(words, says=INTERVALS[text])
