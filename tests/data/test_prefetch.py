"""Prefetching changes when things are read, and nothing else."""

import threading
import time
from collections.abc import Iterator

import pytest

from ensue.data.prefetch import prefetched


def test_things_come_in_their_order_and_an_error_in_its_place() -> None:
    def things() -> Iterator[int]:
        yield from (1, 2)
        raise ValueError("the third")

    found = prefetched(things())
    assert [next(found), next(found)] == [1, 2]
    with pytest.raises(ValueError, match="the third"):
        next(found)


def test_the_next_is_read_while_the_present_is_worked_on() -> None:
    read = []

    def things() -> Iterator[int]:
        for i in range(10):
            read.append(i)
            yield i

    found = prefetched(things(), ahead=3)
    assert next(found) == 0
    deadline = time.monotonic() + 5
    while len(read) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert 4 <= len(read) <= 5  # three wait, and one is in its hand
    found.close()


def test_one_that_is_left_leaves_no_thread() -> None:
    before = threading.active_count()
    found = prefetched(iter(range(1000)))
    next(found)
    found.close()
    assert threading.active_count() == before
