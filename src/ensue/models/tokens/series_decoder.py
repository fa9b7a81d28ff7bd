r"""Series value by value: mixtures of logistic distributions about a linear prediction.

Tokens are the levels of a step's channels, one after the other, or two for each of these: see
:mod:`ensue.models.tokens.digits`. The level v of channel c has

.. math::

    p(v) = (1 - p_{miss}) \sum_{m=1}^{M} \pi_m \Bigl[
        \sigma\Bigl(\frac{b_v - \mu_m}{s_m}\Bigr) - \sigma\Bigl(\frac{a_v - \mu_m}{s_m}\Bigr)
        \Bigr], \qquad \mu_m = \sum_{j=1}^{L P} w_{cj} \, u_{t-j} + \hat\mu_m

where a and b are the ends of the level (eq. 2, Salimans et al. 2017, 1701.05517), u are the values
before it, and the layers give :math:`\pi, \hat\mu, s` and the probability that it is missing.

Of two tokens the first has the probability of all levels of its block, the second that of its level
given the block.

Dims: B batch, T tokens, E channels of the layers, S features after them, P tokens of a step, V
tokens that can follow, M components, L steps back.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from ensue.data.axes import Axis
from ensue.models.condition import class_condition
from ensue.models.tokens.causal_config import CausalConfig
from ensue.models.tokens.causal_layers import CausalLayers
from ensue.models.tokens.digits import BASE, Digits
from ensue.nn.causal_conv import CausalConv1d
from ensue.nn.mixture import log_prob_between

MOST_TAPS = 512
"""Values that a linear prediction is of, at most."""
SELDOM = -5.0
"""Logit of a missing value before training."""
NARROWEST = -3.0
"""Log of the narrowest scale, in steps of the axis: all of a component lies within one level."""


class _Expected(NamedTuple):
    """The distribution of the next tokens: their places and the ones before (B, T), mixtures."""

    place: Tensor
    before: Tensor
    weight: Tensor
    mean: Tensor
    scale: Tensor
    missing: Tensor


class SeriesDecoder(CausalLayers):
    """Tokens (B, T) of series to scores (B, T, V + 1) of the next ones, with a state.

    The score V is that of a missing value; the token before the first one is V + 1.

    Args:
        axes: Of the channels.
        digits: The tokens of a step.
        config: Of the layers.
    """

    first: Tensor
    step_size: Tensor
    warped: Tensor
    num_levels: Tensor
    num: Tensor
    is_first: Tensor
    is_last: Tensor

    def __init__(self, axes: tuple[Axis, ...], digits: Digits, config: CausalConfig) -> None:
        super().__init__(config)
        places, E, M = digits.places, config.channels, config.num_mixtures
        P = len(places)
        self.num_mixtures, self.missing, self.bos = M, digits.missing, digits.bos
        self.has_blocks = not all(p.is_last for p in places)
        for name, values in (
            ("first", torch.tensor([axes[p.channel].first for p in places])),
            ("step_size", torch.tensor([axes[p.channel].step for p in places])),
            ("warped", torch.tensor([axes[p.channel].warped for p in places])),
            ("num_levels", torch.tensor([axes[p.channel].num for p in places])),
            ("num", torch.tensor([p.num for p in places])),
            ("is_first", torch.tensor([p.is_first for p in places])),
            ("is_last", torch.tensor([p.is_last for p in places])),
        ):
            self.register_buffer(name, values, persistent=False)
        self.value = nn.Embedding(P, E)
        self.following = nn.Embedding(P, E)
        self.special = nn.Embedding(2, E)
        self.classes = class_condition(config.classes, E, hidden=config.condition_hidden)
        self.build_layers(config, _dilations(P), config.attention_window)
        H = self.num_features
        self.hidden = nn.Linear(H, H)
        self.of_place = nn.Embedding(P, H)
        self.mixture = nn.Linear(H, 3 * M + 1)
        steps = max(1, min(config.num_lags, MOST_TAPS // P))
        self.lags = CausalConv1d(1, P, steps * P, bias=False)
        self._begin(digits)

    def features(self, x: Tensor, state: dict[str, Any]) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """Features (B, T, E) of tokens, those (B, T, S) of all up to each, and the state."""
        z, y, _, _, state = self._read(x, state)
        return z, y, state

    def init_state(self, batch: int, condition: Tensor | None = None) -> dict[str, Any]:
        """As ``CausalLayers.init_state``, with the values before the first one: zeros."""
        before = torch.full((batch, 1), self.bos, device=self.value.weight.device)
        lags = self.lags.init_state(batch)
        return {**super().init_state(batch, condition), "lags": lags, "before": before}

    def step(self, x: Tensor, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Scores (B, T, V + 1) of what follows each of the tokens (B, T), and the state."""
        expected, state = self._expected(x, state)
        tokens = torch.arange(self.missing, device=x.device)
        each = _Expected(*(t[:, :, None] for t in expected))
        scores = self._log_prob(each, tokens.expand(*x.shape, -1))
        told = torch.where(self.is_first[expected.place], logsigmoid(expected.missing), -torch.inf)
        return torch.cat([scores, told[..., None]], dim=-1), state

    def log_prob(
        self, x: Tensor, following: Tensor, state: dict[str, Any]
    ) -> tuple[Tensor, dict[str, Any]]:
        """Nats (B, T) of the tokens that follow each of the tokens (B, T), and the state.

        Memory: B T M numbers, where :meth:`step` needs B T M V.
        """
        expected, state = self._expected(x, state)
        is_missing = following == self.missing
        nats = self._log_prob(expected, following.masked_fill(is_missing, 0))
        return torch.where(is_missing, logsigmoid(expected.missing), nats), state

    def finish(self, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """No more scores."""
        y, _ = self.layers.finish(state["layers"])
        return y.new_zeros(len(y), 0, self.missing + 1), state

    @torch.no_grad()
    def _begin(self, digits: Digits) -> None:
        """Predict that each channel stays where it was, and that values are seldom missing."""
        self.lags.weight.zero_()
        P = len(digits.places)
        for i, place in enumerate(digits.places):
            whole = i if place.is_last else i + 1
            self.lags.weight[i, 0, -((i - whole) % P or P)] = 1
        M = self.num_mixtures
        self.mixture.weight *= 0.1
        self.mixture.bias.zero_()
        self.mixture.bias[M : 2 * M] = torch.linspace(-0.5, 0.5, M) if M > 1 else 0
        self.mixture.bias[2 * M : 3 * M] = -1
        self.mixture.bias[-1] = SELDOM

    def _read(
        self, x: Tensor, state: dict[str, Any]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, dict[str, Any]]:
        """Features of tokens and of all up to each, what is expected linearly (B, T), the places
        of the tokens that follow, and the state."""
        P = len(self.num)
        at = self.places(x.shape[1], state).expand(x.shape)
        place, following = (at - 1) % P, at % P
        tokens = torch.cat([state["before"], x.long()], dim=1)
        before = tokens[:, :-1]
        is_special = (x >= self.missing) | (~self.is_first[place] & (before == self.missing))
        level = self._level(x.long().masked_fill(is_special, 0), before, place)
        # Of a block its middle, until its level is known.
        level = torch.where(self.is_last[place], level, level + (BASE - 1) / 2)
        u = self._axis(level, place) * ~is_special
        z = u.asinh()[..., None] * self.value(place) + self.following(following)
        special = self.special((x - self.missing).long().clamp(0, 1))
        z = z + special * is_special[..., None]
        ahead, lags = self.lags.step((u * self.is_last[place])[..., None], state["lags"])
        linear = ahead.gather(2, following[..., None])[..., 0]
        z, y, state = self.through_layers(z, state)
        return z, y, linear, following, {**state, "lags": lags, "before": tokens[:, -1:]}

    def _expected(self, x: Tensor, state: dict[str, Any]) -> tuple[_Expected, dict[str, Any]]:
        _, y, linear, place, state = self._read(x, state)
        hidden = (self.hidden(y.relu()) + self.of_place(place)).relu()
        M = self.num_mixtures
        weight, mean, log_scale, missing = self.mixture(hidden).split([M, M, M, 1], dim=-1)
        least = self.step_size.log()[place][..., None] + NARROWEST
        # A scale above its least one, smoothly: a gradient is there wherever it begins.
        scale = (least + nn.functional.softplus(log_scale - least)).exp()
        mean = mean + linear[..., None]
        return _Expected(place, x.long(), weight, mean, scale, missing[..., 0]), state

    def _log_prob(self, expected: _Expected, token: Tensor) -> Tensor:
        """Nats of tokens that tell no missing value; -inf of those that aren't possible there."""
        place, before = expected.place.expand(token.shape), expected.before.expand(token.shape)
        after_missing = ~self.is_first[place] & (before == self.missing)
        level = self._level(token, before.masked_fill(before >= self.missing, 0), place)
        last = torch.where(self.is_last[place], level, level + BASE - 1)
        nats = self._mass(expected, place, level, last)
        given = logsigmoid(-expected.missing)
        if self.has_blocks:
            # A level given its block, where that is known.
            block = level // BASE * BASE
            of_block = -self._mass(expected, place, block, block + BASE - 1)
            given = torch.where(self.is_first[place], given, of_block)
        nats = torch.where(after_missing, 0.0, nats + given)
        few = torch.where(after_missing, 1, self.num[place])
        return nats.masked_fill((token >= few) | (level >= self.num_levels[place]), -torch.inf)

    def _mass(self, expected: _Expected, place: Tensor, first: Tensor, last: Tensor) -> Tensor:
        """Nats of all levels from one to another."""
        most = self.num_levels[place] - 1
        first, last = torch.minimum(first, most), torch.minimum(last, most)
        return log_prob_between(
            expected.weight,
            expected.mean,
            expected.scale,
            lower=self._axis(first - 0.5, place),
            upper=self._axis(last + 0.5, place),
            first=first == 0,
            last=last == most,
        )

    def _level(self, token: Tensor, before: Tensor, place: Tensor) -> Tensor:
        """The level that a token tells, or the first one of its block."""
        block = torch.where(self.is_last[place], token, token * BASE)
        return torch.where(self.is_first[place], block, before * BASE + token)

    def _axis(self, level: Tensor, place: Tensor) -> Tensor:
        """Where levels lie on the axes of their channels."""
        t = self.first[place] + level * self.step_size[place]
        return torch.where(self.warped[place], t.sinh(), t)


def _dilations(num_places: int) -> list[int]:
    """Over the tokens of a step first, then over 1, 2, 4 to 64 steps."""
    within, reach = [], 1
    while reach < num_places:
        within.append(reach)
        reach *= 3
    return [*within, *(num_places * 2**i for i in range(7 if within else 8))]
