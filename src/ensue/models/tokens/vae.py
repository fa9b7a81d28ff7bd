"""The sequence VAE: texts and molecules by way of a vector each (Bowman et al. 2016, 1511.06349).

Its bound is in ``vae_bound``, its encoder and decoder in ``latent_networks``, search for the best z
in ``latent_search``. Dims: B sequences, T tokens, D latent units, K draws, V vocabulary.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ensue.configuration import validate
from ensue.data.batches import Batch
from ensue.data.kinds.text.codec import codec_of_tokens
from ensue.errors import ConfigError, DataError
from ensue.generation import Prompts
from ensue.information.variational import (
    collapse_remark,
)
from ensue.models.foreign import load_renamed, read_state_dict, rename_moses
from ensue.models.protocols import Features, Loss, Samples, Score
from ensue.models.saved import SavedModel
from ensue.models.tokens import drawing
from ensue.models.tokens.embeddings import set_rows_
from ensue.models.tokens.latent_networks import LatentDecoder, LatentEncoder, Posterior
from ensue.models.tokens.sequences import lengths_of, require_no_condition
from ensue.models.tokens.vae_bound import Bound
from ensue.models.tokens.vae_config import SequenceVAEConfig
from ensue.nn import GRU, LSTM


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
        >>> from ensue.data.kinds.text.codec import TextCodec
        >>> codec = TextCodec(tokens="characters", vocabulary=("C", "N", "O"))
        >>> model = SequenceVAE(SequenceVAEConfig(codec=codec, latent_size=4)).eval()
        >>> posterior = model.posterior(["CCO", "N"])
        >>> posterior.mu.shape, posterior.kl().shape
        (torch.Size([2, 4]), torch.Size([2]))
        >>> model.reconstruction_nll(["CCO", "N"], posterior.mu).shape
        torch.Size([2])
    """

    # A text is taken whole, never cut; the shortest is bos and eos.
    whole_items, shortest, shortest_item = True, 2, 2

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
        return load_renamed(cls(SequenceVAEConfig(codec=codec, **settings)), weights, "a MOSES VAE")

    def untrained_variants(self) -> dict[str, SequenceVAEConfig]:
        """Settings to compare a trained model with: itself, untrained."""
        return {"vae": self.config}

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
        x, lengths = batch.x.long(), lengths_of(batch.x, batch.lengths)
        return (self.bound.trained if self.training else self.bound.validated)(x, lengths, step)

    @property
    def bound(self) -> Bound:
        """The bound on log-probabilities, by the model's networks."""
        return Bound(self.config, self.codec, self.encoder, self.decoder)

    def remark(self, metrics: Mapping[str, Any]) -> str | None:
        """The fault of the figures of a validation, and the remedy; None if nothing is."""
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
        return Features(None, None, self.encode_posterior(x, lengths).mu, lengths)

    def encode_posterior(self, x: Tensor, lengths: Tensor | None = None) -> Posterior:
        """The posterior of each sequence (B, T), padded at the end."""
        return self.bound.posterior(x.long(), lengths_of(x, lengths))

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
        return self.bound.score(x.long(), lengths_of(x, lengths), num_draws)

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
        require_no_condition(condition, "vae")
        D = self.config.latent_size
        like = self.encoder.mu.weight
        if z is None:
            z = torch.randn(num, D, generator=generator, dtype=torch.float64)
        elif z.shape != (num, D):
            raise ConfigError(f"z is {tuple(z.shape)} and must be (num, latent_size): {(num, D)}")
        prompts = self._prompts(z.to(like))
        settings = {**settings, "temperature": temperature}
        return drawing.sample(prompts, self.config.generation, settings, generator=generator)

    def reconstruct(self, x: Tensor, lengths: Tensor | None = None, **settings: Any) -> Samples:
        """Decode the posterior's mean of sequences (B, T), greedily.

        Args:
            x: (B, T) tokens, bos first, padded at the end.
            lengths: (B,) valid tokens, or None where all are.
            settings: Of :class:`ensue.generation.GenerationConfig`, over the model's own.
        """
        z = self.encode(x, lengths).embedding
        most = {"max_length": max(self.config.generation.max_length, 2 * x.shape[1])}
        return self.sample(len(z), z=z, **{"temperature": 0.0, **most, **settings})

    def interpolate(self, start: Tensor, end: Tensor, num: int = 8, **settings: Any) -> Samples:
        """Decode points on the line between two z, greedily.

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
        return self.bound.nats(x, lengths, z)

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
        return set_rows_(self.decoder.embedding.weight, weights, self.codec.vocabulary)

    @property
    def _device(self) -> torch.device:
        return self.encoder.mu.weight.device

    def _side_by_side(self, strings: Sequence[str]) -> tuple[Tensor, Tensor]:
        if isinstance(strings, str) or not len(strings):
            raise DataError(f"strings are {strings!r}; give a list of at least one")
        rows = [self.string2tensor(string) for string in strings]
        lengths = torch.tensor(list(map(len, rows)), device=self._device)
        return pad_sequence(rows, batch_first=True), lengths

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
