"""Embeddings of tokens that a user brings, such as those of a published word model."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ensue.errors import ConfigError


@torch.no_grad()
def set_rows_(
    weight: Tensor, rows: Tensor | Mapping[str, Tensor], vocabulary: Sequence[str]
) -> int:
    """Write embeddings into a weight (V, E), and return how many tokens have one now.

    Args:
        weight: What is written into.
        rows: (V, E), or (E,) by token; tokens without one keep theirs.
        vocabulary: The tokens, in the order of their numbers.

    Raises:
        ConfigError: They have another shape, or are of no token of the vocabulary.
    """
    if isinstance(rows, Tensor):
        by_number = dict(enumerate(rows)) if rows.shape == weight.shape else {}
        wrong = f"the embeddings are {tuple(rows.shape)}"
    else:
        number = {token: i for i, token in enumerate(vocabulary)}
        by_number = {
            number[token]: row
            for token, row in rows.items()
            if token in number and row.shape == weight.shape[1:]
        }
        wrong = f"of {len(rows)} embeddings no token has one of {weight.shape[1]} features"
    if not by_number:
        raise ConfigError(
            f"{wrong}; (V, E) of these tokens and the setting embedding_size are "
            f"{tuple(weight.shape)}"
        )
    for i, row in by_number.items():
        weight[i] = row.to(weight)
    return len(by_number)
