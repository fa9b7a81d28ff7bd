"""Progress on the terminal: a bar with the loss and the chance loss, or plain lines in a log."""

import sys
import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from ensue.training.progress import Progress as Listener
from ensue.training.progress import Silence

SECONDS_BETWEEN_LINES = 15.0


def listener(quiet: bool) -> Listener:
    """Return a bar on a terminal, lines elsewhere, or a silent listener if ``quiet``."""
    if quiet:
        return Silence()
    return Bar() if sys.stderr.isatty() else Lines()


class Bar:
    """A rich progress bar on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar: Progress | None = None

    def start(self, what: str, total: int, done: int = 0) -> None:
        self.stop()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._bar.start()
        self._task = self._bar.add_task(what, total=total, completed=done, facts="", rate="")
        self._begun, self._done = time.monotonic(), 0

    def advance(self, num_steps: int, facts: dict[str, float]) -> None:
        if self._bar is None:
            return
        self._done += num_steps
        rate = self._done / max(1e-9, time.monotonic() - self._begun)
        self._bar.update(self._task, advance=num_steps, facts=describe(facts), rate=f"{rate:.1f}/s")

    def say(self, line: str) -> None:
        self._console.print(line, highlight=False)

    def stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class Lines:
    """Prints a plain line now and then on standard error."""

    def start(self, what: str, total: int, done: int = 0) -> None:
        self._what, self._total, self._done = what, total, done
        self._first, self._begun, self._told = done, time.monotonic(), time.monotonic()
        self._print(f"{what}: {done} of {total}")

    def advance(self, num_steps: int, facts: dict[str, float]) -> None:
        self._done += num_steps
        now = time.monotonic()
        if now - self._told < SECONDS_BETWEEN_LINES and self._done < self._total:
            return
        self._told = now
        rate = (self._done - self._first) / max(1e-9, now - self._begun)
        left = (self._total - self._done) / max(rate, 1e-9)
        self._print(
            f"{self._what}: {self._done} of {self._total}  {describe(facts)}  "
            f"{rate:.1f}/s  {left:.0f} s left"
        )

    def say(self, line: str) -> None:
        self._print(line)

    def stop(self) -> None:
        pass

    def _print(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


def describe(facts: dict[str, float]) -> str:
    """Return the loss, the chance loss and the accuracy, as far as they are known.

    Example:
        >>> describe({"loss": 2.5, "chance_loss": 5.5452, "accuracy": 0.25})
        'loss 2.500 (chance 5.545)  accuracy 25 %'
    """
    parts = [f"loss {facts['loss']:.3f}"] if "loss" in facts else []
    if parts and "chance_loss" in facts:
        parts[0] += f" (chance {facts['chance_loss']:.3f})"
    if "accuracy" in facts:
        parts.append(f"accuracy {facts['accuracy']:.0%}".replace("%", " %"))
    return "  ".join(parts)
