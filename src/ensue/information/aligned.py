"""Aligned candidates: the frames at the same place of all sequences of the batch."""

from typing import Literal

import torch
from torch import Tensor

from ensue.errors import ConfigError
from ensue.information.info_nce import Contrast, contrast

Over = Literal["candidates", "contexts"]
"""Axes of a softmax: eq. 4's candidates of a context, or the contexts of a candidate."""


def contrast_aligned(
    predicted: Tensor,
    z: Tensor,
    target: Tensor,
    exists: Tensor,
    *,
    row: int = 0,
    normalize_over: Over = "candidates",
) -> Contrast:
    r"""Tell the future of a sequence from those of the others, at the same t and k.

    .. math:: s_{bj} = \langle W_k c_t^{(b)}, z_{t+k}^{(j)} \rangle

    Args:
        predicted: (B, A, K, D) the predictions W_k c_t.
        z: (G, T, D) frames of all sequences; the own are rows ``row`` to ``row + B``.
        target: (A, K) the places that are predicted, shared by all sequences.
        exists: (G, A, K) Boolean, whether a sequence has such a frame.
        row: Where the own sequences begin among all.
        normalize_over: ``candidates``: softmax over j for the fixed context b (eq. 4 of the paper).
            ``contexts``: over b for the fixed candidate j, as widely copied code does.

    Raises:
        ConfigError: There is only one sequence.
    """
    (B, A, K, _), G = predicted.shape, len(z)
    if G < 2:
        raise ConfigError("aligned candidates need a batch of at least 2 sequences, got 1")
    if normalize_over == "contexts" and G != B:
        raise ValueError(f"normalizing over contexts needs all of them: B={B}, G={G}")
    own = torch.arange(row, row + B, device=z.device)
    # Each place and step ahead is a row of its own, whose anchors are the sequences.
    contexts, futures = _by_place(predicted), _by_place(z[:, target])
    some = exists | ~exists.any(0)  # without any candidate there would be no softmax
    count = None if normalize_over == "contexts" else some.flatten(1).t()
    if normalize_over == "contexts":
        contexts, futures = futures, contexts
    told = contrast(
        contexts[:, :, None],
        futures,
        own[None, :, None].expand(A * K, B, 1),
        exists[own].flatten(1).t()[..., None],
        count,
    )
    parts = (told.loss, told.correct, told.valid, told.chance)
    return Contrast(*(x[..., 0].t().unflatten(1, (A, K)).contiguous() for x in parts))


def _by_place(x: Tensor) -> Tensor:
    """(G, A, K, D) to (A K, G, D)."""
    return x.flatten(1, 2).transpose(0, 1)
