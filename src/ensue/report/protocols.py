"""Protocols of models that figures ask for, beyond the contracts of every family."""

from typing import Protocol, runtime_checkable

from ensue.models.protocols import Completes, Draws, Encodes, Scores
from ensue.models.traits import HasFlow


@runtime_checkable
class EncodesByFlow(Encodes, HasFlow, Protocol):
    """Encodes items as z, by a flow."""


@runtime_checkable
class PredictsTokens(Scores, Draws, Completes, Protocol):
    """Scores, draws and continues sequences of tokens."""
