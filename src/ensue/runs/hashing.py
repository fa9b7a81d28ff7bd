"""Hashes of models, to tell whether one is the same as another time."""

import hashlib
import json
from collections.abc import Iterator

from ensue.configuration import to_plain
from ensue.data.codecs.protocols import Codec
from ensue.models.traits import Model


def hash_of(model: Model, codec: Codec) -> str:
    """Return the hash of the model's settings and weights, and of the codec."""
    settings = (json.dumps(to_plain(p), sort_keys=True).encode() for p in (model.config, codec))
    return _hash_of([*settings, *_weights(model)])


def hash_of_weights(model: Model) -> str:
    """Return the hash of the model's weights alone.

    A later version, in which the family has more settings, has the same.
    """
    return _hash_of(_weights(model))


def _weights(model: Model) -> Iterator[bytes]:
    for name, tensor in sorted(model.state_dict().items()):
        yield name.encode() + tensor.cpu().contiguous().numpy().tobytes()


def _hash_of(parts: Iterator[bytes] | list[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:32]
