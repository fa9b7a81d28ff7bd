"""The bound that a sequence VAE learns by: reconstruction, divergence, and their noise.

Schedules, free bits and measures of use are in ``ensue.information.variational``.
Dims: B sequences, T tokens, N tokens of all sequences, D latent units, K draws, V vocabulary.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.special import ndtri

from ensue.data.kinds.text.codec import TextCodec
from ensue.errors import ConfigError
from ensue.information.variational import (
    active_units,
    free_bits,
    gaussian_kl,
    importance_weighted,
    kl_weight,
    mutual_information,
    normal_log_prob,
)
from ensue.models.protocols import Loss, Score
from ensue.models.tokens.latent_networks import LatentDecoder, LatentEncoder, Posterior
from ensue.models.tokens.sequences import marked
from ensue.models.tokens.vae_config import SequenceVAEConfig
from ensue.nn.frozen import only
from ensue.nn.hashed import uniform_of
from ensue.nn.packing import Packing

SCORES_AT_A_TIME = 2**25
"""Of tokens by vocabulary: what is in memory at once, outside of training."""
POSTERIOR, DROPPED = 0, 1
"""Numbers of the two kinds of noise of an item."""


@dataclass(frozen=True)
class Bound:
    r"""The negative evidence lower bound of sequences, by the networks that it is of.

    .. math:: \beta \, \mathrm{KL}\bigl(q(z \mid x) \,\|\, \mathcal N(0, I)\bigr)
              - \sum_t \log p(x_t \mid x_{<t}, z), \qquad z \sim q(z \mid x)

    Attributes:
        config: The settings, with the weight of the divergence and what is free of it.
        codec: Of the texts.
        encoder: From sequences to posteriors.
        decoder: From tokens and z to scores.
    """

    config: SequenceVAEConfig
    codec: TextCodec
    encoder: LatentEncoder
    decoder: LatentDecoder

    def posterior(self, x: Tensor, lengths: Tensor) -> Posterior:
        """The posterior of each sequence (B, T), padded at the end."""
        return self.encoder(self.decoder.embedding, x, lengths)

    def trained(self, x: Tensor, lengths: Tensor, step: int) -> Loss:
        """The objective at a step of training: schedules, free bits, and what has settled."""
        after = self.config.settle_after
        if after is not None and step >= after:
            return self._settling(x, lengths, step)
        return self._loss(x, lengths, step, weight=self._weight(step), free=self.config.free_bits)

    def validated(self, x: Tensor, lengths: Tensor, step: int) -> Loss:
        """The bound itself, with measures of whether z is used."""
        return self._loss(x, lengths, step, weight=1.0, free=0.0, measured=True)

    def score(self, x: Tensor, lengths: Tensor, num_draws: int) -> Score:
        """The bound on the log-probability of each sequence, by K draws of z."""
        posterior = self.posterior(x, lengths)
        draws = posterior.draw(self.noise(x, lengths, 0, num_draws).to(posterior.mu))
        log_p = torch.stack([-self.nats(x, lengths, z) for z in draws])
        if num_draws == 1:
            terms = torch.stack([log_p[0], -posterior.kl()], dim=1)
            return Score(terms.sum(1), terms, "lower_bound")
        total = importance_weighted(log_p + normal_log_prob(draws), posterior.log_prob(draws))
        return Score(total, None, "lower_bound")

    def nats(self, x: Tensor, lengths: Tensor, z: Tensor, step: int | None = None) -> Tensor:
        """(B,) negative log-probability of each sequence given z; tokens are hidden at a step."""
        if int(lengths.min()) < 2:
            raise ConfigError("a sequence has one token only; bos and one more are needed")
        packing = Packing.of(lengths - 1)
        seen, wanted = packing.pack(x[:, :-1]), packing.pack(x[:, 1:])
        if step is not None and self.decoder.training and self.config.word_dropout:
            assert self.codec.unk is not None
            hidden = torch.full_like(seen, self.codec.unk)
            seen = seen.where(packing.pack(self.kept(x, lengths, step)), hidden)
        y = self.decoder.packed(seen, z, packing)
        size = max(SCORES_AT_A_TIME // self.codec.num_tokens, 1)
        parts = zip(y.split(size), wanted.split(size), strict=True)
        nats = [
            cross_entropy(self.decoder.scores(a).to(z.dtype), b, reduction="none") for a, b in parts
        ]
        return packing.sum(torch.cat(nats))

    def kept(self, x: Tensor, lengths: Tensor, step: int) -> Tensor:
        """(B, T - 1) which of the tokens the decoder sees; bos it always does."""
        uniform = uniform_of(marked(x, lengths), 2 * step + DROPPED, x.shape[1] - 1)
        return (uniform >= self.config.word_dropout) | (x[:, :-1] == self.codec.bos)

    def noise(self, x: Tensor, lengths: Tensor, step: int, num: int) -> Tensor:
        """(num, B, D) standard normal draws, a function of each sequence and the step."""
        D = self.config.latent_size
        uniform = uniform_of(marked(x, lengths), 2 * step + POSTERIOR, num * D)
        # 0, which may come, would be infinite.
        normal = ndtri(uniform.clamp(min=2.0**-54))
        return normal.unflatten(1, (num, D)).transpose(0, 1)

    def _settling(self, x: Tensor, lengths: Tensor, step: int) -> Loss:
        """The bound, of which the variances alone have gradients other than 0."""
        networks = nn.ModuleList([self.encoder, self.decoder]).eval()
        try:
            with only(self.encoder.log_var, networks):
                loss = self._loss(x, lengths, step, weight=1.0, free=0.0)
        finally:
            networks.train()
        # Each process of several waits for a gradient of every parameter.
        still = 0 * torch.stack([p.sum() for p in networks.parameters() if p.requires_grad]).sum()
        return replace(loss, total=loss.total + still)

    def _loss(
        self,
        x: Tensor,
        lengths: Tensor,
        step: int,
        *,
        weight: float,
        free: float,
        measured: bool = False,
    ) -> Loss:
        posterior = self.posterior(x, lengths)
        z = posterior.draw(self.noise(x, lengths, step, 1)[0].to(posterior.mu))
        nats = self.nats(x, lengths, z, step).sum()
        kl = gaussian_kl(posterior.mu, posterior.logvar)
        counted = free_bits(kl, free, self.config.free_bits_of) if free else kl.sum()
        metrics = _means(posterior, kl, nats, lengths, weight)
        if measured:
            metrics |= _use_of(posterior, z, kl, nats)
        return Loss(
            nats + weight * counted,
            torch.tensor(len(x), device=x.device),
            {name: value.detach() for name, value in metrics.items()},
        )

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


def _means(
    posterior: Posterior, kl: Tensor, nats: Tensor, lengths: Tensor, weight: float
) -> dict[str, Tensor]:
    """Means of a sequence, in nats."""
    B, num_tokens = len(kl), (lengths - 1).sum()
    means = {
        "reconstruction": nats / B,
        "reconstruction_per_token": nats / num_tokens,
        "kl": kl.sum() / B,
        "beta": torch.tensor(float(weight), device=kl.device),
    }
    if B > 1:
        means["active_units"] = active_units(posterior.mu).to(kl.dtype)
    return means


def _use_of(posterior: Posterior, z: Tensor, kl: Tensor, nats: Tensor) -> dict[str, Tensor]:
    """The bound, and measures of whether z is used."""
    return {
        "elbo": -(nats + kl.sum()) / len(kl),
        "kl_of_units": kl.mean(0),
        "mutual_information": mutual_information(posterior.mu, posterior.logvar, z),
    }
