"""What a Python program holds is what it looks like, for training and for use, or is refused."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import ensue
from ensue.data.config import DataConfig
from ensue.data.items import Items
from ensue.data.sources import Wanted, open_items
from tests.data.stores import write_lines, write_sound
from tests.questions import write_questions

QUICK = {"max_steps": 2, "batch_size": 4, "warmup_steps": 1, "validation": 0.3, "quiet": True}
TINY = {"hidden_size": 8, "embedding_size": 4, "window_tokens": 16, **QUICK}


class Streaming:
    """A DataFrame of another library, which hands on Arrow's streams and nothing else."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self.table = pa.table(dict(columns))

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.table.__arrow_c_stream__(requested_schema)


class Interchanging:
    """A DataFrame that keeps the interchange protocol and nothing else."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self.table = pa.table(dict(columns))

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> Any:
        return self.table.__dataframe__(nan_as_null, allow_copy)


def rows_of(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


TABLES: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "stream": Streaming,
    "interchange": Interchanging,
    "arrow": lambda columns: pa.table(dict(columns)),
    "batch": lambda columns: pa.RecordBatch.from_pydict(dict(columns)),
    "columns": dict,
    "arrays": lambda columns: {n: np.array(v) for n, v in columns.items()},
    "rows": rows_of,
    "generator": lambda columns: (row for row in rows_of(columns)),
}
COLUMNS = {
    "height": [0.5, 1.5, -2.0, 3.25],
    "width": [1.0, 2.5, 4.0, 8.0],
    "kind": ["x", "y", "", "x"],
}


def read(data: Any, *, wanted: Wanted | None = None, **values: Any) -> Items:
    config = DataConfig(**values)
    return open_items(data, config, cache=Path(), wanted=wanted or Wanted())


def table_columns(num: int = 40) -> dict[str, list[Any]]:
    rng = np.random.default_rng(0)
    height, width = rng.normal(5, 3, (2, num)).round(4).tolist()
    return {"height": height, "width": width, "kind": ["xy"[i % 2] for i in range(num)]}


# Tables


@pytest.mark.parametrize("form", TABLES)
def test_tables_of_any_form_are_the_same_rows(form: str, tmp_path: Path) -> None:
    items = read(TABLES[form](COLUMNS))
    pyarrow.parquet.write_table(pa.table(COLUMNS), tmp_path / "t.parquet")
    as_file = read(tmp_path / "t.parquet")
    assert items.kind == "table"
    assert list(items.raw) == list(as_file.raw)
    assert items.labels == as_file.labels == {"kind": ["x", "y", "", "x"]}


@pytest.mark.parametrize("form", TABLES)
@pytest.mark.parametrize(("name", "kind"), [("text", "text"), ("smiles", "smiles")])
def test_a_column_says_what_rows_are(form: str, name: str, kind: str) -> None:
    items = read(TABLES[form]({name: ["CCO", "CCN"], "label": ["a", "b"]}))
    assert (items.kind, list(items.raw)) == (kind, ["CCO", "CCN"])
    assert items.labels == {"label": ["a", "b"]}


@pytest.mark.parametrize("form", TABLES)
def test_a_column_of_paths_is_a_manifest_from_here(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_sound(tmp_path / "a.wav")
    write_sound(tmp_path / "b.wav")
    items = read(TABLES[form]({"path": ["a.wav", "b.wav"], "speaker": ["s", "t"]}))
    assert (items.kind, items.group) == ("audio", ["s", "t"])
    assert all(clip.path.exists() for clip in items.raw)


@settings(deadline=None)
@given(
    rows=st.lists(
        st.dictionaries(st.sampled_from(["a", "b", "c"]), st.floats(-9, 9, width=32), min_size=1),
        min_size=1,
        max_size=6,
    )
)
def test_rows_keep_every_column_and_every_gap(rows: list[dict[str, float]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    found = read(rows)
    assert list(found.raw.columns) == names
    for row, seen in zip(rows, found.raw, strict=True):
        assert all(np.isnan(seen[n]) if n not in row else seen[n] == row[n] for n in names)


def test_an_index_without_a_name_is_no_column() -> None:
    items = read(Streaming({"x": [1.5, 2.5], "__index_level_0__": [7, 9]}))
    assert list(items.raw) == [{"x": 1.5}, {"x": 2.5}]


def test_codes_decimals_and_named_fields_are_what_they_say() -> None:
    codes = pa.array(["red", "blue", "red"]).dictionary_encode()
    money = pa.array([1, 2, 3], pa.decimal128(9, 2))
    items = read(Streaming({"x": money, "color": codes}))
    assert list(items.raw) == [{"x": 1.0}, {"x": 2.0}, {"x": 3.0}]
    assert items.labels == {"color": ["red", "blue", "red"]}
    fields = np.array([(1.5, "a"), (2.5, "b")], dtype=[("x", float), ("name", "U4")])
    assert list(read(fields).raw) == [{"x": 1.5}, {"x": 2.5}]
    assert read(fields).labels == {"name": ["a", "b"]}


def test_what_a_masked_array_hides_is_missing() -> None:
    hidden = np.ma.masked_array([[1.0, 2.0], [3.0, 4.0]], [[False, True], [False, False]])
    assert np.isnan(read(hidden).raw[0]["x1"])


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames_are_tables(library: str) -> None:
    frames = pytest.importorskip(library)
    items = read(frames.DataFrame(COLUMNS))
    assert list(items.raw) == list(read(COLUMNS).raw)
    assert items.labels == {"kind": ["x", "y", "", "x"]}


def test_other_values_have_another_fingerprint() -> None:
    one, same, other = (read({"x": [0.5, x]}).fingerprint for x in (1.0, 1.0, 2.0))
    assert one == same != other


# Lists


def test_a_list_of_texts_is_texts_and_of_files_their_contents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_lines(tmp_path / "a.txt", "in the file")
    (tmp_path / "docs").mkdir()
    assert list(read(["one", "two and three"]).raw) == ["one", "two and three"]
    assert list(read(["docs", "one"]).raw) == ["docs", "one"]
    assert read(["a.txt"]).raw[0].read() == b"in the file\n"
    assert read([Path("a.txt")]).kind == "text"
    # For a run of texts a name is one too.
    assert list(read(["a.txt"], wanted=Wanted(("text",))).raw) == ["a.txt"]


def test_molecules_are_told_by_who_asks_or_by_a_setting() -> None:
    assert read(["CCO", "CCN"]).kind == "text"
    assert read(["CCO", "CCN"], tokens="smiles").kind == "smiles"
    assert read(["CCO", "CCN"], wanted=Wanted(("smiles",))).kind == "smiles"


def test_files_are_told_by_their_endings(tmp_path: Path) -> None:
    sounds = [write_sound(tmp_path / f"{i}.wav") for i in range(2)]
    assert read(sounds).kind == read([str(p) for p in sounds]).kind == "audio"
    picture = tmp_path / "p.png"
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(picture)
    assert read([picture]).kind == "image"
    molecules = write_lines(tmp_path / "m.smi", "CCO", "CCN")
    assert list(read([molecules]).raw) == ["CCO", "CCN"]
    with pytest.raises(ensue.EnsueError, match="several kinds"):
        read([sounds[0], picture])


def test_images_of_any_sizes_are_images() -> None:
    small, wide = np.zeros((4, 4), np.uint8), np.zeros((4, 6, 3), np.uint8)
    found = read([small, torch.from_numpy(wide), Image.fromarray(small)])
    assert found.kind == "image"
    assert [x.shape for x in found.raw] == [(4, 4), (4, 6, 3), (4, 4)]
    with pytest.raises(ensue.EnsueError, match="convert"):
        read([Image.fromarray(small).convert("P")])


def test_tensors_are_arrays() -> None:
    x = torch.arange(6.0).reshape(3, 2).requires_grad_()
    assert list(read(x).raw) == list(read(x.detach().numpy()).raw)
    assert list(read(x.bfloat16()).raw) == list(read(x.detach().numpy()).raw)
    assert list(read([[0, 1], [2, 3]], wanted=Wanted(("table",))).raw)[1] == {"x0": 2, "x1": 3}
    (samples, rate) = read([(torch.zeros(9), 8000.0)]).raw[0]
    assert (samples.shape, rate) == ((9,), 8000)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (3, "type int"),
        (b"text", "type bytes"),
        ({"one", "two"}, "type set"),
        ([None, "a"], "not NoneType and str"),
        ([1.0, 2.0], "not float"),
        ({}, "no columns"),
        ({"a": 1.0, "b": 2.0}, r"\[\{column: value\}\]"),
        ({"a": [1, 2], "b": [1]}, "'a' has 2, 'b' has 1"),
        ({"a": [1, "x"]}, "several types"),
        ([(np.zeros(9), 0.5)], "at 0.5 Hz; give .* rate in whole Hz"),
        ([(np.zeros((2, 400)), 8000)], r"\(2, 400\).*give \(samples,\) or \(samples, channels\)"),
        ([np.zeros(9), np.zeros(8)], r"\(samples, rate\) pairs"),
        ([np.zeros((4, 4, 4))], "float64"),
        (np.zeros((2, 3, 4, 4), np.uint8), r"\(N, H, W, 3\)"),
        (["a.csv", "b.csv"], "a table alone"),
    ],
)
def test_what_is_none_of_these_is_refused_with_what_does_work(data: Any, words: str) -> None:
    with pytest.raises(ensue.EnsueError, match=words) as refused:
        read(data)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("form", ["columns", "rows"])
def test_labels_stand_next_to_images_and_recordings(form: str) -> None:
    made, label = TABLES[form], ["a", "b", "a"]
    images = np.arange(48, dtype=np.uint8).reshape(3, 4, 4)
    found = read(made({"image": images, "label": label}))
    assert (found.kind, found.labels) == ("image", {"label": label})
    assert np.array_equal(np.stack(found.raw), images)
    sounds = [(np.full(9, i / 4), 8000) for i in range(3)]
    found = read(made({"audio": sounds, "speaker": label}), group="speaker")
    assert (found.kind, found.group) == ("audio", label)
    assert found.fingerprint != read(made({"audio": sounds, "speaker": ["a"] * 3})).fingerprint
    hub = [{"array": x, "sampling_rate": rate} for x, rate in sounds]
    assert [rate for _, rate in read(made({"audio": hub})).raw] == [8000] * 3


# Training and use


@pytest.mark.parametrize("form", TABLES)
def test_a_flow_learns_and_scores_a_table_of_any_form(form: str, tmp_path: Path) -> None:
    columns = table_columns()
    made = TABLES[form]
    small = {"depth": 2, "hidden_sizes": (8,), **QUICK}
    ensue.train("realnvp", made(columns), out=tmp_path / "run", **small)
    run = ensue.load(tmp_path / "run")
    assert run.codec.columns == ("height", "width")
    expected = run.score(rows_of(columns))
    np.testing.assert_allclose(run.score(made(columns)), expected, rtol=0, atol=1e-6)
    array = np.array([columns["height"], columns["width"]]).T
    for other in (array, torch.from_numpy(array), array.tolist(), list(array)):
        np.testing.assert_allclose(run.score(other), expected, rtol=0, atol=1e-6)
    written = ensue.score(tmp_path / "run", made(columns), out=tmp_path / "s.csv", quiet=True)
    assert written.num_items == len(expected)
    probed = ensue.probe(tmp_path / "run", made(columns), label="kind", quiet=True)
    assert probed.result.num_classes == 2
    assert ensue.check(made(columns), quiet=True).survey.num_items == len(expected)


def test_a_run_of_an_array_with_a_constant_column_takes_its_rows(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 3))
    x[:, 1] = 7
    small = {"depth": 2, "hidden_sizes": (8,), **QUICK}
    with pytest.warns(UserWarning, match="constant"):
        ensue.train("realnvp", x, out=tmp_path / "run", **small)
    run = ensue.load(tmp_path / "run")
    rows = [{f"x{i}": v for i, v in enumerate(row)} for row in x.tolist()]
    assert np.array_equal(run.score(x), run.score(rows))


def test_texts_are_learned_and_read_as_texts(tmp_path: Path) -> None:
    texts = [f"an apple and {i} pears" for i in range(12)]
    ensue.train("charrnn", texts, out=tmp_path / "run", **TINY)
    run = ensue.load(tmp_path / "run")
    expected = run.embed(texts)
    for other in (
        (t for t in texts),
        np.array(texts),
        {"text": texts},
        [{"text": t} for t in texts],
    ):
        assert np.array_equal(run.embed(other), expected)
    found = ensue.embed(tmp_path / "run", texts, out=tmp_path / "e.parquet", quiet=True)
    assert found.num_items == len(texts)
    vectors = pyarrow.parquet.read_table(tmp_path / "e.parquet")["embedding"].to_pylist()
    np.testing.assert_allclose(np.array(vectors), expected, rtol=0, atol=1e-5)


def test_molecules_in_a_column_are_learned_and_a_list_is_of_them(tmp_path: Path) -> None:
    smiles = ["C" * n + "O" for n in range(1, 13)]
    ensue.train("charrnn", {"smiles": smiles}, out=tmp_path / "run", **TINY)
    run = ensue.load(tmp_path / "run")
    assert run.codec.kind == "smiles"
    expected = run.score(smiles)
    assert np.array_equal(run.score({"smiles": smiles}), expected)
    ensue.score(tmp_path / "run", smiles, out=tmp_path / "s.parquet", quiet=True)
    nats = pyarrow.parquet.read_table(tmp_path / "s.parquet")["nats"].to_numpy()
    np.testing.assert_allclose(nats, expected, rtol=0, atol=1e-4)


def test_samples_alone_are_at_the_rate_of_the_run(
    cpc_run: Path, recordings: Path, tmp_path: Path
) -> None:
    run, path = ensue.load(cpc_run), recordings / "ann" / "0.wav"
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == run.codec.sample_rate
    expected = run.embed([path])
    for one in (samples, torch.from_numpy(samples), samples.tolist(), (samples, rate), str(path)):
        np.testing.assert_allclose(run.embed([one]), expected, rtol=0, atol=1e-6)
    assert np.array_equal(run.embed({"path": [str(path)]}), expected)
    np.testing.assert_allclose(run.frames(samples), run.frames(path), rtol=0, atol=1e-6)
    ensue.embed(cpc_run, [samples, samples[:4000]], out=tmp_path / "e.parquet", quiet=True)
    vectors = pyarrow.parquet.read_table(tmp_path / "e.parquet")["embedding"].to_pylist()
    np.testing.assert_allclose(vectors[0], expected[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([3], "an item is 3; give a path"),
        ([None], "an item is None"),
        ([{"a": 1}], "no numeric column|and this run's are audio"),
        ((np.zeros(9), 8000), "one .* pair; give a list"),
        (np.zeros(9), "an item is 0.0|an item is np.float64"),
        (b"x", "give a list"),
    ],
)
def test_a_run_of_sound_refuses_what_is_none(cpc_run: Path, data: Any, words: str) -> None:
    with pytest.raises(ensue.EnsueError, match=words):
        ensue.load(cpc_run).embed(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([[1.0, 2.0, 3.0]], r"2 numbers, in the order of the columns \(height, width\)"),
        (["a"], "an item is 'a'"),
        ({"height": 1.0, "width": 2.0}, r"\[\{column: value\}\]"),
        ({"height": [1.0, 2.0]}, "unknown column 'width'"),
        ([{"height": 1.0}], "width"),
    ],
)
def test_a_run_of_a_table_refuses_what_is_no_row(nvp_run: Path, data: Any, words: str) -> None:
    with pytest.raises(ensue.EnsueError, match=words):
        ensue.load(nvp_run).score(data)


def test_samples_without_a_rate_are_not_learned(tmp_path: Path) -> None:
    with pytest.raises(ensue.EnsueError, match="give samples with their rate"):
        ensue.train("cpc", [np.zeros(8000)] * 4, out=tmp_path / "run", **QUICK)
    assert not (tmp_path / "run").exists()


def test_questions_are_learned_asked_and_scored_from_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_questions(tmp_path)
    monkeypatch.chdir(tmp_path)
    columns = pyarrow.csv.read_csv("my_questions.csv").drop(["row"]).to_pydict()
    small = {"region_size": 8, "hidden_size": 8, **QUICK}
    ensue.train("seq2seq", rows_of(columns), out="run", **small)
    run = ensue.load("run")
    assert np.array_equal(run.score(columns), run.score(rows_of(columns)))
    sources = {name: columns[name][:3] for name in ("path", "answer")}
    written = ensue.ask("run", Streaming(sources), out="asked.csv")
    assert written.num_items == 3


@pytest.mark.parametrize("text", ["one text " * 1000, "a\0b"], ids=["long", "null"])
def test_one_text_in_place_of_a_list_is_refused_whatever_it_is(text: str, text_run: Path) -> None:
    """No file has such a name, and some systems refuse to look."""
    with pytest.raises(ensue.EnsueError, match="give a list of them"):
        ensue.load(text_run).embed(text)
