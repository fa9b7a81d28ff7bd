"""``load``: a trained run as one object that takes raw items."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ensue.configuration import require_at_least, to_plain
from ensue.data.batches import Source
from ensue.data.codecs import decoded, load_codec
from ensue.data.codecs.protocols import BeginsItems, Codec, HasSources
from ensue.data.config import for_other_data
from ensue.data.raws import raws_of
from ensue.errors import ConfigError, DataError, unknown
from ensue.models.loading import load_model
from ensue.models.protocols import Completes, Draws, Encodes, Features, Samples, Scores
from ensue.models.registry import require_contract
from ensue.models.traits import LatentModel, Model
from ensue.runs.classes import class_condition, classes_known_to
from ensue.runs.draws import new_generator, require_place_for, with_usual_length
from ensue.runs.latents import Latents
from ensue.runs.prepare import classes_of
from ensue.training.machine import best_device
from ensue.training.run_folder import RunFolder

if TYPE_CHECKING:
    from ensue.models.tokens.latent_search import Found

P = TypeVar("P")


@dataclass(frozen=True)
class Loaded:
    """A model with the codec it was trained with.

    Attributes:
        model: The model, in eval mode.
        codec: Raw items to tensors and back.
        config: What ``config.yaml`` says, or family and data for a model folder.
        path: The run folder or model folder.
    """

    model: Model
    codec: Codec
    config: dict[str, Any]
    path: Path

    @property
    def family(self) -> str:
        return self.config["family"]

    def on_best_device(self) -> Loaded:
        """The same, with the model on the GPU if there is one."""
        self.model.to(best_device())
        return self

    def model_as(self, protocol: type[P], contract: str) -> P:
        """The model, of a family that keeps a contract.

        Args:
            protocol: What is read of the model.
            contract: Its name in ``CONTRACTS``.

        Raises:
            ConfigError: The family doesn't keep it.
        """
        require_contract(self.family, contract)
        assert isinstance(self.model, protocol)
        return self.model

    def embed(self, raws: Any) -> np.ndarray:
        """One vector for each raw item: (N, E) float32.

        Args:
            raws: A list of items: paths, (samples, rate) pairs, or samples at the run's own rate
                for sound; texts, which are never taken for paths, or :class:`pathlib.Path`; rows
                ``{column: value}`` or numbers in the order of the columns; images or their paths.
                Or an array of several, or a table of them, such as a DataFrame.

        Raises:
            DataError: An item can't be read.
            ConfigError: The family has no embeddings.
        """
        model = self.model_as(Encodes, "encodes")
        raws = self._raws(raws)
        if not raws:
            raise DataError("there is no item; give at least one")
        return np.stack([self._features(model, raw).embedding[0].cpu().numpy() for raw in raws])

    def frames(self, raw: Any) -> np.ndarray:
        """The context features of one raw item, frame by frame: (T, C) float32.

        Raises:
            DataError: The item can't be read.
            ConfigError: The family has no features by frame.
        """
        model = self.model_as(Encodes, "encodes")
        context = self._features(model, self.codec.of_user(raw)).context
        if context is None:
            raise ConfigError(f"the family {self.family!r} has no features by frame")
        return context[0].cpu().numpy()

    def score(self, raws: Any, *, conditions: Sequence[str] | None = None) -> np.ndarray:
        """Nats for each raw item: (N,). Log-densities are those of the original units.

        Args:
            raws: As for :meth:`embed`.
            conditions: The class of each, of a run that was trained with classes; by default
                they aren't known.

        Raises:
            DataError: An item can't be read, or a class is none of the run's.
            ConfigError: The family has no scores, or the run no classes.
        """
        model = self.model_as(Scores, "scores")
        raws = self._raws(raws)
        if conditions is not None and len(conditions) != len(raws):
            raise ConfigError(
                f"conditions are {len(conditions)}, and there are {len(raws)} items; give one for "
                "each"
            )
        totals, source = [], self._source(raws).get("condition") if raws else None
        for i, raw in enumerate(raws):
            given: dict[str, Any] = {"condition": source[i : i + 1]} if source is not None else {}
            if conditions:
                given |= class_condition(self.model, conditions[i])
            with torch.inference_mode():
                found = model.score(self._encoded(raw), **given)
            is_density = found.kind in ("exact", "lower_bound")
            units = self.codec.log_det(raw) if is_density else 0.0
            totals.append(float(found.total) + units)
        return np.array(totals)

    def sample(
        self,
        num: int,
        *,
        condition: Any = None,
        temperature: float = 1.0,
        seed: int = 0,
        **settings: Any,
    ) -> list[Any]:
        """Draw ``num`` raw items.

        Args:
            num: How many.
            condition: Their class, of a run that was trained with classes, by default any; of a run
                of questions what they are written from, ``{"path": ..., "answer": ...}``.
            temperature: 1 draws from the model, less is closer to the likeliest.
            seed: Of the draw.
            settings: Of :class:`ensue.generation.GenerationConfig`, for families that generate
                token by token.

        Raises:
            ConfigError: The family can't sample, or not with these settings.
        """
        model = self.model_as(Draws, "samples")
        require_place_for(settings, self.model)
        given = self._source([condition]) or class_condition(self.model, condition)
        settings = {**with_usual_length(settings, self.codec), **given}
        generator = new_generator(seed)
        with torch.inference_mode():
            drawn = model.sample(num, temperature=temperature, generator=generator, **settings)
        return self._decoded(drawn)

    def complete(
        self,
        raws: Any,
        *,
        num: int = 1,
        condition: str | None = None,
        temperature: float = 1.0,
        seed: int = 0,
        known: float | None = None,
        **settings: Any,
    ) -> list[list[Any]]:
        """How raw items that have only begun may go on: for each ``num`` whole items.

        Args:
            raws: The beginnings, such as texts, or whole images.
            num: How many of each; with the method ``beam``, the likeliest ones it finds.
            condition: Their class, of a run that was trained with classes; by default not known.
            temperature: 1 draws from the model, less is closer to the likeliest.
            seed: Of the draw.
            known: The part of an image, from its upper edge, or of a recording that is given; by
                default half.
            settings: Of :class:`ensue.generation.GenerationConfig`, for families that generate
                token by token.

        Raises:
            DataError: An item can't be read.
            ConfigError: The family can't complete, or not with these settings.
        """
        encoded = [self.codec.encode(raw) for raw in self._raws(raws)]
        return self.complete_encoded(
            encoded,
            num=num,
            condition=condition,
            temperature=temperature,
            seed=seed,
            known=known,
            **settings,
        )

    def complete_encoded(
        self,
        encoded: Sequence[Tensor],
        *,
        num: int = 1,
        condition: str | None = None,
        temperature: float = 1.0,
        seed: int = 0,
        known: float | None = None,
        **settings: Any,
    ) -> list[list[Any]]:
        """:meth:`complete` of what the codec made of raw items already."""
        model = self.model_as(Completes, "completes")
        require_place_for(settings, self.model)
        if not len(encoded):
            return []
        if not isinstance(self.codec, BeginsItems):
            raise ConfigError(f"items of kind {self.codec.kind} have no beginnings to complete")
        condition_of = class_condition(self.model, condition, len(encoded))
        x, given = self.codec.begun(encoded, known)
        generator = new_generator(seed)
        with torch.inference_mode():
            drawn = model.complete(
                x.to(self.device),
                given.to(self.device),
                num=num,
                temperature=temperature,
                generator=generator,
                **condition_of,
                **with_usual_length(settings, self.codec),
            )
        assert drawn.item is not None
        found: list[list[Any]] = [[] for _ in encoded]
        for i, item in zip(drawn.item.tolist(), self._decoded(drawn), strict=True):
            found[i].append(item)
        return found

    def reconstruct(self, raws: Any, *, seed: int = 0, **settings: Any) -> list[Any]:
        """What comes back of raw items from the middle of their posteriors, greedily.

        Args:
            raws: As for :meth:`embed`.
            seed: Of the draw, where a temperature is given.
            settings: Of :class:`ensue.generation.GenerationConfig`.

        Raises:
            DataError: An item can't be read.
            ConfigError: The family has no z.
        """
        latents = self._latents(seed, settings)
        return [latents.reconstruct(raw) for raw in self._raws(raws)]

    def interpolate(
        self, start: Any, end: Any, num: int = 8, *, seed: int = 0, **settings: Any
    ) -> list[Any]:
        """Raw items on the line between the z of two, both among them as they come back.

        Args:
            start: A raw item.
            end: Another.
            num: Points.
            seed: Of the draw, where a temperature is given.
            settings: Of :class:`ensue.generation.GenerationConfig`.

        Raises:
            DataError: An item can't be read.
            ConfigError: The family has no z.
        """
        latents = self._latents(seed, settings)
        require_at_least(1, num=num)
        return latents.interpolate(self.codec.of_user(start), self.codec.of_user(end), num)

    def optimize(
        self,
        function: Callable[[Sequence[Any]], Sequence[float]],
        start: Sequence[Any] | int = 100,
        *,
        num_rounds: int = 10,
        num: int = 20,
        seed: int = 0,
        **settings: Any,
    ) -> Found:
        """Search z for the raw items that a function of them likes best, by Bayesian optimization.

        Up the gradient of a function of z, :func:`ensue.models.tokens.latent_search.ascend` goes.

        Args:
            function: From raw items to a value for each, NaN where one has none; larger is better.
            start: Raw items to begin with, or so many draws from the prior.
            num_rounds: Rounds after these.
            num: Items of a round.
            seed: Of all draws.
            settings: Of :class:`ensue.generation.GenerationConfig`; by default the likeliest token
                is taken each time.

        Raises:
            DataError: An item can't be read.
            ConfigError: The family has no z, or the function has no finite value at first.
        """
        latents = self._latents(seed, settings)
        if isinstance(start, int):
            require_at_least(1, start=start)
        else:
            start = self._raws(start)
            if not start:
                raise ConfigError("start has no items; give at least one, or the number of draws")
        return latents.optimize(function, start, num_rounds=num_rounds, num=num, seed=seed)

    def _latents(self, seed: int, settings: dict[str, Any]) -> Latents:
        model, generator = self.model_as(LatentModel, "latents"), new_generator(seed)
        settings = {"generator": generator, **with_usual_length(settings, self.codec)}
        return Latents(model=model, codec=self.codec, generator=generator, settings=settings)

    def _source(self, raws: Any) -> dict[str, Source]:
        """The sources of items as an argument of the model; none for kinds that have none."""
        if not isinstance(self.codec, HasSources):
            return {}
        source = self.codec.source_of(self._raws(raws), self.config["data"].get("regions"))
        return {"condition": source.to(self.device)}

    def classes_in(self, labels: Mapping[str, Sequence[str]]) -> Tensor:
        """The classes of items by their labels, in the column that the run was trained with: (N,).

        Raises:
            ConfigError: The run was trained without classes.
            DataError: There is no such column, or it holds a stranger.
        """
        classes, column = classes_known_to(self.model), self.config["data"].get("condition")
        if column not in labels:
            raise DataError(unknown("column for the class", str(column), labels))
        return classes_of(labels[column], classes)

    @property
    def hash(self) -> str:
        """The hash of the model, of its settings, weights and codec."""
        found = hashlib.sha256()
        for part in (self.model.config, self.codec):
            found.update(json.dumps(to_plain(part), sort_keys=True).encode())
        for name, tensor in sorted(self.model.state_dict().items()):
            found.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
        return found.hexdigest()[:32]

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def _decoded(self, drawn: Samples) -> list[Any]:
        return decoded(self.codec, drawn.values, drawn.lengths)

    def _features(self, model: Encodes, raw: Any) -> Features:
        with torch.inference_mode():
            return model.encode(self._encoded(raw))

    def _encoded(self, raw: Any) -> Tensor:
        return self.codec.encode(raw)[None].to(self.device)

    def _raws(self, raws: Any) -> list[Any]:
        """Several items of a user as the codec takes them."""
        return raws_of(raws, self.codec, for_other_data(self.config["data"]))


def load(run: str | Path) -> Loaded:
    """Load a trained run: its model and codec together.

    Args:
        run: A run folder, or the folder ``model`` of one alone, as it is handed on. A model folder
            doesn't know how its data were read, so data are read with the default settings.

    Raises:
        CheckpointError: It is neither, isn't finished, or is damaged.
    """
    folder = RunFolder(Path(run))
    if (folder.path / "codec.json").is_file() and not folder.config.exists():
        model, codec = load_model(folder.path), load_codec(folder.path / "codec.json")
        return Loaded(model, codec, {"family": model.config.family, "data": {}}, folder.path)
    model, codec = folder.load()
    return Loaded(model, codec, folder.read_config(), folder.path)
