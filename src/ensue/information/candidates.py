"""Candidates: the frames that the true future must be told from, and the anchors that predict.

The other frames of a sequence make a model tell *what* is there; sampled frames of other sequences
make it tell *whose* it is. Each process draws for the global batch, alike.

Dims: B sequences, G sequences over all processes, T frames, A anchors, K predictions, M sampled
frames, N candidates, D features.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ensue.errors import ConfigError


@dataclass(frozen=True)
class OtherFrames:
    """Which frames of other sequences each sequence is given: (B, M) rows and (B, M) frames."""

    row: Tensor
    frame: Tensor

    def of(self, z: Tensor) -> Tensor:
        """(G, T, D) to (B, M, D)."""
        flat = (self.row * z.shape[1] + self.frame).flatten()
        return z.flatten(0, 1)[flat].view(*self.row.shape, -1)


def sample_other_frames(
    num_frames: Tensor, num_samples: int, *, generator: torch.Generator
) -> OtherFrames:
    """Draw, for each of G sequences, valid frames of the G - 1 others, uniformly.

    Args:
        num_frames: (G,) valid frames of each sequence.
        num_samples: M.
        generator: On the CPU, so that all processes can draw alike.

    Raises:
        ConfigError: There is only one sequence.
    """
    G = len(num_frames)
    if G < 2:
        raise ConfigError(
            f"negatives from other sequences need a batch of at least 2 sequences, got {G}; "
            "use a larger batch_size, or num_negatives 0 with own_sequence true"
        )
    device = num_frames.device
    other = torch.randint(1, G, (G, num_samples), generator=generator)
    row = ((torch.arange(G)[:, None] + other) % G).to(device)
    uniform = torch.rand(G, num_samples, generator=generator).to(device)
    # uniform * n can round up to n.
    frame = torch.minimum((uniform * num_frames[row]).long(), num_frames[row] - 1)
    return OtherFrames(row, frame)


def sample_anchors(
    num_frames: Tensor, num_anchors: int, horizon: int, *, generator: torch.Generator
) -> Tensor:
    """Draw (B, A) times t, uniformly among those whose whole horizon exists, if there are any."""
    room = (num_frames - horizon).clamp_min(1)
    uniform = torch.rand(len(num_frames), num_anchors, generator=generator)
    return torch.minimum((uniform.to(room.device) * room[:, None]).long(), room[:, None] - 1)


def own_and_others(
    z: Tensor,
    num_frames: Tensor | None = None,
    others: Tensor | None = None,
    others_count: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    """All frames of each sequence, then sampled ones of others, and which of them count.

    Args:
        z: (B, T, D) the own frames.
        num_frames: (B,) valid frames, or None where all are.
        others: (B, M, D) frames of other sequences, or None.
        others_count: (B, M) Boolean, or None where all count. A window of the same recording may
            overlap and hold the positive itself.

    Returns:
        Candidates (B, N, D), and Boolean (B, N) or None where all count.
    """
    candidates = z if others is None else torch.cat([z, others], dim=1)
    if num_frames is None and others_count is None:
        return candidates, None
    B, T, _ = z.shape
    own = z.new_ones(B, T, dtype=torch.bool)
    if num_frames is not None:
        own = torch.arange(T, device=z.device) < num_frames[:, None]
    if others is None:
        return candidates, own
    if others_count is None:
        others_count = z.new_ones(B, others.shape[1], dtype=torch.bool)
    return candidates, torch.cat([own, others_count], dim=1)


def far_enough(target: Tensor, num_own: int, num_candidates: int, gap: int) -> Tensor:
    """Which candidates are the true future or at least ``gap`` frames from it.

    A signal that changes slowly, or returns soon, has frames around the true one that are as right.

    Args:
        target: (B, A, K) the true futures among the own frames.
        num_own: Own frames, which come first among the candidates.
        num_candidates: N; those after the own ones are far enough.
        gap: The least distance.

    Returns:
        Boolean (B, A, K, N).

    Example:
        >>> far_enough(torch.tensor([[[2]]]), 5, 6, gap=2)[0, 0, 0].tolist()
        [True, False, True, False, True, True]
    """
    place = torch.arange(num_candidates, device=target.device)
    away = (place - target[..., None]).abs()
    return (away == 0) | (away >= gap) | (place >= num_own)


def at(z: Tensor, places: Tensor) -> Tensor:
    """The frames (B, A, K, D) of z (B, T, D) at places (B, A, K)."""
    return z[torch.arange(len(z), device=z.device)[:, None, None], places]
