"""Axes: the places of levels on a line, near each other where most values lie."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from ensue.configuration import STRICT


@dataclass(frozen=True, kw_only=True)
class Axis:
    r"""Levels 0 to n - 1 of one channel, and their places.

    .. math:: t_v = a + v \, d, \qquad u_v = t_v \ \text{or} \ \sinh t_v

    A level reaches half of d to both sides of t; the first and the last take what lies beyond.

    Args:
        num: n.
        first: a.
        step: d.
        warped: Whether places are sinh t, so that they lie farther apart far from 0.

    Example:
        >>> axis = Axis(num=5, first=-2.0, step=1.0, warped=True)
        >>> axis.place(np.arange(5)).round(2)
        array([-3.63, -1.18,  0.  ,  1.18,  3.63])
        >>> axis.level(np.array([-100.0, 0.2, 1.0]))
        array([0, 2, 3])
    """

    __pydantic_config__ = STRICT

    num: Annotated[int, Field(gt=0)]
    first: float
    step: Annotated[float, Field(gt=0)]
    warped: bool = False

    def place(self, level: np.ndarray) -> np.ndarray:
        """Places u of levels."""
        return self._line(self.first + level * self.step)

    def level(self, u: np.ndarray) -> np.ndarray:
        """The levels that places u belong to."""
        t = np.arcsinh(u) if self.warped else u
        return np.clip(np.rint((t - self.first) / self.step), 0, self.num - 1).astype(np.int64)

    def width(self, level: np.ndarray) -> np.ndarray:
        """Widths of levels, those at the ends as if there were others beyond them."""
        t = self.first + level * self.step
        return self._line(t + self.step / 2) - self._line(t - self.step / 2)

    def _line(self, t: np.ndarray) -> np.ndarray:
        return np.sinh(t) if self.warped else t
