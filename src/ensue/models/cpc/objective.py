"""InfoNCE of a CPC: which frames each context must tell apart, and figures of how well it does.

Every process draws for the global batch, alike, and takes what concerns its rows.
Dims: B batch, T frames, A anchors, K predictions, D local and C context features.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ensue.information import (
    contrast_aligned,
    contrast_frames,
    gather_rows,
    sample_anchors,
    sample_other_frames,
)
from ensue.information.negatives import Contrast
from ensue.models.cpc.config import CPCConfig


@dataclass(frozen=True)
class Objective:
    """The contrast that these settings ask for.

    Attributes:
        config: The settings.
        predict: From contexts (B, A, C) and D to predictions (B, A, K, D).
        generator: Draws anchors, then negatives.
    """

    config: CPCConfig
    predict: Callable[[Tensor, int], Tensor]
    generator: torch.Generator

    def contrast(
        self, z: Tensor, c: Tensor, num_frames: Tensor | None, item: Tensor | None
    ) -> Contrast:
        """The contrast of frames (B, T, D) and contexts (B, T, C).

        Args:
            z: Frames.
            c: Contexts.
            num_frames: (B,) valid frames, or None where all are.
            item: (B,) which item each row is of, or None where each is of its own.
        """
        everyone, row = gather_rows(z)
        full = torch.full((len(everyone),), z.shape[1], device=z.device)
        global_frames = full if num_frames is None else gather_rows(num_frames)[0]
        if self.config.candidates == "aligned":
            return self._aligned(c, everyone, global_frames, row)
        own = slice(row, row + len(z))
        anchors, predicted = self._predicted(z, c, global_frames, own)
        others = count = None
        if M := self.config.num_negatives:
            drawn = sample_other_frames(global_frames, M, generator=self.generator)
            others = drawn.of(everyone)[own]
            if item is not None:
                items = gather_rows(item)[0]
                count = (items[drawn.row] != items[:, None])[own]
        return contrast_frames(
            predicted,
            z,
            anchors,
            num_frames,
            others=others,
            others_count=count,
            own_sequence=self.config.own_sequence,
            nearest=self.config.nearest,
        )

    def _aligned(self, c: Tensor, everyone: Tensor, global_frames: Tensor, row: int) -> Contrast:
        """Candidates of the whole batch at the same time."""
        _, T, D = everyone.shape
        K, A = self.config.horizon, self.config.num_anchors
        if A is None:
            anchors = torch.arange(T, device=c.device)
        else:
            shortest = global_frames.min()[None]
            anchors = sample_anchors(shortest, A, K, generator=self.generator)[0]
        return contrast_aligned(
            self.predict(c[:, anchors], D),
            everyone,
            anchors,
            global_frames,
            row=row,
            nearest=self.config.nearest,
        )

    def _predicted(
        self, z: Tensor, c: Tensor, global_frames: Tensor, own: slice
    ) -> tuple[Tensor, Tensor]:
        """Anchors (B, A), and what is predicted there (B, A, K, D)."""
        (B, T, D), K, A = z.shape, self.config.horizon, self.config.num_anchors
        if A is None:
            return torch.arange(T, device=z.device).expand(B, T), self.predict(c, D)
        anchors = sample_anchors(global_frames, A, K, generator=self.generator)[own]
        rows = torch.arange(B, device=z.device)[:, None]
        return anchors, self.predict(c[rows, anchors], D)


def metrics_of(contrast: Contrast) -> dict[str, Tensor]:
    """Means over what is valid, for the log."""
    valid = contrast.valid
    count = valid.sum((0, 1)).clamp_min(1)
    loss = contrast.loss.detach().sum((0, 1)) / count
    chance = (contrast.chance * valid).sum((0, 1)) / count
    correct = contrast.correct.sum((0, 1)) / count
    return {
        "chance_loss": (contrast.chance * valid).sum() / valid.sum(),
        "accuracy": contrast.correct.sum() / valid.sum(),
        "loss_by_horizon": loss,
        "information_by_horizon": chance - loss,
        "accuracy_by_horizon": correct,
    }
