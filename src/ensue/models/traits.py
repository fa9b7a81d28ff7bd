"""Traits: what shared code reads of a model or of its settings, besides the contracts.

A trait is there or it isn't: shared code asks with ``isinstance`` and does without where it isn't.
Traits of settings say so in their first line; all others are of models.
"""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from ensue.data.batches import Batch, Source
from ensue.generation import GenerationConfig
from ensue.models.protocols import (
    Codes,
    Draws,
    Encodes,
    HasLatents,
    HasLogProb,
    MakesFeatures,
    ModelSettings,
    Module,
    Samples,
    Score,
    Scores,
    ScoresSteps,
    SeesAhead,
    Steps,
    Trains,
)

__all__ = [
    "BeginsWithVectors",
    "BoundsByDraws",
    "CodingModel",
    "ComparesFrames",
    "ComparingModel",
    "ComparingStream",
    "Conditioned",
    "DensityModel",
    "EncodingModel",
    "FeatureModule",
    "Generates",
    "HasFlow",
    "HasGeometry",
    "HasOlderSettings",
    "HasSampleRate",
    "HasSchedule",
    "HasShortestItem",
    "HasVectors",
    "LatentModel",
    "Model",
    "ModelSettings",
    "NamesSteps",
    "NeedsOthers",
    "PoolsCells",
    "PredictsAhead",
    "RefusesTraining",
    "Remarks",
    "Repools",
    "ScoringModel",
    "SizesLatents",
    "Standardizes",
    "StepScoringModel",
    "Streams",
    "SuitsRows",
    "SurprisesByPatch",
    "TakesAnySize",
    "TakesWholeItems",
    "WritesFromSources",
    "WritingModel",
]


@runtime_checkable
class Model(Module, Trains, Protocol):
    """Every family's model: a module of torch with its settings, which trains."""

    @property
    def config(self) -> ModelSettings: ...

    def save_pretrained(self, save_directory: Any, /) -> str | None: ...


@runtime_checkable
class TakesWholeItems(Protocol):
    """Learns from items as they are; windows are never cut from them where it is true."""

    @property
    def whole_items(self) -> bool: ...


@runtime_checkable
class TakesAnySize(Protocol):
    """Takes images of any size where it is true: trained on crops, it is used on whole images."""

    @property
    def any_size(self) -> bool: ...


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
class NamesSteps(Protocol):
    """Says what its ``hop`` and ``receptive_field`` count, in the plural, such as pixels."""

    @property
    def step_unit(self) -> str: ...


@runtime_checkable
class HasSampleRate(Protocol):
    """Of a model or settings: steps of an item a second, in Hz, or None where time has no unit."""

    @property
    def sample_rate(self) -> float | None: ...


@runtime_checkable
class PredictsAhead(ModelSettings, Protocol):
    """Of settings: the nearest and the farthest frame ahead that is predicted."""

    @property
    def nearest(self) -> int: ...

    @property
    def horizon(self) -> int: ...


@runtime_checkable
class PoolsCells(Protocol):
    """Of a model: the embedding of an image is the means over ``cells`` x ``cells`` parts of it."""

    @property
    def cells(self) -> int: ...


@runtime_checkable
class SurprisesByPatch(HasGeometry, Protocol):
    """Of images (B, C, H, W): the nats (B, Y, X) that each patch cost those who predicted it.

    NaN where nothing predicts a patch, log(Y X) is chance. Patch (y, x) is the square of
    ``receptive_field`` pixels that begins at pixel (y, x) ``hop``.
    """

    def patch_surprise(self, x: Tensor) -> Tensor: ...


@runtime_checkable
class ComparesFrames(HasGeometry, SeesAhead, Protocol):
    """Of what lies on a line: tells each frame from frames that are given.

    ``information_among`` takes frames (B, T, D), contexts (B, T, C) and negatives (M, D), and gives
    (B, T, K) nats of what context t told about frame t + k, k as in the settings' ``nearest`` to
    ``horizon``; log(M + 1) less the InfoNCE loss, NaN where there is no such frame. The first
    ``num_padded_frames`` see some of the padding before an item begins.
    """

    @property
    def num_padded_frames(self) -> int: ...

    def information_among(self, local: Tensor, context: Tensor, negatives: Tensor) -> Tensor: ...


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
class SizesLatents(ModelSettings, Protocol):
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
class NeedsOthers(Protocol):
    """Of settings: a model of them may learn nothing unless a batch has several items."""

    def require_others(self, *, num_items: int, batch_size: int) -> None: ...


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


@runtime_checkable
class WritesFromSources(Protocol):
    """Writes texts from sources, by draws or by search."""

    def sample(
        self, num: int, *, condition: Source, temperature: float = 1.0, **settings: Any
    ) -> Samples: ...


@runtime_checkable
class BoundsByDraws(Scores, Protocol):
    """Scores by draws of z: the more there are, the closer is the bound."""

    def score(self, x: Tensor, lengths: Tensor | None = None, *, num_draws: int = 1) -> Score: ...


@runtime_checkable
class FeatureModule(Module, MakesFeatures, Protocol):
    """A module that makes features: a model that encodes, or its lower layers."""


@runtime_checkable
class Streams(Module, Steps, Protocol):
    """A module that runs step by step."""


@runtime_checkable
class EncodingModel(Model, Encodes, Protocol):
    """A model that represents items."""


@runtime_checkable
class Repools(Protocol):
    """Makes its embedding of frames, by a choice that its weights leave open."""

    def repooled(self, **settings: Any) -> EncodingModel: ...


@runtime_checkable
class ScoringModel(Model, Scores, Protocol):
    """A model that scores items."""


@runtime_checkable
class StepScoringModel(ScoringModel, ScoresSteps, Protocol):
    """A model that scores series step by step."""


@runtime_checkable
class ComparingModel(Model, Encodes, ComparesFrames, Protocol):
    """A model that tells each frame from others, ahead of time."""

    @property
    def config(self) -> PredictsAhead: ...


@runtime_checkable
class ComparingStream(ComparingModel, Steps, Protocol):
    """The same, step by step."""


@runtime_checkable
class DensityModel(Model, HasLogProb, Protocol):
    """A model that has a density or a probability."""


@runtime_checkable
class CodingModel(Model, Codes, Scores, Protocol):
    """A model that items can be coded by."""


@runtime_checkable
class LatentModel(Model, Encodes, HasLatents, BoundsByDraws, Draws, Protocol):
    """A model of items by way of z."""

    @property
    def config(self) -> SizesLatents: ...


@runtime_checkable
class WritingModel(Model, Scores, WritesFromSources, Protocol):
    """A model that writes texts from sources, and scores them."""
