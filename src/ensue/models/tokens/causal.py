"""Causal models of tokens: what comes next, from everything before it, exactly.

The layers are in ``causal_decoder``, what all token models do in ``model`` and ``streams``.
Dims: B batch, T tokens, E channels, S skip channels, V vocabulary.
"""

import math

from torch import Tensor

from ensue.configuration import validate
from ensue.data.batches import Batch
from ensue.errors import ConfigError
from ensue.models.condition import for_each
from ensue.models.images import (
    require_no_lengths,
    values_of,
)
from ensue.models.protocols import Loss, Score
from ensue.models.tokens import sequences
from ensue.models.tokens.causal_config import CausalConfig
from ensue.models.tokens.causal_decoder import CausalDecoder
from ensue.models.tokens.levels import joined_values
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
    the channels of a pixel together.

    Args:
        config: The settings; the codec gives ``num_tokens``, ``bos``, ``eos`` and ``shape``.

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
        V, bos, eos = config.num_tokens, config.bos, config.eos
        if V is None or bos is None or max(bos, eos or 0) >= V:
            raise ConfigError(f"num_tokens is {V}, bos {bos} and eos {eos}; the codec gives them")
        if config.shape is not None and bos != V - 1:
            raise ConfigError(f"of images bos is the last token, {V - 1}, not {bos}")
        if config.condition_size and config.classes:
            raise ConfigError(
                "condition_size is for numbers, and the data give classes; leave it out"
            )
        self.num_tokens, self.bos, self.eos, self.shape = V, bos, eos, config.shape
        # Of images bos is the last token, which never follows.
        self.num_scores = V if config.shape is None else V - 1
        if config.shape is not None:
            self.shortest = self.shortest_item = 1
        self.decoder = CausalDecoder(V, self.num_scores, bos, config)

    def loss(self, batch: Batch, *, step: int) -> Loss:
        """Nats of all tokens after the first, summed.

        Args:
            batch: ``x`` (B, T) tokens or (B, C, H, W) levels.
            step: The class of which items is hidden is a function of the item and the step.
        """
        x, classes = self.to_tokens(batch.x, batch.lengths), self.decoder.classes
        condition = batch.condition if classes is None else classes.hide(batch.condition, x, step)
        score = sequences.score(
            self.decoder, x, batch.lengths, self.decoder.init_state(len(x), condition)
        )
        return sequences.loss(score.terms, batch.lengths, self.num_scores)

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
        return sequences.score(self.decoder, self.to_tokens(x, lengths), lengths, state)

    def to_tokens(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Items as tokens (B, T), bos first: the one place where what is predicted is shifted."""
        if self.shape is None:
            return x
        require_no_lengths(lengths)
        if x.dim() != 2:
            return joined_values(self.bos, values_of(x, self.shape, self.bos))
        D = math.prod(self.shape)
        if x.shape[1] > D + 1:
            raise ConfigError(f"an image has {D} tokens after bos, not {x.shape[1] - 1}")
        return x

    def condition_of(self, condition: Tensor | None, num: int) -> Tensor | None:
        """One class, or numbers, for each of ``num`` items; None where none is given."""
        return for_each(condition, num)
