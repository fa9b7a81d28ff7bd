"""A probe says what it can't read, and how sure it is at the ends too."""

import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from ensue.cli import main
from ensue.evaluation.probes.classifiers import frozen
from ensue.evaluation.probes.intervals import exact_interval, proportion_interval
from ensue.evaluation.probes.label_curve import run_label_curve
from ensue.evaluation.probes.leave_group_out import run_leave_group_out
from ensue.evaluation.probes.multi_label import run_multi_label
from ensue.evaluation.probes.probe import ProbeResult, accuracy_of, run_probe
from ensue.evaluation.probes.task import Moments, make_pool, make_task
from ensue.evaluation.probes.unseen import unseen_in
from ensue.evaluation.probes.verification import run_verification
from ensue.training.probes import notes_of
from tests.data.stores import write_lines
from tests.evaluation.probes.features import embeddings, rows_with


def whole_items(label: Sequence[str]) -> Moments:
    num = len(label)
    return Moments(np.arange(num), np.full(num, np.nan), np.array(label))


def one_hot(label: Sequence[str]) -> np.ndarray:
    return (np.array(label)[:, None] == np.unique(label)).astype(float)


# Intervals at the ends


def test_267_of_267_begins_at_98_6_percent() -> None:
    truth = whole_items(["a"] * 267)
    found = accuracy_of("features", [truth.label], truth, np.random.default_rng(0))
    assert (round(found.low, 3), found.high, found.exact_over) == (0.986, 1, 267)


def test_none_of_267_ends_at_1_4_percent() -> None:
    truth = whole_items(["a"] * 267)
    wrong = np.full(267, "b")
    found = accuracy_of("features", [wrong], truth, np.random.default_rng(0))
    assert (found.low, round(found.high, 3), found.exact_over) == (0, 0.014, 267)


@settings(deadline=None)
@given(num=st.integers(1, 400), wrong=st.integers(0, 4))
def test_near_the_ends_it_is_the_interval_of_clopper_and_pearson(num: int, wrong: int) -> None:
    wrong = min(wrong, num)
    right = np.arange(num) >= wrong
    for values, k in ((right, num - wrong), (~right, wrong)):
        low, high, over = proportion_interval(
            values[None], np.arange(num), np.random.default_rng(0)
        )
        beta = scipy.stats.beta
        assert low == pytest.approx(beta.ppf(0.025, k, num - k + 1) if k else 0, abs=1e-9)
        assert high == pytest.approx(beta.ppf(0.975, k + 1, num - k) if k < num else 1, abs=1e-9)
        assert over == num


def test_one_more_error_never_raises_the_lower_end() -> None:
    def low(wrong: int) -> float:
        right = np.arange(267)[None] >= wrong
        return proportion_interval(right, np.arange(267), np.random.default_rng(0)).low

    lows = [low(wrong) for wrong in range(5)]
    assert lows == sorted(lows, reverse=True)


def test_frames_that_are_all_right_are_as_sure_as_their_items() -> None:
    unit = np.repeat(np.arange(12), 50)
    found = proportion_interval(np.ones((1, 600), bool), unit, np.random.default_rng(0))
    assert found == exact_interval(12, 12)


def test_draws_that_are_all_right_are_as_sure_as_their_items() -> None:
    found = proportion_interval(np.ones((10, 40), bool), np.arange(40), np.random.default_rng(0))
    assert found == exact_interval(40, 40)


def test_groups_that_are_all_right_are_as_sure_as_their_number() -> None:
    word, group = [*"ab" * 20], [f"s{i // 8}" for i in range(40)]
    store = rows_with(word=word, group=group)
    pool, level = make_pool(store, "word")
    kinds = [frozen("features", embeddings(one_hot(word)))]
    result = run_leave_group_out("word", level, pool, store, kinds)
    _, found = result.accuracies
    assert (found.low, found.high) == exact_interval(5, 5)[:2]
    assert any("over 5 groups: features" in note for note in notes_of(dataclasses.asdict(result)))


def test_verification_without_an_error_has_an_interval() -> None:
    speaker = [f"s{i % 4}" for i in range(60)]
    store = rows_with(speaker=speaker)
    task = make_task(store, "speaker", known_values=False)
    result = run_verification(task, store, {"features": embeddings(one_hot(speaker))})
    found = result.rows[1]
    assert (found.value, found.low) == (0, 0)
    assert found.high == exact_interval(0, result.num_test).high


def test_perfect_precision_has_an_interval() -> None:
    cells = [";".join(v for v in "ab" if (i >> "ab".index(v)) % 2) or "c" for i in range(60)]
    store = rows_with(what=cells)
    task = make_task(store, "what", whole_cells=False)
    x = np.array([[v in cell for v in "abc"] for cell in cells]).astype(float)
    result = run_multi_label(task, store, {"features": embeddings(x)}, separator=";")
    found = result.rows[1]
    assert found.value == found.high == 1
    assert found.low == exact_interval(result.num_test, result.num_test).low


def test_intervals_inside_are_those_of_the_bootstrap(seed: int) -> None:
    right = np.random.default_rng(seed).random((1, 400)) < 0.7
    found = proportion_interval(right, np.arange(400), np.random.default_rng(seed))
    half = 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 400)
    assert found.exact_over is None
    # The bootstrap of 1,000 draws knows its ends to about a tenth of the half width.
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.2)


# Classes that training lacks


SPLIT = ["train"] * 8 + ["test"] * 8
WORD = [*"abababab", *"ababcccd"]


def test_classes_that_training_lacks_are_named_with_the_most_that_can_be_reached() -> None:
    store = rows_with(word=WORD, split=SPLIT)
    kinds = [frozen("features", embeddings(one_hot(WORD)), num_neighbors=1)]
    result = run_probe(make_task(store, "word"), store, kinds)
    unseen = result.unseen
    assert unseen is not None
    assert (unseen.classes, unseen.num, unseen.num_test) == (("c", "d"), 4, 8)
    assert unseen.most == unseen.most_balanced == 0.5
    # Features that hold all there is reach it, and neither classifier goes beyond.
    assert [a.accuracy for a in result.accuracies[1:]] == [0.5, 0.5]


def test_a_curve_over_few_labels_names_them_too() -> None:
    store = rows_with(word=WORD, split=SPLIT)
    kinds = [frozen("features", embeddings(one_hot(WORD)))]
    result = run_label_curve(make_task(store, "word"), store, kinds, [2, 4], draws=3)
    assert result.unseen is not None
    assert (result.unseen.classes, result.unseen.most) == (("c", "d"), 0.5)
    assert max(a.accuracy for a in result.accuracies) <= result.unseen.most


def test_a_class_of_one_group_is_named_when_that_group_is_left_out() -> None:
    word = [*"abab", *"abab", *"abcc"]
    store = rows_with(word=word, group=[f"s{i // 4}" for i in range(12)])
    pool, level = make_pool(store, "word")
    result: ProbeResult = run_leave_group_out("word", level, pool, store, [])
    assert result.unseen is not None
    assert (result.unseen.classes, result.unseen.num) == (("c",), 2)
    assert result.unseen.most == pytest.approx(10 / 12)


def test_nothing_is_said_where_training_has_every_class() -> None:
    store = rows_with(word=[*"abababab"])
    assert run_probe(make_task(store, "word"), store, []).unseen is None


@given(
    folds=st.lists(
        st.tuples(
            st.lists(st.sampled_from("abcd"), min_size=1, max_size=9),
            st.lists(st.sampled_from("abcd"), min_size=1, max_size=9),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_the_most_is_what_one_reaches_who_knows_every_class_of_the_training_part(
    folds: list[tuple[list[str], list[str]]],
) -> None:
    known = [label in train for train, test in folds for label in test]
    found = unseen_in((np.array(train), np.array(test)) for train, test in folds)
    assert (found is None) == all(known)
    if found is not None:
        assert found.most == pytest.approx(np.mean(known))
        assert set(found.classes) == {y for train, test in folds for y in test if y not in train}


def test_the_command_the_file_the_report_and_the_card_say_it(
    nvp_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, rng = shutil.copytree(nvp_run, tmp_path / "run"), np.random.default_rng(0)
    word = [*"ab" * 20, *"ab" * 5, *["<new>"] * 5]
    rows = [
        f"{a:.3f},{b:.3f},{w},{'train' if i < 40 else 'test'}"
        for i, ((a, b), w) in enumerate(zip(rng.normal(5, 3, (55, 2)), word, strict=True))
    ]
    data = write_lines(tmp_path / "t.csv", "height,width,word,split", *rows)
    assert main(f"probe {run} {data} --label word --report --quiet".split()) == 0
    told = capsys.readouterr().out
    assert "'<new>'" in told
    assert "5 of 15" in told
    assert "at most 66.7%" in told
    probes = json.loads((run / "probes.json").read_text())["probes"]
    mine = next(p for p in probes if p["label"] == "word")
    assert mine["unseen"]["classes"] == ["<new>"]
    assert mine["unseen"]["most"] == pytest.approx(10 / 15)
    assert "at most 66.7%" in (run / "model" / "README.md").read_text()
    page = (run / "report.html").read_text()
    assert "at most 66.7%" in page
    assert "<new>" not in page
