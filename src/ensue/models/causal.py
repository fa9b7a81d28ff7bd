"""Causal models of tokens: what comes next, from everything before it, exactly.

The layers stand in ``ensue.nn.causal_conv`` and ``ensue.nn.causal_attention``, drawing and beams in
``ensue.generation``. Dims: B batch, T tokens, E channels, S skip channels, V vocabulary.
"""

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from ensue.configuration import STRICT, Format, from_data, refuse_unread, validate
from ensue.data.batches import Batch
from ensue.errors import ConfigError
from ensue.generation import GenerationConfig, Prompts
from ensue.models import tokens
from ensue.models.condition import class_condition, for_each, vectors_of
from ensue.models.images import (
    begin_smooth_,
    image_of,
    joined_values,
    require_no_lengths,
    require_unknown,
    sequence_of,
    values_of,
)
from ensue.models.protocols import Features, Loss, Samples, Score
from ensue.models.saved import SavedModel
from ensue.nn import CausalTransformer, GatedStack
from ensue.nn.causal_conv import condition_at


@dataclass(frozen=True, kw_only=True)
class CausalConfig:
    """Settings of a causal model. The defaults are those of the benchmark ``causal``."""

    __pydantic_config__ = STRICT

    format: Format = 1
    family: Literal["causal"] = "causal"
    backbone: Annotated[
        Literal["convolution", "transformer"],
        Field(description="gated causal convolutions (WaveNet), or causal attention"),
    ] = "convolution"
    channels: Annotated[int, Field(gt=0, description="features E of a token")] = 64
    skip_channels: Annotated[
        int, Field(gt=0, description="features S that each convolution gives to the scores")
    ] = 64
    num_layers: Annotated[int, Field(gt=0, description="layers")] = 8
    kernel_size: Annotated[int, Field(gt=0, description="taps of a convolution")] = 3
    dilations: Annotated[
        tuple[int, ...],
        Field(
            description="dilations of the convolutions, taken in turn; none: 1, 2, 4 to 128 for "
            "sequences, 1 and a row for images"
        ),
    ] = ()
    num_heads: Annotated[int, Field(gt=0, description="heads of attention")] = 4
    attention_window: Annotated[
        int, Field(gt=0, description="tokens back that attention reaches")
    ] = 1024
    dropout: Annotated[float, Field(ge=0, lt=1, description="inside the layers")] = 0.0
    condition_size: Annotated[
        int,
        Field(ge=0, description="numbers that a loop of your own gives with each item or step"),
    ] = 0
    condition_hidden: Annotated[
        float, Field(gt=0, le=1, description="part of the items whose class is hidden in training")
    ] = 0.1
    num_tokens: Annotated[int | None, Field(gt=0)] = from_data()
    bos: Annotated[int | None, Field(ge=0)] = from_data()
    eos: Annotated[int | None, Field(ge=0)] = from_data()
    shape: Annotated[tuple[int, int, int] | None, Field()] = from_data()
    classes: tuple[str, ...] = from_data(())
    generation: GenerationConfig = field(
        default_factory=GenerationConfig, metadata={"from_data": True}
    )

    def __post_init__(self) -> None:
        other = {
            "convolution": dict.fromkeys(("num_heads", "attention_window"), "the transformer"),
            "transformer": dict.fromkeys(
                ("skip_channels", "kernel_size", "dilations"), "the convolution"
            ),
        }
        refuse_unread(self, other.get(self.backbone, {}))


class CausalDecoder(nn.Module):
    """Tokens (B, T) to scores (B, T, V) of the next ones, with a state: what generation steps.

    Args:
        num_tokens: Tokens that can be read.
        num_scores: V, tokens that can follow; the first ones of those.
        bos: The token before the first.
        config: Of the layers.
    """

    def __init__(self, num_tokens: int, num_scores: int, bos: int, config: CausalConfig) -> None:
        super().__init__()
        self.bos = bos
        E, shape = config.channels, config.shape
        self.embedding = nn.Embedding(num_tokens, E)
        self.classes = class_condition(config.classes, E, hidden=config.condition_hidden)
        self.condition_size = config.condition_size
        self.positions = self.above = None
        if shape is not None:
            self.positions = nn.Embedding(math.prod(shape) + 1, E)
            # The token read last is the left neighbor; the one above was read a row less one ago.
            self.row = shape[0] * shape[2] - 1
            self.above = nn.Embedding(num_tokens, E) if self.row else None
            nn.init.normal_(self.positions.weight, std=0.3)
            for levels in filter(None, (self.embedding, self.above)):
                begin_smooth_(levels.weight.data[:num_scores])
        if config.backbone == "transformer":
            self.layers: GatedStack | CausalTransformer = CausalTransformer(
                E,
                num_layers=config.num_layers,
                num_heads=config.num_heads,
                window=_window(config),
                dropout=config.dropout,
            )
            # Attention has no gates that a condition could turn; it is added to every token.
            self.given = nn.Linear(self.condition_size, E) if self.condition_size else None
            self.scores: nn.Module = nn.Linear(E, num_scores)
            self.num_features = E
        else:
            S = config.skip_channels
            self.layers = GatedStack(
                E,
                S,
                kernel_size=config.kernel_size,
                dilations=_dilations(config),
                condition_size=self.condition_size or (E if config.classes else 0),
                dropout=config.dropout,
            )
            self.scores = nn.Sequential(
                nn.ReLU(), nn.Linear(S, S), nn.ReLU(), nn.Linear(S, num_scores)
            )
            self.num_features = S

    @property
    def recordable(self) -> bool:
        """Whether a step reads nothing back; it does to see that numbers for steps suffice."""
        return not self.condition_size

    def features(self, x: Tensor, state: dict[str, Any]) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """Embeddings (B, T, E) of tokens, features (B, T, S) of all up to each, and the state."""
        new = dict(state)
        z = self.embedding(x.long())
        if self.above is not None:
            seen = torch.cat([state["above"], x.long()], dim=1)
            z = z + self.above(seen[:, : x.shape[1]])
            new["above"] = seen[:, x.shape[1] :]
        if self.positions is not None:
            at = state["layers"]["at"][:, None]
            if x.shape[1] != 1:
                at = at + torch.arange(x.shape[1], device=x.device)
            z = z + self.positions(at)
        if "condition" in state:
            z = z + condition_at(state["condition"], state["layers"]["at"], x.shape[1])
        y, new["layers"] = self.layers.step(z, state["layers"])
        return z, y, new

    def init_state(self, batch: int, condition: Tensor | None = None) -> dict[str, Any]:
        """The state of ``batch`` sequences before their first token.

        Args:
            batch: B.
            condition: Classes (B,); or numbers (B, E), or (B, T, E) for the steps T of each, where
                the model has a ``condition_size`` E.

        Raises:
            ConfigError: It has another form, is missing, or there is no place for one.
        """
        given = self._vectors(condition, batch)
        if given is None:
            state: dict[str, Any] = {"layers": self.layers.init_state(batch)}
        elif isinstance(self.layers, GatedStack):
            state = {"layers": self.layers.init_state(batch, given)}
        else:
            added = given if self.given is None else self.given(given)
            state = {"layers": self.layers.init_state(batch), "condition": added}
        if self.above is not None:
            state["above"] = torch.full(
                (batch, self.row), self.bos, device=self.embedding.weight.device
            )
        return state

    def _vectors(self, condition: Tensor | None, batch: int) -> Tensor | None:
        """What the layers are conditioned on: (B, E), (B, T, E), or None."""
        E = self.condition_size
        if not E:
            return vectors_of(self.classes, condition, batch)
        if condition is None:
            raise ConfigError(
                f"condition is missing: this model (condition_size {E}) takes {E} numbers with "
                "each item, which a loop of your own must give"
            )
        right = condition.dim() in (2, 3) and condition.shape[-1] == E and len(condition) == batch
        if not right or not condition.is_floating_point():
            raise ConfigError(
                f"condition is {tuple(condition.shape)} of {condition.dtype}; it is {E} numbers, "
                f"({batch}, {E}), or so many for each step, ({batch}, steps, {E})"
            )
        return condition

    def step(self, x: Tensor, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Scores (B, T, V) of what follows each of the tokens (B, T), and the state."""
        _, y, state = self.features(x, state)
        return self.scores(y), state

    def finish(self, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """No more scores."""
        y, _ = self.layers.finish(state["layers"])
        return self.scores(y), state


class Causal(
    nn.Module,
    SavedModel,
    library_name="ensue",
    license="apache-2.0",
    tags=["autoregressive", "wavenet", "transformer", "density-estimation"],
):
    r"""A causal autoregressive model of tokens.

    .. math:: \log p(x_1 \ldots x_T) = \sum_t \log \mathrm{softmax}(f(x_0 \ldots x_{t-1}))_{x_t},
              \quad x_0 = \mathrm{bos}

    (eq. 1, van den Oord et al. 2016, 1609.03499). All T conditionals of a sequence are one pass in
    training; in generation a step costs the same wherever it stands.

    Texts are tokens (B, T), bos first. Images are levels (B, C, H, W), which are read row by row,
    the channels of a pixel together.

    Args:
        config: The settings; the codec gives ``num_tokens``, ``bos``, ``eos`` and ``shape``.

    Raises:
        ConfigError: A setting is wrong.

    Example:
        >>> config = CausalConfig(num_tokens=5, bos=4, shape=(1, 2, 3), num_layers=2, channels=8)
        >>> model = Causal(config).eval()
        >>> score = model.score(torch.zeros(2, 1, 2, 3, dtype=torch.long))
        >>> score.kind, score.terms.shape
        ('exact', torch.Size([2, 6]))
    """

    def __init__(self, config: CausalConfig) -> None:
        super().__init__()
        self.config = config = validate(CausalConfig, config, section="model")
        V, bos, eos = config.num_tokens, config.bos, config.eos
        if V is None or bos is None or max(bos, eos or 0) >= V:
            raise ConfigError(f"num_tokens is {V}, bos {bos} and eos {eos}; the codec gives them")
        if config.shape is not None and bos != V - 1:
            raise ConfigError(f"of images bos is the last token, {V - 1}, not {bos}")
        if config.condition_size and config.classes:
            raise ConfigError(
                "condition_size is for numbers, and the data give classes; leave it out"
            )
        self.num_tokens, self.bos, self.eos = V, bos, eos
        # Of images bos is the last token, which never follows.
        self.num_scores = V if config.shape is None else V - 1
        self.decoder = CausalDecoder(V, self.num_scores, bos, config)

    def untrained_variants(self) -> dict[str, CausalConfig]:
        """What to compare a trained model with: itself, untrained."""
        return {"causal": self.config}

    @property
    def shortest(self) -> int:
        """Tokens of the shortest sequence that has something to predict, bos and another."""
        return 1 if self.config.shape else 2

    @property
    def shortest_item(self) -> int:
        """Tokens of the shortest item, bos and eos; an image is one."""
        return 1 if self.config.shape else 2

    @property
    def hop(self) -> int:
        """Tokens per frame."""
        return 1

    @property
    def receptive_field(self) -> int:
        """Tokens from its own on that a feature sees."""
        return 1

    def loss(self, batch: Batch, *, step: int) -> Loss:
        """Nats of all tokens after the first, summed.

        Args:
            batch: ``x`` (B, T) tokens or (B, C, H, W) levels.
            step: The class of which items is hidden is a function of the item and the step.
        """
        x, of = self.to_tokens(batch.x, batch.lengths), self.decoder.classes
        given = batch.condition if of is None else of.hide(batch.condition, x, step)
        score = tokens.score(self.decoder, x, batch.lengths, self.decoder.init_state(len(x), given))
        return tokens.loss(score.terms, batch.lengths, self.num_scores)

    def encode(
        self, x: Tensor, lengths: Tensor | None = None, *, condition: Tensor | None = None
    ) -> Features:
        """Embeddings of tokens, features of all up to each, and their mean and deviation.

        Args:
            x: (B, T) tokens, padded at the end, or (B, C, H, W) levels.
            lengths: (B,) valid tokens, or None where all are.
            condition: Classes (B,), -1 where one isn't known, or None where none is.

        Returns:
            ``local`` (B, T, E), ``context`` (B, T, S), ``embedding`` (B, 2 S).
        """
        state = self.decoder.init_state(len(x), condition)
        return tokens.encode(self.decoder, self.to_tokens(x, lengths), lengths, state)

    def score(
        self, x: Tensor, lengths: Tensor | None = None, *, condition: Tensor | None = None
    ) -> Score:
        """The log-probability of each item, token by token.

        Args:
            x: (B, T) tokens, bos first, padded at the end, or (B, C, H, W) levels.
            lengths: (B,) valid tokens, or None where all are.
            condition: Classes (B,), -1 where one isn't known, or None where none is.

        Returns:
            ``total`` (B,) nats; ``terms`` (B, T - 1), 0 beyond the end. Bits a dimension of an
            image are ``-total / (C H W log 2)``.

        Memory: B V numbers for each of 1024 tokens at a time.
        """
        state = self.decoder.init_state(len(x), condition)
        return tokens.score(self.decoder, self.to_tokens(x, lengths), lengths, state)

    def log_prob(
        self, x: Tensor, lengths: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """(B,) nats of items.

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
        """Draw items.

        Args:
            num: How many.
            condition: A class, or classes (num,); None draws from all. Or the numbers that a
                model with a ``condition_size`` takes.
            temperature: 1 draws from the model, 0 takes the likeliest token each time.
            generator: Of the draw.
            settings: Of :class:`ensue.generation.GenerationConfig`, over the model's own.

        Returns:
            ``values`` (num, T) tokens, bos first and, where one came, eos last, with their
            ``lengths``; or (num, C, H, W) levels. ``log_prob`` of each.
        """
        prompts = self._prompts([torch.tensor([self.bos])] * num, for_each(condition, num))
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
        """Draw how items go on.

        Args:
            x: (B, T) tokens, bos first, or (B, C, H, W) levels.
            known: Boolean like x: what is given, which must be what is read first.
            condition: Classes (B,), -1 where one isn't known, or None where none is.
            num: Completions of each.
            temperature: 1 draws from the model, 0 takes the likeliest token each time.
            generator: Of the draw.
            settings: Of :class:`ensue.generation.GenerationConfig`, over the model's own.

        Returns:
            Whole items (B num, ...), those of the first one first, with the ``log_prob`` of what
            is new and ``item``, which of the given ones goes on so. With the method ``beam`` they
            are the likeliest, as many as it finds.

        Raises:
            ConfigError: Something is known after what isn't: this family goes forward only. Or
                ``known`` has another shape, or leaves nothing to complete.
        """
        if self.config.shape is not None:
            require_unknown(known, x)
            known = nn.functional.pad(sequence_of(known), (1, 0), value=True)
        condition = for_each(condition, len(x))
        settings = {**settings, "temperature": temperature}
        return self._items(
            tokens.complete(
                lambda some, item: self._prompts(
                    some, None if condition is None else condition[item]
                ),
                tokens.first_tokens(self.to_tokens(x), known),
                self.config.generation,
                settings,
                num=num,
                generator=generator,
            )
        )

    def prompts(self, num: int) -> Prompts:
        """What ``num`` items begin with: bos."""
        return self._prompts([torch.tensor([self.bos])] * num, None)

    def to_tokens(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Items as tokens (B, T), bos first: the one place where what is predicted is shifted."""
        if self.config.shape is None:
            return x
        require_no_lengths(lengths)
        if x.dim() == 2:
            if x.shape[1] > math.prod(self.config.shape) + 1:
                raise ConfigError(
                    f"an image has {math.prod(self.config.shape)} tokens after bos, not "
                    f"{x.shape[1] - 1}"
                )
            return x
        return joined_values(self.bos, values_of(x, self.config.shape, self.bos))

    def from_tokens(self, tokens: Tensor) -> Tensor:
        """Tokens (B, T), bos first, as items."""
        if self.config.shape is None:
            return tokens
        return image_of(tokens[:, 1:], self.config.shape)

    def init_state(self, batch: int, condition: Tensor | None = None) -> tokens.TokenState:
        """The state of ``batch`` streams of tokens, of classes (B,), before their first one."""
        state = self.decoder.init_state(batch, condition)
        return tokens.init_state(self.decoder, self.decoder.embedding.weight, state)

    def step(self, x: Tensor, state: tokens.TokenState) -> tuple[Features, tokens.TokenState]:
        """The features of a chunk (B, T) of tokens; ``embedding`` is of all so far."""
        if x.shape[1] == 1:
            # Layers write into the state of a single step; a stream may be branched off this one.
            state = {**state, "decoder": tree_map(torch.clone, state["decoder"])}
        return tokens.step(self.decoder, x, state)

    def finish(self, state: tokens.TokenState) -> tuple[Features, tokens.TokenState]:
        """No more features; the embedding of all."""
        return tokens.finish(self.decoder, state)

    @property
    def _device(self) -> torch.device:
        return self.decoder.embedding.weight.device

    def _items(self, samples: Samples) -> Samples:
        """Samples in the form of the items."""
        if self.config.shape is None:
            return samples
        values = self.from_tokens(samples.values)
        return Samples(values, None, samples.log_prob, item=samples.item)

    def _prompts(self, given: list[Tensor], condition: Tensor | None) -> Prompts:
        shape, limits = self.config.shape, None
        if shape is not None:
            limits = torch.tensor([math.prod(shape) + 1 - len(prompt) for prompt in given])
        return Prompts(
            self.decoder,
            given,
            num_tokens=self.num_tokens,
            eos=self.eos,
            condition=condition,
            limits=limits,
            device=self._device,
        )


def _window(config: CausalConfig) -> int:
    """No more than an image has: what attention could see beyond is never there."""
    if config.shape is None:
        return config.attention_window
    return min(config.attention_window, math.prod(config.shape) + 1)


def _dilations(config: CausalConfig) -> tuple[int, ...]:
    """One for each layer, in turn."""
    if config.dilations:
        turn = config.dilations
    elif config.shape is not None:
        turn = (1, config.shape[0] * config.shape[2])
    else:
        turn = tuple(2**i for i in range(8))
    return tuple(turn[i % len(turn)] for i in range(config.num_layers))
