"""The sources of questions: regions of their pictures, answers and concepts, by batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ensue.data.batches import Source
from ensue.data.items import Question
from ensue.data.kinds.question.regions import Regions


class ReadsQuestions(Protocol):
    """A codec of questions, as far as their sources need one."""

    @property
    def answers(self) -> tuple[str, ...]: ...
    def decode(self, x: Tensor) -> Any: ...
    def encode_answer(self, raw: Question) -> Tensor | None: ...
    def source(self, raws: Sequence[Question], regions: Tensor, num: Tensor | None) -> Source: ...


@dataclass(frozen=True)
class Sources:
    """The sources of N questions: ``sources[rows]`` is what a batch of them is written from.

    Attributes:
        codec: Of the questions.
        raw: The questions.
        regions: Of the pictures.
        row: (N,) which picture each question is of.
    """

    codec: ReadsQuestions
    raw: Sequence[Question]
    regions: Regions
    row: np.ndarray

    def __len__(self) -> int:
        return len(self.raw)

    def __getitem__(self, rows: np.ndarray) -> Source:
        chosen = [self.raw[row] for row in rows.tolist()]
        return self.codec.source(chosen, *self.regions.take(self.row[rows]))

    def of_other_pictures(self, generator: torch.Generator) -> "Sources":
        """The same questions, those of each picture with another one, if there is another."""
        pictures, place = np.unique(self.row, return_inverse=True)
        order = torch.randperm(len(pictures), generator=generator).numpy()
        other = np.empty_like(pictures)
        other[order] = pictures[np.roll(order, 1)]
        return Sources(self.codec, self.raw, self.regions, other[place])
