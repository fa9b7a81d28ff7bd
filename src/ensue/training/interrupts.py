"""Interrupts: Ctrl-C and SIGTERM take effect between two steps, where everything can be saved."""

import contextlib
import signal
import threading
from types import FrameType
from typing import Any

from ensue.training.progress import Progress

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Records that the process was asked to stop; a second Ctrl-C stops it at once.

    Outside the main thread no signal arrives, and nothing is changed. A signal that the process
    ignores, as under ``nohup``, stays ignored.

    Attributes:
        asked: Whether it was asked to stop.
    """

    def __init__(self, progress: Progress) -> None:
        self.progress, self.asked = progress, False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            self._before = {s: signal.getsignal(s) for s in SIGNALS}
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def listen(self) -> None:
        """Take the signals, also from others who took them meanwhile: Lightning takes SIGTERM."""
        for number, handler in self._before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True
        with contextlib.suppress(RuntimeError):  # raised if a stream was being written to
            self.progress.say("stopping after this step; Ctrl-C again stops at once")
