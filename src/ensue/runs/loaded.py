"""``load``: a trained run as one object that takes raw items."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ensue.configuration import require_at_least
from ensue.data.batches import Source
from ensue.data.codecs import decoded, load_codec
from ensue.data.codecs.protocols import Codec, HasSources
from ensue.data.config import for_other_data
from ensue.data.raws import raws_of
from ensue.errors import ConfigError, DataError, unknown
from ensue.models.loading import load_model
from ensue.models.protocols import Draws, Encodes, Features, Samples, Scores
from ensue.models.registry import require_contract
from ensue.models.traits import LatentModel, Model
from ensue.runs.ahead import completions, forecasts
from ensue.runs.classes import class_condition, classes_known_to, classes_of
from ensue.runs.draws import new_generator, require_place_for, with_usual_length
from ensue.runs.hashing import hash_of
from ensue.runs.latents import Latents
from ensue.runs.regions import seen
from ensue.training.machine import best_device
from ensue.training.run_folder import RunFolder

if TYPE_CHECKING:
    from ensue.models.tokens.latent_search import Found

P = TypeVar("P")


@dataclass(frozen=True)
class Loaded:
    """A trained model together with its codec.

    Attributes:
        model: The model, in eval mode.
        codec: Raw items to tensors and back.
        config: The values of ``config.yaml``, or family and data for a model folder.
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
        """Move the model to the GPU, if there is one."""
        self.model.to(best_device())
        return self

    def model_as(self, protocol: type[P], contract: str) -> P:
        """Return the model, if its family keeps a contract.

        Args:
            protocol: The protocol of the contract.
            contract: The contract's name in ``CONTRACTS``.

        Raises:
            ConfigError: The family doesn't keep it.
        """
        require_contract(self.family, contract)
        assert isinstance(self.model, protocol)
        return self.model

    def embed(self, raws: Any) -> np.ndarray:
        """Return one vector for each raw item: (N, E) float32.

        Args:
            raws: A list of items. For sound: paths, (samples, rate) pairs, or samples at the run's
                own rate. For text: texts, which are never read as paths, or :class:`pathlib.Path`.
                For tables: rows ``{column: value}``, or numbers in the order of the columns. For
                images: arrays or paths. Or several items as an array, or a table of them, such as a
                DataFrame.

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
        """Return the context features of one raw item, frame by frame: (T, C) float32.

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
        """Return the nats of each raw item: (N,). Log-densities are in the original units.

        Args:
            raws: As for :meth:`embed`.
            conditions: The class of each item, for a run that was trained with classes; by default
                they are unknown.

        Raises:
            DataError: An item can't be read, or a class isn't one of the run's.
            ConfigError: The family has no scores, or the run has no classes.
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
            arguments: dict[str, Any] = (
                {"condition": source[i : i + 1]} if source is not None else {}
            )
            if conditions:
                arguments |= class_condition(self.model, conditions[i])
            with torch.inference_mode():
                score = model.score(self._encoded(raw), **arguments)
            is_density = score.kind in ("exact", "lower_bound")
            units = self.codec.log_det(raw) if is_density else 0.0
            totals.append(float(score.total) + units)
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
            num: Number of items.
            condition: Their class, for a run that was trained with classes, by default any; for a
                run of questions, the source ``{"path": ..., "answer": ...}``.
            temperature: 1 draws from the model, less is closer to the likeliest.
            seed: Seed of the draw.
            settings: Fields of :class:`ensue.generation.GenerationConfig`, for families that
                generate token by token.

        Raises:
            ConfigError: The family can't sample, or not with these settings.
        """
        model = self.model_as(Draws, "samples")
        require_place_for(settings, self.model)
        arguments = self._source([condition]) or class_condition(self.model, condition)
        settings = {**with_usual_length(settings, self.codec), **arguments}
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
        """Complete the beginnings of raw items; return ``num`` whole items for each.

        Args:
            raws: The beginnings, such as texts, or whole images.
            num: Completions of each; with the method ``beam``, the likeliest ones it finds.
            condition: Their class, for a run that was trained with classes; by default unknown.
            temperature: 1 draws from the model, less is closer to the likeliest.
            seed: Seed of the draw.
            known: Share of an image (from the top) or of a recording that is given; by default
                half.
            settings: Fields of :class:`ensue.generation.GenerationConfig`, for families that
                generate token by token.

        Raises:
            DataError: An item can't be read.
            ConfigError: The family can't complete, or not with these settings.
        """
        encoded = [self.codec.encode(raw) for raw in self._raws(raws)]
        return completions(
            self,
            encoded,
            num=num,
            condition=condition,
            temperature=temperature,
            seed=seed,
            known=known,
            **settings,
        )

    def forecast(
        self,
        raws: Any,
        num_steps: int,
        *,
        num: int = 100,
        temperature: float = 1.0,
        seed: int = 0,
        calibrate: int = 0,
    ) -> list[np.ndarray]:
        """Draw how series go on; return (num, num_steps, C) for each, in the channels' own units.

        Args:
            raws: Series: arrays (T, C) or (T,), or several as an array.
            num_steps: Steps ahead.
            num: Draws of each series.
            temperature: 1 draws from the model, less is closer to the likeliest.
            seed: Seed of the draws.
            calibrate: Earlier forecasts of each series, as many steps long and one before the
                other, by whose errors the draws are stretched about their median.

        Raises:
            DataError: A series can't be read, or is too short for an earlier forecast.
            ConfigError: The run isn't of series, or its family can't go on from a beginning.
        """
        encoded = [self.codec.encode(raw) for raw in self._raws(raws)]
        return forecasts(
            self,
            encoded,
            num_steps,
            num=num,
            temperature=temperature,
            seed=seed,
            calibrate=calibrate,
        )

    def reconstruct(self, raws: Any, *, seed: int = 0, **settings: Any) -> list[Any]:
        """Decode the means of the posteriors of raw items, greedily.

        Args:
            raws: As for :meth:`embed`.
            seed: Seed of the draw, where a temperature is given.
            settings: Fields of :class:`ensue.generation.GenerationConfig`.

        Raises:
            DataError: An item can't be read.
            ConfigError: The family has no z.
        """
        latents = self._latents(seed, settings)
        return [latents.reconstruct(raw) for raw in self._raws(raws)]

    def interpolate(
        self, start: Any, end: Any, num: int = 8, *, seed: int = 0, **settings: Any
    ) -> list[Any]:
        """Decode points on the line between the z of two raw items, both ends included.

        Args:
            start: A raw item.
            end: Another.
            num: Number of points.
            seed: Seed of the draw, where a temperature is given.
            settings: Fields of :class:`ensue.generation.GenerationConfig`.

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
        """Search z for raw items with a large value of a function, by Bayesian optimization.

        To follow the gradient of a function of z, use
        :func:`ensue.models.tokens.latent_search.ascend`.

        Args:
            function: Takes raw items and returns a value for each, or NaN; larger is better.
            start: Raw items to begin with, or a number of draws from the prior.
            num_rounds: Rounds after these.
            num: Items of a round.
            seed: Seed of all draws.
            settings: Fields of :class:`ensue.generation.GenerationConfig`; by default the likeliest
                token is taken each time.

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
        """Return the sources of items as an argument of the model, for kinds that have sources."""
        if not isinstance(self.codec, HasSources):
            return {}
        regions, known = self.config["data"].get("regions"), self.config.get("regions_hash")
        raws, file = seen(self._raws(raws), regions, self.codec, known=known)
        return {"condition": self.codec.source_of(raws, file).to(self.device)}

    def classes_in(self, labels: Mapping[str, Sequence[str]]) -> Tensor:
        """Return the (N,) classes of items, from the label column that the run was trained with.

        Raises:
            ConfigError: The run was trained without classes.
            DataError: There is no such column, or it holds an unknown class.
        """
        classes, column = classes_known_to(self.model), self.config["data"].get("condition")
        if column not in labels:
            raise DataError(unknown("column for the class", str(column), labels))
        return classes_of(labels[column], classes)

    @property
    def hash(self) -> str:
        """Return the hash of the model's settings and weights, and of the codec."""
        return hash_of(self.model, self.codec)

    @property
    def device(self) -> torch.device:
        """Return the device of the model."""
        return next(self.model.parameters()).device

    def _decoded(self, drawn: Samples) -> list[Any]:
        return decoded(self.codec, drawn.values, drawn.lengths)

    def _features(self, model: Encodes, raw: Any) -> Features:
        with torch.inference_mode():
            return model.encode(self._encoded(raw))

    def _encoded(self, raw: Any) -> Tensor:
        return self.codec.encode(raw)[None].to(self.device)

    def _raws(self, raws: Any) -> list[Any]:
        """Return a user's items in the form that the codec takes."""
        return raws_of(raws, self.codec, for_other_data(self.config["data"]))


def load(run: str | Path) -> Loaded:
    """Load a trained run: its model and codec together.

    Args:
        run: A run folder, or its folder ``model`` alone, as it is shared. A model folder doesn't
            say how its data were read, so data are read with the default settings.

    Raises:
        CheckpointError: It is neither, isn't finished, or is damaged.
    """
    folder = RunFolder(Path(run))
    if (folder.path / "codec.json").is_file() and not folder.config.exists():
        model, codec = load_model(folder.path), load_codec(folder.path / "codec.json")
        return Loaded(model, codec, {"family": model.config.family, "data": {}}, folder.path)
    model, codec = folder.load()
    return Loaded(model, codec, folder.read_config(), folder.path)
