"""Questions through the verbs: from a manifest to questions, scores, figures and a report."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest
import torch
from PIL import Image

from ensue import ask, evaluate, load, score, train
from ensue.cli import main
from ensue.data.config import DataConfig
from ensue.data.kinds.question import questions, written_from
from ensue.data.kinds.question.codec import QuestionCodec
from ensue.data.sources import open_items
from ensue.verbs import ask as verb
from tests.questions import asked, picture, write_questions

QUICK = {
    "max_steps": 3,
    "batch_size": 4,
    "region_size": 8,
    "hidden_size": 8,
    "validation": 0.3,
    "quiet": True,
    "num_threads": 1,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("questions")
    write_questions(found)
    return found


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    return train("seq2seq", folder / "my_questions.csv", out=folder / "run", **QUICK).run


def table(path: Path, *rows: tuple[object, ...]) -> Path:
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_splits_go_by_picture(folder: Path) -> None:
    items = open_items(folder / "my_questions.csv", DataConfig(), cache=folder)
    assert items.kind == "question"
    assert len(items) == len(asked())
    assert items.group == [f"pictures/{n}.png" for _, _, n in asked()]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_other_tables_hold_the_same_questions(suffix: str, folder: Path, tmp_path: Path) -> None:
    rows = pyarrow.csv.read_csv(folder / "my_questions.csv")
    path = folder / f"same.{suffix}"
    if suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows.to_pylist()))
    else:
        pyarrow.parquet.write_table(rows, path)
    same, first = (
        open_items(p, DataConfig(), cache=tmp_path) for p in (path, folder / "my_questions.csv")
    )
    assert list(same.raw) == list(first.raw)


def test_a_run_writes_scores_and_is_measured(folder: Path, run: Path, tmp_path: Path) -> None:
    drawn = ask(run, path=str(folder / "pictures" / "3.png"), answer="red", num=4)
    assert drawn.num_rows == 4
    of_all = ask(run, folder / "my_questions.csv", method="beam", num=2, out=tmp_path / "a.csv")
    assert of_all.num_items == len(asked())
    found = pyarrow.csv.read_csv(tmp_path / "a.csv").to_pydict()
    nats = [n for i, n in zip(found["item"], found["nats"], strict=True) if i == 0]
    assert nats == sorted(nats, reverse=True)
    score(run, folder / "my_questions.csv", by_answer=True, out=tmp_path / "s.parquet", quiet=True)
    scored = pyarrow.parquet.read_table(tmp_path / "s.parquet").to_pydict()
    assert set(scored["best_answer"]) <= {"yes", "no", "red", "green", "blue"}
    assert scored["score_kind"] == ["exact"] * len(asked())
    one = load(run).score(
        [
            {
                "path": folder / "pictures" / "0.png",
                "answer": "red",
                "question": "what color is the shape?",
            }
        ]
    )
    assert one[0] == pytest.approx(scored["nats"][0], abs=1e-4)
    told = evaluate(run, folder / "my_questions.csv", quiet=True)
    assert [s.name for s in told.sections] == ["likelihood", "questions", "dependence"]
    assert told.sections[1].columns == ("this run", "most frequent", "nearest picture")
    page = (run / "report.html").read_text()
    assert "Light is where it looked" in page
    assert "most frequent" in page


def test_images_of_a_file_are_the_same_pictures(folder: Path, tmp_path: Path) -> None:
    rows = table(
        tmp_path / "rows.csv", ("question", "answer", "row"), *((q, a, n) for q, a, n in asked())
    )
    images = str(folder / "images.npz")
    whole = {**QUICK, "validation": 0.0, "log_every": 1}
    first = train("seq2seq", folder / "my_questions.csv", out=tmp_path / "first", **whole)
    other = train("seq2seq", rows, out=tmp_path / "other", regions=images, **whole)
    losses = [
        [json.loads(line)["loss"] for line in (r.run / "metrics.jsonl").read_text().splitlines()]
        for r in (first, other)
    ]
    assert losses[0] == losses[1]
    nats = [
        load(other.run).score([{**source, "answer": "red", "question": "is it red?"}])[0]
        for source in ({"row": 3}, {"source": picture(3)[1]})
    ]
    assert nats[0] == pytest.approx(nats[1], abs=1e-5)


def test_features_of_regions_are_read_by_row_and_by_name(folder: Path, tmp_path: Path) -> None:
    features = np.random.default_rng(0).normal(size=(12, 3, 5)).astype(np.float32)
    num = np.arange(12) % 3 + 1
    names = np.array([f"pictures/{n}.png" for n in range(12)])
    file = tmp_path / "features.npz"
    np.savez(file, features=features, num_regions=num, names=names)
    settings = {**QUICK, "regions": str(file), "region_size": None, "answers": "phrase"}
    by_name = table(
        tmp_path / "n.csv",
        ("question", "answer", "path"),
        *((q, a, f"pictures/{n}.png") for q, a, n in asked()),
    )
    by_row = table(tmp_path / "r.csv", ("question", "answer", "row"), *asked())
    runs = [
        train("seq2seq", data, out=tmp_path / data.stem, **settings) for data in (by_name, by_row)
    ]
    a, b = (load(r.run) for r in runs)
    raw = {"answer": "never seen", "question": "what color is the shape?"}
    nats = [r.score([{**raw, "source": features[4, : num[4]]}])[0] for r in (a, b)]
    assert nats[0] == pytest.approx(nats[1], abs=1e-6)
    assert b.score([{**raw, "row": 4}])[0] == pytest.approx(nats[1], abs=1e-6)


def test_concepts_and_no_answers_will_do(folder: Path, tmp_path: Path) -> None:
    rows = [(q, f"pictures/{n}.png", f"{picture(n)[0]};square") for q, _, n in asked()]
    path = table(folder / "concepts.csv", ("question", "path", "concepts"), *rows)
    found = train("seq2seq", path, out=tmp_path / "run", **QUICK)
    loaded = load(found.run)
    assert loaded.codec.concepts == ("blue", "green", "red", "square")
    given = {"path": folder / "pictures" / "0.png", "concepts": ["red"]}
    assert len(loaded.sample(3, condition=given)) == 3
    with pytest.raises(ValueError, match="unknown concept 'rot'"):
        loaded.sample(1, condition={**given, "concepts": ["rot"]})
    with pytest.raises(ValueError, match="an answer, and this run was trained without"):
        loaded.sample(1, condition={**given, "answer": "red"})


def test_a_file_of_regions_is_read_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = table(tmp_path / "r.csv", ("question", "answer", "row"), *asked())
    found = train(
        "seq2seq", rows, out=tmp_path / "run", regions=str(folder / "images.npz"), **QUICK
    )
    times = []
    read = written_from.read_regions
    monkeypatch.setattr(written_from, "read_regions", lambda path: times.append(path) or read(path))
    monkeypatch.setattr(verb, "SOURCES_AT_A_TIME", 5)
    ask(found.run, rows, out=tmp_path / "q.csv")
    assert len(times) == 1
    load(found.run).score([{"row": n, "answer": a, "question": q} for q, a, n in asked()])
    assert len(times) == 2
    names = pyarrow.csv.read_csv(tmp_path / "q.csv")["item"].to_pylist()
    assert names == list(range(len(asked())))


def test_an_answer_or_concept_of_validation_alone_is_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(q, a, n, "square;Red" if n else " red ") for q, a, n in asked()]
    write_questions(tmp_path)
    split = [(*row, "validation" if i > len(rows) - 5 else "train") for i, row in enumerate(rows)]
    split[-1] = (*rows[-1][:3], "circle", "validation")
    head = ("question", "answer", "row", "concepts", "split")
    data = table(tmp_path / "c.csv", head, *split)
    given = {"regions": str(tmp_path / "images.npz"), "max_skipped": 0.2, **QUICK}
    run = train("seq2seq", data, out=tmp_path / "run", **given).run
    assert load(run).codec.concepts == ("red", "square")
    assert "unknown concept 'circle'" in (run / "skipped.csv").read_text()
    words = f"score {run} {data} --out {tmp_path}/s.csv --max-skipped 0.2 --quiet"
    assert main(words.split()) == 0
    assert "1 item is left out, such as" in capsys.readouterr().out


def test_a_run_knows_its_regions_from_any_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"pictures/{n}.png" for n in sorted({n for _, _, n in asked()})]
    rng = np.random.default_rng(0)
    rows = table(
        tmp_path / "r.csv",
        ("question", "answer", "path"),
        *((q, a, f"pictures/{n}.png") for q, a, n in asked()),
    )
    np.savez(tmp_path / "f.npz", features=rng.normal(size=(len(names), 3, 4)), names=names)
    monkeypatch.chdir(tmp_path)
    run = train("seq2seq", rows, out=tmp_path / "run", regions="f.npz", **QUICK).run
    monkeypatch.chdir(folder)
    given = {"answer": "red", "question": "what is it?"}
    by_path, by_row = (
        load(run).score([{name: value, **given}])
        for name, value in (("path", names[1]), ("row", np.int64(1)))
    )
    assert by_path == by_row
    with pytest.raises(ValueError, match=r"unknown name in the file of regions 'gone\.png'"):
        load(run).score([{"path": "gone.png", **given}])


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"answer": 3}, "the answer is 3 and must be text"),
        ({"question": ["a"]}, "the question is .*'a'.* and must be text"),
        ({"concepts": 3}, "concepts are 3 and must be texts"),
        ({"path": 3}, "the path is 3; give a path"),
        ({"path": None, "row": True}, "the row is True"),
        ({"path": None, "source": np.array([np.nan])}, "aren't finite"),
    ],
)
def test_a_part_of_another_kind_is_refused(part, message: str, folder: Path) -> None:
    with pytest.raises(ValueError, match=message):
        QuestionCodec.of_user({"path": "a.png", "answer": "red", "question": "is it?", **part})


def test_pictures_of_others_are_never_ones_own() -> None:
    row = np.array([4, 4, 4, 1, 1, 7])
    for seed in range(5):
        found = questions.Sources(None, [], None, row)  # pyright: ignore[reportArgumentType]
        other = found.of_other_pictures(torch.Generator().manual_seed(seed)).row
        assert (other != row).all()
        assert set(other) == set(row)


def test_one_picture_has_no_other(run: Path, tmp_path: Path) -> None:
    one = picture(0)[1]
    Image.fromarray(one).save(tmp_path / "0.png")
    rows = [(q, a, "0.png" if i % 2 else "./0.png") for i, (q, a, _) in enumerate(asked()[:3])]
    data = table(tmp_path / "q.csv", ("question", "answer", "path"), *rows)
    assert set(open_items(data, DataConfig(), cache=tmp_path).group or ()) == {"0.png"}
    found = {s.name: s for s in evaluate(run, data, quiet=True).sections}["dependence"]
    values = {name: (of[0], told) for name, of, told in found.rows}
    assert values["pictures"] == (None, "there is no other picture to see it with")


def test_lists_are_no_answers(folder: Path) -> None:
    row = {"question": "what is it?", "answer": ["red", "blue"], "path": "pictures/0.png"}
    (folder / "lists.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(ValueError, match="'answer' holds lists"):
        open_items(folder / "lists.jsonl", DataConfig(), cache=folder)


def test_evaluate_tells_what_it_left_out(run: Path, folder: Path) -> None:
    rows = [(q, a, f"pictures/{n}.png") for q, a, n in asked()]
    rows[0] = (rows[0][0], "purple", rows[0][2])
    data = table(folder / "purple.csv", ("question", "answer", "path"), *rows)
    notes = evaluate(run, data, quiet=True).notes
    assert any("1 item is left out, such as '0': unknown answer 'purple'" in n for n in notes)
    assert load(run).score([]).tolist() == []


def test_what_is_read_is_not_written_over(
    run: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = folder / "my_questions.csv"
    before = data.read_bytes()
    for command in ("score", "ask"):
        assert main([command, str(run), str(data), "--out", str(data)]) == 2
        assert "the file that is read" in capsys.readouterr().err
    assert data.read_bytes() == before


Spoil = Callable[[Path], str]


def missing(folder: Path) -> str:
    rows = [("what is it?", "yes", f"pictures/{n}.png") for n in range(8)]
    gone = ("what is it?", "yes", "pictures/gone.png")
    table(folder / "bad.csv", ("question", "answer", "path"), *rows, gone)
    return "1 of 9 items can't be used"


def empty(folder: Path) -> str:
    rows = [("what is it?" if n else "", "yes", f"pictures/{n}.png") for n in range(8)]
    table(folder / "bad.csv", ("question", "answer", "path"), *rows)
    return "the question is empty"


def half_answered(folder: Path) -> str:
    rows = [("what is it?", "yes" if n else "", f"pictures/{n}.png") for n in range(8)]
    table(folder / "bad.csv", ("question", "answer", "path"), *rows)
    return "1 of 8 questions have no answer"


def without_file(folder: Path) -> str:
    table(folder / "bad.csv", ("question", "answer", "row"), ("what is it?", "yes", 0))
    return "name it by the setting regions"


@pytest.mark.parametrize("spoil", [missing, empty, half_answered, without_file])
def test_bad_manifests_are_refused(
    spoil: Spoil, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_questions(tmp_path)
    message = spoil(tmp_path)
    words = f"train seq2seq {tmp_path}/bad.csv --out {tmp_path}/run --max-steps 1 --quiet"
    assert main([*words.split(), "--validation", "0"]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.startswith("error: ")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"features": np.zeros((2, 0, 3))}, "at least one region"),
        ({"features": np.full((2, 1, 3), np.nan)}, "aren't all finite"),
        ({"features": np.zeros((2, 3, 3)), "num_regions": np.array([0, 1])}, "numbers from 1 to 3"),
        ({"wrong": np.zeros(3)}, "give features or images"),
        ({"features": np.zeros((1, 2, 3))}, "of row 1, and there are 1 rows"),
    ],
)
def test_bad_regions_are_refused(arrays, message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", **arrays)
    data = table(tmp_path / "q.csv", ("question", "row"), ("is it?", 0), ("it is", 1))
    with pytest.raises(ValueError, match=message):
        train("seq2seq", data, out=tmp_path / "run", regions=str(tmp_path / "r.npz"), **QUICK)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("ask {run}", "give DATA"),
        ("ask {run} --path {folder}/pictures/0.png", "there is no answer"),
        ("ask {run} --path {folder}/pictures/0.png --answer rad", "did you mean 'red'"),
        ("ask {run} --path {folder}/gone.png --answer red", "can't read"),
        ("ask {run} --row 3 --answer red", "no file of regions"),
        (
            "ask {run} --path {folder}/pictures/0.png --answer red --concepts a",
            "trained without",
        ),
        ("ask {run} {folder} --num 1", "is no manifest"),
        ("ask {run} --path {folder}/pictures/0.png --answer red --seed -1", "seed is -1"),
        (
            "ask {run} --path {folder}/pictures/0.png --answer red --temperature -1",
            "temperature",
        ),
        ("complete {run} --prompt what", "families that do"),
        ("embed {run} {folder}/my_questions.csv --out {folder}/e.npz", "families that do"),
    ],
)
def test_bad_commands_are_one_line(
    words: str, message: str, folder: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.format(run=run, folder=folder).split()) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_what_is_for_questions_is_refused_of_others(
    text_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(f"ask {text_run} --answer yes".split()) == 2
    assert "use `ensue sample`" in capsys.readouterr().err


def test_sample_of_a_run_of_questions_names_ask(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(f"sample {run}".split()) == 2
    assert "use `ensue ask`" in capsys.readouterr().err
