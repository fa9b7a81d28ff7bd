"""Protocols of models that figures ask for, beyond the contracts of every family."""

from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ensue.models.protocols import Completes, Encodes, Samples, Scores
from ensue.models.traits import DrawsTokens, HasFlow


@runtime_checkable
class EncodesByFlow(Encodes, HasFlow, Protocol):
    """Encodes items as z, by a flow."""


@runtime_checkable
class PredictsTokens(Scores, DrawsTokens, Completes, Protocol):
    """Scores, draws and continues sequences of tokens."""

    def complete(
        self,
        x: Tensor,
        known: Tensor,
        *,
        num: int = 1,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        **settings: Any,
    ) -> Samples: ...
