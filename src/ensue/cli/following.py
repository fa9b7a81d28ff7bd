"""The next command: what to do with a result, with the settings that were given already."""

import importlib
import inspect
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ensue.verbs import VERBS

OF_ONE_COMMAND = {"out", "quiet", "recipe", "resume", "init_from"}
"""Options that say something of the command itself, not of data or models."""
SHARED = {"cache", "group", "intervals", "max_skipped"}
"""Options that mean the same in every verb that has them; settings of a family may not."""


def following(verb: str, *words: str | Path, given: Mapping[str, Any], **options: Any) -> str:
    """A command line that a shell takes as it stands, with what was given and the verb takes too.

    A verb that takes any setting is given all; another only those that mean the same there.

    Args:
        verb: The next one.
        words: What it works on.
        given: Options and settings of the command before it, by name.
        options: Its own, which have the last word.

    Example:
        >>> following("train", "maf", "my data.csv", out="runs/a", given={"columns": "x,y"})
        "ensue train maf 'my data.csv' --out runs/a --columns x,y"
        >>> following("sample", "runs/a", num=9, given={"cache": "c", "temperature": 0.1})
        'ensue sample runs/a --num 9'
    """
    names, any_setting = _parameters(verb)
    kept = {
        name: value
        for name, value in given.items()
        if name not in OF_ONE_COMMAND | options.keys() and (any_setting or name in SHARED & names)
    }
    parts = [part for name, value in {**options, **kept}.items() for part in _option(name, value)]
    return shlex.join(["ensue", verb, *map(str, words), *parts])


def in_python(code: str) -> str:
    """A line of Python as a command that a shell takes as it stands.

    Example:
        >>> in_python("print(1)")
        "python -c 'print(1)'"
    """
    return shlex.join(["python", "-c", code])


def opened(path: Path) -> str:
    """The command that shows a file."""
    return shlex.join(["open", str(path)])


def _parameters(verb: str) -> tuple[set[str], bool]:
    """The options of a verb, and whether it takes any setting beside them."""
    module, _, function = VERBS[verb].partition(":")
    found = inspect.signature(getattr(importlib.import_module(module), function)).parameters
    named = {name for name, p in found.items() if p.kind is p.KEYWORD_ONLY}
    return named, any(p.kind is p.VAR_KEYWORD for p in found.values())


def _option(name: str, value: Any) -> Sequence[str]:
    """An option as words; one that takes several values comes once for each."""
    option = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [option] if value else []
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [word for one in value for word in _option(name, one)]
    text = "none" if value is None else str(value)
    return [f"{option}={text}"] if text.startswith("-") else [option, text]
