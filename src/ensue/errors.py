"""Errors for users: one line with the problem, the allowed values, and the remedy."""

import difflib
from collections.abc import Iterable

MOST_NAMED = 60
"""Names that a message lists at most."""


class EnsueError(ValueError):
    """Base of every error that a user can cause and fix; the command line exits with 2 on it."""


class ConfigError(EnsueError):
    """A setting, option, recipe or name is wrong."""


class DataError(EnsueError):
    """The data are missing, unreadable, or don't fit the settings."""


class CheckpointError(EnsueError):
    """A run folder or one of its files is missing, damaged, foreign or too new."""


class TrainingError(EnsueError):
    """Training went wrong: the loss isn't a number any more."""


class MissingExtraError(EnsueError):
    """A feature needs an optional dependency that isn't installed."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM stopped a command; the message says what is saved and how to go on."""


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the sentence for a name that isn't known, with the nearest known name.

    Args:
        kind: The kind of thing named, e.g. ``"family"``.
        name: The name as the user gave it.
        known: All known names.

    Example:
        >>> unknown("family", "cpd", ["cpc", "realnvp"])
        "unknown family 'cpd': did you mean 'cpc'? There are: cpc, realnvp"
        >>> unknown("answer", "?", map(str, range(1000, 1100)))[-25:]
        ' 1058, 1059 and 40 others'
    """
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f": did you mean {near[0]!r}?" if near else ":"
    more = f" and {len(known) - MOST_NAMED} others" if len(known) > MOST_NAMED else ""
    return (
        f"unknown {kind} {name!r}{hint} There are: {', '.join(known[:MOST_NAMED]) or 'none'}{more}"
    )
