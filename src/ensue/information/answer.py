"""The answer of an estimate of mutual information: numbers, and whether to trust them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

SATURATED = 0.5
"""Nats below log N from which on a bound says more of N than of the data."""
NEGLIGIBLE = 0.02
"""Nats below which an estimate is taken for none."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Mutual information of x and y, in nats, and what is known about the number.

    Attributes:
        estimate: The bound of the pairs that were held out.
        low: Lower end of its interval.
        high: Upper end.
        confidence: Of the interval.
        kind: Of number that the estimate is.
        limit: log N, which it can't exceed.
        entropy: Of the labels, where a side has some, which information can't exceed; or None.
        null: The same of shuffled pairs, trained again; None where it wasn't asked for.
        baselines: Other estimates by name, or why there is none.
        num_training: Pairs trained on.
        num_pairs: N, the pairs of the estimate.
    """

    estimate: float
    low: float
    high: float
    confidence: float
    kind: str
    limit: float
    entropy: float | None
    null: float | None
    baselines: Mapping[str, float | str]
    num_training: int
    num_pairs: int

    @property
    def bits(self) -> float:
        """The estimate in bits."""
        return self.estimate / math.log(2)

    @property
    def certified(self) -> float:
        """Nats that there are at least, as the lower end of the interval says."""
        return max(0.0, self.low)

    @property
    def saturated(self) -> bool:
        """True where the bound is so near log N that more pairs might certify more."""
        return self.estimate > self.limit - SATURATED

    @property
    def is_evidence(self) -> bool:
        """True where the pairs share something, as far as this estimate can say."""
        return self.low > 0 and self.estimate > max(NEGLIGIBLE, self.null or 0)

    @property
    def verdict(self) -> str:
        """One sentence."""
        more = [f"{n} ({v:.2f})" for n, v in self._numbers() if v > self.high + NEGLIGIBLE]
        others = f"; above its interval, but no bound: {', '.join(more)}" if more else ""
        if not self.is_evidence:
            return f"The bound is no evidence that x and y share information{others}."
        certain = f"x and y share at least {self.certified:.2f} nats"
        if self.saturated:
            limit = f"the bound is near its limit of {self.limit:.2f}"
            return f"{certain}; {limit}, so that more pairs may show more{others}."
        return f"{certain}{others}."

    def _numbers(self) -> list[tuple[str, float]]:
        return [(n, v) for n, v in self.baselines.items() if isinstance(v, float)]
