"""Drawing: the options of generation, and the files that generated items are written to."""

import shutil
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

from cyclopts import Parameter

from ensue.configuration import require_at_least
from ensue.data.sources.data import Data
from ensue.runs.loaded import Loaded
from ensue.runs.reading import require_options
from ensue.runs.tables import check_out
from ensue.runs.writers import Output, check_form, writer_of
from ensue.training.run_folder import RunFolder


class Drawing(TypedDict, total=False):
    """Options of all commands that generate; those from ``method`` on are for token models."""

    temperature: Annotated[
        float,
        Parameter(
            help="1, the default, draws from the model, less is closer to the likeliest, and 0 is "
            "the likeliest."
        ),
    ]
    seed: Annotated[int, Parameter(help="Seed of the draw, by default 0.")]
    method: Annotated[
        Literal["random", "gumbel", "greedy", "beam"] | None,
        Parameter(
            help="For families that generate token by token, like all options below: random (the "
            "default), gumbel or greedy; to complete a beginning or ask a question, also beam."
        ),
    ]
    top_k: Annotated[int | None, Parameter(help="Only this many of the likeliest tokens.")]
    top_p: Annotated[
        float | None, Parameter(help="Only the likeliest tokens with this total probability.")
    ]
    min_p: Annotated[
        float | None,
        Parameter(help="Only tokens with at least this share of the likeliest one's probability."),
    ]
    min_length: Annotated[int | None, Parameter(help="New tokens before the end, at least.")]
    max_length: Annotated[
        int | None,
        Parameter(
            help="New tokens, at most; for sounds, by default the length of the longest training "
            "recording."
        ),
    ]
    no_repeat_ngram: Annotated[
        int | None, Parameter(help="No sequence of this many tokens occurs twice.")
    ]
    num_beams: Annotated[int | None, Parameter(help="Hypotheses that beam keeps.")]
    length_penalty: Annotated[
        float | None, Parameter(help="Above 0, beam favors longer sequences.")
    ]


def settings_of(options: Drawing) -> dict[str, Any]:
    """Return the options that were given, checked.

    Raises:
        ConfigError: One isn't known, or the temperature is below 0.
    """
    require_options(Drawing, options)
    require_at_least(0, temperature=options.get("temperature", 1.0))
    return {name: value for name, value in options.items() if value is not None}


def place_of(out: str | Path | None, loaded: Loaded, name: str, data: Data | None = None) -> Path:
    """Return the given file, or the default one in the run, if the items can be written to it."""
    writer = writer_of(loaded.codec)
    path = Path(out or RunFolder(loaded.path).samples / f"{name}{writer.usual}")
    check_form(writer, out, path)
    return check_out(path, writer.suffixes, data=data)


def write_drawn(loaded: Loaded, output: Output, path: Path) -> None:
    """Write items; within the run they replace those drawn before."""
    writer = writer_of(output.codec)
    if writer.is_folder and RunFolder(loaded.path).samples in path.parents:
        shutil.rmtree(path, ignore_errors=True)
    writer.write(output, path)
