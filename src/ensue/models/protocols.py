"""The contracts: what a model family can do, as runtime-checkable protocols, and what it returns.

A family keeps as many contracts as its mathematics allows. There is no base class of all; what
else shared code reads of a model or its settings is in ``models.traits``.
Dims: B batch, T time, K horizon, D and C features.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn

from ensue.data.batches import Batch
from ensue.generation import Prompts
from ensue.nn.streaming import Steps, select

__all__ = [
    "CONTRACTS",
    "Codes",
    "Completes",
    "Draws",
    "Encodes",
    "Features",
    "HasLatents",
    "HasLayers",
    "HasLogProb",
    "Layers",
    "Loss",
    "MakesFeatures",
    "ModelSettings",
    "Module",
    "Posterior",
    "Samples",
    "Score",
    "ScoreKind",
    "Scores",
    "SeesAhead",
    "Steps",
    "Trains",
    "select",
]

ScoreKind = Literal["exact", "order", "lower_bound", "information"]


@dataclass(frozen=True)
class Loss:
    """A loss as a sum, so that batches, processes and accumulated steps add up exactly.

    Attributes:
        total: Summed nats, differentiable.
        count: What the trainer divides by, summed over processes and accumulation steps.
        metrics: Detached means by name, for the log.
    """

    total: Tensor
    count: Tensor
    metrics: dict[str, Tensor]

    @property
    def mean(self) -> Tensor:
        """Nats per count, to call ``backward`` on in a loop of your own."""
        return self.total / self.count


@dataclass(frozen=True)
class Features:
    """The features of a batch.

    Attributes:
        local: (B, T, D) features z_t of each frame, or None.
        context: (B, T, C) features c_t of all frames so far, or None.
        embedding: (B, E) one vector per item, always there.
        lengths: (B,) valid frames, or None where all are.
        frame_rate: Frames a second, or None where time has no unit.
        grid: Rows and columns of the frames, which come row by row, where they lie on a grid.
    """

    local: Tensor | None
    context: Tensor | None
    embedding: Tensor
    lengths: Tensor | None = None
    frame_rate: float | None = None
    grid: tuple[int, int] | None = None


@dataclass(frozen=True)
class Score:
    """The nats of a batch: how well a model expected it.

    Attributes:
        total: (B,) nats.
        terms: The parts it is made of, or None.
        kind: ``exact`` log-likelihood, ``order``: exact for an order, ``lower_bound`` on it, or
            ``information``: a bound on mutual information, which is no likelihood.
    """

    total: Tensor
    terms: Tensor | None
    kind: ScoreKind


@dataclass(frozen=True)
class Samples:
    """Items that a model has drawn.

    Attributes:
        values: (N, ...) drawn values.
        lengths: (N,) valid steps, or None where all are.
        log_prob: (N,) nats under the model, or None where unknown.
        attention: Attention weights, or None.
        item: (N,) of completions: which of the given items each one completes.
    """

    values: Tensor
    lengths: Tensor | None = None
    log_prob: Tensor | None = None
    attention: Tensor | None = None
    item: Tensor | None = None


@runtime_checkable
class Module(Protocol):
    """The part of a module of torch that shared code uses."""

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]: ...

    def state_dict(self) -> dict[str, Tensor]: ...

    def load_state_dict(self, state_dict: Mapping[str, Any], /) -> Any: ...

    def train(self, mode: bool = True) -> Self: ...

    def eval(self) -> Self: ...

    def to(self, *args: Any, **kwargs: Any) -> Self: ...

    def cpu(self) -> Self: ...


@runtime_checkable
class ModelSettings(Protocol):
    """Of settings: every model's name the family that it is of."""

    @property
    def family(self) -> str: ...


@runtime_checkable
class Trains(Protocol):
    """Every family; ``shortest`` is the length of the shortest sequence that it can learn from.

    In eval mode ``loss`` is the final objective whatever the step: the full weight of every term,
    true tokens, no dropout. So validation losses of one run can be compared with each other.
    """

    @property
    def shortest(self) -> int: ...

    def loss(self, batch: Batch, *, step: int) -> Loss: ...


@runtime_checkable
class MakesFeatures(Protocol):
    """Turns items into features: a whole model, or its lower layers."""

    def encode(self, x: Tensor, lengths: Tensor | None = None) -> Features: ...


@runtime_checkable
class Encodes(MakesFeatures, Protocol):
    """Represents items as vectors; ``untrained_variants`` names what to compare them with.

    ``shortest_item`` is the length of the shortest sequence that it can represent.
    """

    @property
    def shortest_item(self) -> int: ...

    def untrained_variants(self) -> Mapping[str, ModelSettings]: ...


@runtime_checkable
class Scores(Protocol):
    """Says how well it expected items, and what kind of number that is."""

    def score(self, x: Tensor, lengths: Tensor | None = None) -> Score: ...


@runtime_checkable
class ScoresSteps(Protocol):
    """Gives nats (B, S, C) of each value of series, given the steps and channels before it.

    ``init_scores`` and ``score_more`` do so for some steps after others, with a state.
    """

    def score_steps(self, x: Tensor, lengths: Tensor | None = None) -> Tensor: ...

    def init_scores(self, batch: int) -> Any: ...

    def score_more(self, x: Tensor, state: Any) -> tuple[Tensor, Any]: ...


@runtime_checkable
class HasLogProb(Protocol):
    """Has a density or a probability."""

    def log_prob(
        self, x: Tensor, lengths: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor: ...


@runtime_checkable
class Draws(Protocol):
    """Generates items; ``settings`` are those of the family, such as those of generation."""

    def sample(
        self,
        num: int,
        *,
        condition: Tensor | None = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        **settings: Any,
    ) -> Samples: ...


@runtime_checkable
class Completes(Protocol):
    """Fills in what isn't known; ``settings`` are as those of :class:`Draws`."""

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


@runtime_checkable
class Codes(Protocol):
    """Predicts items token by token, the last one given all before: what coding them needs.

    ``prompts`` are what ``num`` items begin with; ``to_tokens`` gives whole items as tokens (B, T),
    the prompt's first, and ``from_tokens`` undoes it.
    """

    def prompts(self, num: int) -> Prompts: ...

    def to_tokens(self, x: Tensor, lengths: Tensor | None = None) -> Tensor: ...

    def from_tokens(self, tokens: Tensor) -> Tensor: ...


class Posterior(Protocol):
    """A normal distribution of z for each item: ``mu`` and ``logvar`` (B, D), ``kl()`` (B,)."""

    @property
    def mu(self) -> Tensor: ...

    @property
    def logvar(self) -> Tensor: ...

    def kl(self) -> Tensor: ...


@runtime_checkable
class HasLatents(Protocol):
    """Has a vector z behind each item: a posterior over it, and a decoder from it.

    ``reconstruct`` decodes the posterior's mean, ``interpolate`` points between two z (D,).
    """

    def encode_posterior(self, x: Tensor, lengths: Tensor | None = None) -> Posterior: ...

    def reconstruct(self, x: Tensor, lengths: Tensor | None = None, **settings: Any) -> Samples: ...

    def interpolate(self, start: Tensor, end: Tensor, num: int = 8, **settings: Any) -> Samples: ...


@runtime_checkable
class SeesAhead(Protocol):
    """Has frames of which the last see beyond the end of an item, where there is only padding."""

    def num_whole_frames(self, num_samples: int) -> int: ...


class Layers(Module, MakesFeatures, Protocol):
    """The layers of a model up to one: a frame each ``hop`` steps of an item.

    The ``context`` and ``frame_rate`` of its features are the layer's own; it keeps
    :class:`ensue.nn.streaming.Steps` where the family does.
    """

    @property
    def hop(self) -> int: ...


@runtime_checkable
class HasLayers(Protocol):
    """Encodes by its lower layers too: ``up_to`` gives them with the same weights."""

    @property
    def hop(self) -> int: ...

    @property
    def layers(self) -> tuple[str, ...]: ...

    def up_to(self, layer: str) -> Layers: ...


CONTRACTS: dict[str, type] = {
    "trains": Trains,
    "encodes": Encodes,
    "scores": Scores,
    "samples": Draws,
    "completes": Completes,
    "codes": Codes,
    "latents": HasLatents,
    "layers": HasLayers,
    "steps": Steps,
}
