"""Bounds on information, critics and negatives: pure functions, no training loop."""

from ensue.information.info_nce import chance_loss, info_nce, information
from ensue.information.negatives import (
    OtherFrames,
    contrast_aligned,
    contrast_frames,
    gather_rows,
    sample_anchors,
    sample_other_frames,
)

__all__ = [
    "OtherFrames",
    "chance_loss",
    "contrast_aligned",
    "contrast_frames",
    "gather_rows",
    "info_nce",
    "information",
    "sample_anchors",
    "sample_other_frames",
]
