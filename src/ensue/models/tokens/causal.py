"""Causal models of tokens: what comes next, from everything before it, exactly.

The layers are in ``causal_decoder`` and ``series_decoder``, what all token models do in ``model``
and ``streams``.
Dims: B batch, T tokens, E channels, S skip channels, V vocabulary.
"""

from typing import Any

import torch
from torch import Tensor

from ensue.configuration import refuse_unread, validate
from ensue.data.batches import Batch
from ensue.errors import ConfigError
from ensue.models.condition import for_each
from ensue.models.protocols import Loss, Score
from ensue.models.tokens import sequences
from ensue.models.tokens.causal_config import CausalConfig
from ensue.models.tokens.causal_decoder import CausalDecoder
from ensue.models.tokens.digits import Digits
from ensue.models.tokens.layouts import Grid, Interleaved, Line
from ensue.models.tokens.series_decoder import SeriesDecoder
from ensue.models.tokens.streams import StreamingModel


class Causal(
    StreamingModel,
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
    the channels of a pixel together. Series are levels (B, S, C), step by step, the channels of a
    step in order; a level has the probability that mixtures give to the values it is of, see
    :mod:`ensue.models.tokens.series_decoder`.

    Args:
        config: The settings; the codec gives ``num_tokens``, ``bos``, ``eos`` and ``shape``, and of
            series ``axes``.

    Raises:
        ConfigError: A setting is wrong.

    Example:
        >>> import torch
        >>> config = CausalConfig(num_tokens=5, bos=4, shape=(1, 2, 3), num_layers=2, channels=8)
        >>> model = Causal(config).eval()
        >>> score = model.score(torch.zeros(2, 1, 2, 3, dtype=torch.long))
        >>> score.kind, score.terms.shape
        ('exact', torch.Size([2, 6]))
    """

    def __init__(self, config: CausalConfig) -> None:
        super().__init__()
        self.config = config = validate(CausalConfig, config, section="model")
        if config.condition_size and config.classes:
            raise ConfigError(
                "condition_size is for numbers, and the data give classes; leave it out"
            )
        build = self._build_series if config.axes else self._build_tokens
        build(config)

    def _build_tokens(self, config: CausalConfig) -> None:
        V, bos, eos = config.num_tokens, config.bos, config.eos
        if V is None or bos is None or max(bos, eos or 0) >= V:
            raise ConfigError(f"num_tokens is {V}, bos {bos} and eos {eos}; the codec gives them")
        if config.shape is not None and bos != V - 1:
            raise ConfigError(f"of images bos is the last token, {V - 1}, not {bos}")
        refuse_unread(config, dict.fromkeys(("num_lags", "num_mixtures"), "series"))
        self.num_tokens, self.bos, self.eos = V, bos, eos
        self.layout = Line() if config.shape is None else Grid(config.shape, bos)
        # Of images bos is the last token, which never follows.
        self.num_scores = V if config.shape is None else V - 1
        self.decoder = CausalDecoder(V, self.num_scores, bos, config)

    def _build_series(self, config: CausalConfig) -> None:
        digits = Digits(tuple(axis.num for axis in config.axes))
        self.layout = Interleaved(digits, config.usual_steps or 1)
        self.num_tokens, self.bos, self.eos = digits.bos + 1, digits.bos, None
        self.num_scores = digits.missing + 1
        self.decoder = SeriesDecoder(config.axes, digits, config)

    def loss(self, batch: Batch, *, step: int) -> Loss:
        """Nats of all tokens after the first, summed.

        Args:
            batch: ``x`` (B, T) tokens, or levels (B, C, H, W) or (B, S, C).
            step: The class of which items is hidden is a function of the item and the step.
        """
        x, classes = self.to_tokens(batch.x, batch.lengths), self.decoder.classes
        condition = batch.condition if classes is None else classes.hide(batch.condition, x, step)
        lengths = self.layout.num_tokens(batch.lengths)
        state = self.decoder.init_state(len(x), condition)
        terms = sequences.score(self.decoder, x, lengths, state).terms
        return sequences.loss(terms, lengths, self.num_scores)

    def score(
        self, x: Tensor, lengths: Tensor | None = None, *, condition: Tensor | None = None
    ) -> Score:
        """The log-probability of each item, token by token.

        Args:
            x: (B, T) tokens, bos first, padded at the end; or levels (B, C, H, W) of images, or
                (B, S, C) of series, padded at the end.
            lengths: (B,) valid tokens or steps, or None where all are.
            condition: Classes (B,), -1 where one isn't known, or None where none is.

        Returns:
            ``total`` (B,) nats; ``terms`` (B, T - 1), 0 beyond the end; of series the tokens of a
            step together. Bits a dimension of an image are ``-total / (C H W log 2)``.

        Memory: B V numbers for each of 1024 tokens at a time; of series B M.
        """
        state = self.decoder.init_state(len(x), condition)
        x, lengths = self.to_tokens(x, lengths), self.layout.num_tokens(lengths)
        return sequences.score(self.decoder, x, lengths, state)

    def score_steps(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The log-probability of each value of series, given the steps and channels before it.

        Args:
            x: (B, S, C) levels, padded at the end.
            lengths: (B,) valid steps, or None where all are.

        Returns:
            (B, S, C) nats, 0 beyond the end; their sum is the total of :meth:`score`.

        Raises:
            ConfigError: Items aren't series.
        """
        terms = self.score(x, lengths).terms
        assert terms is not None
        return self.layout.by_value(terms)

    def init_scores(self, batch: int) -> dict[str, Any]:
        """The state of :meth:`score_more` before the first step of ``batch`` series."""
        device = next(self.parameters()).device
        state = self.decoder.init_state(batch)
        return {"decoder": state, "last": self.layout.first(batch, device)}

    def score_more(self, x: Tensor, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Nats (B, n, C) of the next steps (B, n, C) of series, and the state.

        Raises:
            ConfigError: Items aren't series.
        """
        tokens = torch.cat([state["last"], self.layout.more(x)], dim=1)
        before, following = tokens[:, :-1], tokens[:, 1:]
        terms, after = sequences.log_prob(self.decoder, before, following, state["decoder"])
        return self.layout.by_value(terms), {"decoder": after, "last": tokens[:, -1:]}

    def condition_of(self, condition: Tensor | None, num: int) -> Tensor | None:
        """One class, or numbers, for each of ``num`` items; None where none is given."""
        return for_each(condition, num)
