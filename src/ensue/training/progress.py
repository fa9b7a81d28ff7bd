"""Progress: the events that training reports to a listener; it never prints."""

from typing import Protocol


class Progress(Protocol):
    """Listens to long work. Verbs attach a listener that draws a bar, or a silent one."""

    def start(self, what: str, total: int, done: int = 0) -> None:
        """Begin the work named ``what``, of which ``done`` of ``total`` steps are done."""
        ...

    def advance(self, num_steps: int, facts: dict[str, float]) -> None:
        """Report ``num_steps`` more steps as done; ``facts`` are figures to show with them."""
        ...

    def say(self, line: str) -> None:
        """Report a line of text."""
        ...

    def stop(self) -> None:
        """End the work, done or not."""
        ...


class Silence:
    """A listener that shows nothing."""

    def start(self, what: str, total: int, done: int = 0) -> None:
        pass

    def advance(self, num_steps: int, facts: dict[str, float]) -> None:
        pass

    def say(self, line: str) -> None:
        pass

    def stop(self) -> None:
        pass
