"""Texts: what is read of them, and what comes back."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from ensue.data.codecs import fit_codec, load_codec, save_codec
from ensue.data.config import DataConfig
from ensue.data.items import Document, Items
from ensue.data.kinds import require_settings_of
from ensue.data.kinds.text.codec import TextCodec
from ensue.data.sources import open_items
from ensue.data.store import open_store
from ensue.data.survey import survey
from ensue.data.windows import Windows
from ensue.errors import ConfigError, DataError

TEXTS = {"a.txt": "to be or\nnot to be\n", "b/c.txt": "Überall Straßen\n\n", "b/d.txt": "x"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in TEXTS.items():
        path = tmp_path / "texts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "texts" / "e.txt.gz").write_bytes(gzip.compress(b"packed"))
    return tmp_path / "texts"


def read(data: Path, tmp_path: Path, **settings: object) -> Items:
    return open_items(data, DataConfig(**settings), cache=tmp_path / "cache")  # type: ignore[arg-type]


def test_a_folder_is_its_files_and_their_folders_are_labels(folder: Path, tmp_path: Path) -> None:
    items = read(folder, tmp_path)
    assert items.ids == ["a.txt", "b/c.txt", "b/d.txt", "e.txt.gz"]
    assert items.labels == {"label": ["", "b", "b", ""]}
    assert [raw.read() for raw in items.raw][3] == b"packed"


def test_recordings_with_notes_beside_them_stay_recordings(folder: Path, tmp_path: Path) -> None:
    (folder / "b" / "x.wav").touch()
    assert read(folder, tmp_path).kind == "audio"
    with pytest.raises(DataError, match="no intervals table"):
        read(folder, tmp_path, intervals=("phone=none.csv",))


def test_lines_are_items_without_the_empty_ones(folder: Path, tmp_path: Path) -> None:
    items = read(folder, tmp_path, text_items="line")
    assert items.ids == ["a.txt:1", "a.txt:2", "b/c.txt:1", "b/d.txt:1", "e.txt.gz:1"]
    assert items.raw[1] == "not to be"


def test_a_table_with_a_column_text_has_labels(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text,tone\nhello,kind\n,none\n")
    items = read(path, tmp_path)
    assert items.kind == "text"
    assert list(items.raw) == ["hello", ""]
    assert items.labels == {"tone": ["kind", "none"]}


@pytest.mark.parametrize("tokens", ["bytes", "characters", "words"])
def test_what_is_encoded_comes_back(tokens: str, folder: Path, tmp_path: Path) -> None:
    config = DataConfig(tokens=tokens)  # type: ignore[arg-type]
    items = read(folder, tmp_path)
    codec = fit_codec(items, config, np.arange(len(items)))
    save_codec(codec, tmp_path / "codec.json")
    codec = load_codec(tmp_path / "codec.json")
    for raw in items.raw:
        x = codec.encode(raw)
        assert x.dtype == torch.int32
        assert (int(x[0]), int(x[-1])) == (codec.facts()["bos"], codec.facts()["eos"])
        assert int(x.max()) < codec.facts()["num_tokens"]
        text = raw.read().decode()
        assert codec.decode(x) == (" ".join(text.split()) if tokens == "words" else text)


def test_what_training_did_not_hold_is_unknown() -> None:
    codec = TextCodec(tokens="characters", vocabulary=("a", "b"))
    assert codec.encode("abc").tolist() == [2, 0, 1, 4, 3]
    assert codec.decode(codec.encode("abc")) == "ab\ufffd"
    assert codec.num_tokens == 5


def test_the_most_frequent_have_tokens_whatever_the_order(tmp_path: Path) -> None:
    texts = ["b b b a a c", "a d"]
    for order in (texts, texts[::-1]):
        items = Items(kind="text", ids=["0", "1"], raw=order, fingerprint="")
        config = DataConfig(tokens="words", max_vocabulary=2)
        assert fit_codec(items, config, [0, 1]).facts()["num_tokens"] == 6
        found = TextCodec.fit(items, config, [0, 1])
        assert found.vocabulary == ("a", "b")


def test_windows_of_a_store_are_whole_numbers(folder: Path, tmp_path: Path) -> None:
    items = read(folder, tmp_path)
    codec = TextCodec(tokens="bytes")
    store = open_store(items, codec, tmp_path / "cache")
    assert store[0].dtype == torch.int32
    assert store[0].tolist() == [256, *TEXTS["a.txt"].encode(), 257]
    assert store.read_once(2, 0, 3).tolist() == [256, ord("x"), 257]
    windows = Windows(store=store, rows=np.arange(4), size=6, shortest=2)
    batch = windows.draw(0, 8)
    assert batch.x.dtype == torch.int32
    assert batch.lengths is not None
    text = b"".join(bytes(t for t in store[i].tolist() if t < 256) for i in range(4))
    for x, n in zip(batch.x, batch.lengths.tolist(), strict=True):
        assert bytes(t for t in x[:n].tolist() if t < 256) in text


def test_characters_of_what_is_no_utf8_are_left_out_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes("Straße".encode("latin-1"))
    with pytest.raises(DataError, match=r"isn't UTF-8.*use tokens bytes"):
        TextCodec(tokens="characters").encode(Document(path))
    with pytest.raises(DataError, match="no training text can be used: it isn't UTF-8"):
        read_and_fit(path, tmp_path, tokens="characters")
    with pytest.raises(DataError, match="its lines can't be told"):
        read(path, tmp_path, text_items="line")
    assert TextCodec(tokens="bytes").encode(Document(path)).tolist()[5] == 0xDF


def read_and_fit(path: Path, tmp_path: Path, **settings: object) -> None:
    items = read(path, tmp_path, **settings)
    fit_codec(items, DataConfig(**settings), np.arange(len(items)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("cut.txt.gz", gzip.compress(b"hello" * 100, mtime=0)[:-20], "can't read"),
        ("no.txt.gz", b"not gzip", "can't read"),
    ],
)
def test_broken_files_are_named(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words):
        Document(tmp_path / name).read()


def test_only_empty_lines_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n \n")
    with pytest.raises(DataError, match="is empty"):
        read(tmp_path / "a.txt", tmp_path, text_items="line")


@pytest.mark.parametrize("setting", [{"columns": ("a",)}, {"speed_perturbation": 0.1}])
def test_settings_of_other_kinds_are_refused(setting: dict[str, object]) -> None:
    with pytest.raises(
        ConfigError, match=r"is for data of kind (audio|table|table or series), not text"
    ):
        require_settings_of(DataConfig(**setting), "text")  # type: ignore[arg-type]


def test_the_survey_counts_and_warns(folder: Path, tmp_path: Path) -> None:
    (folder / "again.txt").write_text("x")
    (folder / "empty.txt").write_text("  ")
    (folder / "broken.txt.gz").write_bytes(b"no")
    found = survey(read(folder, tmp_path), DataConfig())
    assert dict(found.facts)["bytes"] == "48"
    assert [name for name, _ in found.unreadable] == ["broken.txt.gz"]
    told = "; ".join(found.findings)
    assert "1 texts are empty, such as 'empty.txt'" in told
    assert "1 texts come twice, such as 'again.txt' and 'b/d.txt'" in told
