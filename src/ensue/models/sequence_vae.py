"""The sequence VAE: texts and molecules by way of a vector each (Bowman et al. 2016, 1511.06349).

Its bounds and schedules stand in ``ensue.information.variational``, its encoder and decoder in
``ensue.models.latent_networks``, drawing and beams in ``ensue.generation``, search for the best z
in ``ensue.models.latent_search``.
Dims: B sequences, T tokens, N tokens of all sequences, D latent units, K draws, V vocabulary.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from torch.special import ndtri

from ensue.configuration import STRICT, Format, StepsOfTraining, refuse_unread, validate
from ensue.data.batches import Batch
from ensue.data.kinds.text.codec import TextCodec, codec_of_tokens
from ensue.errors import ConfigError, DataError
from ensue.generation import GenerationConfig, Prompts
from ensue.information.variational import (
    FreeBits,
    KLSchedule,
    active_units,
    collapse_remark,
    free_bits,
    gaussian_kl,
    importance_weighted,
    kl_weight,
    mutual_information,
    normal_log_prob,
)
from ensue.models import tokens
from ensue.models.foreign import load_renamed, read_state_dict, rename_moses
from ensue.models.latent_networks import LatentDecoder, LatentEncoder, Pooled, Posterior
from ensue.models.protocols import Features, Loss, Samples, Score
from ensue.models.saved import SavedModel
from ensue.nn import GRU, LSTM
from ensue.nn.frozen import only
from ensue.nn.hashed import uniform_of
from ensue.nn.packing import Packing

SCORES_AT_A_TIME = 2**25
"""Of tokens by vocabulary: what stands in memory at once, outside of training."""
POSTERIOR, DROPPED = 0, 1
"""What noise of an item is for."""


@dataclass(frozen=True, kw_only=True)
class SequenceVAEConfig:
    """Settings of a sequence VAE. Sizes are by default those of the recipe ``molecules``."""

    __pydantic_config__ = STRICT

    format: Format = 1
    family: Literal["vae"] = "vae"
    cell: Annotated[Literal["lstm", "gru"], Field(description="recurrent layers")] = "gru"
    embedding_size: Annotated[int, Field(gt=0, description="features E of a token")] = 64
    embedding_weights: Annotated[
        str | None,
        Field(description="file of vectors that embeddings begin with: .npy, or text by token"),
    ] = None
    freeze_embeddings: Annotated[
        bool, Field(description="embeddings of tokens stay as they begin")
    ] = False
    encoder_size: Annotated[int, Field(gt=0, description="features of an encoder layer")] = 256
    encoder_layers: Annotated[int, Field(gt=0, description="recurrent layers")] = 1
    bidirectional: Annotated[bool, Field(description="the encoder reads both ways")] = True
    pooling: Annotated[
        Pooled,
        Field(description="what the posterior sees of the encoder: its last state, or over steps"),
    ] = "max"
    latent_size: Annotated[int, Field(gt=0, description="latent units D")] = 24
    decoder_size: Annotated[int, Field(gt=0, description="features of a decoder layer")] = 512
    decoder_layers: Annotated[int, Field(gt=0, description="recurrent layers")] = 1
    dropout: Annotated[
        float, Field(ge=0, lt=1, description="of outputs between the layers of a stack")
    ] = 0.0
    word_dropout: Annotated[
        float, Field(ge=0, lt=1, description="of tokens that the decoder sees: unk in their place")
    ] = 0.0
    beta: Annotated[float, Field(ge=0, description="weight of the divergence at last")] = 1.0
    beta_start: Annotated[float, Field(ge=0, description="weight of the divergence at first")] = 0.0
    kl_schedule: Annotated[
        KLSchedule, Field(description="of the divergence's weight; constant is beta throughout")
    ] = "constant"
    kl_steps: Annotated[
        int,
        Field(gt=0, description="steps from beta_start to beta"),
        StepsOfTraining(unless=("kl_schedule", "constant")),
    ] = 1000
    kl_cycles: Annotated[int, Field(gt=0, description="cycles of the schedule cyclical")] = 4
    free_bits: Annotated[
        float, Field(ge=0, description="nats of a sequence's divergence that cost nothing")
    ] = 0.0
    free_bits_of: Annotated[
        FreeBits, Field(description="what has its share of them: each sequence, the batch, a unit")
    ] = "unit"
    settle_after: Annotated[
        int | None,
        Field(
            gt=0,
            description="steps after which the variances of posteriors alone learn, at weight 1 "
            "and with nothing free; none: everything learns throughout",
        ),
        StepsOfTraining(),
    ] = None
    codec: TextCodec | None = field(default=None, metadata={"from_data": True})
    generation: GenerationConfig = field(
        default_factory=lambda: GenerationConfig(max_length=100), metadata={"from_data": True}
    )

    def __post_init__(self) -> None:
        if self.kl_schedule == "constant":
            of = "schedules that change the weight"
            refuse_unread(self, {"beta_start": of, "kl_steps": of})
        if max(self.encoder_layers, self.decoder_layers) == 1:
            refuse_unread(self, {"dropout": "stacks of several layers, between them"})
        if self.kl_schedule != "cyclical":
            refuse_unread(self, {"kl_cycles": "the schedule cyclical"})
        if not self.free_bits:
            refuse_unread(self, {"free_bits_of": "free_bits above 0"})


class SequenceVAE(
    nn.Module,
    SavedModel,
    library_name="ensue",
    license="apache-2.0",
    tags=["vae", "molecules", "smiles", "text-generation"],
):
    r"""A variational autoencoder of token sequences.

    .. math::
        \log p(x) \ge \mathbb E_{q(z \mid x)} \sum_t \log p(x_t \mid x_{<t}, z)
        - \mathrm{KL}\bigl(q(z \mid x) \,\|\, \mathcal N(0, I)\bigr)

    (Eq. 1, Bowman et al. 2016.) Reconstruction and divergence are nats of a whole sequence, with no
    factor between them but ``beta``. The noise of training is a function of sequence and step.

    Args:
        config: The settings; the codec of the texts gives ``codec``.

    Raises:
        ConfigError: A setting is wrong.

    Example:
        >>> codec = TextCodec(tokens="characters", vocabulary=("C", "N", "O"))
        >>> model = SequenceVAE(SequenceVAEConfig(codec=codec, latent_size=4)).eval()
        >>> posterior = model.posterior(["CCO", "N"])
        >>> posterior.mu.shape, posterior.kl().shape
        (torch.Size([2, 4]), torch.Size([2]))
        >>> model.reconstruction_nll(["CCO", "N"], posterior.mu).shape
        torch.Size([2])
    """

    def __init__(self, config: SequenceVAEConfig) -> None:
        super().__init__()
        self.config = config = validate(SequenceVAEConfig, config, section="model")
        if config.codec is None:
            raise ConfigError("codec is None; the codec of the texts gives it")
        self.codec = codec = config.codec
        if config.word_dropout and codec.unk is None:
            raise ConfigError(
                f"word_dropout is {config.word_dropout}, and {codec.tokens} have no token unk to "
                "put in their place; leave it out, or use other tokens"
            )
        E, D = config.embedding_size, config.latent_size
        self.encoder = LatentEncoder(
            _layers(config, E, config.encoder_size, config.encoder_layers, config.bidirectional),
            D,
            config.pooling,
        )
        self.decoder = LatentDecoder(
            codec.num_tokens,
            E,
            D,
            _layers(config, E + D, config.decoder_size, config.decoder_layers),
        )
        self.decoder.embedding.weight.requires_grad_(not config.freeze_embeddings)

    @classmethod
    def from_moses(
        cls, state_dict: Mapping[str, Tensor] | str | Path, vocabulary: Sequence[str]
    ) -> "SequenceVAE":
        """The VAE of the MOSES benchmark (Polykovskiy et al. 2020, 1811.12823) with its weights.

        Args:
            state_dict: With the keys ``x_emb``, ``encoder_rnn``, ``q_mu``, ``q_logvar``,
                ``decoder_rnn``, ``decoder_lat`` and ``decoder_fc``; or a file of it.
            vocabulary: Its tokens in the order of their numbers: single characters, and ``<bos>``,
                ``<eos>``, ``<pad>``, ``<unk>``.

        Raises:
            ConfigError: Keys are missing or unknown, or the vocabulary doesn't fit the weights.
            CheckpointError: The file is missing or damaged, or holds more than tensors: a pickled
                model could run any code, and isn't opened.
        """
        if isinstance(state_dict, str | Path):
            state_dict = read_state_dict(Path(state_dict))
        settings, weights = rename_moses(state_dict)
        codec = codec_of_tokens(vocabulary)
        num_tokens = len(weights["decoder.embedding.weight"])
        if num_tokens != len(vocabulary):
            raise ConfigError(
                f"the vocabulary has {len(vocabulary)} tokens and the weights are for {num_tokens}"
            )
        model = cls(SequenceVAEConfig(codec=codec, **settings))
        load_renamed(model, weights, "a MOSES VAE")
        return model

    def untrained_variants(self) -> dict[str, SequenceVAEConfig]:
        """What to compare a trained model with: itself, untrained."""
        return {"vae": self.config}

    @property
    def whole_items(self) -> bool:
        """A text is taken whole, never cut."""
        return True

    @property
    def shortest(self) -> int:
        """Tokens of the shortest text that has something to predict, bos and another."""
        return 2

    @property
    def shortest_item(self) -> int:
        """Tokens of the shortest text, bos and eos."""
        return 2

    @property
    def settled_at(self) -> int:
        """The step from which the divergence has its full weight and nothing is free."""
        c = self.config
        return max(0 if c.kl_schedule == "constant" else c.kl_steps, c.settle_after or 0)

    def loss(self, batch: Batch, *, step: int) -> Loss:
        r"""Reconstruction and weighted divergence of all sequences, summed.

        In eval mode it is the negative evidence lower bound: weight 1, no free bits, no dropout.
        Free bits make posteriors narrower than the true ones; after ``settle_after`` steps their
        variances alone go on learning, to the width that the bound asks for.

        Args:
            batch: ``x`` (B, T) tokens, bos first.
            step: Of training; sets the divergence's weight and the noise.
        """
        if self._has_settled(step):
            return self._settling(batch, step)
        if not self.training:
            return self._loss(batch, step, weight=1.0, free=0.0)
        return self._loss(batch, step, weight=self._weight(step), free=self.config.free_bits)

    def _settling(self, batch: Batch, step: int) -> Loss:
        """The negative bound, of which the variances alone have gradients other than 0."""
        self.encoder.eval()
        self.decoder.eval()
        try:
            with only(self.encoder.log_var, self):
                found = self._loss(batch, step, weight=1.0, free=0.0)
        finally:
            self.encoder.train()
            self.decoder.train()
        # Each process of several waits for a gradient of every parameter.
        still = 0 * torch.stack([p.sum() for p in self.parameters() if p.requires_grad]).sum()
        return replace(found, total=found.total + still)

    def _loss(self, batch: Batch, step: int, *, weight: float, free: float) -> Loss:
        x, lengths = batch.x.long(), tokens.lengths_of(batch.x, batch.lengths)
        posterior = self.encode_posterior(x, lengths)
        z = posterior.draw(self.noise(x, lengths, step, 1)[0].to(posterior.mu))
        nats = self._nats(x, lengths, z, step).sum()
        kl = gaussian_kl(posterior.mu, posterior.logvar)
        counted = free_bits(kl, free, self.config.free_bits_of) if free else kl.sum()
        return Loss(
            nats + weight * counted,
            torch.tensor(len(x), device=x.device),
            self._metrics(posterior, z, kl, nats, lengths, weight),
        )

    def _metrics(
        self,
        posterior: Posterior,
        z: Tensor,
        kl: Tensor,
        nats: Tensor,
        lengths: Tensor,
        weight: float,
    ) -> dict[str, Tensor]:
        """Means of a sequence in nats, and in eval mode what tells whether z is used."""
        B, num_tokens = len(kl), (lengths - 1).sum()
        found = {
            "reconstruction": nats / B,
            "reconstruction_per_token": nats / num_tokens,
            "kl": kl.sum() / B,
            "beta": torch.tensor(float(weight), device=kl.device),
        }
        if B > 1:
            found["active_units"] = active_units(posterior.mu).to(kl.dtype)
        if not self.training:
            found["elbo"] = -(nats + kl.sum()) / B
            found["kl_of_units"] = kl.mean(0)
            found["mutual_information"] = mutual_information(posterior.mu, posterior.logvar, z)
        return {name: value.detach() for name, value in found.items()}

    def remark(self, metrics: Mapping[str, Any]) -> str | None:
        """What is wrong with the figures of a validation, and the remedy; None if nothing is."""
        if "active_units" not in metrics:  # of single items nothing varies
            return None
        return collapse_remark(metrics["kl"], metrics["active_units"])

    def encode(self, x: Tensor, lengths: Tensor | None = None) -> Features:
        """The posterior's mean of each sequence.

        Args:
            x: (B, T) tokens, padded at the end.
            lengths: (B,) valid tokens, or None where all are.

        Returns:
            ``embedding`` (B, D); there are no features of single tokens.
        """
        found = self.encode_posterior(x, lengths)
        return Features(None, None, found.mu, lengths)

    def encode_posterior(self, x: Tensor, lengths: Tensor | None = None) -> Posterior:
        """The posterior of each sequence (B, T), padded at the end."""
        return self.encoder(self.decoder.embedding, x.long(), tokens.lengths_of(x, lengths))

    def score(self, x: Tensor, lengths: Tensor | None = None, *, num_draws: int = 1) -> Score:
        r"""A lower bound on the log-probability of each sequence.

        With one draw of z the evidence lower bound, its divergence exact; with more of them the
        importance-weighted bound, which is closer. The draws are a function of the sequence.

        Args:
            x: (B, T) tokens, bos first, padded at the end.
            lengths: (B,) valid tokens, or None where all are.
            num_draws: K.

        Returns:
            ``total`` (B,) nats; ``terms`` (B, 2), log p(x | z) and the negative divergence, or None
            where there are several draws.

        Memory: K passes one after the other, each of N V numbers.
        """
        if num_draws < 1:
            raise ConfigError(f"num_draws is {num_draws}; at least 1")
        x, lengths = x.long(), tokens.lengths_of(x, lengths)
        posterior = self.encode_posterior(x, lengths)
        draws = posterior.draw(self.noise(x, lengths, 0, num_draws).to(posterior.mu))
        log_p = torch.stack([-self._nats(x, lengths, z) for z in draws])
        if num_draws == 1:
            terms = torch.stack([log_p[0], -posterior.kl()], dim=1)
            return Score(terms.sum(1), terms, "lower_bound")
        total = importance_weighted(log_p + normal_log_prob(draws), posterior.log_prob(draws))
        return Score(total, None, "lower_bound")

    def sample(
        self,
        num: int,
        *,
        condition: Tensor | None = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        z: Tensor | None = None,
        **settings: Any,
    ) -> Samples:
        """Draw sequences, each from a z of its own.

        Args:
            num: How many.
            condition: None; this family has no place for one.
            temperature: 1 draws from the model, 0 takes the likeliest token each time.
            generator: Of z and of the draw.
            z: (num, D) instead of draws from the prior.
            settings: Of :class:`ensue.generation.GenerationConfig`, over the model's own.

        Returns:
            ``values`` (num, T) tokens, bos first and, where one came, eos last; their ``lengths``;
            ``log_prob`` of each given its z.

        Raises:
            ConfigError: z has another shape.
        """
        tokens.require_no_condition(condition, "vae")
        D = self.config.latent_size
        like = self.encoder.mu.weight
        if z is None:
            z = torch.randn(num, D, generator=generator, dtype=torch.float64)
        elif z.shape != (num, D):
            raise ConfigError(f"z is {tuple(z.shape)} and must be (num, latent_size): {(num, D)}")
        prompts = self._prompts(z.to(like))
        settings = {**settings, "temperature": temperature}
        return tokens.sample(prompts, self.config.generation, settings, generator=generator)

    def reconstruct(self, x: Tensor, lengths: Tensor | None = None, **settings: Any) -> Samples:
        """What the decoder makes of the posterior's mean of sequences (B, T), greedily.

        Args:
            x: (B, T) tokens, bos first, padded at the end.
            lengths: (B,) valid tokens, or None where all are.
            settings: Of :class:`ensue.generation.GenerationConfig`, over the model's own.
        """
        z = self.encode(x, lengths).embedding
        most = {"max_length": max(self.config.generation.max_length, 2 * x.shape[1])}
        return self.sample(len(z), z=z, **{"temperature": 0.0, **most, **settings})

    def interpolate(self, start: Tensor, end: Tensor, num: int = 8, **settings: Any) -> Samples:
        """What the decoder makes of points on the line between two z, greedily.

        Args:
            start: (D,), the first point.
            end: (D,), the last point.
            num: Points.
            settings: Of :class:`ensue.generation.GenerationConfig`, over the model's own.
        """
        part = torch.linspace(0, 1, num, device=start.device, dtype=start.dtype)[:, None]
        return self.sample(num, z=start.lerp(end, part), **{"temperature": 0.0, **settings})

    def posterior(self, strings: Sequence[str]) -> Posterior:
        """The posterior of each string.

        Raises:
            DataError: There is none.
        """
        return self.encode_posterior(*self._side_by_side(strings))

    def reconstruction_nll(self, strings: Sequence[str], z: Tensor) -> Tensor:
        """(B,) nats of each string, its end included, given its z (B, D)."""
        x, lengths = self._side_by_side(strings)
        if z.shape != (len(x), self.config.latent_size):
            wanted = (len(x), self.config.latent_size)
            raise ConfigError(f"z is {tuple(z.shape)} and must be (strings, latent_size): {wanted}")
        return self._nats(x, lengths, z)

    def string2tensor(self, string: str) -> Tensor:
        """(T,) tokens of a string, bos first and eos last."""
        return self.codec.encode(string).long().to(self._device)

    def tensor2string(self, x: Tensor) -> str:
        """The string of tokens (T,)."""
        return self.codec.decode(x)

    def set_embeddings(self, weights: Tensor | Mapping[str, Tensor]) -> int:
        """Begin with the given embeddings of tokens.

        Args:
            weights: (V, E), or (E,) by token; tokens without one keep theirs.

        Returns:
            How many tokens have one now.

        Raises:
            ConfigError: They have another shape, or are of no token of the vocabulary.
        """
        own = self.decoder.embedding.weight
        if isinstance(weights, Tensor):
            named = dict(enumerate(weights)) if weights.shape == own.shape else {}
            wrong = f"the embeddings are {tuple(weights.shape)}"
        else:
            known = {token: i for i, token in enumerate(self.codec.vocabulary)}
            named = {known[token]: row for token, row in weights.items() if token in known}
            named = {i: row for i, row in named.items() if row.shape == own.shape[1:]}
            wrong = f"of {len(weights)} embeddings no token has one of {own.shape[1]} features"
        if not named:
            raise ConfigError(
                f"{wrong}; (V, E) of these tokens and the setting embedding_size are "
                f"{tuple(own.shape)}"
            )
        with torch.no_grad():
            for i, row in named.items():
                own[i] = row.to(own)
        return len(named)

    @property
    def _device(self) -> torch.device:
        return self.encoder.mu.weight.device

    def _side_by_side(self, strings: Sequence[str]) -> tuple[Tensor, Tensor]:
        if isinstance(strings, str) or not len(strings):
            raise DataError(f"strings are {strings!r}; give a list of at least one")
        rows = [self.string2tensor(string) for string in strings]
        lengths = torch.tensor(list(map(len, rows)), device=self._device)
        return pad_sequence(rows, batch_first=True), lengths

    def _nats(self, x: Tensor, lengths: Tensor, z: Tensor, step: int | None = None) -> Tensor:
        """(B,) negative log-probability of each sequence given z; tokens are hidden at a step."""
        if int(lengths.min()) < 2:
            raise ConfigError("a sequence has one token only; bos and one more are needed")
        packing = Packing.of(lengths - 1)
        seen, wanted = packing.pack(x[:, :-1]), packing.pack(x[:, 1:])
        if step is not None and self.decoder.training and self.config.word_dropout:
            hidden = torch.full_like(seen, _known(self.codec.unk))
            seen = seen.where(packing.pack(self._kept(x, lengths, step)), hidden)
        y = self.decoder.packed(seen, z, packing)
        size = max(SCORES_AT_A_TIME // self.codec.num_tokens, 1)
        parts = zip(y.split(size), wanted.split(size), strict=True)
        nats = [
            cross_entropy(self.decoder.scores(a).to(z.dtype), b, reduction="none") for a, b in parts
        ]
        return packing.sum(torch.cat(nats))

    def _kept(self, x: Tensor, lengths: Tensor, step: int) -> Tensor:
        """(B, T - 1) which of the tokens the decoder sees; bos it always does."""
        uniform = uniform_of(tokens.marked(x, lengths), 2 * step + DROPPED, x.shape[1] - 1)
        return (uniform >= self.config.word_dropout) | (x[:, :-1] == self.codec.bos)

    def noise(self, x: Tensor, lengths: Tensor, step: int, num: int) -> Tensor:
        """(num, B, D) standard normal draws, a function of each sequence and the step."""
        D = self.config.latent_size
        uniform = uniform_of(tokens.marked(x, lengths), 2 * step + POSTERIOR, num * D)
        # 0, which may come, would be infinite.
        normal = ndtri(uniform.clamp(min=2.0**-54))
        return normal.unflatten(1, (num, D)).transpose(0, 1)

    def _weight(self, step: int) -> float:
        c = self.config
        return kl_weight(
            step,
            c.kl_schedule,
            start=c.beta_start,
            end=c.beta,
            steps=c.kl_steps,
            cycles=c.kl_cycles,
        )

    def _has_settled(self, step: int) -> bool:
        """Whether only the variances of posteriors learn."""
        after = self.config.settle_after
        return self.training and after is not None and step >= after

    def _prompts(self, z: Tensor) -> Prompts:
        return Prompts(
            self.decoder,
            [torch.tensor([self.codec.bos])] * len(z),
            num_tokens=self.codec.num_tokens,
            eos=self.codec.eos,
            condition=z,
            device=self._device,
        )


def _layers(
    config: SequenceVAEConfig,
    input_size: int,
    hidden_size: int,
    num_layers: int,
    bidirectional: bool = False,
) -> LSTM | GRU:
    kind = GRU if config.cell == "gru" else LSTM
    # torch warns of dropout between layers where there is one layer.
    dropout = config.dropout if num_layers > 1 else 0.0
    return kind(input_size, hidden_size, num_layers, dropout=dropout, bidirectional=bidirectional)


def _known(token: int | None) -> int:
    assert token is not None
    return token
