"""The laws of windows: where a batch looks is a pure function of (seed, step)."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ensue.data.batches import Batch
from ensue.data.windows import StepBatches, Windows
from ensue.errors import DataError
from tests.data.stores import memory_store, numbered

quick = settings(deadline=None, max_examples=60)
lengths_of_items = st.lists(st.integers(1, 40), min_size=1, max_size=12)


def windows(lengths: list[int], size: int | None = 8, **options: Any) -> Windows:
    """Windows of items that are filled with their own number, which begins at 1."""
    store = memory_store(numbered(lengths), group=[f"g{i % 2}" for i in range(len(lengths))])
    return Windows(store=store, rows=np.arange(len(lengths)), size=size, **options)


def ramps(lengths: list[int], size: int, **options: Any) -> Windows:
    """Windows of items whose steps are filled with their position: the first tells the start."""
    store = memory_store([np.arange(n) for n in lengths])
    return Windows(store=store, rows=np.arange(len(lengths)), size=size, **options)


def equal(a: Batch, b: Batch) -> bool:
    same_lengths = a.lengths is b.lengths is None or torch.equal(lengths_of(a), lengths_of(b))
    return torch.equal(a.x, b.x) and torch.equal(items_of(a), items_of(b)) and same_lengths


def items_of(*batches: Batch) -> Tensor:
    return torch.cat([b.item for b in batches if b.item is not None])


def lengths_of(batch: Batch) -> Tensor:
    return torch.full((len(batch),), batch.x.shape[1]) if batch.lengths is None else batch.lengths


@quick
@given(lengths=lengths_of_items, size=st.integers(1, 20), step=st.integers(0, 100))
def test_window_stays_in_its_item_and_padding_is_zero(
    lengths: list[int], size: int, step: int
) -> None:
    w = windows(lengths, size)
    for batch in (w.draw(step, 6), *w.fixed(10, 6)):
        items, valid = items_of(batch).tolist(), lengths_of(batch).tolist()
        assert valid == [min(size, lengths[i]) for i in items]
        for x, item, n in zip(batch.x, items, valid, strict=True):
            assert x.tolist() == [item + 1.0] * n + [0.0] * (size - n)


@quick
@given(lengths=lengths_of_items, size=st.integers(1, 20), step=st.integers(0, 100))
def test_lengths_are_given_for_the_whole_data_or_never(
    lengths: list[int], size: int, step: int
) -> None:
    assert (windows(lengths, size).draw(step, 2).lengths is None) == (min(lengths) >= size)


def test_batch_carries_item_and_group() -> None:
    batch = windows([9, 9, 9]).draw(0, 9)
    items = items_of(batch).tolist()
    assert batch.group is not None
    assert batch.group.tolist() == [i % 2 for i in items]
    assert sorted(items) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_skip_leaves_short_items_out() -> None:
    w = windows([7, 8, 3, 20], short="skip")
    assert w.too_short.tolist() == [0, 2]
    batches = [*(w.draw(s, 3) for s in range(8)), *w.fixed(9, 3)]
    assert set(items_of(*batches).tolist()) == {1, 3}
    assert all(b.lengths is None for b in batches)


def test_items_too_short_for_the_model_are_left_out_though_padding_is_allowed() -> None:
    w = windows([4, 5, 20], shortest=5)
    assert w.too_short.tolist() == [0]
    assert set(items_of(*(w.draw(s, 3) for s in range(8))).tolist()) == {1, 2}


def test_rows_that_do_not_take_part_are_never_seen() -> None:
    store = memory_store(numbered([20, 20, 20, 20]))
    w = Windows(store=store, rows=np.array([3, 1]), size=8)
    batches = [*(w.draw(s, 3) for s in range(8)), *w.fixed(9, 3)]
    assert set(items_of(*batches).tolist()) == {1, 3}


@quick
@given(
    lengths=lengths_of_items,
    seed=st.integers(0, 2**32),
    step=st.integers(0, 10_000),
    other=st.integers(0, 10_000),
)
def test_batch_is_a_function_of_seed_and_step(
    lengths: list[int], seed: int, step: int, other: int
) -> None:
    w = ramps(lengths, 8, seed=seed)
    first = w.draw(step, 4)
    w.draw(other, 4)
    np.random.random()
    assert equal(first, w.draw(step, 4))
    assert equal(first, ramps(lengths, 8, seed=seed).draw(step, 4))


def test_seeds_and_epochs_differ_in_the_order_and_in_the_starts() -> None:
    lengths = [15] * 20  # an epoch is a batch
    draws = [ramps(lengths, 8, seed=s).draw(t, 20) for s in (0, 1) for t in (0, 1)]
    orders, starts = [items_of(d) for d in draws], [d.x[:, 0] for d in draws]
    for several in (orders, starts):
        assert not any(torch.equal(a, b) for a, b in itertools.combinations(several, 2))


@quick
@given(
    lengths=lengths_of_items,
    step=st.integers(0, 50),
    world_size=st.integers(1, 4),
    each=st.integers(1, 4),
)
def test_slices_of_the_ranks_are_the_batch_of_one_process(
    lengths: list[int], step: int, world_size: int, each: int
) -> None:
    w, batch_size = ramps(lengths, 8), world_size * each
    parts = [w.draw(step, batch_size, rank=r, world_size=world_size) for r in range(world_size)]
    assert [len(p) for p in parts] == [each] * world_size
    assert equal(together(parts), w.draw(step, batch_size))


def together(parts: list[Batch]) -> Batch:
    fields = {
        n: torch.cat([getattr(p, n) for p in parts])
        for n in ("x", "lengths", "item")
        if getattr(parts[0], n) is not None
    }
    return Batch(**fields)


@quick
@given(lengths=lengths_of_items, batch_size=st.integers(1, 9), epoch=st.integers(0, 3))
def test_every_slot_is_visited_once_in_an_epoch(
    lengths: list[int], batch_size: int, epoch: int
) -> None:
    w = windows(lengths, size=5)
    slots = [max(n // 5, 1) for n in lengths]
    assert w.num_windows == sum(slots)
    first, last = epoch * sum(slots), (epoch + 1) * sum(slots)
    steps = range(first // batch_size, last // batch_size + 1)
    drawn = items_of(*(w.draw(s, batch_size) for s in steps))
    offset = first - steps.start * batch_size
    items = drawn[offset : offset + sum(slots)]
    assert torch.bincount(items, minlength=len(lengths)).tolist() == slots


def test_every_start_is_reached() -> None:
    w = ramps([11, 8], 8)
    batches = [w.draw(s, 4) for s in range(200)]
    starts = {(int(i), float(x[0])) for batch in batches for i, x in rows(batch)}
    assert all((batch.x.diff(dim=1) == 1).all() for batch in batches)  # a step after the other
    # 4 + 1 places, of which none has less than 1 in 8 of 800 draws.
    assert starts == {(0, 0.0), (0, 1.0), (0, 2.0), (0, 3.0), (1, 0.0)}


def rows(batch: Batch) -> Any:
    return zip(items_of(batch), batch.x, strict=True)


@quick
@given(
    lengths=lengths_of_items,
    size=st.integers(1, 20),
    num=st.integers(1, 60),
    world_size=st.integers(1, 3),
    each=st.integers(1, 4),
)
def test_fixed_windows_are_side_by_side_and_shared_equally(
    lengths: list[int], size: int, num: int, world_size: int, each: int
) -> None:
    w, batch_size = ramps(lengths, size), world_size * each
    ranks = [w.fixed(num, batch_size, rank=r, world_size=world_size) for r in range(world_size)]
    found = min(num, w.num_windows)
    unit = batch_size if found >= batch_size else world_size
    wanted = max(unit, found // unit * unit)
    assert all(len({len(part) for part in parts}) == 1 for parts in zip(*ranks, strict=True))
    shared = [together(list(parts)) for parts in zip(*ranks, strict=True)]
    assert [len(b) for b in shared] == [min(batch_size, wanted)] * len(shared)
    assert sum(map(len, shared)) == wanted
    if wanted <= found:
        whole = w.fixed(wanted, batch_size)
        assert all(equal(a, b) for a, b in zip(shared, whole, strict=True))
        places = [(int(i), float(x[0])) for b in whole for i, x in rows(b)]
        assert len(set(places)) == len(places)
        assert all(start % size == 0 for _, start in places)
        assert all(start + min(size, lengths[i]) <= lengths[i] for i, start in places)


def test_fixed_windows_do_not_depend_on_the_seed() -> None:
    first, other = (ramps([30, 50], 8, seed=s).fixed(5, 2) for s in (0, 1))
    assert all(equal(a, b) for a, b in zip(first, other, strict=True))


def test_fixed_windows_are_spread_over_the_items() -> None:
    w = windows([8] * 100)
    items = items_of(*w.fixed(12, 6))
    assert items.tolist() == [0, 9, 18, 27, 36, 45, 54, 63, 72, 81, 90, 99]


@pytest.mark.parametrize("start", [0, 3])
def test_stream_starts_where_it_is_told(start: int) -> None:
    w = windows([30, 9, 50])
    stream = StepBatches(w, 4, start=start, rank=1, world_size=2)
    for _ in range(2):  # each pass begins there again
        for step, batch in enumerate(itertools.islice(stream, 5), start):
            assert equal(batch, w.draw(step, 4, rank=1, world_size=2))


@quick
@given(
    lengths=st.lists(st.integers(2, 40), min_size=1),
    size=st.integers(2, 20),
    step=st.integers(0, 100),
)
def test_window_at_another_speed_is_a_straight_walk_inside_its_item(
    lengths: list[int], size: int, step: int
) -> None:
    """On a ramp, the values of a window grow by its speed, and lie between the item's ends."""
    w = ramps(lengths, size, speed_perturbation=0.5)
    batch = w.draw(step, 6)
    for x, item, n in zip(batch.x, items_of(batch), lengths_of(batch), strict=True):
        valid, length = x[: int(n)], lengths[int(item)]
        assert 0 <= valid.min() <= valid.max() <= length - 1
        assert (x[int(n) :] == 0).all()
        if n > 2:
            speeds = valid.diff()
            assert speeds.min() >= 1 / 1.5 - 1e-5
            assert speeds.max() <= 1.5 + 1e-5
            torch.testing.assert_close(speeds, speeds[:1].expand_as(speeds), rtol=1e-4, atol=1e-5)


def test_speeds_differ_within_a_batch_and_validation_has_none() -> None:
    w = ramps([900] * 8, 100, speed_perturbation=0.2)
    speeds = (w.draw(0, 32).x[:, 1] - w.draw(0, 32).x[:, 0]).unique()
    assert len(speeds) > 20
    assert all((b.x.diff(dim=1) == 1).all() for b in w.fixed(16, 4))


def test_rank_slices_at_other_speeds_make_up_the_batch() -> None:
    w = ramps([900] * 8, 100, speed_perturbation=0.2)
    parts = [w.draw(3, 8, rank=r, world_size=4) for r in range(4)]
    assert equal(together(parts), w.draw(3, 8))


def test_rows_of_a_table_are_taken_whole() -> None:
    store = memory_store(list(np.arange(12.0).reshape(6, 1, 2)), sequence=False)
    w = Windows(store=store, rows=np.arange(6), size=None, short="skip")
    batch = w.draw(0, 6)
    items = items_of(batch).tolist()
    assert batch.lengths is None
    assert batch.x.tolist() == store.values[items].tolist()
    assert sorted(items) == list(range(6))
    assert together(w.fixed(3, 3)).x.tolist() == [[0, 1], [4, 5], [10, 11]]


@pytest.mark.parametrize(
    ("lengths", "options"),
    [([3, 7], {"short": "skip"}), ([3, 7], {"shortest": 8}), ([], {})],
    ids=["skip", "shortest", "no items"],
)
def test_nothing_long_enough_is_an_error_with_the_remedy(
    lengths: list[int], options: dict[str, Any]
) -> None:
    store = memory_store(numbered([3, 7]))
    with pytest.raises(
        DataError, match=rf"longest has {max(lengths, default=0)} steps, .* window 8"
    ):
        Windows(store=store, rows=np.arange(len(lengths)), size=8, **options)
    with pytest.raises(DataError, match=r"use shorter windows \(or short 'pad'\)"):
        Windows(store=store, rows=np.arange(len(lengths)), size=8, **options)
