"""The recurrent language model: what a text says next, token by token (Graves 2013, 1308.0850).

The recurrent layers stand in ``ensue.nn.recurrent``, drawing and beams in ``ensue.generation``.
Dims: B batch, T tokens, E embedding, H features, V vocabulary.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ensue.configuration import STRICT, Format, from_data, validate
from ensue.data.batches import Batch
from ensue.errors import ConfigError
from ensue.generation import GenerationConfig, Prompts
from ensue.models import tokens
from ensue.models.protocols import Features, Loss, Samples, Score
from ensue.models.saved import SavedModel
from ensue.nn import GRU, LSTM
from ensue.nn.packing import Packing, run_packed


@dataclass(frozen=True, kw_only=True)
class CharRNNConfig:
    """Settings of a recurrent language model. The defaults are those of the recipe ``text``."""

    __pydantic_config__ = STRICT

    format: Format = 1
    family: Literal["charrnn"] = "charrnn"
    cell: Annotated[Literal["lstm", "gru"], Field(description="recurrent layers")] = "gru"
    embedding_size: Annotated[int, Field(gt=0, description="features E of a token")] = 128
    hidden_size: Annotated[int, Field(gt=0, description="features H of a layer")] = 512
    num_layers: Annotated[int, Field(gt=0, description="recurrent layers")] = 1
    dropout: Annotated[
        float, Field(ge=0, lt=1, description="of what enters a layer and the scores")
    ] = 0.0
    recurrent_dropout: Annotated[
        float, Field(ge=0, lt=1, description="of outputs that the next step's gates see")
    ] = 0.0
    zoneout: Annotated[
        float, Field(ge=0, lt=1, description="probability that an output keeps its old value")
    ] = 0.0
    layer_norm: Annotated[bool, Field(description="normalize the products of each gate")] = False
    num_tokens: Annotated[int | None, Field(gt=0)] = from_data()
    bos: Annotated[int | None, Field(ge=0)] = from_data()
    eos: Annotated[int | None, Field(ge=0)] = from_data()
    generation: GenerationConfig = field(
        default_factory=GenerationConfig, metadata={"from_data": True}
    )


class TokenDecoder(nn.Module):
    """Tokens (B, T) to scores (B, T, V) of the next ones, with a state: what generation steps.

    Args:
        num_tokens: V.
        embedding_size: E.
        layers: Recurrent layers of this house, from E to H features.
        dropout: Of what enters the layers and the scores.
    """

    recordable = True

    def __init__(
        self, num_tokens: int, embedding_size: int, layers: LSTM | GRU, dropout: float
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_tokens, embedding_size)
        self.layers = layers
        self.scores = nn.Linear(layers.hidden_size, num_tokens)
        self.dropout = nn.Dropout(dropout)
        self.num_features = layers.hidden_size

    def features(
        self, x: Tensor, state: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Embeddings (B, T, E) of tokens, features (B, T, H) of all up to each, and the state."""
        z = self.embedding(x.long())
        y, state = self.layers.step(self.dropout(z), state)
        return z, y, state

    def init_state(self, batch: int) -> dict[str, Tensor]:
        """The state of ``batch`` texts before their first token."""
        return self.layers.init_state(batch)

    def step(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Scores (B, T, V) of what follows each of the tokens (B, T), and the state."""
        _, y, state = self.features(x, state)
        return self.scores(self.dropout(y)), state

    def packed(self, x: Tensor, packing: Packing) -> Tensor:
        """The log-probability (N,) of what follows each of the packed tokens of texts (B, T)."""
        inputs = self.dropout(self.embedding(packing.pack(x[:, :-1])))
        y, _ = run_packed(self.layers, inputs, packing)
        scores = self.scores(self.dropout(y))
        return -cross_entropy(scores, packing.pack(x[:, 1:]), reduction="none")

    def finish(self, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """No more scores."""
        batch = len(next(iter(state.values())))
        return self.scores.weight.new_zeros(batch, 0, self.scores.out_features), state


class CharRNN(
    nn.Module,
    SavedModel,
    library_name="ensue",
    license="apache-2.0",
    tags=["language-model", "lstm", "gru", "text-generation"],
):
    r"""A recurrent language model.

    .. math:: \log p(x_1 \ldots x_T) = \sum_t \log \mathrm{softmax}(W h_t + b)_{x_t}, \quad
              h_t = \mathrm{RNN}(x_{t-1}, h_{t-1}), \quad x_0 = \mathrm{bos}

    (eq. 3, Graves 2013). A sequence of tokens holds bos first; what follows is predicted.

    Args:
        config: The settings; the codec gives ``num_tokens``, ``bos`` and ``eos``.

    Raises:
        ConfigError: A setting is wrong.

    Example:
        >>> config = CharRNNConfig(num_tokens=6, bos=4, eos=5, hidden_size=8, embedding_size=8)
        >>> model = CharRNN(config).eval()
        >>> score = model.score(torch.tensor([[4, 0, 1, 5]]))
        >>> score.kind, score.terms.shape
        ('exact', torch.Size([1, 3]))
    """

    def __init__(self, config: CharRNNConfig) -> None:
        super().__init__()
        self.config = config = validate(CharRNNConfig, config, section="model")
        V, bos, eos = config.num_tokens, config.bos, config.eos
        if V is None or bos is None or eos is None or max(bos, eos) >= V:
            raise ConfigError(
                f"num_tokens is {V}, bos {bos} and eos {eos}; the codec of the texts gives them"
            )
        self.num_tokens, self.bos, self.eos = V, bos, eos
        self.decoder = TokenDecoder(
            V, config.embedding_size, _recurrent_layers(config), config.dropout
        )

    def untrained_variants(self) -> dict[str, CharRNNConfig]:
        """What to compare a trained model with: itself, untrained."""
        return {"charrnn": self.config}

    @property
    def shortest(self) -> int:
        """Tokens of the shortest text that has something to predict, bos and another."""
        return 2

    @property
    def shortest_item(self) -> int:
        """Tokens of the shortest text, bos and eos."""
        return 2

    @property
    def hop(self) -> int:
        """Tokens per frame."""
        return 1

    @property
    def receptive_field(self) -> int:
        """Tokens that one local feature sees."""
        return 1

    def loss(self, batch: Batch, *, step: int) -> Loss:
        """Nats of all tokens after the first, summed.

        Args:
            batch: ``x`` (B, T) tokens.
            step: Plays no part.
        """
        x, lengths = batch.x, batch.lengths
        # Padding costs nothing where each text has something to predict.
        if lengths is None or bool((lengths < self.shortest).any()):
            terms = self.score(x, lengths).terms
        else:
            terms = self.decoder.packed(x.long(), Packing.of(lengths - 1))
        return tokens.loss(terms, lengths, self.num_tokens)

    def encode(self, x: Tensor, lengths: Tensor | None = None) -> Features:
        """Embeddings of tokens, features of all up to each, and their mean and deviation.

        Args:
            x: (B, T) tokens, padded at the end.
            lengths: (B,) valid tokens, or None where all are.

        Returns:
            ``local`` (B, T, E), ``context`` (B, T, H), ``embedding`` (B, 2 H).
        """
        return tokens.encode(self.decoder, x, lengths)

    def score(self, x: Tensor, lengths: Tensor | None = None) -> Score:
        """The log-probability of each text, token by token.

        Args:
            x: (B, T) tokens, bos first, padded at the end.
            lengths: (B,) valid tokens, or None where all are.

        Returns:
            ``total`` (B,) nats; ``terms`` (B, T - 1), 0 beyond the end.

        Memory: B V numbers for each of 1024 tokens at a time.
        """
        return tokens.score(self.decoder, x, lengths)

    def log_prob(
        self, x: Tensor, lengths: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """(B,) nats of texts (B, T), bos first.

        Raises:
            ConfigError: There is a condition, which this family has no place for.
        """
        tokens.require_no_condition(condition, "charrnn")
        return self.score(x, lengths).total

    def sample(
        self,
        num: int,
        *,
        condition: Tensor | None = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        **settings: Any,
    ) -> Samples:
        """Draw texts.

        Args:
            num: How many.
            condition: None; this family has no place for one.
            temperature: 1 draws from the model, 0 takes the likeliest token each time.
            generator: Of the draw.
            settings: Of :class:`ensue.generation.GenerationConfig`, over the model's own.

        Returns:
            ``values`` (num, T) tokens, bos first and, where one came, eos last; their ``lengths``;
            ``log_prob`` of each.
        """
        tokens.require_no_condition(condition, "charrnn")
        prompts = self.prompts(num)
        settings = {**settings, "temperature": temperature}
        return tokens.sample(prompts, self.config.generation, settings, generator=generator)

    def complete(
        self,
        x: Tensor,
        known: Tensor,
        *,
        num: int = 1,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        **settings: Any,
    ) -> Samples:
        """Draw how texts go on.

        Args:
            x: (B, T) tokens, bos first.
            known: (B, T) Boolean: the tokens given, which must be the first ones.
            num: Completions of each.
            temperature: 1 draws from the model, 0 takes the likeliest token each time.
            generator: Of the draw.
            settings: Of :class:`ensue.generation.GenerationConfig`, over the model's own.

        Returns:
            Whole texts (B num, T), those of the first one first, with the ``log_prob`` of what is
            new and ``item``, which of the texts goes on so. With the method ``beam`` they are the
            likeliest, as many as it finds.

        Raises:
            ConfigError: A token is known after one that isn't: this family goes forward only.
        """
        given, own = tokens.first_tokens(x, known), self.config.generation
        settings = {**settings, "temperature": temperature}
        return tokens.complete(
            lambda some, _: self._prompts(some), given, own, settings, num=num, generator=generator
        )

    def prompts(self, num: int) -> Prompts:
        """What ``num`` texts begin with: bos."""
        return self._prompts([torch.tensor([self.bos])] * num)

    def to_tokens(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Texts are tokens (B, T), bos first."""
        return x

    def from_tokens(self, tokens: Tensor) -> Tensor:
        """Tokens (B, T), bos first, are texts."""
        return tokens

    def init_state(self, batch: int) -> tokens.TokenState:
        """The state of ``batch`` streams before their first token."""
        return tokens.init_state(
            self.decoder, self.decoder.embedding.weight, self.decoder.init_state(batch)
        )

    def step(self, x: Tensor, state: tokens.TokenState) -> tuple[Features, tokens.TokenState]:
        """The features of a chunk (B, T) of tokens; ``embedding`` is of all so far."""
        return tokens.step(self.decoder, x, state)

    def finish(self, state: tokens.TokenState) -> tuple[Features, tokens.TokenState]:
        """No more features; the embedding of all."""
        return tokens.finish(self.decoder, state)

    @property
    def _device(self) -> torch.device:
        return self.decoder.scores.weight.device

    def _prompts(self, given: list[Tensor]) -> Prompts:
        return Prompts(
            self.decoder, given, num_tokens=self.num_tokens, eos=self.eos, device=self._device
        )


def _recurrent_layers(config: CharRNNConfig) -> LSTM | GRU:
    shape: dict[str, Any] = {
        "input_size": config.embedding_size,
        "hidden_size": config.hidden_size,
        "num_layers": config.num_layers,
        # torch warns of dropout between layers where there is one layer.
        "dropout": config.dropout if config.num_layers > 1 else 0.0,
        "layer_norm": config.layer_norm,
        "zoneout": config.zoneout,
        "recurrent_dropout": config.recurrent_dropout,
    }
    return GRU(**shape) if config.cell == "gru" else LSTM(**shape, forget_bias=1.0)
