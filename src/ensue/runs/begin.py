"""The weights before the first step: another run's, given vectors, or random ones."""

import math
import warnings
from pathlib import Path
from typing import Any

from ensue.data.vectors import read_vectors
from ensue.errors import CheckpointError, ConfigError
from ensue.models.traits import BeginsWithVectors, HasVectors, Standardizes
from ensue.runs.prepare import Prepared
from ensue.training.run_folder import RunFolder

VALUES_STANDARDIZED = 1_000_000
"""Values that a model may see before its first step, at most."""


def begin(ready: Prepared, init_from: str | Path | None) -> None:
    """Set the weights before the first step, from another run, vectors, or a first batch."""
    config = ready.model.config
    vectors = config.embedding_weights if isinstance(config, HasVectors) else None
    if init_from is not None and vectors is not None:
        raise ConfigError(
            "init_from brings its own embeddings, and embedding_weights others; leave one out"
        )
    if init_from is not None:
        _take_weights(ready, Path(init_from))
    elif vectors is not None and isinstance(ready.model, BeginsWithVectors):
        try:
            num = ready.model.set_embeddings(read_vectors(Path(vectors)))
        except ConfigError as error:
            raise ConfigError(f"{vectors!r}: {error}") from error
        total = ready.codec.facts()["num_tokens"]
        if num < total:
            warnings.warn(f"{num} of {total} tokens have a vector in {vectors!r}; others are drawn")
    elif isinstance(ready.model, Standardizes):
        windows = ready.data.train
        size = math.prod(windows.store.values.shape[1:])
        num = max(1, min(ready.model.num_standardized, VALUES_STANDARDIZED // size))
        ready.model.standardize(windows.fixed(num, num)[0])


def _take_weights(ready: Prepared, init_from: Path) -> None:
    model, codec = RunFolder(init_from).load()
    before, now = codec.facts(), ready.codec.facts()
    if before != now:
        theirs, ours = _differing(before, now), _differing(now, before)
        raise ConfigError(
            f"{str(init_from)!r} was trained on data with {theirs}, and these have {ours}; "
            "weights carry over only between data of the same form"
        )
    try:
        ready.model.load_state_dict(model.state_dict())
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"the weights of {str(init_from)!r} don't fit: {reason}") from error


def _differing(facts: dict[str, Any], other: dict[str, Any]) -> str:
    """List the facts of data that differ from others; a vocabulary isn't spelled out."""
    differing = {name: value for name, value in facts.items() if other.get(name) != value}
    vocabulary = ["a vocabulary of their own"] if "codec" in differing else []
    return ", ".join(
        [f"{name} {value}" for name, value in differing.items() if name != "codec"] + vocabulary
    )
