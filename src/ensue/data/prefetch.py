"""Prefetch: the next things are read in a thread while the present one is worked on."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
_END = object()


def prefetched(things: Iterable[T], ahead: int = 2) -> Iterator[T]:
    """The same things in the same order; an error of theirs is raised where its thing was due.

    Args:
        things: Read in a thread, one after the other.
        ahead: How many may wait.

    Example:
        >>> list(prefetched(range(4)))
        [0, 1, 2, 3]
    """
    waiting: queue.Queue = queue.Queue(ahead)
    stopped = threading.Event()

    def put(kind: object, value: object) -> None:
        while not stopped.is_set():
            try:
                return waiting.put((kind, value), timeout=0.1)
            except queue.Full:
                continue

    def read() -> None:
        try:
            for thing in things:
                put(None, thing)
                if stopped.is_set():
                    return
            put(_END, None)
        except BaseException as error:
            put(error, None)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        while True:
            kind, thing = waiting.get()
            if kind is _END:
                return
            if isinstance(kind, BaseException):
                raise kind
            yield thing
    finally:
        stopped.set()
        thread.join()
