"""From sequences to z and back: the encoder's posterior, and the decoder that generation steps.

Dims: B sequences, T tokens, N tokens of all sequences, E embedding, H features, D latent units,
V vocabulary.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ensue.errors import ConfigError
from ensue.information.variational import gaussian_kl, normal_log_prob
from ensue.nn import GRU, LSTM
from ensue.nn.packing import Packing, run_packed

Pooled = Literal["last", "mean", "max"]
"""Outputs of the encoder that the posterior sees."""


@dataclass(frozen=True)
class Posterior:
    r"""The posterior of sequences: :math:`q(z \mid x) = \mathcal N(\mu, \sigma^2)`.

    Attributes:
        mu: (B, D) means.
        logvar: (B, D) logarithms of the variances.
    """

    mu: Tensor
    logvar: Tensor

    def kl(self) -> Tensor:
        """(B,) nats from the prior, of each sequence."""
        return gaussian_kl(self.mu, self.logvar).sum(-1)

    def draw(self, noise: Tensor) -> Tensor:
        """z (..., B, D) by standard normal noise of that shape."""
        return self.mu + (0.5 * self.logvar).exp() * noise

    def log_prob(self, z: Tensor) -> Tensor:
        """(..., B) nats of z (..., B, D)."""
        return normal_log_prob(z, self.mu, self.logvar)


class LatentEncoder(nn.Module):
    r"""Token sequences to their posteriors.

    .. math:: \mu = W_\mu s + b_\mu, \quad \log \sigma^2 = W_\sigma s + b_\sigma

    from s, the last states of recurrent layers or their outputs pooled over time.

    Args:
        layers: From E to H features, one way or both.
        latent_size: D.
        pooling: What s is.
    """

    def __init__(self, layers: LSTM | GRU, latent_size: int, pooling: Pooled) -> None:
        super().__init__()
        self.layers, self.pooling = layers, pooling
        seen = layers.hidden_size * (2 if layers.bidirectional else 1)
        self.mu, self.log_var = nn.Linear(seen, latent_size), nn.Linear(seen, latent_size)

    def forward(self, embedding: nn.Module, x: Tensor, lengths: Tensor) -> Posterior:
        """The posteriors of sequences (B, T), padded at the end, of ``lengths`` tokens."""
        packing = Packing.of(lengths)
        y, last = run_packed(self.layers, embedding(packing.pack(x)), packing)
        seen = self._pooled(y, last if isinstance(last, Tensor) else last[0], packing)
        # In half precision a variance would be off by a percent.
        seen = seen.to(self.mu.weight.dtype)
        with torch.autocast(seen.device.type, enabled=False):
            return Posterior(self.mu(seen), self.log_var(seen))

    def _pooled(self, y: Tensor, last: Tensor, packing: Packing) -> Tensor:
        """The features that the posterior sees: (B, F) of the outputs (N, F) and last states."""
        if self.pooling == "last":
            ways = 2 if self.layers.bidirectional else 1
            return torch.cat(last[-ways:].unbind(0), dim=-1)
        y = y.to(torch.promote_types(y.dtype, torch.float32))
        if self.pooling == "mean":
            num = packing.sum(torch.ones_like(packing.row))
            return packing.sum(y) / num[:, None]
        first = y.new_full((len(packing.order), y.shape[1]), -torch.inf)
        return first.scatter_reduce(0, packing.row[:, None].expand_as(y), y, "amax")


class LatentDecoder(nn.Module):
    r"""Tokens (B, T) to scores (B, T, V) of the next ones, given z: what generation steps.

    .. math:: h_t = \mathrm{RNN}([e(x_{t-1}); z], h_{t-1}), \qquad h_0 = W z + b

    with the same first state in all layers.

    Args:
        num_tokens: V.
        embedding_size: E.
        latent_size: D.
        layers: Recurrent layers of this house, from E + D to H features.
    """

    recordable = True

    def __init__(
        self, num_tokens: int, embedding_size: int, latent_size: int, layers: LSTM | GRU
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_tokens, embedding_size)
        self.first = nn.Linear(latent_size, layers.hidden_size)
        self.layers = layers
        self.scores = nn.Linear(layers.hidden_size, num_tokens)

    def init_state(self, batch: int, condition: Tensor | None = None) -> dict[str, Any]:
        """The state of ``batch`` sequences before their first token, by z (batch, D)."""
        if condition is None:
            raise ConfigError("a sequence begins with its z; give it as the condition")
        state = self.layers.init_state(batch)
        h = self.first(condition)[:, None].expand_as(state["h"])
        return {"z": condition, "layers": {**state, "h": h.to(condition.dtype)}}

    def step(self, x: Tensor, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Scores (B, T, V) of what follows each of the tokens (B, T), and the state."""
        z = state["z"]
        inputs = [self.embedding(x.long()), z[:, None].expand(-1, x.shape[1], -1)]
        y, layers = self.layers.step(torch.cat(inputs, dim=-1), state["layers"])
        return self.scores(y), {"z": z, "layers": layers}

    def finish(self, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """No more scores."""
        z = state["z"]
        return z.new_zeros(len(z), 0, self.scores.out_features), state

    def packed(self, x: Tensor, z: Tensor, packing: Packing) -> Tensor:
        """Features (N, H) that give the scores of what follows each of packed tokens (N,)."""
        first = self.init_state(len(z), z)["layers"]
        hx = [first[name].transpose(0, 1) for name in ("h", "c") if name in first]
        inputs = torch.cat([self.embedding(x), packing.each(z)], dim=-1)
        y, _ = run_packed(self.layers, inputs, packing, tuple(hx) if len(hx) > 1 else hx[0])
        return y
