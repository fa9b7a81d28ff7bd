"""The laws of the sources: what is named is what is read, and a wrong name is answered."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from ensue.data.config import DataConfig
from ensue.data.corpora import BUILTIN
from ensue.data.items import Clip, Items
from ensue.data.kinds.audio.codec import AudioCodec
from ensue.data.sources import open_items
from ensue.data.store import open_store
from ensue.errors import ConfigError, DataError
from tests.data.stores import write_lines, write_sound


def read(data: Any, cache: Path = Path("unused"), **settings: Any) -> Items:
    return open_items(data, DataConfig(**settings), cache=cache)


def test_recordings_of_every_format_are_items_and_other_files_are_not(tmp_path: Path) -> None:
    for name in ("a.wav", "b.flac", "c.ogg", "d.mp3", "e.WAV"):
        write_sound(tmp_path / name)
    write_lines(tmp_path / "notes.txt", "not a sound")
    (tmp_path / "empty.wav").mkdir()
    items = read(tmp_path)
    assert list(items.ids) == ["a.wav", "b.flac", "c.ogg", "d.mp3", "e.WAV"]
    codec = AudioCodec(sample_rate=8000, level=1.0)
    assert all(len(codec.encode(raw)) >= 800 for raw in items.raw)


def test_sub_folders_are_labels(tmp_path: Path) -> None:
    for name in ("cat/1.wav", "cat/2.wav", "dog/loud/1.wav"):
        write_sound(tmp_path / name)
    items = read(tmp_path)
    assert list(items.ids) == ["cat/1.wav", "cat/2.wav", "dog/loud/1.wav"]
    assert items.labels == {"label": ["cat", "cat", "dog/loud"]}


def test_recording_in_no_sub_folder_has_no_label(tmp_path: Path) -> None:
    for name in ("cat/1.wav", "stray.wav"):
        write_sound(tmp_path / name)
    assert read(tmp_path).labels == {"label": ["cat", ""]}


def test_flat_folder_has_no_labels(tmp_path: Path) -> None:
    write_sound(tmp_path / "1.wav")
    assert read(tmp_path).labels == {}


def test_loop_of_links_ends(tmp_path: Path) -> None:
    write_sound(tmp_path / "cat/1.wav")
    (tmp_path / "cat/again").symlink_to(tmp_path, target_is_directory=True)
    assert list(read(tmp_path).ids) == ["cat/1.wav"]


def test_folder_of_nothing_names_the_formats(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"no recordings, .* in .*\.flac, .*\.png, .*\.smi, .*\.csv"
    ):
        read(tmp_path)


def test_group_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    write_sound(tmp_path / "cat/1.wav")
    with pytest.raises(DataError, match="unknown group column 'labels': did you mean 'label'"):
        read(tmp_path, group="labels")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_manifest_columns_are_paths_times_and_labels(tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        write_sound(tmp_path / f"sound/{name}.wav", seconds=1)
    columns = {
        "path": ["sound/a.wav", "sound/b.wav", "sound/a.wav"],
        "start": [0.0, None, 0.25],
        "end": [0.25, 0.5, None],
        "speaker": ["ann", "bob", "ann"],
        "session": [1, 2, 1],
        "word": ["yes", None, "no"],
    }
    items = read(write_columns(tmp_path / f"manifest{suffix}", columns))
    a, b = (tmp_path / f"sound/{name}.wav" for name in ("a", "b"))
    assert list(items.raw) == [Clip(a, 0.0, 0.25), Clip(b, 0.0, 0.5), Clip(a, 0.25, None)]
    assert list(items.ids) == ["sound/a.wav@0", "sound/b.wav@0", "sound/a.wav@0.25"]
    assert items.labels == {
        "speaker": ["ann", "bob", "ann"],
        "session": ["1", "2", "1"],
        "word": ["yes", "", "no"],
    }
    assert items.group == ["ann", "bob", "ann"]


def test_clip_is_the_stretch_of_the_file(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", seconds=1)
    manifest = write_lines(tmp_path / "m.csv", "path,start,end", "a.wav,0.25,0.5")
    codec = AudioCodec(sample_rate=8000, level=1.0)
    whole, clip = codec.encode(Clip(path)), codec.encode(read(manifest).raw[0])
    assert clip.tolist() == whole[2000:4000].tolist()


def test_setting_chooses_the_group_column(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, "speaker,session", "ann,s1", "bob,s1", "bob,s2")
    assert read(manifest).group == ["ann", "bob", "bob"]
    assert read(manifest, group="session").group == ["s1", "s1", "s2"]
    with pytest.raises(DataError, match="unknown group column 'sesion': did you mean"):
        read(manifest, group="sesion")


def test_other_group_column_is_another_store(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, "speaker,session", "ann,s1", "bob,s1", "bob,s2")
    for name in ("0.wav", "1.wav", "2.wav"):
        write_sound(tmp_path / name)
    codec = AudioCodec(sample_rate=8000, level=1.0)
    for group, expected in (("speaker", ["ann", "bob", "bob"]), ("session", ["s1", "s1", "s2"])):
        items = read(manifest, group=group)
        assert open_store(items, codec, tmp_path / "cache").group == expected


def test_late_starts_of_one_file_have_different_names(tmp_path: Path) -> None:
    rows = [f"a.wav,{t},{t + 0.01}" for t in (36000.01, 36000.02, 36000.03)]
    items = read(write_lines(tmp_path / "m.csv", "path,start,end", *rows))
    assert list(items.ids) == [f"a.wav@{t}" for t in ("36000.01", "36000.02", "36000.03")]


def test_clips_that_end_differently_are_different_items(tmp_path: Path) -> None:
    lines = ("path,start,end", "a.wav,0,1", "a.wav,0,2")
    assert list(read(write_lines(tmp_path / "m.csv", *lines)).ids) == ["a.wav@0-1", "a.wav@0-2"]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("path,start,end", "a.wav,0,1", "b.wav,0,1", "a.wav,0,1"), "'a.wav@0-1' is listed tw"),
        (("path,start,end", "a.wav,2,1"), r"'a.wav' ends at 1.0 s, before it starts"),
        (("path,start,end", "a.wav,1,1"), r"'a.wav' ends at 1.0 s, before it starts"),
        (("path,start", "a.wav,-1"), r"'a.wav' starts at -1.0 s; a start is 0 or more"),
        (("path,start", "a.wav,soon"), r"column 'start' isn't in seconds"),
        (("path,word", "a.wav,yes", ",no"), r"row 2 of the manifest .* has no path"),
        (("path,word",), r"the manifest .* has no rows"),
        (("path,word,word", "a.wav,yes,no"), r"has several columns 'word'"),
        (("path,word", "a.wav"), r"can't read .* as a table: .*Expected 2 columns, got 1"),
    ],
)
def test_wrong_manifest_is_refused_with_the_reason(
    tmp_path: Path, lines: tuple[str, ...], reason: str
) -> None:
    manifest = write_lines(tmp_path / "m.csv", *lines)
    with pytest.raises(DataError, match=reason):
        read(manifest)


def test_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.parquet").write_bytes(b"not parquet")
    with pytest.raises(DataError, match=r"can't read .*m.parquet' as a table"):
        read(tmp_path / "m.parquet")


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes("path,speaker\na.wav,Zoë\n".encode("latin-1"))
    with pytest.raises(DataError, match="column 'speaker' can't be read as text"):
        read(tmp_path / "m.csv")


def test_missing_file_is_counted_with_the_unreadable(tmp_path: Path) -> None:
    write_sound(tmp_path / "0.wav")
    items = read(manifest_of(tmp_path, "word", "yes", "no"))
    codec = AudioCodec(sample_rate=8000, level=1.0)
    store = open_store(items, codec, tmp_path / "cache", max_skipped=0.5)
    assert list(store.ids) == ["0.wav"]
    assert store.skipped == [("1.wav", "it can't be read: there is no such file")]


def test_intervals_are_found_beside_the_manifest(tmp_path: Path) -> None:
    write_lines(tmp_path / "phones.csv", "item,start,end,label", "0.wav,0.5,0.7,b", "0.wav,0,0.5,a")
    manifest = manifest_of(tmp_path, "word", "yes")
    start, end, label = (
        read(manifest, intervals=("phone=phones.csv",)).intervals["phone"].by_item()["0.wav"]
    )
    assert (start.tolist(), end.tolist(), label.tolist()) == ([0, 0.5], [0.5, 0.7], ["a", "b"])


def test_interval_labels_that_are_numbers_keep_their_spelling(tmp_path: Path) -> None:
    write_lines(tmp_path / "n.csv", "item,start,end,label", "0.wav,0,1,5", "0.wav,1,2,")
    items = read(manifest_of(tmp_path, "word", "yes"), intervals=("n=n.csv",))
    assert items.intervals["n"].by_item()["0.wav"][2].tolist() == ["5", ""]


@pytest.mark.parametrize(
    ("setting", "lines", "error", "reason"),
    [
        ("n.csv", ("item,start,end,label", "a,0,1,x"), ConfigError, "give NAME=FILE"),
        ("n=m.csv", ("item,start,end,label", "a,0,1,x"), DataError, "lacks the columns end"),
        ("n=gone.csv", ("item,start,end,label", "a,0,1,x"), DataError, "'gone.csv'"),
        ("n=n.csv", ("item,start,end,label",), DataError, "has no rows"),
    ],
)
def test_wrong_intervals_are_refused_with_the_reason(
    tmp_path: Path, setting: str, lines: tuple[str, ...], error: type, reason: str
) -> None:
    write_lines(tmp_path / "n.csv", *lines)
    manifest = write_lines(tmp_path / "m.csv", "path,start", "0.wav,0")
    with pytest.raises(error, match=reason):
        read(manifest, intervals=(setting,))


def test_times_that_are_text_are_refused_when_asked_for(tmp_path: Path) -> None:
    write_lines(tmp_path / "n.csv", "item,start,end,label", "0.wav,zero,1,x")
    items = read(manifest_of(tmp_path, "word", "yes"), intervals=("n=n.csv",))
    with pytest.raises(DataError, match="column 'start' isn't in seconds"):
        items.intervals["n"].by_item()


def test_pairs_in_memory_are_items() -> None:
    pairs = [(np.zeros(10), 8000), (np.ones((10, 2)), 16000)]
    items = read(pairs)
    assert list(items.ids) == ["000000", "000001"]
    for (samples, rate), (own_samples, own_rate) in zip(items.raw, pairs, strict=True):
        assert rate == own_rate
        assert np.array_equal(samples, own_samples)


def test_list_of_paths_is_items(tmp_path: Path) -> None:
    paths = [write_sound(tmp_path / "b.wav"), write_sound(tmp_path / "a.wav")]
    items = read([str(paths[0]), paths[1]])
    assert list(items.raw) == [Clip(p) for p in paths]
    assert list(items.ids) == [str(p) for p in paths]


def test_one_file_is_one_item(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav")
    assert list(read(path).raw) == [Clip(path)]
    assert list(read(str(path)).ids) == ["a.wav"]


@pytest.mark.parametrize(
    "other",
    [(np.ones((10, 2)), 8000), (np.ones(20), 16000), (np.ones(20, np.float32), 8000)],
    ids=["shape", "rate", "type"],
)
def test_same_bytes_of_another_meaning_have_another_fingerprint(other: Any) -> None:
    assert read([other]).fingerprint != read([(np.ones(20), 8000)]).fingerprint


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ([], "the list is empty"),
        ([np.zeros(10)], "holds paths or .* pairs, not ndarray"),
        ([(8000, np.zeros(10))], "holds paths or .* pairs, not tuple"),
        (["a.wav", "a.wav"], "'a.wav@0' is listed twice"),
    ],
)
def test_other_lists_are_refused_with_the_reason(data: Any, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        read(data)


def test_settings_that_can_not_be_kept_are_refused() -> None:
    pairs = [(np.zeros(10), 8000)]
    with pytest.raises(DataError, match="unknown group column 'speaker'"):
        read(pairs, group="speaker")
    with pytest.raises(ConfigError, match="columns are those of a table"):
        read(pairs, columns=("x0",))


def tree_table(folder: Path) -> Path:
    return write_lines(
        folder / "t.csv", "height,kind,weight,site", "1.5,oak,3,7", "2,elm,,7", "nan,oak,5,8"
    )


def test_numbers_of_a_table_are_values_and_text_is_labels(tmp_path: Path) -> None:
    items = read(tree_table(tmp_path))
    assert items.kind == "table"
    assert list(items.ids) == ["0", "1", "2"]
    assert items.raw[0] == {"height": 1.5, "weight": 3.0, "site": 7.0}
    assert np.isnan(items.raw[1]["weight"])
    assert np.isnan(items.raw[2]["height"])
    assert items.labels == {"kind": ["oak", "elm", "oak"]}


def test_setting_chooses_columns_of_a_table_and_the_rest_are_labels(tmp_path: Path) -> None:
    items = read(tree_table(tmp_path), columns=("weight", "height"))
    assert list(items.raw[0].items()) == [("weight", 3.0), ("height", 1.5)]
    assert items.labels == {"kind": ["oak", "elm", "oak"], "site": ["7", "7", "8"]}


def test_group_column_of_a_table_is_no_value(tmp_path: Path) -> None:
    items = read(tree_table(tmp_path), group="site")
    assert set(items.raw[0]) == {"height", "weight"}
    assert items.group == ["7", "7", "8"]


@pytest.mark.parametrize(
    ("settings", "error", "reason"),
    [
        ({"columns": ("wieght",)}, DataError, "unknown column 'wieght': did you mean 'weight'"),
        ({"columns": ("site", "kind"), "group": "site"}, ConfigError, "'site' groups the rows"),
        ({"columns": ("height", "height")}, DataError, "columns names one twice"),
        ({"group": "sites"}, DataError, "unknown group column 'sites'"),
        ({"intervals": ("phone=p.csv",)}, ConfigError, "the data are a table"),
    ],
)
def test_wrong_settings_of_a_table_are_refused(
    tmp_path: Path, settings: dict[str, Any], error: type, reason: str
) -> None:
    with pytest.raises(error, match=reason):
        read(tree_table(tmp_path), **settings)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [(("a,b",), "has no rows"), (("a,b", "x,y"), "has no numeric column")],
)
def test_table_with_nothing_to_model_is_refused(
    tmp_path: Path, lines: tuple[str, ...], reason: str
) -> None:
    path = write_lines(tmp_path / "t.csv", *lines)
    with pytest.raises(DataError, match=reason):
        read(path)


def test_text_that_is_chosen_is_of_categories(tmp_path: Path) -> None:
    items = read(tree_table(tmp_path), columns=("kind", "site"))
    assert list(items.raw) == [
        {"kind": "oak", "site": 7.0},
        {"kind": "elm", "site": 7.0},
        {"kind": "oak", "site": 8.0},
    ]
    path = write_lines(tmp_path / "gaps.csv", "kind,site", ",7", "elm,8", "oak,9")
    assert read(path, columns=("kind", "site")).raw[0] == {"kind": None, "site": 7.0}
    path = write_lines(tmp_path / "empty.csv", "kind,site", '"",7', '"",8')
    with pytest.raises(DataError, match="column 'kind' is empty"):
        read(path, columns=("kind", "site"))


def test_vectors_are_columns_of_numbers(tmp_path: Path) -> None:
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(6.0)), 2)
    path = tmp_path / "e.parquet"
    columns = {"item": ["a", "b", "c"], "embedding": vectors, "x": [7.0, 8.0, 9.0]}
    pyarrow.parquet.write_table(pa.table(columns), path)
    items = read(path)
    assert items.raw[1] == {"embedding.0": 2.0, "embedding.1": 3.0, "x": 8.0}
    assert (items.ids, items.labels) == (["a", "b", "c"], {})
    # Of frames a name stands many times, and tells no row from another.
    pyarrow.parquet.write_table(pa.table({**columns, "item": ["a", "b", "a"]}), path)
    assert read(path).labels == {"item": ["a", "b", "a"]}
    chosen = read(path, columns=("embedding",))
    assert chosen.raw[2] == {"embedding.0": 4.0, "embedding.1": 5.0}
    gap = pa.array([[1.0, 2.0], None, [5.0, 6.0]], pa.list_(pa.float64(), 2))
    pyarrow.parquet.write_table(pa.table({"embedding": gap}), path)
    with pytest.raises(DataError, match="lacks some vectors"):
        read(path)
    pyarrow.parquet.write_table(pa.table({"v": vectors, "v.1": [1.0, 2.0, 3.0]}), path)
    with pytest.raises(DataError, match=r"the name 'v.1' of a value of the vectors 'v'"):
        read(path)


def test_array_is_a_table() -> None:
    items = read(np.array([[1, 2], [3, 4]]))
    assert list(items.raw) == [{"x0": 1.0, "x1": 2.0}, {"x0": 3.0, "x1": 4.0}]
    assert read(np.array([[1, 2]]), columns=("x1",)).raw[0] == {"x1": 2.0}
    with pytest.raises(DataError, match="unknown column 'x2'"):
        read(np.array([[1, 2]]), columns=("x2",))


@pytest.mark.parametrize(
    "data", [np.zeros(3), np.zeros((0, 2)), np.zeros((2, 0)), np.array([["a"]])]
)
def test_array_that_is_no_table_is_refused(data: np.ndarray) -> None:
    with pytest.raises(DataError, match="an array must"):
        read(data)


def test_fingerprint_follows_the_values_of_an_array() -> None:
    one, same, other = (read(np.array([[x, 1.0]])) for x in (0.0, 0.0, 0.5))
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_missing_path_says_what_data_may_be() -> None:
    with pytest.raises(DataError, match=r"no file or folder 'gone'; .* or builtin:NAME .*moons"):
        read("gone")


def test_unknown_suffix_says_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"of no known type; sound is .*\.wav.*\.csv, \.jsonl, \.parquet"
    ):
        read(write_lines(tmp_path / "notes.doc", "text"))


def test_unknown_corpus_has_a_suggestion() -> None:
    with pytest.raises(DataError, match="unknown built-in corpus 'speach': did you mean 'spee"):
        read("builtin:speach")


def test_moons_are_two_halves_of_one_draw() -> None:
    assert "moons" in BUILTIN
    items, again = read("builtin:moons"), read("builtin:moons", group="moon")
    assert items.fingerprint == again.fingerprint
    assert sorted(set(items.labels["moon"])) == ["lower", "upper"]
    assert items.group is None
    assert again.group == items.labels["moon"]


def test_corpus_in_a_cache_that_can_not_be_made_names_the_option(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "file", "no folder")
    with pytest.raises(DataError, match=r"can't write the corpus .* give another --cache"):
        read("builtin:speech", cache=file / "cache")


def write_columns(path: Path, columns: dict[str, list[Any]]) -> Path:
    table = pa.table(columns)
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(table, path)
    else:
        rows = zip(*columns.values(), strict=True)
        cells = [",".join("" if v is None else str(v) for v in row) for row in rows]
        write_lines(path, ",".join(columns), *cells)
    return path


def manifest_of(folder: Path, header: str, *rows: str) -> Path:
    """A manifest of the files 0.wav, 1.wav, ..."""
    lines = [f"{i}.wav,{row}" for i, row in enumerate(rows)]
    return write_lines(folder / "manifest.csv", f"path,{header}", *lines)


@pytest.mark.parametrize("kind", [pa.list_, pa.large_list])
def test_lists_in_a_column_are_labels_with_semicolons_between(tmp_path: Path, kind: Any) -> None:
    cells = pa.array([["rain", "wind"], [], None, ["rain"]], kind(pa.string()))
    pyarrow.parquet.write_table(
        pa.table({"x": [1, 2, 3, 4], "sound": cells}), tmp_path / "t.parquet"
    )
    assert read(tmp_path / "t.parquet").labels == {"sound": ["rain;wind", "", "", "rain"]}


def test_semicolon_inside_a_value_of_a_list_is_refused(tmp_path: Path) -> None:
    cells = pa.array([["rain; heavy"], ["wind"]])
    pyarrow.parquet.write_table(pa.table({"x": [1, 2], "sound": cells}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="the value 'rain; heavy' has one inside; rename it"):
        read(tmp_path / "t.parquet")
