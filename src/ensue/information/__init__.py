"""Information: bounds, futures and candidates as plain functions; estimates from pairs."""

from ensue.information.aligned import contrast_aligned
from ensue.information.candidates import (
    OtherFrames,
    far_enough,
    own_and_others,
    sample_anchors,
    sample_other_frames,
)
from ensue.information.futures import Future, ahead, below
from ensue.information.gather import gather_rows
from ensue.information.info_nce import Contrast, chance_loss, contrast, info_nce, information

__all__ = [
    "Contrast",
    "Future",
    "OtherFrames",
    "ahead",
    "below",
    "chance_loss",
    "contrast",
    "contrast_aligned",
    "far_enough",
    "gather_rows",
    "info_nce",
    "information",
    "own_and_others",
    "sample_anchors",
    "sample_other_frames",
]
