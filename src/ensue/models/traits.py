"""Traits: what shared code reads of a model or of its settings, besides the contracts.

A trait is there or it isn't: shared code asks with ``isinstance`` and does without where it isn't.
Traits of settings say so in their first line; all others are of models.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, Self, runtime_checkable

from torch import Tensor, nn

from ensue.data.batches import Batch
from ensue.generation import GenerationConfig
from ensue.models.protocols import Trains

__all__ = [
    "BeginsWithVectors",
    "Conditioned",
    "Generates",
    "HasFlow",
    "HasGeometry",
    "HasOlderSettings",
    "HasSampleRate",
    "HasSchedule",
    "HasShortestItem",
    "HasVectors",
    "Model",
    "ModelSettings",
    "PredictsAhead",
    "RefusesTraining",
    "Remarks",
    "SizesLatents",
    "Standardizes",
    "SuitsRows",
    "TakesWholeItems",
]


@runtime_checkable
class ModelSettings(Protocol):
    """Of settings: every model's name the family that it is of."""

    @property
    def family(self) -> str: ...


@runtime_checkable
class Model(Trains, Protocol):
    """Every family's model: a module of torch with its settings, which trains."""

    @property
    def config(self) -> ModelSettings: ...

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]: ...

    def state_dict(self) -> dict[str, Tensor]: ...

    def load_state_dict(self, state_dict: Mapping[str, Any], /) -> Any: ...

    def train(self, mode: bool = True) -> Self: ...

    def eval(self) -> Self: ...

    def to(self, *args: Any, **kwargs: Any) -> Self: ...

    def cpu(self) -> Self: ...

    def save_pretrained(self, save_directory: Any, /) -> str | None: ...


@runtime_checkable
class TakesWholeItems(Protocol):
    """Learns from items as they are; windows are never cut from them where it is true."""

    @property
    def whole_items(self) -> bool: ...


@runtime_checkable
class HasShortestItem(Protocol):
    """Can make use of items of that length at least, in steps."""

    @property
    def shortest_item(self) -> int: ...


@runtime_checkable
class HasGeometry(Protocol):
    """Makes frames: one each ``hop`` steps of an item, which sees ``receptive_field`` of them."""

    @property
    def hop(self) -> int: ...

    @property
    def receptive_field(self) -> int: ...


@runtime_checkable
class HasSampleRate(Protocol):
    """Of a model or settings: steps of an item a second, in Hz, or None where time has no unit."""

    @property
    def sample_rate(self) -> int | None: ...


@runtime_checkable
class PredictsAhead(Protocol):
    """Of settings: the nearest and the farthest frame ahead that is predicted."""

    @property
    def nearest(self) -> int: ...

    @property
    def horizon(self) -> int: ...


@runtime_checkable
class Conditioned(Protocol):
    """Of settings: the classes that the data gave to condition on, in order; empty for none."""

    @property
    def classes(self) -> tuple[str, ...]: ...


@runtime_checkable
class Generates(Protocol):
    """Of settings: what the model was saved with for drawing."""

    @property
    def generation(self) -> GenerationConfig: ...


@runtime_checkable
class SizesLatents(Protocol):
    """Of settings: how many numbers z has."""

    @property
    def latent_size(self) -> int: ...


@runtime_checkable
class HasVectors(Protocol):
    """Of settings: the file of vectors that embeddings begin with, or None."""

    @property
    def embedding_weights(self) -> str | None: ...


@runtime_checkable
class BeginsWithVectors(Protocol):
    """Takes vectors of its tokens, (V, E) or (E,) by token, and returns how many have one now."""

    def set_embeddings(self, weights: Tensor | Mapping[str, Tensor]) -> int: ...


@runtime_checkable
class HasFlow(Protocol):
    """Has a flow to a base: the flow itself, and items of points z (B, D) of the base."""

    @property
    def flow(self) -> nn.Module: ...

    def items_of(self, z: Tensor, condition: Tensor | None = None) -> Tensor: ...


@runtime_checkable
class HasOlderSettings(Protocol):
    """Of a class of settings: the meaning of those that runs of older versions don't have."""

    older: Mapping[str, Any]


@runtime_checkable
class RefusesTraining(Protocol):
    """Of settings: a model of them may be loaded, but not always trained."""

    def require_trainable(self) -> None: ...


@runtime_checkable
class SuitsRows(Protocol):
    """Of settings: sizes are left open until there are rows to learn from."""

    def suited(self, num_rows: int) -> Any: ...


@runtime_checkable
class Standardizes(Protocol):
    """Looks at a batch before the first step, to begin where that is standard.

    ``num_standardized`` is how many items it makes use of, at most.
    """

    @property
    def num_standardized(self) -> int: ...

    def standardize(self, batch: Batch) -> None: ...


@runtime_checkable
class HasSchedule(Protocol):
    """Changes its objective in the course of training.

    From step ``settled_at`` on, counted from 0, it minimizes the final objective. Weights from
    before then are kept as the best only where there are none from after it.
    """

    @property
    def settled_at(self) -> int: ...


@runtime_checkable
class Remarks(Protocol):
    """Says what is wrong with the figures of a validation, and the remedy."""

    def remark(self, metrics: Mapping[str, Any]) -> str | None: ...
