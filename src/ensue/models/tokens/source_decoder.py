"""From a source to scores of tokens: the attention decoder that generation steps.

Dims: B sequences, T tokens, K regions, F features of a region, A features of an answer, C concepts,
E embedding, H features, Z features of a query, G features of a glimpse, V vocabulary.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ensue.data.batches import Source
from ensue.errors import ConfigError
from ensue.models.tokens.seq2seq_config import Seq2SeqConfig
from ensue.models.tokens.sources import AnswerEncoder
from ensue.nn import GRU, LSTM
from ensue.nn.attention import (
    AdditiveAttention,
    Attention,
    BilinearAttention,
    DotAttention,
    LowRankBilinear,
    glimpses,
    region_mask,
)
from ensue.nn.product import projected


class SourceDecoder(nn.Module):
    r"""Tokens (B, T) to scores (B, T, V) of the next ones, given a source.

    .. math::
        \begin{aligned}
        h_0 &= \tanh(W_c c + W_a a), \qquad h_t = \mathrm{RNN}(e(x_{t-1}), h_{t-1}) \\
        z_t &= \mathrm{ReLU}(W_h h_t + W'_a a), \qquad
        \alpha_t = \mathrm{attend}(z_t, v), \qquad v_t = \sum_k \alpha_{tk} v_k \\
        g_t &= \mathrm{MLB}(v_t, z_t), \qquad \mathrm{logits}_t = W_o g_t + b_o
        \end{aligned}

    (Liu et al. 2018.) Where there are no concepts c, the mean region takes their place. An
    answer that is a vector and concepts, if they are as wide as an embedding, may be given as
    tokens of the text's vocabulary: then they are e(a) and e(c). A
    glimpse isn't fed back, so that all steps run side by side; with ``input_feeding`` (Luong et al.
    2015, 1508.04025, section 3.3) the one before is read with each token, and steps follow each
    other.

    Args:
        num_tokens: V.
        embedding_size: E.
        source_size: F.
        answer: Encodes answers, or None where there are none.
        concept_size: C, or 0.
        query_size: Z.
        layers: Recurrent layers of this house, from E (with ``input_feeding`` E + G) to H features.
        attention: From queries of Z features and regions to weights.
        joint: From a glimpse of F and a query of Z features to G.
        glimpse_size: G.
        input_feeding: Whether a step sees the glimpse before it.
        dropout: Of what enters the layers and the scores.
    """

    def __init__(
        self,
        *,
        num_tokens: int,
        embedding_size: int,
        source_size: int,
        answer: AnswerEncoder | None,
        concept_size: int,
        query_size: int,
        layers: LSTM | GRU,
        attention: Attention,
        joint: LowRankBilinear,
        glimpse_size: int,
        input_feeding: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        H = layers.hidden_size
        self.concept_size = concept_size
        self.glimpse_size, self.input_feeding = glimpse_size, input_feeding
        self.embedding = nn.Embedding(num_tokens, embedding_size)
        self.answer = answer
        if answer is not None:
            self.first_of_answer = nn.Linear(answer.size, H)
            self.query_of_answer = nn.Linear(answer.size, query_size)
            nn.init.kaiming_uniform_(self.query_of_answer.weight, nonlinearity="relu")
        if concept_size:
            self.first_of_concepts = nn.Linear(concept_size, H)
        else:
            self.first_of_regions = nn.Linear(source_size, H)
        self.layers = layers
        self.query = nn.Linear(H, query_size)
        nn.init.kaiming_uniform_(self.query.weight, nonlinearity="relu")
        self.attention, self.joint = attention, joint
        self.scores = nn.Linear(glimpse_size, num_tokens)
        self.dropout = nn.Dropout(dropout)

    def init_state(self, batch: int, condition: Source | None = None) -> dict[str, Any]:
        """The state of ``batch`` sequences before their first token, by their sources.

        Raises:
            ConfigError: There is none, or it doesn't fit the model.
        """
        if condition is None:
            raise ConfigError("a sequence is written from its source; give it as the condition")
        condition = self._in_vectors(condition)
        self._check(condition, batch)
        regions = condition.regions.to(self.embedding.weight)
        mask = region_mask(condition.num_regions, regions.shape[1])
        answer = None if self.answer is None else self.answer(condition).to(regions)
        state = self.layers.init_state(batch)
        h = self._first(condition, regions, mask, answer)[:, None].expand_as(state["h"])
        state = {
            "layers": {**state, "h": h.to(regions.dtype)},
            "regions": regions,
            "keys": self.attention.keys(regions),
            "mask": mask,
            "answer": None if answer is None else self.query_of_answer(answer),
            "glimpse": regions.new_zeros(batch, self.glimpse_size) if self.input_feeding else None,
        }
        return {name: value for name, value in state.items() if value is not None}

    def step(self, x: Tensor, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Scores (B, T, V) of what follows each of the tokens (B, T), and the state."""
        glimpse, _, state = self.attend(x, state)
        return self.scores_of(glimpse), state

    def scores_of(self, glimpse: Tensor) -> Tensor:
        """Scores (..., V) of tokens by what gives them, (..., G)."""
        return projected(self.scores, glimpse)

    def finish(self, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """No more scores."""
        regions = state["regions"]
        return regions.new_zeros(len(regions), 0, self.scores.out_features), state

    def attend(self, x: Tensor, state: dict[str, Any]) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """Glimpses (B, T, G) that give the scores, weights of regions (B, T, K), and the state."""
        if not self.input_feeding:
            return self._attend(self.embedding(x.long()), state)
        pieces = []
        for e in self.embedding(x.long()).split(1, dim=1):
            inputs = torch.cat([e, state["glimpse"][:, None]], dim=-1)
            glimpse, weights, state = self._attend(inputs, state)
            state = {**state, "glimpse": glimpse[:, 0]}
            pieces.append((glimpse, weights))
        glimpse, weights = (torch.cat(parts, dim=1) for parts in zip(*pieces, strict=True))
        return glimpse, weights, state

    def _attend(
        self, inputs: Tensor, state: dict[str, Any]
    ) -> tuple[Tensor, Tensor, dict[str, Any]]:
        y, layers = self.layers.step(self.dropout(inputs), state["layers"])
        query = projected(self.query, y)
        if "answer" in state:
            query = query + state["answer"][:, None]
        query = query.relu()
        weights = self.attention(query, state["keys"], state.get("mask"))
        glimpse = self.joint(glimpses(weights, state["regions"]).to(query.dtype), query)
        return self.dropout(glimpse), weights, {**state, "layers": layers}

    def _first(
        self, source: Source, regions: Tensor, mask: Tensor | None, answer: Tensor | None
    ) -> Tensor:
        """The first state (B, H) of all layers: the initial glimpse."""
        if source.concepts is not None:
            first = self.first_of_concepts(source.concepts.to(regions))
        else:
            weight = torch.ones_like(regions[..., 0]) if mask is None else mask.to(regions.dtype)
            mean = (weight[:, :, None] * regions).sum(1) / weight.sum(1, keepdim=True)
            first = self.first_of_regions(mean)
        if answer is not None:
            first = first + self.first_of_answer(answer)
        return first.tanh()

    def _in_vectors(self, source: Source) -> Source:
        """The source with the embeddings of the words that stand for an answer or a concept."""
        answer = source.answer
        if self.answer is not None and self.answer.kind == "vector":
            answer = self._embedded(answer, "answer", self.answer.size)
        concepts = self._embedded(source.concepts, "concepts", self.concept_size)
        return replace(source, answer=answer, concepts=concepts)

    def _embedded(self, words: Tensor | None, name: str, size: int) -> Tensor | None:
        """Features (B, size) as they are; tokens (B,) or (B, 1) of the text's own vocabulary."""
        if words is None or words.is_floating_point() or words.shape[1:] == (size,):
            return words
        V, E = self.embedding.weight.shape
        if words.dim() > 2 or words.shape[1:].numel() != 1 or size != E:
            features = f"features (B, {size})"
            allowed = f"tokens (B,) or {features}" if size == E else features
            raise ConfigError(f"{name} is {tuple(words.shape)} of {words.dtype}; give {allowed}")
        if bool(((words < 0) | (words >= V)).any()):
            raise ConfigError(f"{name} holds {words.tolist()}; tokens are 0 to {V - 1}")
        return self.embedding(words.flatten().long())

    def _check(self, source: Source, batch: int) -> None:
        """Refuse sources that don't fit; their regions are the model's to look at."""
        if len(source) != batch:
            raise ConfigError(f"there are {len(source)} sources for {batch} sequences")
        for name in ("num_regions", "answer", "answer_lengths", "concepts"):
            value = getattr(source, name)
            if value is not None and len(value) != batch:
                raise ConfigError(f"{name} has {len(value)} rows for {batch} sources")
        shape = None if source.concepts is None else tuple(source.concepts.shape)
        if self.concept_size and (shape is None or shape[1:] != (self.concept_size,)):
            raise ConfigError(f"concepts are {shape} and must be (B, {self.concept_size})")
        if source.answer is not None and self.answer is None:
            raise ConfigError("the source has an answer, and this model was trained without one")
        if source.concepts is not None and not self.concept_size:
            raise ConfigError("the source has concepts, and this model was trained without them")


def build_decoder(config: Seq2SeqConfig, num_tokens: int, source_size: int) -> SourceDecoder:
    """A decoder of V tokens with these settings, which sees F features of a region."""
    c = config
    fed = c.glimpse_size if c.input_feeding else 0
    cell = GRU if c.cell == "gru" else LSTM
    return SourceDecoder(
        num_tokens=num_tokens,
        embedding_size=c.embedding_size,
        source_size=source_size,
        answer=_answer_encoder(config),
        concept_size=c.concept_size or 0,
        query_size=c.query_size,
        layers=cell(
            c.embedding_size + fed,
            c.hidden_size,
            c.num_layers,
            # torch warns of dropout between layers where there is one layer.
            dropout=c.dropout if c.num_layers > 1 else 0.0,
        ),
        attention=_attention(config, source_size),
        joint=LowRankBilinear(
            source_size, c.query_size, hidden_size=c.joint_size, out_size=c.glimpse_size
        ),
        glimpse_size=c.glimpse_size,
        input_feeding=c.input_feeding,
        dropout=c.dropout,
    )


def _answer_encoder(config: Seq2SeqConfig) -> AnswerEncoder | None:
    if config.answers is None:
        return None
    return AnswerEncoder(config.answers, config.num_answer_tokens or 0, config.answer_size)


def _attention(config: Seq2SeqConfig, source_size: int) -> Attention:
    shape = {"hidden_size": config.attention_size}
    if config.attention == "bilinear":
        return BilinearAttention(
            source_size, config.query_size, out_size=config.score_size, **shape
        )
    if config.attention == "additive":
        return AdditiveAttention(source_size, config.query_size, **shape)
    return DotAttention(source_size, config.query_size, **shape)
