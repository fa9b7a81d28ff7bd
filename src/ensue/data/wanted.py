"""Wanted data: the items that a caller can take, which decides where looking can't."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Wanted:
    """Data that the caller can take: it decides where looking can't.

    Attributes:
        kinds: Of items; none where any will do.
        sample_rate: Hz of samples that come without their rate; None where they are refused.
        columns: Names of the columns of an array with as many.
    """

    kinds: Sequence[str] = ()
    sample_rate: int | None = None
    columns: Sequence[str] = ()

    def takes(self, kind: str) -> bool:
        """Return whether items of a kind are wanted, for all that is known."""
        return not self.kinds or kind in self.kinds


ANYTHING = Wanted()
