"""Codecs: raw items to tensors and back, fitted on training data and saved with the model.

The codec of each kind of data is in its folder, ``kinds/NAME/``.
"""

import json
from pathlib import Path
from typing import Any

import torch

from ensue.configuration import check_format, to_plain, validate
from ensue.data.codecs.protocols import Codec, CutsItems, Decodes, HasAxes, KnowsLongest
from ensue.data.config import DataConfig
from ensue.data.items import Items, Positions
from ensue.data.kinds import codec_class, codec_names, usual_codec
from ensue.errors import CheckpointError, ConfigError, EnsueError
from ensue.files import drafted, read_json

__all__ = [
    "Codec",
    "HasAxes",
    "decoded",
    "fit_codec",
    "items_for",
    "load_codec",
    "require_items_of",
    "save_codec",
    "usual_length",
]
MOST = 2**30
"""Bytes of a codec, which may hold a long vocabulary."""


def usual_length(codec: Codec) -> dict[str, int]:
    """New tokens at most, as a setting of generation, where the codec knows its longest item."""
    longest = codec.longest if isinstance(codec, KnowsLongest) else None
    return {} if longest is None else {"max_length": longest - 1}


def decoded(codec: Decodes, values: torch.Tensor, lengths: torch.Tensor | None) -> list[Any]:
    """Values (N, ...) as raw items, each up to its length."""
    stops = [None] * len(values) if lengths is None else lengths.tolist()
    return [codec.decode(x[:n]) for x, n in zip(values, stops, strict=True)]


def items_for(name: str, items: Items, config: DataConfig) -> Items:
    """The items that the codec of that name is fitted on: these, or parts of them.

    Raises:
        ConfigError: The settings don't say which parts.
    """
    codec = codec_class(name)
    return codec.cut_by(items, config) if issubclass(codec, CutsItems) else items


def fit_codec(
    items: Items, config: DataConfig, rows: Positions, *, name: str | None = None
) -> Codec:
    """The codec of that name, by default that of the items' kind, fitted on the items ``rows``."""
    return codec_class(name or usual_codec(items.kind)).fit(items, config, rows)


def require_items_of(codec: Codec, items: Items) -> None:
    """Refuse items of another kind than those that a codec was fitted on.

    Raises:
        ConfigError: They are.
    """
    if items.kind != codec.kind:
        raise ConfigError(
            f"this run was trained on {codec.kind}, and the data are {items.kind}; give "
            f"{codec.kind}"
        )


def save_codec(codec: Codec, path: Path) -> None:
    """Write ``codec.json``, whole or not at all.

    Raises:
        OSError: It can't be written.
    """
    with drafted(path) as draft:
        draft.write_text(json.dumps({"kind": codec.name, **to_plain(codec)}, indent=2) + "\n")


def load_codec(path: Path) -> Codec:
    """Read ``codec.json`` strictly.

    Raises:
        CheckpointError: It is missing, damaged, of a newer format or of an unknown kind.
    """
    values = read_json(path, most=MOST, error=CheckpointError)
    if not isinstance(values, dict):
        raise CheckpointError(f"{str(path)!r} is damaged: it holds no settings")
    check_format(values, str(path))
    kind = values.pop("kind", None)
    if kind not in codec_names():
        raise CheckpointError(f"{str(path)!r} is of kind {kind!r}, not one of {codec_names()}")
    try:
        return validate(codec_class(kind), values, section="codec")
    except EnsueError as error:
        raise CheckpointError(f"{str(path)!r} is damaged: {error}") from error
