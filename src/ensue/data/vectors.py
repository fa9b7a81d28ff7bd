"""Vectors of tokens from a file: as text, one token a line, or as an array by number."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ensue.errors import DataError


def read_vectors(path: Path) -> dict[str, Tensor] | Tensor:
    """Vectors by token, or an array (V, E) in the order of a vocabulary.

    Args:
        path: A ``.npy`` file; or text with a token and its numbers in each line, as GloVe and
            word2vec have them, whether or not the first line says how many there are.

    Raises:
        DataError: It can't be read, or a line has another number of values than the first.
    """
    try:
        if path.suffix == ".npy":
            found = torch.from_numpy(np.load(path, allow_pickle=False)).float()
            if found.dim() != 2 or not bool(found.isfinite().all()):
                raise ValueError(f"it holds {tuple(found.shape)}; give (V, E) finite numbers")
            return found
        lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise DataError(f"can't read vectors from {str(path)!r}: {error}") from error
    if lines and len(lines[0].split()) == 2:
        lines = lines[1:]
    by_token: dict[str, Tensor] = {}
    for number, line in enumerate(lines, 1):
        token, *values = line.split()
        try:
            by_token[token] = torch.tensor([float(value) for value in values])
        except ValueError as error:
            raise DataError(f"{str(path)!r}, vector {number}: {error}") from error
        if not bool(by_token[token].isfinite().all()):
            raise DataError(f"{str(path)!r}, vector {number}: {token!r} has no finite numbers")
    sizes = {len(vector) for vector in by_token.values()}
    if len(sizes) != 1 or not min(sizes):
        raise DataError(
            f"{str(path)!r} holds vectors of {sorted(sizes) or 'no'} values; give a token and as "
            "many numbers in each line"
        )
    return by_token
