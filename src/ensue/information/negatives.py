"""Candidates for InfoNCE on sequences: which frames the true future must be told from.

``contrast_frames``: the other frames of a sequence, which make the model tell *what* is said,
and sampled frames of others, which make it tell *who* speaks. ``contrast_aligned``: the frames
at the same time of all sequences of the batch. Scores are products of matrices; a tensor
(B, N, T, D) of gathered negatives never exists.

Dims: B sequences, G sequences over all processes, T frames, A anchors (the t of c_t), K
predictions, M sampled frames of others, N candidates, D features.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.distributed
from torch import Tensor

from ensue.errors import ConfigError
from ensue.information.info_nce import chance_loss, info_nce


@dataclass(frozen=True)
class Contrast:
    """The result of each prediction among its candidates.

    Attributes:
        loss: (B, A, K) nats, 0 where not valid.
        correct: (B, A, K) whether the positive scored above every other candidate.
        valid: (B, A, K) whether frame t + k exists.
        chance: (B, A, K) log of the number of candidates.
    """

    loss: Tensor
    correct: Tensor
    valid: Tensor
    chance: Tensor


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


def contrast_frames(
    predicted: Tensor,
    z: Tensor,
    anchors: Tensor,
    num_frames: Tensor | None = None,
    *,
    others: Tensor | None = None,
    others_count: Tensor | None = None,
    own_sequence: bool = True,
    nearest: int = 1,
) -> Contrast:
    r"""Tell z_{t+k} from the frames of its own sequence and from sampled frames of others.

    .. math:: s_j = \langle W_k c_t, z_j \rangle, \quad
              j \in \{\text{frames of the same sequence}\} \cup \{\text{M frames of others}\}

    The positive is among the candidates exactly once and never among the negatives.

    Args:
        predicted: (B, A, K, D) the predictions W_k c_t.
        z: (B, T, D) local features.
        anchors: (B, A) the times t.
        num_frames: (B,) valid frames, or None where all are.
        others: (B, M, D) frames of other sequences.
        others_count: (B, M) Boolean, False = no candidate after all, or None where all are. A
            window of the same recording may overlap and hold the positive itself.
        own_sequence: Whether the other frames of the same sequence are negatives.
        nearest: How far ahead the first of the K predictions looks.

    Memory: the scores, B A K (T + M) numbers, and their gradient.
    """
    B, A, K, D = predicted.shape
    target = anchors[..., None] + torch.arange(nearest, nearest + K, device=z.device)
    end = z.shape[1] if num_frames is None else num_frames[:, None, None]
    valid = target < end
    target = target.clamp(max=z.shape[1] - 1)
    flat = predicted.reshape(B, A * K, D)
    if own_sequence:
        candidates = z if others is None else torch.cat([z, others], dim=1)
        scores = (flat @ candidates.transpose(1, 2)).view(B, A, K, -1)
        count = _candidates_that_count(z, num_frames, others, others_count)
        if count is not None:
            scores = scores.masked_fill(~count[:, None, None], -torch.inf)
        return _contrast(scores, target, valid)
    if others is None:
        raise ConfigError("there are no negatives: own_sequence is false and others is None")
    rows = torch.arange(B, device=z.device)[:, None, None]
    positive = (predicted * z[rows, target]).sum(-1, keepdim=True)
    negative = (flat @ others.transpose(1, 2)).view(B, A, K, -1)
    if others_count is not None:
        negative = negative.masked_fill(~others_count[:, None, None], -torch.inf)
    return _contrast(torch.cat([positive, negative], -1), torch.zeros_like(target), valid)


def _candidates_that_count(
    z: Tensor, num_frames: Tensor | None, others: Tensor | None, others_count: Tensor | None
) -> Tensor | None:
    """(B, T + M) Boolean over frames of the same sequence and of others; None where all count."""
    if num_frames is None and others_count is None:
        return None
    B, T, _ = z.shape
    own = z.new_ones(B, T, dtype=torch.bool)
    if num_frames is not None:
        own = torch.arange(T, device=z.device) < num_frames[:, None]
    if others is None:
        return own
    if others_count is None:
        others_count = z.new_ones(B, others.shape[1], dtype=torch.bool)
    return torch.cat([own, others_count], dim=1)


def contrast_aligned(
    predicted: Tensor,
    z: Tensor,
    anchors: Tensor,
    num_frames: Tensor | None = None,
    *,
    row: int = 0,
    nearest: int = 1,
    normalize_over: Literal["candidates", "contexts"] = "candidates",
) -> Contrast:
    r"""Tell z_{t+k} of a sequence from the z_{t+k} of the others, at the same t and k.

    .. math:: s_{bj} = \langle W_k c_t^{(b)}, z_{t+k}^{(j)} \rangle

    Args:
        predicted: (B, A, K, D) the predictions W_k c_t.
        z: (G, T, D) local features of all sequences; the own are rows ``row`` to ``row + B``.
        anchors: (A,) the times t, shared by all sequences.
        num_frames: (G,) valid frames, or None where all are.
        row: Where the own sequences begin among all.
        nearest: How far ahead the first of the K predictions looks.
        normalize_over: ``candidates``: softmax over j for the fixed context b (eq. 4 of the paper).
            ``contexts``: over b for the fixed candidate j, as widely copied code does.
    """
    B, A, K, _ = predicted.shape
    if len(z) < 2:
        raise ConfigError("aligned candidates need a batch of at least 2 sequences, got 1")
    target_AK = anchors[:, None] + torch.arange(nearest, nearest + K, device=z.device)
    end = z.new_full((len(z),), z.shape[1]) if num_frames is None else num_frames
    exists_GAK = target_AK < end[:, None, None]
    target_AK = target_AK.clamp(max=z.shape[1] - 1)
    scores = torch.einsum("bakd,gakd->bakg", predicted, z[:, target_AK])
    own = torch.arange(row, row + B, device=z.device)
    valid = exists_GAK[own]
    if normalize_over == "contexts":
        if len(z) != B:
            raise ValueError(f"normalizing over contexts needs all of them: B={B}, G={len(z)}")
        scores = scores.transpose(0, 3)
    else:
        scores = scores.masked_fill(~exists_GAK.permute(1, 2, 0), -torch.inf)
        scores = scores.masked_fill(~valid[..., None], 0)
    return _contrast(scores, own[:, None, None].expand(B, A, K), valid)


def gather_rows(x: Tensor) -> tuple[Tensor, int]:
    """The rows of all processes, in rank order, and where the own begin; gradients flow back.

    The gradient of the gather sums what all ranks send back, so that the sum of the ranks'
    losses has the gradient that one process would have found.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return x, 0
    return _GatherRows.apply(x), torch.distributed.get_rank() * len(x)


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x = x.contiguous()
        ctx.num_rows = len(x)
        parts = [torch.empty_like(x) for _ in range(torch.distributed.get_world_size())]
        torch.distributed.all_gather(parts, x)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        gradient = gradients[0].contiguous()
        torch.distributed.all_reduce(gradient)
        begin = torch.distributed.get_rank() * ctx.num_rows
        return gradient[begin : begin + ctx.num_rows]


def _contrast(scores: Tensor, positive: Tensor, valid: Tensor) -> Contrast:
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    # A position that isn't valid may have no candidate at all; its loss is 0, not NaN.
    loss = torch.where(valid, info_nce(scores, positive), 0)
    with torch.no_grad():
        best = scores.gather(-1, positive[..., None])
        correct = ((scores >= best).sum(-1) == 1) & valid
        chance = chance_loss(torch.isfinite(scores).sum(-1)).to(scores.device)
    return Contrast(loss, correct, valid, chance)
