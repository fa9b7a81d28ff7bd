"""The laws of the splits: nothing is both trained on and validated on, and groups stay whole."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensue.data.splits import VALIDATION, train_validation
from ensue.errors import DataError
from tests.data.stores import memory_store, numbered, plain_items

quick = settings(deadline=None, max_examples=100)
groups = st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=30)
fractions = st.floats(0, 0.99)


@quick
@given(num=st.integers(1, 30), fraction=fractions)
def test_every_item_is_trained_or_validated_on(num: int, fraction: float) -> None:
    train, validation = train_validation(plain_items(num), fraction)
    assert sorted([*train, *validation]) == list(range(num))
    wanted = max(1, round(fraction * num)) if fraction else 0
    assert len(validation) == min(wanted, num - 1)


@quick
@given(group=groups, fraction=fractions)
def test_group_is_never_on_both_sides(group: list[str], fraction: float) -> None:
    train, validation = train_validation(plain_items(len(group), group=group), fraction)
    assert sorted([*train, *validation]) == list(range(len(group)))
    if len(set(group)) > 1:
        assert {group[i] for i in train}.isdisjoint(group[i] for i in validation)
        assert (len(validation) > 0) == (fraction > 0)


def test_one_group_is_split_by_item() -> None:
    train, validation = train_validation(plain_items(10, group=["a"] * 10), 0.2)
    assert (len(train), len(validation)) == (8, 2)


def test_single_item_is_trained_on() -> None:
    train, validation = train_validation(plain_items(1), 0.5)
    assert (train.tolist(), validation.tolist()) == ([0], [])


def test_split_depends_on_names_alone() -> None:
    items = plain_items(20)
    store = memory_store(numbered([4] * 20), ids=items.ids)
    first, again, stored = (train_validation(x, 0.3)[1].tolist() for x in (items, items, store))
    assert first == again == stored


@pytest.mark.parametrize("name", VALIDATION)
def test_split_column_is_honored(name: str) -> None:
    column = ["train", name, "test", "", "train", name, "test"]
    group = list("aabbccd")  # the column may cut through groups: it is the user's word
    items = plain_items(7, labels={"split": column}, group=group)
    for fraction in (0.0, 0.5):
        train, validation = train_validation(items, fraction)
        assert train.tolist() == [0, 3, 4]
        assert validation.tolist() == [1, 5]


@quick
@given(group=groups, fraction=fractions, data=st.data())
def test_test_rows_are_never_used(group: list[str], fraction: float, data: st.DataObject) -> None:
    names = st.sampled_from(["train", "test", ""])
    column = data.draw(st.lists(names, min_size=len(group), max_size=len(group)))
    items = plain_items(len(group), group=group, labels={"split": column})
    usable = [i for i, name in enumerate(column) if name != "test"]
    if not usable:
        with pytest.raises(DataError, match="no item is left to train on"):
            train_validation(items, fraction)
    else:
        train, validation = train_validation(items, fraction)
        assert sorted([*train, *validation]) == usable
        assert len(train)


@pytest.mark.parametrize("column", [["test"] * 3, ["dev"] * 3, ["test", "dev", "dev"]])
def test_nothing_to_train_on_is_an_error(column: list[str]) -> None:
    with pytest.raises(DataError, match="no item is left to train on: 3 items, column 'split' cou"):
        train_validation(plain_items(3, labels={"split": column}), 0.1)


@pytest.mark.parametrize("name", ["Test", "testing", "eval"])
def test_split_of_unknown_name_is_not_trained_on_in_silence(name: str) -> None:
    with pytest.raises(DataError, match=rf"unknown split '{name}'.*There are: dev, test, train, v"):
        train_validation(plain_items(3, labels={"split": ["train", "train", name]}), 0.1)
