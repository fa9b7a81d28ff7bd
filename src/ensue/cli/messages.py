"""Messages: a command's result, the files that it wrote, and the next command."""

import importlib
import inspect
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack, get_args, get_origin

from rich.console import Console

from ensue.runs.results import Next, Result
from ensue.verbs import VERBS

OF_ONE_COMMAND = {"out", "quiet", "recipe", "resume", "init_from"}
"""Options that are about the command itself, not about data or models."""
SHARED = {"cache", "group", "intervals", "max_skipped"}
"""Options that mean the same in every verb; settings of a family may not."""


def tell(result: Result, console: Console, given: Mapping[str, Any]) -> None:
    """Print a verb's result, ending with the files that it wrote and the next command.

    Args:
        result: The result of the verb.
        console: The console to print to.
        given: The verb's options and settings, which the next command keeps.
    """
    result.show(console)
    if result.files:
        console.print("wrote " + "  ".join(map(str, result.files)))
    command = result.suggest()
    if isinstance(command, Next):
        command = following(command, given)
    if command is not None:
        console.print(f"next: {command}")


def following(command: Next, given: Mapping[str, Any]) -> str:
    """Return a command as a line for a shell, with the earlier options that it takes too.

    A verb that takes settings keeps all of them; another only those that mean the same in it.

    Args:
        command: The next command, whose own options win.
        given: Options and settings of the command before it, by name.

    Example:
        >>> following(Next("train", ("maf", "my data.csv"), {"out": "runs/a"}), {"columns": "x,y"})
        "ensue train maf 'my data.csv' --out runs/a --columns x,y"
        >>> following(Next("sample", ("runs/a",), {"num": 9}), {"cache": "c", "temperature": 0.1})
        'ensue sample runs/a --num 9'
    """
    passed = given.keys() - OF_ONE_COMMAND - command.options.keys()
    if not VERBS[command.verb].takes_settings:
        passed &= SHARED & options_of(function_of(command.verb))
    kept = {name: value for name, value in given.items() if name in passed}
    options = {**command.options, **kept}
    parts = [part for name, value in options.items() for part in _option(name, value)]
    return shlex.join(["ensue", command.verb, *map(str, command.words), *parts])


def function_of(verb: str) -> Callable[..., Result]:
    """Import the function of a verb."""
    module, _, name = VERBS[verb].function.partition(":")
    return getattr(importlib.import_module(module), name)


def options_of(function: Callable[..., Any]) -> set[str]:
    """Return the options that a verb names, including those shared by several verbs."""
    names = set()
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            names.add(parameter.name)
        elif get_origin(parameter.annotation) is Unpack:
            names |= get_args(parameter.annotation)[0].__annotations__.keys()
    return names


def _option(name: str, value: Any) -> Sequence[str]:
    """Return an option as words; one with several values is repeated for each."""
    option = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [option] if value else []
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [word for one in value for word in _option(name, one)]
    text = "none" if value is None else str(value)
    return [f"{option}={text}"] if text.startswith("-") else [option, text]
