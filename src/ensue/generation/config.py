"""Settings of generation: saved with the model, and overridden call by call."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ensue.configuration import STRICT, Format
from ensue.errors import ConfigError

Method = Literal["random", "gumbel", "greedy", "beam"]

OF_DRAWS = ("temperature", "top_k", "top_p", "min_p")
"""Settings that have no meaning for a search."""

OF_BEAMS = ("num_beams", "num_best", "length_penalty", "early_stop")
"""Settings that have no meaning for a draw."""

OF_LENGTH = ("min_length", "max_length")
"""Settings that have no meaning where each sequence has a given length."""


@dataclass(frozen=True, kw_only=True)
class GenerationConfig:
    """Settings of generation.

    Example:
        >>> GenerationConfig(temperature=0.8, top_p=0.9).method
        'random'
    """

    __pydantic_config__ = STRICT

    format: Format = 1
    method: Annotated[
        Method,
        Field(
            description="random: from the distribution; gumbel: the same by the largest of scores "
            "with Gumbel noise; greedy: the likeliest token; beam: the likeliest sequences"
        ),
    ] = "random"
    temperature: Annotated[
        float, Field(ge=0, description="scores are divided by it; 0 is greedy")
    ] = 1.0
    top_k: Annotated[
        int | None, Field(gt=0, description="this many likeliest tokens only; none: all")
    ] = None
    top_p: Annotated[
        float | None,
        Field(gt=0, le=1, description="only the likeliest tokens of this probability in all"),
    ] = None
    min_p: Annotated[
        float | None,
        Field(ge=0, le=1, description="only tokens of at least this part of the likeliest's"),
    ] = None
    max_length: Annotated[int, Field(gt=0, description="new tokens at most")] = 256
    min_length: Annotated[int, Field(ge=0, description="new tokens before the end at least")] = 0
    no_repeat_ngram: Annotated[
        int, Field(ge=0, description="no n tokens in a row come twice; 0: they may")
    ] = 0
    num_beams: Annotated[int, Field(gt=0, description="hypotheses kept by beam")] = 5
    num_best: Annotated[
        int, Field(gt=0, description="sequences that beam gives for each prompt")
    ] = 1
    length_penalty: Annotated[
        float,
        Field(description="alpha of Wu et al. 2016, eq. 14: above 0 favors longer sequences"),
    ] = 0.0
    early_stop: Annotated[
        bool,
        Field(description="beam ends with num_beams sequences, though a better one may come"),
    ] = False
    num_rows: Annotated[int, Field(gt=0, description="sequences that run side by side")] = 512

    def __post_init__(self) -> None:
        if self.min_length > self.max_length:
            raise ConfigError(
                f"min_length is {self.min_length} but max_length {self.max_length}; "
                "it may be up to max_length"
            )
        of_draws = [name for name in OF_DRAWS if getattr(self, name) != getattr(type(self), name)]
        if self.method == "beam" and of_draws:
            raise ConfigError(
                f"{', '.join(of_draws)}: for drawing, and beam doesn't draw; leave them out"
            )
        if self.num_best > self.num_beams + 1:
            raise ConfigError(
                f"num_best is {self.num_best} but num_beams {self.num_beams}; beam finds one more "
                "than num_beams at most, the greedy one"
            )
