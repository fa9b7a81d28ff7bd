"""Gated PixelCNN: images pixel by pixel, exactly, seen in two dimensions.

The two stacks stand in ``ensue.nn.masked_conv``, drawing and beams in ``ensue.generation``.
Dims: B batch, D values of an image, N pixels, C channels of a pixel, E features inside, S skip
channels, V levels, M mixture components.
"""

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils._pytree import tree_map

from ensue.configuration import STRICT, Format, from_data, refuse_unread, validate
from ensue.data.batches import Batch
from ensue.generation import GenerationConfig, Prompts
from ensue.models import tokens
from ensue.models.condition import class_condition, for_each, vectors_of
from ensue.models.images import (
    Shape,
    begin_smooth_,
    image_of,
    joined_values,
    require_facts,
    require_no_lengths,
    require_unknown,
    sequence_of,
    values_of,
)
from ensue.models.protocols import Features, Loss, Samples, Score
from ensue.models.saved import SavedModel
from ensue.nn.masked_conv import PixelStack
from ensue.nn.mixture import log_prob_of_level, log_probs_of_levels
from ensue.nn.pooling import Moments, add_frames, no_moments, pool
from ensue.nn.streaming import put, select


@dataclass(frozen=True, kw_only=True)
class PixelCNNConfig:
    """Settings of a gated PixelCNN."""

    __pydantic_config__ = STRICT

    format: Format = 1
    family: Literal["pixelcnn"] = "pixelcnn"
    channels: Annotated[int, Field(gt=0, description="features E of a pixel, in both stacks")] = 64
    skip_channels: Annotated[
        int, Field(gt=0, description="features S that each layer gives to the scores")
    ] = 64
    num_layers: Annotated[int, Field(gt=0, description="layers of both stacks")] = 6
    kernel_size: Annotated[
        int, Field(gt=2, description="pixels across a kernel, odd; it reaches half as far up")
    ] = 5
    dropout: Annotated[float, Field(ge=0, lt=1, description="inside the layers")] = 0.0
    head: Annotated[
        Literal["categorical", "logistic"],
        Field(description="a score for each level, or a mixture of logistic distributions"),
    ] = "categorical"
    num_mixtures: Annotated[int, Field(gt=0, description="components M of the mixture")] = 10
    condition_hidden: Annotated[
        float, Field(gt=0, le=1, description="part of the items whose class is hidden in training")
    ] = 0.1
    num_tokens: Annotated[int | None, Field(gt=0)] = from_data()
    bos: Annotated[int | None, Field(ge=0)] = from_data()
    shape: Annotated[tuple[int, int, int] | None, Field()] = from_data()
    classes: tuple[str, ...] = from_data(())
    generation: GenerationConfig = field(
        default_factory=GenerationConfig, metadata={"from_data": True}
    )

    def __post_init__(self) -> None:
        if self.head == "categorical":
            refuse_unread(self, {"num_mixtures": "the head logistic"})


class LevelHead(nn.Module):
    """From features of a pixel to what its channels are, one after the other.

    Args:
        size: S.
        num_channels: C.
        num_levels: V.
        num_mixtures: M, or 0 for a score of each level.
    """

    def __init__(self, size: int, num_channels: int, num_levels: int, num_mixtures: int) -> None:
        super().__init__()
        C, S, V, M = num_channels, size, num_levels, num_mixtures
        self.num_levels, self.num_mixtures = V, M
        # What each channel but the last adds to the features of each channel after it.
        self.before = nn.Embedding((C - 1) * V, C * S) if C > 1 else None
        if self.before is not None:
            _begin_smooth_(self.before, V)
        first = torch.arange(C - 1)
        self.register_buffer("first", first * V, persistent=False)
        later = torch.arange(C) > first[:, None]
        self.register_buffer("later", later[..., None], persistent=False)
        last = nn.Linear(S, 3 * M or V)
        if M:
            # Components that cover the levels, each about as wide as what lies between them.
            last.bias.data = torch.cat(
                [torch.zeros(M), torch.linspace(-1, 1, M), torch.full((M,), -math.log(max(M, 2)))]
            )
        self.outputs = nn.Sequential(nn.ReLU(), nn.Linear(S, S), nn.ReLU(), last)

    first: Tensor
    later: Tensor

    def log_prob(self, y: Tensor, x: Tensor) -> Tensor:
        """Features (B, N, S) and levels (B, N, C) to nats (B, N, C)."""
        found = self.outputs(self._inputs(y, x))
        if self.num_mixtures:
            return log_prob_of_level(found, x, self.num_levels)
        return -cross_entropy(found.movedim(-1, 1), x, reduction="none")

    def scores(self, y: Tensor, x: Tensor, channel: Tensor) -> Tensor:
        """Features (B, S) and levels (B, C) of the channels before ``channel`` (B,), to (B, V)."""
        inputs = self._inputs(y[:, None], x[:, None])[:, 0]
        every = torch.arange(len(y), device=y.device)
        found = self.outputs(inputs[every, channel])
        if self.num_mixtures:
            return log_probs_of_levels(found, self.num_levels)
        return found

    def _inputs(self, y: Tensor, x: Tensor) -> Tensor:
        """(B, N, C, S): of each channel what doesn't see itself, nor the channels after it."""
        inputs = y[:, :, None]
        if self.before is None:
            return inputs
        added = self.before(x[..., :-1] + self.first).unflatten(-1, (-1, y.shape[-1]))
        return inputs + (added * self.later).sum(2)


class PixelDecoder(nn.Module):
    """Images to features and nats; and tokens to scores of the next one, with a state.

    Args:
        shape: C, height and width.
        levels: V; the token V stands before the first.
        config: Of the layers.
    """

    def __init__(self, shape: Shape, levels: int, config: PixelCNNConfig) -> None:
        super().__init__()
        C, Y, X = self.shape = shape
        E = config.channels
        self.levels = levels
        self.embedding = nn.Embedding(C * levels, E)
        _begin_smooth_(self.embedding, levels)
        self.register_buffer("first", torch.arange(C) * levels, persistent=False)
        self.classes = class_condition(config.classes, E, hidden=config.condition_hidden)
        self.stack = PixelStack(
            (Y, X),
            E,
            config.skip_channels,
            kernel_size=config.kernel_size,
            num_layers=config.num_layers,
            condition_size=E if config.classes else 0,
            dropout=config.dropout,
        )
        mixtures = config.num_mixtures if config.head == "logistic" else 0
        self.head = LevelHead(config.skip_channels, C, levels, mixtures)

    first: Tensor

    def features(self, x: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """Levels (B, N, C), and classes (B,), to embeddings (B, N, E) of pixels, and features
        (B, N, S) of those before each."""
        _, Y, X = self.shape
        z, given = self._embedded(x), vectors_of(self.classes, condition, len(x))
        return z, self.stack(z.unflatten(1, (Y, X)), given).flatten(1, 2)

    def init_state(self, batch: int, condition: Tensor | None = None) -> dict[str, Any]:
        """The state of ``batch`` images, of classes (B,), before bos."""
        given = vectors_of(self.classes, condition, batch)
        at = torch.zeros(batch, dtype=torch.long, device=self.stack.places.device)
        return {
            "stack": self.stack.init_state(batch, given),
            "y": self.stack.places.new_zeros(batch, self.stack.skip_channels),
            "pixel": at[:, None].expand(-1, self.shape[0]).clone(),
            "at": at,
        }

    def step(self, x: Tensor, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Scores (B, T, V) of what follows each of the tokens (B, T), and the state.

        A single step outside of autograd writes into the state it was given.
        """
        if x.shape[1] != 1:
            state = tree_map(torch.clone, state)
        found = []
        for token in x.long().unbind(1):
            scores, state = self._one(token, state)
            found.append(scores)
        return torch.stack(found, 1) if found else self.finish(state)[0], state

    def finish(self, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """No more scores."""
        return state["y"].new_zeros(len(state["at"]), 0, self.levels), state

    def _one(self, token: Tensor, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        C, at = self.shape[0], state["at"]
        channel, every = at % C, torch.arange(len(at), device=at.device)
        pixel = state["pixel"].clone()
        # bos is no level, and what stands before the first pixel isn't read.
        pixel[every, channel - 1] = token.clamp(max=self.levels - 1)
        done = channel == 0
        new = {**state, "pixel": pixel, "at": at + 1}
        if bool(done.all()):
            new["y"], new["stack"] = self._pixel(pixel, state["stack"])
        elif bool(done.any()):
            rows = done.nonzero()[:, 0]
            y, stack = self._pixel(pixel[rows], select(state["stack"], rows))
            new["y"], new["stack"] = put((state["y"], state["stack"]), rows, (y, stack))
        return self.head.scores(new["y"], pixel, channel), new

    def _pixel(self, pixel: Tensor, stack: dict[str, Tensor]) -> tuple[Tensor, Any]:
        y, stack = self.stack.step(self._embedded(pixel[:, None]), stack)
        return y[:, 0], stack

    def _embedded(self, x: Tensor) -> Tensor:
        """Levels (B, N, C) to (B, N, E)."""
        return self.embedding(x + self.first).sum(2)


class PixelCNN(
    nn.Module,
    SavedModel,
    library_name="ensue",
    license="apache-2.0",
    tags=["autoregressive", "pixelcnn", "density-estimation"],
):
    r"""A gated PixelCNN of images.

    .. math:: \log p(x) = \sum_n \sum_c \log p(x_{nc} \mid x_{1} \ldots x_{n-1},
              x_{n1} \ldots x_{n,c-1})

    pixel by pixel, row by row, and within a pixel channel by channel (eq. 1 and 2, van den Oord et
    al. 2016, 1601.06759; gated, without a blind spot: 1606.05328). Where data have classes (the
    setting ``condition``), p(x | class) and p(x).

    Args:
        config: The settings; the codec gives ``num_tokens``, ``bos`` and ``shape``.

    Raises:
        ConfigError: A setting is wrong.

    Example:
        >>> config = PixelCNNConfig(num_tokens=5, bos=4, shape=(3, 2, 2), channels=8, num_layers=2)
        >>> model = PixelCNN(config).eval()
        >>> score = model.score(torch.zeros(2, 3, 2, 2, dtype=torch.long))
        >>> score.kind, score.terms.shape
        ('exact', torch.Size([2, 12]))
    """

    def __init__(self, config: PixelCNNConfig) -> None:
        super().__init__()
        self.config = config = validate(PixelCNNConfig, config, section="model")
        self.shape, self.levels = require_facts(config)
        self.decoder = PixelDecoder(self.shape, self.levels, config)

    def untrained_variants(self) -> dict[str, PixelCNNConfig]:
        """What to compare a trained model with: itself, untrained."""
        return {"pixelcnn": self.config}

    @property
    def shortest(self) -> int:
        """Steps of the shortest item; an image is one."""
        return 1

    @property
    def shortest_item(self) -> int:
        """Steps of the shortest item; an image is one."""
        return 1

    def loss(self, batch: Batch, *, step: int) -> Loss:
        """Nats of all values, summed.

        Args:
            batch: ``x`` (B, C, H, W) levels, and where there are classes ``condition`` (B,).
            step: The class of which items is hidden is a function of the item and the step.
        """
        x, of = self._values(batch.x), self.decoder.classes
        given = batch.condition if of is None else of.hide(batch.condition, x, step)
        return tokens.loss(self._score(x, given).terms, None, self.levels)

    def encode(
        self, x: Tensor, lengths: Tensor | None = None, *, condition: Tensor | None = None
    ) -> Features:
        """Embeddings of pixels, features of those before each, and their mean and deviation.

        Args:
            x: (B, C, H, W) levels.
            lengths: None; images have none.
            condition: Classes (B,), -1 where one isn't known, or None where none is.

        Returns:
            ``local`` (B, H W, E), ``context`` (B, H W, S), ``embedding`` (B, 2 S).
        """
        require_no_lengths(lengths)
        values = self._values(x)
        z, y = self.decoder.features(self._pixels(values), condition)
        moments: Moments = add_frames(no_moments(len(y), y.shape[-1], y), y, None)
        return Features(z, y, pool(moments, "statistics"))

    def score(
        self, x: Tensor, lengths: Tensor | None = None, *, condition: Tensor | None = None
    ) -> Score:
        """The log-probability of each image, value by value.

        Args:
            x: (B, C, H, W) levels.
            lengths: None; images have none.
            condition: Classes (B,), -1 where one isn't known, or None where none is.

        Returns:
            ``total`` (B,) nats; ``terms`` (B, H W C). Bits a dimension are
            ``-total / (C H W log 2)``.

        Memory: B H W C V numbers; with the head ``logistic`` B H W C M.
        """
        require_no_lengths(lengths)
        return self._score(self._values(x), condition)

    def log_prob(
        self, x: Tensor, lengths: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """(B,) nats of images.

        Raises:
            ConfigError: There is a condition and the model has no classes, or it is none of them.
        """
        return self.score(x, lengths, condition=condition).total

    def sample(
        self,
        num: int,
        *,
        condition: Tensor | None = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        **settings: Any,
    ) -> Samples:
        """Draw images.

        Args:
            num: How many.
            condition: A class, or classes (num,); None draws from all.
            temperature: 1 draws from the model, 0 takes the likeliest value each time.
            generator: Of the draw.
            settings: Of :class:`ensue.generation.GenerationConfig`, over the model's own.

        Returns:
            ``values`` (num, C, H, W) levels, and the ``log_prob`` of each.
        """
        prompts = self._prompts([torch.tensor([self.levels])] * num, for_each(condition, num))
        settings = {**settings, "temperature": temperature}
        own = self.config.generation
        return self._items(tokens.sample(prompts, own, settings, generator=generator))

    def complete(
        self,
        x: Tensor,
        known: Tensor,
        *,
        condition: Tensor | None = None,
        num: int = 1,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        **settings: Any,
    ) -> Samples:
        """Draw how images go on.

        Args:
            x: (B, C, H, W) levels.
            known: Boolean like x: what is given, which must be what is read first.
            condition: Classes (B,), -1 where one isn't known, or None where none is.
            num: Completions of each.
            temperature: 1 draws from the model, 0 takes the likeliest value each time.
            generator: Of the draw.
            settings: Of :class:`ensue.generation.GenerationConfig`, over the model's own.

        Returns:
            Whole images (B num, C, H, W), those of the first one first, with the ``log_prob`` of
            what is new and ``item``, which of the given ones goes on so. With the method ``beam``
            they are the likeliest, as many as it finds.

        Raises:
            ConfigError: Something is known after what isn't: this family goes forward only. Or
                ``known`` has another shape, or leaves nothing to complete.
        """
        require_unknown(known, x)
        known = nn.functional.pad(sequence_of(known), (1, 0), value=True)
        given = tokens.first_tokens(self.to_tokens(x), known)
        condition = for_each(condition, len(x))
        settings = {**settings, "temperature": temperature}
        return self._items(
            tokens.complete(
                lambda some, item: self._prompts(
                    some, None if condition is None else condition[item]
                ),
                given,
                self.config.generation,
                settings,
                num=num,
                generator=generator,
            )
        )

    def prompts(self, num: int) -> Prompts:
        """What ``num`` images begin with: bos."""
        return self._prompts([torch.tensor([self.levels])] * num, None)

    def to_tokens(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Levels (B, C, H, W) as tokens (B, 1 + D), bos first, in the order of prediction."""
        require_no_lengths(lengths)
        return joined_values(self.levels, self._values(x))

    def from_tokens(self, tokens: Tensor) -> Tensor:
        """Tokens (B, 1 + D), bos first, as levels (B, C, H, W)."""
        return image_of(tokens[:, 1:], self.shape)

    def _score(self, values: Tensor, condition: Tensor | None) -> Score:
        pixels = self._pixels(values)
        _, y = self.decoder.features(pixels, condition)
        terms = self.decoder.head.log_prob(y, pixels).flatten(1)
        return Score(terms.double().sum(-1).to(terms.dtype), terms, "exact")

    def _values(self, x: Tensor) -> Tensor:
        return values_of(x, self.shape, self.levels)

    def _pixels(self, values: Tensor) -> Tensor:
        return values.unflatten(1, (-1, self.shape[0]))

    def _items(self, samples: Samples) -> Samples:
        images = self.from_tokens(samples.values)
        return Samples(images, None, samples.log_prob, item=samples.item)

    def _prompts(self, given: list[Tensor], condition: Tensor | None) -> Prompts:
        limits = torch.tensor([math.prod(self.shape) + 1 - len(prompt) for prompt in given])
        return Prompts(
            self.decoder,
            given,
            num_tokens=self.levels + 1,
            condition=condition,
            limits=limits,
            device=self.decoder.stack.places.device,
        )


def _begin_smooth_(embedding: nn.Embedding, levels: int) -> None:
    """Levels of each channel by themselves."""
    for weight in embedding.weight.data.split(levels):
        begin_smooth_(weight)
