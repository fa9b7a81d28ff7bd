"""``main(argv)``: parse, call the verb, print its result; a user's error is one line and exit 2."""

import inspect
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

from cyclopts import App, CycloptsError, Parameter
from rich.console import Console

import ensue
from ensue.cli.family_help import print_family_help
from ensue.cli.messages import function_of, options_of, tell
from ensue.cli.process import prepare_process
from ensue.errors import EnsueError
from ensue.training.processes import is_main
from ensue.verbs import VERBS

USER_ERROR, INTERRUPTED = 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    It is 0, or 2 for an error of the user, or 130 for an interrupt (Ctrl-C or SIGTERM).

    Args:
        argv: The words after ``ensue``; by default those of this process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    words = [w for w in words if w != "--debug"]
    console = Console(highlight=False, soft_wrap=True)
    try:
        if print_family_help(words, console):
            return 0
        with warnings.catch_warnings():
            # Every note is printed, whatever PYTHONWARNINGS says, and each time it occurs.
            warnings.filterwarnings("always", category=UserWarning, module=r"ensue\.")
            warnings.showwarning = _note
            command = _parse(words)
            result = command()
        if is_main() and result is not None:  # --help and --version give None
            tell(result, console, command.keywords)
    except (EnsueError, CycloptsError) as error:
        if debug:
            raise
        return _fail(" ".join(str(error).split()), USER_ERROR)
    except OSError as error:
        if debug:
            raise
        return _fail(f"the system says: {error}", USER_ERROR)
    except (MemoryError, RuntimeError) as error:
        if debug or not _is_lack_of_memory(error):
            raise
        return _fail(
            f"there isn't enough memory: {error}; use a smaller batch_size, windows or model",
            USER_ERROR,
        )
    except KeyboardInterrupt as error:
        if not is_main():
            return INTERRUPTED
        return _fail(str(error) or "interrupted; start the command again", INTERRUPTED)
    return 0


def entry() -> None:
    """The command ``ensue``."""
    prepare_process()
    sys.exit(main())


def make_app() -> App:
    """Make the commands from the functions of the verbs."""
    app = App(
        name="ensue",
        help="Ensue learns what follows: features, likelihoods and samples from sequences.",
        version=ensue.__version__,
        help_format="plaintext",
        help_epilogue="Every command takes --help; `ensue train FAMILY --help` lists all settings. "
        "--debug shows the traceback of an error.",
        default_parameter=Parameter(negative=()),
        result_action="return_value",
    )
    for place, (name, verb) in enumerate(VERBS.items()):
        app.command(verb.function, name=name, help=verb.summary, sort_key=place)
    return app


def _parse(words: list[str]) -> partial[Any]:
    words = with_values(words)
    command, bound, _ = make_app().parse_args(words, exit_on_error=False, print_error=False)
    named = {name.replace("-", "_"): value for name, value in bound.kwargs.items()}
    own = {*inspect.signature(command).parameters, *options_of(command)}
    values = {name: v if name in own else _value(v) for name, v in named.items()}
    return partial(command, *bound.args, **values)


def with_values(words: list[str]) -> list[str]:
    """Return the words with ``true`` after each setting that has no value, such as a flag."""
    if not words or words[0] not in VERBS or not VERBS[words[0]].takes_settings:
        return words
    parameters = inspect.signature(function_of(words[0])).parameters
    found = []
    for word, after in zip(words, [*words[1:], "--"], strict=True):
        found.append(word)
        name = word.removeprefix("--").replace("-", "_")
        is_setting = word.startswith("--") and "=" not in word and name not in parameters
        if is_setting and after.startswith("--") and name not in ("help", "version"):
            found.append("true")
    return found


def _value(value: Any) -> Any:
    """Read a setting's text: ``none`` is None and commas make a list; validation does the rest."""
    if not isinstance(value, str):
        return value
    return None if value.lower() == "none" else value


def _is_lack_of_memory(error: Exception) -> bool:
    """Return whether memory ran out: PyTorch has an error class for it on a GPU, not on a CPU."""
    told = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    return isinstance(error, MemoryError) or told


def _note(message: Warning | str, *where: Any) -> None:
    print(f"note: {message}", file=sys.stderr)


def _fail(message: str, status: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return status
