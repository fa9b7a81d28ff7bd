"""The laws of curves over few labels, of groups left out, of neighbors and of intervals."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from ensue.data.store import Store
from ensue.errors import ConfigError, DataError
from ensue.evaluation.probes.classifiers import Reader, frozen
from ensue.evaluation.probes.intervals import (
    bootstrap_class_mean,
    bootstrap_mean,
    student_interval,
)
from ensue.evaluation.probes.label_curve import draw_examples, run_label_curve, sizes_of
from ensue.evaluation.probes.leave_group_out import run_leave_group_out
from ensue.evaluation.probes.probe import balanced_accuracy, run_probe
from ensue.evaluation.probes.task import Moments, make_pool, make_task
from tests.evaluation.probes.features import embeddings, rows_with


def words(num: int, rng: np.random.Generator) -> tuple[Store, np.ndarray]:
    """Three words that are read the better the more examples there are."""
    word = rng.permutation(np.arange(num) % 3)
    x = rng.standard_normal((num, 6))
    x[:, :3] += 1.5 * np.eye(3)[word]
    return rows_with(word=[f"w{i}" for i in word]), x


class Spy:
    """A kind of features that writes down what it was trained on."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def __call__(self, pool: Moments, store: Store) -> dict[str, Reader]:
        def read(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            self.seen.append(tuple(train))
            return pool.label[test]

        return {f"spy {id(self)}": Reader(read)}


def test_all_kinds_see_the_same_draws_which_differ_from_each_other(seed: int) -> None:
    store, _ = words(90, np.random.default_rng(seed))
    one, other = Spy(), Spy()
    run_label_curve(make_task(store, "word"), store, [one, other], [5, 20, 60], draws=4, seed=seed)
    assert one.seen == other.seen
    assert [len(s) for s in one.seen] == [5] * 4 + [20] * 4 + [60]
    assert len(set(one.seen[:8])) == 8


def test_features_are_computed_once_however_many_draws_there_are(seed: int) -> None:
    store, x = words(90, np.random.default_rng(seed))
    asked: list[int] = []

    def counted(store: Store, rows: np.ndarray) -> object:
        asked.append(len(rows))
        return embeddings(x)(store, rows)

    kinds = [frozen("x", counted, num_neighbors=3)]  # type: ignore[arg-type]
    run_label_curve(make_task(store, "word"), store, kinds, [6, 30], draws=5)
    assert asked == [90]


@pytest.mark.parametrize("num", [3, 4, 30])
def test_every_class_has_an_example_and_no_example_is_drawn_twice(num: int, seed: int) -> None:
    labels = np.array([*"a" * 27, *"bb", "c"])
    drawn = draw_examples(labels, num, [seed])
    assert len(set(drawn.tolist())) == num
    assert set(labels[drawn]) == {"a", "b", "c"}


def test_more_labels_are_read_better_up_to_the_plain_probe(seed: int) -> None:
    store, x = words(900, np.random.default_rng(seed))
    task = make_task(store, "word")
    kinds = [frozen("x", embeddings(x))]
    curve = run_label_curve(task, store, kinds, [3, 30, *sizes_of([1], task)], draws=10)
    found = [a for a in curve.accuracies if a.features == "x"]
    assert [a.num_labels for a in found] == [3, 30, 600]
    assert found[0].accuracy < found[1].accuracy < found[2].accuracy
    assert found[2].accuracy == run_probe(task, store, kinds).accuracies[1].accuracy
    assert all(a.low < a.accuracy < a.high for a in found)


@pytest.mark.parametrize(
    ("sizes", "draws", "reason"),
    [([2], 3, "has 3 classes"), ([61], 3, "there are 60 to train on"), ([9], 0, "draws is 0")],
)
def test_examples_that_can_not_be_drawn_are_refused(
    sizes: list[int], draws: int, reason: str
) -> None:
    store, _ = words(90, np.random.default_rng(0))
    with pytest.raises(ConfigError, match=reason):
        run_label_curve(make_task(store, "word"), store, [], sizes, draws=draws)


def test_fraction_is_above_0_and_up_to_1() -> None:
    store, _ = words(90, np.random.default_rng(0))
    for fraction in (0, -0.5, 1.1):
        with pytest.raises(ConfigError, match="above 0 and up to 1"):
            sizes_of([fraction], make_task(store, "word"))


def test_nearest_neighbors_look_at_the_angle_of_standardized_features(seed: int) -> None:
    rng = np.random.default_rng(seed)
    store, x = words(120, rng)
    task = make_task(store, "word")
    kind = frozen("x", embeddings(x), num_neighbors=1)
    result = run_probe(task, store, [kind])
    mean, deviation = x[task.train.row].mean(0), x[task.train.row].std(0)
    unit = (x - mean) / deviation
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    nearest = (unit[task.test.row] @ unit[task.train.row].T).argmax(1)
    expected = (task.train.label[nearest] == task.test.label).mean()
    assert [a.features for a in result.accuracies[1:]] == ["x", "x, 1 nearest neighbors"]
    assert result.accuracies[2].accuracy == expected


def test_more_neighbors_than_examples_are_refused() -> None:
    store, x = words(9, np.random.default_rng(0))
    with pytest.raises(ConfigError, match="knn is 7 and there are 6 training examples"):
        run_probe(make_task(store, "word"), store, [frozen("x", embeddings(x), num_neighbors=7)])


# Groups left out


def test_every_group_is_tested_once_by_what_never_saw_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    group = rng.permutation([*"ssssttttuu"])
    store = rows_with(word=[*"ababababab"], group=group.tolist())
    pool, level = make_pool(store, "word")
    spy = Spy()
    result = run_leave_group_out("word", level, pool, store, [spy])
    left_out = [set(range(10)) - set(train) for train in spy.seen]
    assert left_out == [set(np.flatnonzero(group == g)) for g in "stu"]
    assert result.accuracies[1].accuracy == 1
    assert result.accuracies[1].by_group == {"s": 1.0, "t": 1.0, "u": 1.0}
    assert result.kind == "leave_one_group_out"


def test_accuracy_of_groups_is_pooled_over_items() -> None:
    group, word = [*"sssssstuut"], [*"ababababab"]
    x = np.array([["ab".index(w)] for w in word], float)
    x[6] = 1 - x[6]  # one of the two items of t looks like the other word
    store = rows_with(word=word, group=group)
    pool, level = make_pool(store, "word")
    found = run_leave_group_out("word", level, pool, store, [frozen("x", embeddings(x))])
    row = found.accuracies[1]
    assert row.by_group == {"s": 1, "t": 0.5, "u": 1}
    assert row.accuracy == 0.9


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"word": [*"abab"]}, "no column of groups.*--group.*word"),
        ({"word": [*"abab"], "group": [*"ssss"]}, "all labeled items are of one group, 's'"),
        ({"word": [*"aabb"], "group": [*"sstt"]}, "is in one group only"),
        ({"word": [*"abbb"], "group": [*"sstt"]}, None),
        ({"word": [*"abbbb"], "group": [*"sstsu"]}, "without the group 's' one value"),
        ({"word": [*"aaaa"], "group": [*"sstt"]}, "all 4 labeled items have the same"),
    ],
)
def test_groups_that_can_not_be_left_out_are_refused(
    columns: dict[str, list[str]], reason: str | None
) -> None:
    store = rows_with(**columns)
    with pytest.raises(DataError, match=reason or "without the group 's' one value"):
        run_leave_group_out("word", "item", make_pool(store, "word")[0], store, [])


# How sure it is


def test_interval_over_few_groups_covers_the_truth_as_often_as_it_says(seed: int) -> None:
    rng, num_tests, num_groups = np.random.default_rng(seed), 300, 8
    covered = bootstrapped = 0
    for _ in range(num_tests):
        ability = rng.beta(7, 3, num_groups)
        group = np.repeat(np.arange(num_groups), 20)
        right = rng.random(len(group)) < ability[group]
        low, high = student_interval(right, group)
        covered += low <= 0.7 <= high
        low, high = bootstrap_mean(right[None], np.arange(len(right)), rng)
        bootstrapped += low <= 0.7 <= high
    # 4 standard errors of 300 tests, and a bit for abilities that aren't normal.
    assert abs(covered / num_tests - 0.95) <= 0.05
    assert bootstrapped / num_tests < 0.9  # what items alone would have claimed


def test_interval_over_draws_and_items_is_wider_than_over_items_where_draws_differ(
    seed: int,
) -> None:
    rng, items = np.random.default_rng(seed), np.arange(400)
    ability = np.linspace(0.3, 0.9, 10)
    right = rng.random((10, 400)) < ability[:, None]
    both = bootstrap_mean(right, items, rng)
    pooled = [bootstrap_mean(row[None], items, rng) for row in right]
    assert both[1] - both[0] > 1.5 * np.mean([high - low for low, high in pooled])


def test_interval_of_classes_is_that_of_all_where_classes_are_even_and_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    label, items = np.tile(np.arange(2), 500), np.arange(1000)
    right = rng.random((1, 1000)) < 0.7
    of_all = bootstrap_mean(right, items, rng)
    of_classes = bootstrap_class_mean(right, label, items, rng)
    # Quantiles of 1,000 draws, whose standard error is about a tenth of the half-width.
    np.testing.assert_allclose(of_classes, of_all, atol=0.012)


def test_interval_of_classes_is_as_wide_as_their_means_vary(seed: int) -> None:
    rng = np.random.default_rng(seed)
    label, items = np.repeat([0, 1, 1, 1], 200), np.arange(800)
    share = np.where(label == 0, 0.5, 0.9)
    means = []
    for _ in range(400):
        right = rng.random(800) < share
        means.append((right[:200].mean() + right[200:].mean()) / 2)
    low, high = bootstrap_class_mean(right[None], label, items, rng)
    assert high - low == pytest.approx(
        np.quantile(means, 0.975) - np.quantile(means, 0.025), rel=0.3
    )


def test_balanced_accuracy_is_that_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, predicted = rng.choice([*"aaab"], (2, 60))
    assert balanced_accuracy(truth, predicted) == pytest.approx(
        balanced_accuracy_score(truth, predicted), abs=1e-12
    )
