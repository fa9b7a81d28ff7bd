"""Codecs: raw items to tensors and back, fitted on training data and saved with the model."""

import json
import os
from pathlib import Path
from typing import Any

import torch

from ensue.configuration import check_format, to_plain, validate
from ensue.data.codecs.audio import AudioCodec
from ensue.data.codecs.image import ImageCodec
from ensue.data.codecs.mu_law import MuLawCodec
from ensue.data.codecs.protocols import Codec
from ensue.data.codecs.question import QuestionCodec
from ensue.data.codecs.table import TableCodec
from ensue.data.codecs.text import TextCodec
from ensue.data.config import DataConfig
from ensue.data.items import Items, Positions
from ensue.errors import CheckpointError, EnsueError

CODECS: dict[str, Any] = {
    "audio": AudioCodec,
    "image": ImageCodec,
    "mu_law": MuLawCodec,
    "question": QuestionCodec,
    "table": TableCodec,
    "text": TextCodec,
}


def usual_length(codec: Codec) -> dict[str, int]:
    """New tokens at most, as a setting of generation, where the codec knows its longest item."""
    longest = getattr(codec, "longest", None)
    return {} if longest is None else {"max_length": longest - 1}


def decoded(codec: Codec, values: torch.Tensor, lengths: torch.Tensor | None) -> list[Any]:
    """Values (N, ...) as raw items, each up to its length."""
    stops = [None] * len(values) if lengths is None else lengths.tolist()
    return [codec.decode(x[:n]) for x, n in zip(values, stops, strict=True)]


def fit_codec(
    items: Items, config: DataConfig, rows: Positions, *, name: str | None = None
) -> Codec:
    """The codec of that name, by default that of the items' kind, fitted on the items ``rows``."""
    return CODECS[name or items.kind].fit(items, config, rows)


def save_codec(codec: Codec, path: Path) -> None:
    """Write ``codec.json``: to a temporary name first, then renamed."""
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps({"kind": codec.name, **to_plain(codec)}, indent=2) + "\n")
    os.replace(draft, path)


def load_codec(path: Path) -> Codec:
    """Read ``codec.json`` strictly.

    Raises:
        CheckpointError: It is missing, damaged, of a newer format or of an unknown kind.
    """
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"can't read {str(path)!r}: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{str(path)!r} is damaged: it holds no settings")
    check_format(values, str(path))
    kind = values.pop("kind", None)
    if kind not in list(CODECS):
        raise CheckpointError(f"{str(path)!r} is of kind {kind!r}, not one of {list(CODECS)}")
    try:
        return validate(CODECS[kind], values, section="codec")
    except EnsueError as error:
        raise CheckpointError(f"{str(path)!r} is damaged: {error}") from error
