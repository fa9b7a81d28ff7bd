"""Features of what texts are written from: answers, and regions with layers of their own.

Dims: B sequences, K regions, F features of a region, A features of an answer, P components.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from ensue.data.batches import Source
from ensue.errors import ConfigError
from ensue.nn import GRU
from ensue.nn.packing import Packing, run_packed

LEAST_DEVIATION = 1e-3
"""Below which a feature says nothing."""


Answers = Literal["token", "phrase", "vector"]
"""One token, several in a row, or features."""


class AnswerEncoder(nn.Module):
    """Answers to vectors (B, A): a token's embedding, the last state of a GRU, or what is given.

    Args:
        kind: What an answer is.
        num_tokens: Of the vocabulary of answers; plays no part for features.
        size: A.
    """

    def __init__(self, kind: Answers, num_tokens: int, size: int) -> None:
        super().__init__()
        self.kind, self.size = kind, size
        if kind in ("token", "phrase"):
            self.embedding = nn.Embedding(num_tokens, size)
        if kind == "phrase":
            self.layers = GRU(size, size)

    def forward(self, source: Source) -> Tensor:
        """(B, A).

        Raises:
            ConfigError: There is no answer, or it is of another kind or size.
        """
        answer = source.answer
        if answer is None:
            raise ConfigError("the source has no answer, and this model was trained with answers")
        if self.kind == "vector":
            return self._checked_features(answer)
        answer = self._checked_tokens(answer)
        if self.kind == "token":
            return self.embedding(answer[:, 0])
        lengths = source.answer_lengths
        if lengths is None:
            lengths = torch.full((len(answer),), answer.shape[1], device=answer.device)
        packing = Packing.of(lengths)
        return run_packed(self.layers, self.embedding(packing.pack(answer)), packing)[1][-1]

    def _checked_features(self, answer: Tensor) -> Tensor:
        if not answer.is_floating_point() or answer.shape[1:] != (self.size,):
            raise ConfigError(
                f"answer is {tuple(answer.shape)} of {answer.dtype} and must be features (B, "
                f"{self.size})"
            )
        return answer

    def _checked_tokens(self, answer: Tensor) -> Tensor:
        several = self.kind == "phrase"
        fits = not answer.is_floating_point() and answer.dim() == 2 and answer.shape[1] > 0
        if not fits or (answer.shape[1] > 1 and not several):
            shape = "(B, A)" if several else "(B, 1)"
            raise ConfigError(
                f"answer is {tuple(answer.shape)} of {answer.dtype} and must be tokens {shape}"
            )
        return answer


class RegionEncoder(nn.Module):
    r"""Features of regions by layers that learn with the decoder, such as of raw patches.

    .. math:: v' = \mathrm{norm}(\mathrm{ReLU}(W_2\,\mathrm{ReLU}(W_1 u))), \qquad
              u = \Lambda^{-1/2} Q^\top (v - \mu)

    u are the leading principal components of regions at unit variance, taken from a batch before
    the first step and kept: what neighboring pixels share, a bright background, would drown what
    tells regions apart.

    Args:
        source_size: F.
        size: Features of v'.
        num_components: P, of u.
    """

    mean: Tensor
    basis: Tensor

    def __init__(self, source_size: int, size: int, num_components: int) -> None:
        super().__init__()
        P = min(num_components, source_size)
        self.register_buffer("mean", torch.zeros(source_size))
        self.register_buffer("basis", torch.eye(source_size, P))
        self.layers = nn.Sequential(
            nn.Linear(P, size), nn.ReLU(), nn.Linear(size, size), nn.ReLU(), nn.LayerNorm(size)
        )

    def standardize(self, regions: Tensor) -> None:
        """Take mean and principal components of regions (N, F)."""
        self.mean.copy_(regions.mean(0))
        P = min(self.basis.shape[1], len(regions))
        _, singular, Q = torch.pca_lowrank(regions, q=P, center=True)
        deviation = (singular / len(regions) ** 0.5).clamp(min=LEAST_DEVIATION)
        self.basis.zero_()
        self.basis[:, :P] = Q / deviation

    def forward(self, regions: Tensor) -> Tensor:
        """(B, K, F) to (B, K, size)."""
        return self.layers((regions - self.mean) @ self.basis)


def source_of(condition: Any) -> Source:
    """The condition, which must be a source.

    Raises:
        ConfigError: It is something else.
    """
    if not isinstance(condition, Source):
        raise ConfigError(
            f"the condition is {type(condition).__name__}; a text is written from a "
            "ensue.data.batches.Source"
        )
    return condition
