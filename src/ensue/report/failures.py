"""Failures of figures: a report does without the figure, and says so.

What was trained is worth more than a picture of it.
"""

import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ensue.training.run_folder import RunFolder

STRICT = False
"""True where a failing figure raises. Tests set it, so that no page hides a failure from them."""

T = TypeVar("T")


@dataclass(frozen=True)
class Failure:
    """The reason, in one line, why a part of the page couldn't be made."""

    reason: str


def attempt(work: Callable[[], T], name: str, run: RunFolder) -> T | Failure:
    """Return what ``work`` returns, or its failure, whose traceback is added to ``train.log``.

    Args:
        work: Makes or draws a part of the page.
        name: Of the part, for the message.
        run: Has the log.
    """
    try:
        return work()
    except Exception as error:
        if STRICT:
            raise
        lines = "".join(traceback.format_exception(error)).rstrip()
        run.note(f"the report goes without {name}:\n{lines}")
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        warnings.warn(f"the report goes without {name}: {reason}")
        return Failure(reason)
