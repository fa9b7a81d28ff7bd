"""Progress: what training tells whoever listens; it never prints."""

from typing import Protocol


class Progress(Protocol):
    """Listens to long work. ``verbs`` attach one that draws a bar, or one that is silent."""

    def start(self, what: str, total: int, done: int = 0) -> None:
        """Work named ``what`` begins, with ``done`` of ``total`` steps behind it."""
        ...

    def advance(self, num_steps: int, facts: dict[str, float]) -> None:
        """So many more steps are done; ``facts`` are figures worth showing beside."""
        ...

    def say(self, line: str) -> None:
        """Something worth a line of its own."""
        ...

    def stop(self) -> None:
        """The work is over, done or not."""
        ...


class Silence:
    """A listener that doesn't listen."""

    def start(self, what: str, total: int, done: int = 0) -> None:
        pass

    def advance(self, num_steps: int, facts: dict[str, float]) -> None:
        pass

    def say(self, line: str) -> None:
        pass

    def stop(self) -> None:
        pass
