"""Gated PixelCNN: images pixel by pixel, exactly, seen in two dimensions.

The layers are in ``pixelcnn_decoder``, what all token models do in ``model``.
Dims: B batch, D values of an image, N pixels, C channels of a pixel, E features inside, S skip
channels, V levels, M mixture components.
"""

from torch import Tensor

from ensue.configuration import validate
from ensue.data.batches import Batch
from ensue.models.condition import for_each
from ensue.models.images import (
    require_facts,
    require_no_lengths,
    values_of,
)
from ensue.models.protocols import Features, Loss, Score
from ensue.models.tokens import sequences
from ensue.models.tokens.layouts import Grid
from ensue.models.tokens.model import TokenModel
from ensue.models.tokens.pixelcnn_config import PixelCNNConfig
from ensue.models.tokens.pixelcnn_decoder import PixelDecoder
from ensue.nn.pooling import RunningStatistics, add_frames, no_statistics, pool


class PixelCNN(
    TokenModel,
    library_name="ensue",
    license="apache-2.0",
    tags=["autoregressive", "pixelcnn", "density-estimation"],
):
    r"""A gated PixelCNN of images.

    .. math:: \log p(x) = \sum_n \sum_c \log p(x_{nc} \mid x_{1} \ldots x_{n-1},
              x_{n1} \ldots x_{n,c-1})

    pixel by pixel, row by row, and within a pixel channel by channel (eq. 1 and 2, van den Oord et
    al. 2016, 1601.06759; gated, without a blind spot: 1606.05328). Where data have classes (the
    setting ``condition``), p(x | class) and p(x).

    Args:
        config: The settings; the codec gives ``num_tokens``, ``bos`` and ``shape``.

    Raises:
        ConfigError: A setting is wrong.

    Example:
        >>> import torch
        >>> config = PixelCNNConfig(num_tokens=5, bos=4, shape=(3, 2, 2), channels=8, num_layers=2)
        >>> model = PixelCNN(config).eval()
        >>> score = model.score(torch.zeros(2, 3, 2, 2, dtype=torch.long))
        >>> score.kind, score.terms.shape
        ('exact', torch.Size([2, 12]))
    """

    def __init__(self, config: PixelCNNConfig) -> None:
        super().__init__()
        self.config = config = validate(PixelCNNConfig, config, section="model")
        shape, self.levels = require_facts(config)
        self.num_tokens, self.bos, self.eos = self.levels + 1, self.levels, None
        self.layout = Grid(shape, self.bos)
        self.decoder = PixelDecoder(shape, self.levels, config)

    def loss(self, batch: Batch, *, step: int) -> Loss:
        """Nats of all values, summed.

        Args:
            batch: ``x`` (B, C, H, W) levels, and where there are classes ``condition`` (B,).
            step: The class of which items is hidden is a function of the item and the step.
        """
        x, classes = self._values(batch.x), self.decoder.classes
        condition = batch.condition if classes is None else classes.hide(batch.condition, x, step)
        return sequences.loss(self._score(x, condition).terms, None, self.levels)

    def encode(
        self, x: Tensor, lengths: Tensor | None = None, *, condition: Tensor | None = None
    ) -> Features:
        """Embeddings of pixels, features of those before each, and their mean and deviation.

        Args:
            x: (B, C, H, W) levels.
            lengths: None; images have none.
            condition: Classes (B,), -1 where one isn't known, or None where none is.

        Returns:
            ``local`` (B, H W, E), ``context`` (B, H W, S), ``embedding`` (B, 2 S).
        """
        require_no_lengths(lengths)
        values = self._values(x)
        z, y = self.decoder.features(self._pixels(values), condition)
        statistics: RunningStatistics = add_frames(no_statistics(len(y), y.shape[-1], y), y, None)
        return Features(z, y, pool(statistics, "statistics"))

    def score(
        self, x: Tensor, lengths: Tensor | None = None, *, condition: Tensor | None = None
    ) -> Score:
        """The log-probability of each image, value by value.

        Args:
            x: (B, C, H, W) levels.
            lengths: None; images have none.
            condition: Classes (B,), -1 where one isn't known, or None where none is.

        Returns:
            ``total`` (B,) nats; ``terms`` (B, H W C). Bits a dimension are
            ``-total / (C H W log 2)``.

        Memory: B H W C V numbers; with the head ``logistic`` B H W C M.
        """
        require_no_lengths(lengths)
        return self._score(self._values(x), condition)

    def condition_of(self, condition: Tensor | None, num: int) -> Tensor | None:
        """One class for each of ``num`` images; None where none is given."""
        return for_each(condition, num)

    def _score(self, values: Tensor, condition: Tensor | None) -> Score:
        pixels = self._pixels(values)
        _, y = self.decoder.features(pixels, condition)
        terms = self.decoder.head.log_prob(y, pixels).flatten(1)
        return Score(terms.double().sum(-1).to(terms.dtype), terms, "exact")

    def _values(self, x: Tensor) -> Tensor:
        return values_of(x, self.decoder.shape, self.levels)

    def _pixels(self, values: Tensor) -> Tensor:
        return values.unflatten(1, (-1, self.decoder.shape[0]))
