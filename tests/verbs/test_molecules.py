"""Molecules through the verbs: trained on, drawn, scored, evaluated, searched; and rubbish."""

import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pytest
import torch

import ensue
from ensue.cli import main
from ensue.runs.reading import trained_on

pytest.importorskip("rdkit")

PARTS = ("C", "N", "O", "Cl", "c1ccccc1", "C(=O)", "CC")
TINY = "--encoder-size 12 --decoder-size 16 --latent-size 4 --embedding-size 6"
QUICK = "--max-steps 6 --batch-size 8 --warmup-steps 1 --log-every 3 --validate-every 6 --quiet"


@pytest.fixture(scope="session")
def molecules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("molecules") / "some.smi"
    rng = np.random.default_rng(0)
    lines = ["".join(rng.choice(PARTS, rng.integers(2, 6))) for _ in range(60)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def molecule_run(molecules: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "vae"
    assert main(f"train vae {molecules} --out {run} {TINY} {QUICK} --free-bits 2".split()) == 0
    return run


def test_what_is_drawn_is_a_column_of_molecules(molecule_run: Path) -> None:
    assert main(f"sample {molecule_run} --num 5 --seed 3".split()) == 0
    rows = pyarrow.csv.read_csv(molecule_run / "samples" / "samples.csv").to_pylist()
    assert [row["smiles"] for row in rows] == ensue.load(molecule_run).sample(5, seed=3)


def test_scores_say_that_they_are_a_bound(
    molecule_run: Path, molecules: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores.csv"
    assert main(f"score {molecule_run} {molecules} --out {out} --quiet".split()) == 0
    rows = pyarrow.csv.read_csv(out).to_pylist()
    assert {row["score_kind"] for row in rows} == {"lower_bound"}
    assert all(math.isfinite(row["nats"]) for row in rows)


def test_evaluation_stands_in_the_run_and_its_report(
    molecule_run: Path, molecules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"evaluate {molecule_run} {molecules} --num 30 --num-items 20 --num-draws 3 --quiet"
    assert main(words.split()) == 0
    found = json.loads((molecule_run / "evaluation.json").read_text())
    names = [section["name"] for section in found["sections"]]
    assert names == ["likelihood", "latents", "molecules"]
    rows = {row[0]: row[1] for section in found["sections"] for row in section["rows"]}
    assert rows["bound"][0] >= rows["elbo"][0]
    assert 0.5 < rows["valid"][1] < 1
    assert rows["novelty"][1] is None
    assert 0 <= rows["exact_reconstructions"][0] <= 1
    told = capsys.readouterr().out
    assert "internal diversity" in told
    page = (molecule_run / "report.html").read_text()
    assert "What z holds" in page
    assert "internal diversity" in page


@pytest.mark.parametrize("setting", ["num", "num_draws", "num_items"])
def test_none_of_what_is_to_be_drawn_is_refused(
    setting: str, molecule_run: Path, molecules: Path
) -> None:
    with pytest.raises(ValueError, match=f"{setting} is 0"):
        ensue.evaluate(molecule_run, molecules, quiet=True, **{setting: 0})


def test_evaluation_goes_without_novelty_where_the_data_are_gone(
    molecules: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved.smi"
    moved.write_text(molecules.read_text())
    run = tmp_path / "run"
    assert main(f"train vae {moved} --out {run} {TINY} {QUICK}".split()) == 0
    moved.unlink()
    found = ensue.evaluate(run, molecules, num=10, num_items=5, num_draws=2, quiet=True)
    assert "no novelty" in found.notes[0]
    assert found.sections[-1].columns == ("this run",)


def test_a_function_is_searched_for_its_best(molecule_run: Path) -> None:
    run = ensue.load(molecule_run)
    found = run.optimize(lambda items: [float(len(i)) for i in items], 6, num_rounds=2, num=4)
    assert len(found.items) == 6 + 8
    assert list(found.values) == sorted(found.values, reverse=True)
    assert found.values[0] == len(found.items[0])
    begun = run.optimize(lambda items: [math.nan] + [1.0] * (len(items) - 1), ["CC", "CN"])
    assert math.isnan(begun.values[-1])
    with pytest.raises(ValueError, match="no finite value"):
        run.optimize(lambda items: [math.nan] * len(items), 3)
    with pytest.raises(ValueError, match="values for"):
        run.optimize(lambda items: [1.0], 3)


def test_a_line_between_two_begins_and_ends_where_they_come_back(molecule_run: Path) -> None:
    run = ensue.load(molecule_run)
    line = run.interpolate("CCN", "CCO", 4)
    assert [line[0], line[-1]] == run.reconstruct(["CCN", "CCO"])
    assert len(line) == 4


def test_a_family_without_z_says_who_has_one(text_run: Path) -> None:
    with pytest.raises(ValueError, match="families that do: vae"):
        ensue.load(text_run).interpolate("a", "b")


def test_a_run_that_collapses_is_flagged_with_the_remedy(
    molecules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    long = QUICK.replace("--max-steps 6", "--max-steps 40 --learning-rate 0.02 --beta 20")
    assert main(f"train vae {molecules} --out {run} {TINY} {long}".split()) == 0
    assert "note: the posterior has collapsed" in capsys.readouterr().err
    assert "free_bits" in (run / "train.log").read_text()
    assert "The posterior has collapsed" in (run / "report.html").read_text()


def test_batches_of_one_tell_nothing_of_active_units(molecules: Path, tmp_path: Path) -> None:
    run, single = tmp_path / "run", QUICK.replace("--batch-size 8", "--batch-size 1")
    assert main(f"train vae {molecules} --out {run} {TINY} {single}".split()) == 0
    assert "There and back" in (run / "report.html").read_text()


def test_weights_carry_over_to_molecules_of_other_lengths_with_the_same_tokens(
    molecules: Path, molecule_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = molecules.read_text().split()
    begun = f"--init-from {molecule_run} {TINY} {QUICK} --free-bits 2"
    for name, before, status in (("longer", "", 0), ("other", "[Si]", 2)):
        path = tmp_path / name / "some.smi"
        path.parent.mkdir()
        path.write_text("".join(f"{before}{line * 2}\n" for line in lines))
        words = f"train vae {path} --out {tmp_path / name / 'run'} {begun}"
        assert main(words.split()) == status
    error = capsys.readouterr().err.splitlines()[-1]
    assert "num_tokens" in error
    assert "a vocabulary of their own" in error
    assert len(error) < 400


def test_check_tells_what_is_no_molecule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.smi"
    path.write_text("CCO\nC(\nOCC\n" + "C" * 300 + "\n")
    assert main(f"check {path} --quiet".split()) == 0
    told = capsys.readouterr().out
    assert "1 are no molecules, such as 'C(' (odd.smi:2)" in told
    assert "1 molecules come twice" in told
    assert "1 have more than 255 tokens" in told


@pytest.mark.parametrize(
    ("content", "settings", "told"),
    [
        ("", "", "no molecule"),
        ("\n \n", "", "no molecule"),
        ("CCO\n", "", "1 training item"),
        ("C" * 300 + "\n" + "C" * 301 + "\n", "", "window_tokens"),
        ("CCO\nCC\nCN\n", "--text-items line", "text_items"),
        ("CCO\nCC\nCN\n", "--word-dropout 1", "word_dropout"),
        ("CCO\nCC\nCN\n", "--free-bits -1", "free_bits"),
        ("CCO\nCC\nCN\n", "--kl-steps 9", "kl_steps"),
        ("CCO\nCC\nCN\n", "--embedding-weights nowhere.txt", "nowhere.txt"),
    ],
)
def test_rubbish_is_one_line_that_names_it(
    content: str, settings: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "odd.smi", tmp_path / "run"
    path.write_text(content)
    status = main(f"train vae {path} --out {out} {TINY} {QUICK} {settings}".split())
    error = capsys.readouterr().err
    if told == "1 training item":  # one molecule can be learnt by heart
        assert status == 0
        assert "too few items" in error
        return
    assert status == 2
    assert told in error.splitlines()[-1]
    assert not out.exists()


def test_tokens_that_the_model_never_saw_are_told(
    molecule_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.smi"
    path.write_text("CCO\nC€O\nCCN\n")
    assert main(f"embed {molecule_run} {path} --out {tmp_path / 'z.npz'} --quiet".split()) == 0
    error = capsys.readouterr().err
    assert "1 of 3 items have tokens that the model never saw, such as 'odd.smi:2'" in error


def test_too_long_molecules_are_left_out_and_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, run = tmp_path / "odd.smi", tmp_path / "run"
    path.write_text("CCO\n" * 30 + "C" * 300 + "\n")
    assert main(f"train vae {path} --out {run} {TINY} {QUICK}".split()) == 0
    assert "longer than a window" in capsys.readouterr().err
    assert "odd.smi:31" in (run / "skipped.csv").read_text()


def test_too_many_that_are_too_long_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "odd.smi", tmp_path / "run"
    path.write_text(("CCO\n" * 4 + "C" * 300 + "\n") * 6)
    assert main(f"train vae {path} --out {out} {TINY} {QUICK}".split()) == 2
    error = capsys.readouterr().err
    assert "6 of 30 items can't be used" in error
    assert "window_tokens" in error
    assert not out.exists()


def test_given_embeddings_begin_a_run_and_stay_where_they_are_frozen(
    molecules: Path, tmp_path: Path
) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("2 3\nC 1 2 3\nCl -1 0 0.5\n")
    run = tmp_path / "run"
    small = TINY.replace("--embedding-size 6", "--embedding-size 3 --freeze-embeddings true")
    words = f"train vae {molecules} --out {run} {small} {QUICK} --embedding-weights {vectors}"
    assert main(words.split()) == 0
    of = ensue.load(run)
    number = of.codec.encode("CCl").tolist()[1:3]
    rows = of.model.decoder.embedding.weight[number].tolist()
    assert rows == [[1, 2, 3], [-1, 0, 0.5]]


def test_what_was_held_out_isnt_counted_as_trained_on(tmp_path: Path) -> None:
    rows = [("C" * n + "O", "train") for n in range(1, 13)]
    rows += [("N" + "C" * n, "test") for n in range(1, 7)]
    table = tmp_path / "split.csv"
    table.write_text("smiles,split\n" + "".join(f"{s},{p}\n" for s, p in rows))
    run = tmp_path / "run"
    assert main(f"train vae {table} --out {run} {TINY} {QUICK}".split()) == 0
    items, chosen = trained_on(ensue.load(run))
    known = {items.raw[row] for row in chosen}
    assert known
    assert known <= {s for s, part in rows if part == "train"}


@pytest.mark.parametrize(("start", "told"), [([], "start"), (0, "start"), ("CCO", "give a list")])
def test_a_search_begins_with_items_or_a_number_of_them(
    start: object, told: str, molecule_run: Path
) -> None:
    with pytest.raises(ValueError, match=told):
        ensue.load(molecule_run).optimize(lambda items: [1.0] * len(items), start)  # type: ignore[arg-type]


def test_a_model_folder_has_no_place_for_an_evaluation(molecule_run: Path, molecules: Path) -> None:
    with pytest.raises(ValueError, match="isn't a run folder"):
        ensue.evaluate(molecule_run / "model", molecules, quiet=True)
    assert not (molecule_run / "model" / "evaluation.json").exists()


def test_vectors_that_arent_are_refused(
    molecules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "words.npy", np.array(["a"]))
    np.save(tmp_path / "nan.npy", np.full((4, 6), np.nan))
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "odd.txt").write_text("C 1 2 3\nN 1 2\n")
    (tmp_path / "nan.txt").write_text("C 1 nan 3\n")
    for name in ("words.npy", "nan.npy", "empty.npy", "odd.txt", "nan.txt"):
        words = f"train vae {molecules} --out {tmp_path / 'run'} {TINY} {QUICK}"
        assert main([*words.split(), "--embedding-weights", str(tmp_path / name)]) == 2
        assert name in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ("CCO", "'CCO'; give a list"),
        (Path("some.smi"), "some.smi'.*; give a list"),
        (None, "None; give a list"),
        (["CCO", None], "an item is None"),
        ([b"CCO"], "an item is b'CCO'"),
        ([math.nan], "an item is nan"),
        (["CCO ethanol"], "white space in the SMILES 'CCO ethanol'"),
        ([], "no item"),
    ],
)
def test_what_is_no_list_of_molecules_is_refused(
    items: object, told: str, molecule_run: Path
) -> None:
    with pytest.raises(ValueError, match=told):
        ensue.load(molecule_run).embed(items)  # pyright: ignore[reportArgumentType]


def test_molecules_are_read_as_lines_of_a_file_are(molecule_run: Path) -> None:
    run = ensue.load(molecule_run)
    assert np.array_equal(run.embed(["CCO\r\n"]), run.embed(["CCO"]))


def test_what_stands_at_any_z_can_be_drawn(molecule_run: Path) -> None:
    run = ensue.load(molecule_run)
    z = torch.from_numpy(run.embed(["CCO", "CCN"]))
    assert run.sample(2, z=z, temperature=0) == run.reconstruct(["CCO", "CCN"])


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda items: ["good"] * len(items), "it must give a number for each item"),
        (lambda items: None, "the function gave None"),
        (lambda items: 1.0, "the function gave 1.0"),
        (lambda items: np.zeros((len(items), 1)), r"shape \(4, 1\) for 4 items"),
        (lambda items: [1.0], "1 values for 4 items"),
        ("logp", "can't be called"),
    ],
)
def test_a_function_that_gives_no_numbers_is_refused(
    function: Any, told: str, molecule_run: Path
) -> None:
    with pytest.raises(ValueError, match=told):
        ensue.load(molecule_run).optimize(function, start=4, num_rounds=1, num=2)


def test_numbers_must_be_numbers(molecule_run: Path) -> None:
    with pytest.raises(ValueError, match="num is '8'; it must be a number"):
        ensue.load(molecule_run).interpolate("C", "CC", "8")  # pyright: ignore[reportArgumentType]


def test_check_looks_past_what_is_too_long_and_recommends_the_family_of_molecules(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "some.smi"
    path.write_text("\ufeff" + "CCO\nCCN\n" * 4 + "C" * 100_000 + "\n")
    begun = time.monotonic()
    assert main(["check", str(path), "--quiet"]) == 0
    assert time.monotonic() - begun < 30
    told = capsys.readouterr().out
    assert "1 have more than 255 tokens" in told
    assert "no molecules" not in told  # such as one with a mark of byte order
    assert f"next: ensue train vae {path}" in told


def test_a_run_without_a_model_has_no_weights_to_begin_with(
    molecules: Path, molecule_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "config.yaml").write_text((molecule_run / "config.yaml").read_text())
    words = f"train vae {molecules} --out {tmp_path / 'run'} --init-from {begun} {TINY} {QUICK}"
    assert main(words.split()) == 2
    assert "has no model and no checkpoint yet" in capsys.readouterr().err
