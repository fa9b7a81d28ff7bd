"""Lines end where they end, marks of byte order are no letters, and tokens may have blanks."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import ensue
from ensue.cli import main
from ensue.data.config import DataConfig
from ensue.data.items import Document, Items
from ensue.data.kinds.text.codec import TextCodec
from ensue.data.sources import open_items
from ensue.data.splits import train_validation, with_held_out_part
from ensue.data.survey import survey
from ensue.data.vectors import read_vectors
from ensue.errors import DataError
from ensue.verbs.train import train

MARK = b"\xef\xbb\xbf"
NO_ENDS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
"""Characters at which ``str.splitlines`` ends lines, and files have none."""
quick = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0\n\r\ufeff")
line = st.text(st.sampled_from(NO_ENDS) | characters, max_size=8)


def read(data: Path, **given: Any) -> Items:
    return open_items(data, DataConfig(**given), cache=Path("unused"))


@pytest.mark.parametrize("mark", [b"", MARK], ids=["plain", "mark"])
@pytest.mark.parametrize("suffix", [".txt", ".txt.gz"])
@quick
@given(drawn=st.lists(st.tuples(line, st.sampled_from(["\n", "\r\n", "\r"])), min_size=1))
def test_lines_end_at_line_feeds_and_carriage_returns_alone(
    suffix: str, mark: bytes, tmp_path: Path, drawn: list[tuple[str, str]]
) -> None:
    assume(any(text.strip() for text, _ in drawn))
    # An empty line after "\r" would make "\r\n" of two ends; where it is is not what is asked here.
    drawn = [(text or "x", end) for text, end in drawn]
    content = mark + "".join(text + end for text, end in drawn).encode()
    path = tmp_path / f"a{suffix}"
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    items = read(path, text_items="line")
    assert list(items.raw) == [text for text, _ in drawn if text.strip()]
    assert items.ids == [f"{path.name}:{i}" for i, (t, _) in enumerate(drawn, 1) if t.strip()]


def test_molecules_and_rows_end_there_too(tmp_path: Path) -> None:
    (tmp_path / "a.smi").write_bytes(MARK + b"CCO\rCC\xe2\x80\xa8N\r\nCN")
    items = read(tmp_path / "a.smi")
    assert (items.raw[0], len(items)) == ("CCO", 3)
    row = json.dumps({"text": "a\u2028b", "label": "\x85"}, ensure_ascii=False)
    (tmp_path / "a.jsonl").write_bytes(MARK + f"{row}\r{row}\n".encode())
    assert list(read(tmp_path / "a.jsonl").raw) == ["a\u2028b"] * 2


def test_sentences_of_paragraphs_of_any_line_end(tmp_path: Path) -> None:
    for end in ("\n", "\r\n", "\r"):
        (tmp_path / "a.txt").write_bytes(end.join(["A title", "", "One. Two", "three."]).encode())
        items = read(tmp_path / "a.txt", text_items="sentence")
        assert list(items.raw) == ["A title", "One.", "Two three."]


@pytest.mark.parametrize("tokens", ["words", "characters"])
def test_mark_of_byte_order_is_no_letter(tokens: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(MARK + "die Straße".encode())
    codec = TextCodec.fit(read(tmp_path / "a.txt"), DataConfig(tokens=tokens), [0])
    assert "\ufeff" not in "".join(codec.vocabulary)
    assert codec.decode(codec.encode(Document(tmp_path / "a.txt"))) == "die Straße"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_mark_is_no_letter_of_the_first_column(suffix: str, tmp_path: Path) -> None:
    content = "text,label\n007,x\n" if suffix == ".csv" else '{"text": "007", "label": "x"}\n'
    (tmp_path / f"t{suffix}").write_bytes(MARK + content.encode())
    items = read(tmp_path / f"t{suffix}")
    assert (list(items.raw), items.labels) == (["007"], {"label": ["x"]})


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "a.txt", "a.smi"])
def test_other_encodings_are_refused_by_name(encoding: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes("text\nCCO\n".encode(encoding))
    with pytest.raises(DataError, match=f"is {encoding.upper()}, not UTF-8; save it as UTF-8"):
        read(tmp_path / name, **({"text_items": "line"} if name == "a.txt" else {}))


@pytest.mark.parametrize("mark", [b"", MARK])
def test_bytes_of_a_file_come_back_with_their_mark(mark: bytes, tmp_path: Path) -> None:
    content = mark + b"one\r\ntwo\rthree\x0c\n"
    (tmp_path / "a.txt").write_bytes(content)
    codec = TextCodec(tokens="bytes")
    assert codec.written(codec.encode(Document(tmp_path / "a.txt"))) == content
    assert not codec.lost(Document(tmp_path / "a.txt"))


@pytest.fixture(scope="module")
def novel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("novel") / "novel.txt"
    path.write_bytes(MARK + "".join(f"Zeile {i}: süß\r\n" for i in range(2000)).encode())
    return path


QUICK = "--max-steps 2 --hidden-size 8 --window-tokens 20 --batch-size 4 --quiet"


@pytest.fixture(scope="module")
def novel_run(novel: Path) -> Path:
    run = novel.parent / "run"
    assert main(f"train charrnn {novel} --out {run} {QUICK}".split()) == 0
    return run


def test_archives_give_back_marks_and_line_ends(novel_run: Path, tmp_path: Path) -> None:
    content = MARK + b"eins\r\nzwei\rdrei\n"
    (tmp_path / "a.txt").write_bytes(content)
    ensue.compress(novel_run, tmp_path / "a.txt", out=tmp_path / "a.ensue", quiet=True)
    ensue.decompress(novel_run, tmp_path / "a.ensue", out=tmp_path / "out", quiet=True)
    assert (tmp_path / "out" / "a.txt").read_bytes() == content


def test_one_long_text_has_its_last_tenth_held_out(novel_run: Path, novel: Path) -> None:
    facts = json.loads((novel_run / "data.json").read_text())
    assert (facts["num_train"], facts["num_validation"]) == (1, 1)
    (held,) = facts["held_out"]
    cut, size = map(int, held.removeprefix("novel.txt@").split("-"))
    assert size == len(novel.read_bytes())
    assert 0.88 * size < cut < 0.92 * size
    metrics = [json.loads(line) for line in (novel_run / "metrics.jsonl").read_text().splitlines()]
    assert any("val_loss" in row for row in metrics)
    told = dict(survey(read(novel), DataConfig(window_tokens=20)).facts)
    assert held in told["held out for validation"]


@quick
@given(
    words=st.lists(st.text(characters, min_size=1, max_size=6), min_size=100, max_size=200),
    end=st.sampled_from(["\n", "\r\n", "\r", " ", ""]),
    fraction=st.floats(0.05, 0.9),
)
def test_parts_of_one_text_are_the_text(words: list[str], end: str, fraction: float) -> None:
    content = end.join(words)
    items = Items(kind="text", ids=["t"], raw=[content], labels={"who": ["a"]}, fingerprint="")
    parts = with_held_out_part(items, fraction, 2)
    assert "".join(parts.raw) == content
    if len(parts) == 2:
        train, validation = train_validation(parts, fraction)
        assert (train.tolist(), validation.tolist()) == ([0], [1])
        assert parts.labels["who"] == ["a", "a"]
        share = len(parts.raw[1].encode()) / len(content.encode())
        assert share == pytest.approx(fraction, abs=0.1 * fraction + 0.02)


def test_text_that_a_run_was_trained_on_whole_stays_whole(novel: Path) -> None:
    items = read(novel)
    assert with_held_out_part(items, 0.1, 20, trained_on=items.fingerprint) is items
    parts = with_held_out_part(items, 0.1, 20)
    again = with_held_out_part(items, 0.1, 20, trained_on=parts.fingerprint)
    assert again.ids == parts.ids != items.ids


@pytest.mark.filterwarnings("ignore:there are too few items")
def test_run_begun_when_texts_stayed_whole_is_resumed(
    novel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {"max_steps": 2, "batch_size": 2, "window_tokens": 20}
    given |= {"hidden_size": 8, "embedding_size": 4, "warmup_steps": 1, "quiet": True}
    with monkeypatch.context() as older:
        older.setattr("ensue.runs.prepare.with_held_out_part", lambda items, *_, **__: items)
        train("charrnn", novel, out=tmp_path / "run", **given)
    before = json.loads((tmp_path / "run" / "data.json").read_text())
    assert before["num_items"] == 1
    train("charrnn", novel, out=tmp_path / "run", resume=True, max_steps=4, quiet=True)
    assert json.loads((tmp_path / "run" / "data.json").read_text()) == before
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["step"] == 4


def test_other_texts_stay_whole(novel: Path) -> None:
    items = read(novel)
    assert with_held_out_part(items, 0.0, 20) is items
    assert with_held_out_part(items, 0.1, 10_000) is items
    lines = read(novel, text_items="line")
    assert with_held_out_part(lines, 0.1, 20) is lines


# Vectors

number = st.floats(-100, 100, width=32).map(lambda x: float(np.float32(x)))
word = st.text(
    st.characters(
        exclude_categories=["Cs", "Nd", "Nl", "No"], exclude_characters="\0\n\r\t \ufeff"
    ),
    min_size=1,
    max_size=4,
).filter(lambda word: word.lower() not in ("nan", "inf", "infinity"))
token = st.lists(word, min_size=1, max_size=3).map(" ".join)


@quick
@given(
    size=st.integers(1, 4),
    tokens=st.lists(token, min_size=1, max_size=8, unique=True),
    header=st.booleans(),
    end=st.sampled_from(["\n", "\r\n", " \n"]),
    data=st.data(),
)
def test_vectors_come_back_with_their_tokens(
    tmp_path: Path, size: int, tokens: list[str], header: bool, end: str, data: st.DataObject
) -> None:
    rows = {t: data.draw(st.lists(number, min_size=size, max_size=size)) for t in tokens}
    lines = [f"{t} {' '.join(map(repr, values))}" for t, values in rows.items()]
    lines = [f"{len(rows)} {size}"] * header + lines
    (tmp_path / "v.txt").write_bytes("".join(line + end for line in lines).encode())
    found = read_vectors(tmp_path / "v.txt")
    assert isinstance(found, dict)
    assert {t: v.tolist() for t, v in found.items()} == rows


def test_tokens_that_are_numbers_are_told_by_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("3 2\n1 2 .5 .25\n7 1 2\n. . . 3 4\n")
    found = read_vectors(tmp_path / "v.txt")
    assert isinstance(found, dict)
    assert list(found) == ["1 2", "7", ". . ."]
    (tmp_path / "one.txt").write_text("7 3\nthe 4\na 5\n")
    assert torch.equal(read_vectors(tmp_path / "one.txt")["7"], torch.tensor([3.0]))  # type: ignore[index]


def test_first_vector_of_a_token_counts_with_a_notice(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("a 1 2\nb 3 4\na 5 6\n")
    with pytest.warns(UserWarning, match="1 tokens .* come twice, such as 'a'"):
        found = read_vectors(tmp_path / "v.txt")
    assert isinstance(found, dict)
    assert found["a"].tolist() == [1, 2]


@pytest.mark.parametrize(
    "text", ["a 1 2\nb 1\n", "a 1 2\nb 1 2 3\n", "2 3\na 1 2\nb 1 2\n", "a 1 nan\n", "a\nb\n", ""]
)
def test_vectors_of_several_sizes_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text(text)
    with pytest.raises(DataError, match=r"v\.txt"):
        read_vectors(tmp_path / "v.txt")
