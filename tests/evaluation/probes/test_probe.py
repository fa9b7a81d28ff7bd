"""The laws of probes: they read what is there, nothing that isn't, and say how sure they are."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from ensue.data.items import Intervals, Positions
from ensue.data.store import Store
from ensue.errors import DataError
from ensue.evaluation.probes import task as tasks
from ensue.evaluation.probes.classifiers import frozen
from ensue.evaluation.probes.probe import Accuracy, accuracy_of, run_probe
from ensue.evaluation.probes.task import Moments, Task, make_task
from ensue.evaluation.represent import Represented, Represents
from tests.data.stores import memory_store
from tests.evaluation.probes.features import embeddings, rows_with

SAMPLE_RATE, FRAME_RATE = 1000, 100


def framewise(of: Callable[[int, int], np.ndarray]) -> Represents:
    """Frames of 10 ms, ``of(row, number of frames)``; the longest item comes first."""

    def represent(store: Store, rows: Positions) -> Iterator[Represented]:
        for row in sorted(rows, key=lambda r: -store.lengths[r]):
            frames = of(row, store.lengths[row] * FRAME_RATE // SAMPLE_RATE)
            yield Represented(row, frames.mean(0), frames, None, FRAME_RATE)

    return represent


def read(task: Task, store: Store, represent: Represents) -> Accuracy:
    chance, found = run_probe(task, store, [frozen("features", represent)]).accuracies
    assert chance.features == "chance (most frequent class)"
    return found


def groups_of(store: Store, moments: Moments) -> set[str]:
    assert store.group is not None
    return {str(store.group[row]) for row in moments.row}


def interval_store(lengths: Sequence[int], rows: Sequence[tuple[str, float, float, str]]) -> Store:
    columns = dict(zip(("item", "start", "end", "label"), zip(*rows, strict=True), strict=True))
    intervals = {"phone": Intervals(pa.table({n: list(v) for n, v in columns.items()}))}
    return memory_store([np.zeros(n) for n in lengths], intervals=intervals, rate=SAMPLE_RATE)


# What is read


def test_label_that_is_linearly_present_is_read(seed: int) -> None:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, 90)
    x = rng.standard_normal((3, 8))[label] * 10 + 0.1 * rng.standard_normal((90, 8))
    store = rows_with(word=[f"w{i}" for i in label])
    found = read(make_task(store, "word"), store, embeddings(x))
    assert (found.accuracy, found.high) == (1, 1)
    assert found.low == pytest.approx(0.025 ** (1 / 30), abs=1e-6)  # of 30 test items, all right


def test_random_label_is_read_at_chance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    store = rows_with(coin=rng.choice(["heads", "tails"], 900).tolist())
    found = read(make_task(store, "coin"), store, embeddings(rng.standard_normal((900, 5))))
    # The interval is 1.96 standard errors each way; 4.9 are passed once in a million times.
    assert abs(found.accuracy - 0.5) <= 2.5 * (found.high - found.low) / 2
    assert found.low < found.accuracy < found.high


def test_chance_is_the_most_frequent_class_of_the_training_part() -> None:
    split = ["train"] * 5 + ["test"] * 4
    store = rows_with(word=[*"aaabb", *"abbb"], split=split)
    result = run_probe(make_task(store, "word"), store, [])
    assert result.accuracies[0].accuracy == 1 / 4
    assert (result.num_train, result.num_test, result.num_classes) == (5, 4, 2)


def test_label_that_training_never_saw_counts_as_wrong() -> None:
    split = ["train"] * 4 + ["test"] * 4
    word = [*"abab", *"abcc"]
    x = np.array([["abc".index(w)] for w in word]) == np.arange(3)
    store = rows_with(word=word, split=split)
    assert read(make_task(store, "word"), store, embeddings(x.astype(float))).accuracy == 0.5


def test_every_kind_of_features_is_asked_in_turn() -> None:
    store = rows_with(word=[*"abababab"])
    good, bad = np.array([[0.0], [1.0]] * 4), np.zeros((8, 1))
    kinds = [frozen("good", embeddings(good)), frozen("bad", embeddings(bad))]
    result = run_probe(make_task(store, "word"), store, kinds)
    assert [a.features for a in result.accuracies[1:]] == ["good", "bad"]
    assert result.accuracies[1].accuracy == 1
    assert result.accuracies[2].accuracy < 1


# What is trained and tested on


@settings(deadline=None, max_examples=200)
@given(data=st.data(), num=st.integers(2, 20), seed=st.integers(0, 99))
def test_group_is_never_on_both_sides_of_a_label_that_crosses_groups(
    data: st.DataObject, num: int, seed: int
) -> None:
    group = data.draw(st.lists(st.sampled_from("stuv"), min_size=num, max_size=num))
    word = data.draw(st.lists(st.sampled_from("ab"), min_size=num, max_size=num))
    crossing = any(len({g for g, w in zip(group, word, strict=True) if w == x}) > 1 for x in "ab")
    store = rows_with(word=word, group=group)
    try:
        task = make_task(store, "word", seed=seed)
    except DataError:
        reject()
    assert set(task.train.row).isdisjoint(task.test.row)
    assert sorted([*task.train.row, *task.test.row]) == list(range(num))
    if crossing:
        assert task.split == "other groups"
        assert groups_of(store, task.train).isdisjoint(groups_of(store, task.test))


def test_label_that_is_constant_in_groups_but_crosses_them_is_read_across_groups() -> None:
    speakers = [f"s{i // 5}" for i in range(60)]
    dialect = ["north" if int(s[1:]) % 2 else "south" for s in speakers]
    store = rows_with(dialect=dialect, group=speakers)
    for seed in range(5):
        task = make_task(store, "dialect", seed=seed)
        assert groups_of(store, task.train).isdisjoint(groups_of(store, task.test))
        assert len(groups_of(store, task.test)) == 4


def test_label_that_names_the_groups_is_split_item_by_item() -> None:
    speakers = [f"s{i // 6}" for i in range(24)]
    store = rows_with(group=speakers)
    task = make_task(store, "group")
    assert task.split == "items of each group"
    assert groups_of(store, task.train) == groups_of(store, task.test) == set(speakers)
    assert set(task.train.row).isdisjoint(task.test.row)
    assert (len(task.train), len(task.test)) == (16, 8)


def test_label_that_names_the_groups_is_read_among_the_test_groups_alone() -> None:
    speakers = [f"s{i // 6}" for i in range(24)]
    split = ["train" if s in ("s0", "s2") else "test" for s in speakers]
    store = rows_with(group=speakers, split=split)
    task = make_task(store, "group")
    assert groups_of(store, task.train) == groups_of(store, task.test) == {"s1", "s3"}
    assert (len(task.train), len(task.test)) == (8, 4)


def test_column_that_splits_within_groups_is_honored_for_their_names() -> None:
    speakers, split = [*"ssssuuuu"], ["train", "train", "dev", "test"] * 2
    store = rows_with(group=speakers, split=split)
    task = make_task(store, "group")
    assert task.split == "column split"
    assert (task.train.row.tolist(), task.test.row.tolist()) == ([0, 1, 4, 5], [3, 7])


def test_split_column_is_honored_and_says_whether_groups_are_apart() -> None:
    split = ["train", "", "dev", "test", "train", "test"]
    for group, words in (
        ([*"sssstt"], "column split"),
        ([*"sssuvu"], "column split, other groups"),
    ):
        task = make_task(rows_with(word=[*"abaabb"], split=split, group=group), "word")
        assert (task.train.row.tolist(), task.test.row.tolist()) == ([0, 1, 4], [3, 5])
        assert task.split == words


def test_one_group_is_split_by_item() -> None:
    intervals = [(f"item{i}", 0.0, 1.0, "ab"[i % 2]) for i in range(6)]
    store = interval_store([1000] * 6, intervals)
    one = memory_store(
        [np.zeros(1000)] * 6, group=["s"] * 6, intervals=store.intervals, rate=SAMPLE_RATE
    )
    task = make_task(one, "phone")
    assert task.split == "items"
    assert set(task.train.row).isdisjoint(task.test.row)


def test_items_without_a_label_take_no_part() -> None:
    word = [*"ab", "", *"ab", "", *"abab"]
    task = make_task(rows_with(word=word), "word")
    assert sorted([*task.train.row, *task.test.row]) == [0, 1, 3, 4, 6, 7, 8, 9]


def test_task_is_a_function_of_the_seed() -> None:
    halves = ((0.0, 0.5, "a"), (0.5, 1.0, "b"))
    store = interval_store([1000] * 9, [(f"item{i}", *half) for i in range(9) for half in halves])
    one, same, other = (make_task(store, "phone", num_train=50, seed=s) for s in (1, 1, 2))
    assert one.train.time.tolist() == same.train.time.tolist() != other.train.time.tolist()


# Frames


def test_interval_lands_in_its_frames() -> None:
    lengths = [700, 1500, 300, 1000, 1200, 900]  # ms, which are samples here
    tenths = [
        (f"item{i}", k / 10, (k + 1) / 10, f"{(k + i) % 5}")
        for i, n in reversed(list(enumerate(lengths)))
        for k in reversed(range(n // 100))
    ]
    store = interval_store(lengths, tenths)

    def one_hot(row: int, num_frames: int) -> np.ndarray:
        return np.eye(5)[(np.arange(num_frames) // 10 + row) % 5]

    task = make_task(store, "phone", num_train=2000, num_test=2000)
    assert task.level == "frame"
    # A single frame too early or too late would make one in ten wrong.
    assert read(task, store, framewise(one_hot)).accuracy == 1


def test_frames_are_drawn_evenly_over_the_seconds(seed: int) -> None:
    lengths = [2000, 6000, 2000]
    halves = ((0.0, 1.0, "a"), (1.0, 10.0, "b"))
    store = interval_store(lengths, [(f"item{i}", *half) for i in range(3) for half in halves])
    task = make_task(store, "phone", num_train=4000, num_test=4000, seed=seed)
    assert sorted({*task.train.row, *task.test.row}) == [0, 1, 2]
    for side in (task.train, task.test):
        seconds = np.array(lengths)[np.unique(side.row)] / SAMPLE_RATE
        expected = 4000 * seconds / seconds.sum()
        counts = np.bincount(side.row, minlength=3)[np.unique(side.row)]
        # Poisson: five standard deviations are passed once in a million times.
        assert (abs(counts - expected) <= 5 * np.sqrt(expected)).all()
        assert (side.time < np.array(lengths)[side.row] / SAMPLE_RATE).all()


def test_unlabeled_moments_are_dropped() -> None:
    rows = [(f"item{i}", 0.2 + x, 0.4 + x, w) for i in range(4) for x, w in ((0, "a"), (0.5, "b"))]
    store = interval_store([1000] * 5, rows)  # item4 has no labels at all
    task = make_task(store, "phone", num_train=1000, num_test=1000)
    assert {*task.train.row, *task.test.row} <= {0, 1, 2, 3}
    for side in (task.train, task.test):
        first = (side.time >= 0.2) & (side.time < 0.4)
        second = (side.time >= 0.7) & (side.time < 0.9)
        assert (first | second).all()
        assert side.label.tolist() == np.where(first, "a", "b").tolist()


def test_column_can_be_read_by_frame() -> None:
    store = memory_store([np.zeros(500)] * 8, labels={"word": [*"abababab"]}, rate=SAMPLE_RATE)
    task = make_task(store, "word", level="frame", num_train=400, num_test=400)
    assert task.train.label.tolist() == ["ab"[row % 2] for row in task.train.row]
    assert 300 < len(task.train) < 500  # Poisson of mean 400: five standard deviations


def test_no_more_items_are_read_than_the_moments_need(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(tasks, "MIN_ITEMS", 2)
    monkeypatch.setattr(tasks, "FRAMES_PER_ITEM", 40)
    halves = ((0.0, 0.5, "a"), (0.5, 1.0, "b"))
    store = interval_store([1000] * 30, [(f"item{i}", *h) for i in range(30) for h in halves])
    frames = make_task(store, "phone", num_train=160, num_test=80, seed=seed)
    assert len(np.unique(frames.train.row)) <= 4
    assert len(np.unique(frames.test.row)) <= 2
    items = make_task(rows_with(word=[*"ab"] * 15), "word", num_train=12, num_test=3, seed=seed)
    assert (len(items.train), len(items.test)) == (12, 3)
    assert set(items.train.row).isdisjoint(items.test.row)


def test_features_without_frames_are_refused_at_frame_level() -> None:
    store = interval_store([1000] * 4, [(f"item{i}", 0.0, 1.0, "ab"[i % 2]) for i in range(4)])
    with pytest.raises(DataError, match="these features have no frames; probe at level item"):
        run_probe(make_task(store, "phone"), store, [frozen("x", embeddings(np.zeros((4, 2))))])


# How sure it is


def test_interval_covers_the_true_accuracy_as_often_as_it_says(seed: int) -> None:
    rng, num_items, truth, num_tests = np.random.default_rng(seed), 100, 0.7, 400
    covered = 0
    for _ in range(num_tests):
        right = rng.random(num_items) < truth
        found = accuracy_of("", [right], items_of(np.arange(num_items)), rng)
        assert found.accuracy == right.mean()
        covered += found.low <= truth <= found.high
    # 4.5 standard errors of 400 tests, sqrt(0.95 * 0.05 / 400) each.
    assert abs(covered / num_tests - 0.95) <= 0.05


def test_interval_is_wider_where_frames_of_an_item_are_alike(seed: int) -> None:
    rng, row = np.random.default_rng(seed), np.repeat(np.arange(200), 25)
    alone, alike = rng.random(len(row)) < 0.5, (rng.random(200) < 0.5)[row]
    found = [accuracy_of("", [right], items_of(row), rng) for right in (alone, alike)]
    widths = [a.high - a.low for a in found]
    # sqrt(25), and either width is known to about a tenth.
    assert widths[1] / widths[0] == pytest.approx(5, rel=0.4)


def items_of(row: np.ndarray) -> Moments:
    return Moments(row, np.full(len(row), np.nan), np.full(len(row), True))


# What is refused


@pytest.mark.parametrize(
    ("columns", "label", "reason"),
    [
        ({"speaker": [*"aabb"]}, "speeker", "unknown label 'speeker': did you mean 'speaker'"),
        ({"word": [*"aaaa"]}, "word", "all 4 labeled items have the same 'word', 'a'"),
        (
            {"word": [*"aaba"], "split": ["train", "train", "dev", "test"]},
            "word",
            r"\(values: 1, examples: 1\)",
        ),
        ({"word": [*"abcd"]}, "word", "each value of 'word' has one item only"),
        ({"word": ["", "", "", "a"]}, "word", "at least two labeled items.*has one"),
        ({"word": [""] * 4}, "word", "'word' is empty: none of the 4 items has a label"),
        ({"word": [*"abab"], "split": ["train", "test", "tests", ""]}, "word", "unknown split 'te"),
    ],
)
def test_label_that_can_not_be_read_is_refused(
    columns: dict[str, list[str]], label: str, reason: str
) -> None:
    with pytest.raises(DataError, match=reason):
        make_task(rows_with(**columns), label)


def test_frame_label_is_refused_at_item_level() -> None:
    store = interval_store([1000] * 4, [(f"item{i}", 0.0, 1.0, "ab"[i % 2]) for i in range(4)])
    with pytest.raises(DataError, match="'phone' is one of frames; use level frame"):
        make_task(store, "phone", level="item")


def test_intervals_of_other_items_are_refused() -> None:
    store = interval_store([1000] * 4, [("elsewhere", 0.0, 1.0, "a"), ("elsewhere", 1.0, 2.0, "b")])
    with pytest.raises(DataError, match=r"of none of the items: they name 'elsewhere' .* 'item0'"):
        make_task(store, "phone")
