r"""Any-order models: what an unknown value is, given any others.

.. math:: \log p(x) = \sum_t \log p(x_{\sigma(t)} \mid x_{\sigma(1)} \ldots x_{\sigma(t-1)})

for every order sigma at once (Uria, Murray, Larochelle 2014, 1310.1757; Hoogeboom et al. 2022,
2110.02037). Dims: B batch, D values of an item, T values in an order, F features of a value,
H hidden, V levels.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ensue.configuration import require_at_least, validate
from ensue.data.batches import Batch
from ensue.errors import ConfigError
from ensue.generation import Prompts
from ensue.models.images import (
    Shape,
    image_of,
    require_facts,
    require_no_lengths,
    sequence_of,
    values_of,
)
from ensue.models.protocols import Loss, Samples, Score
from ensue.models.saved import SavedModel
from ensue.models.tokens import drawing, sequences
from ensue.models.tokens.levels import joined_values, require_unknown
from ensue.models.tokens.masked_config import MaskedConfig
from ensue.models.tokens.orders import Orders
from ensue.models.tokens.parallel import ParallelDraw
from ensue.models.tokens.sequences import require_no_condition
from ensue.nn.any_order import AnyOrderConvolution, AnyOrderMLP
from ensue.nn.hashed import uniform_of
from ensue.nn.made import MADE


class Masked(
    nn.Module,
    SavedModel,
    library_name="ensue",
    license="apache-2.0",
    tags=["autoregressive", "any-order", "in-filling", "density-estimation"],
):
    """An any-order autoregressive model of images: it fills in whatever is missing.

    Args:
        config: The settings; the codec gives ``num_tokens``, ``bos`` and ``shape``.

    Raises:
        ConfigError: A setting is wrong.

    Example:
        >>> config = MaskedConfig(num_tokens=5, bos=4, shape=(1, 2, 3), channels=8)
        >>> model = Masked(config).eval()
        >>> score = model.score(torch.zeros(2, 1, 2, 3, dtype=torch.long))
        >>> score.kind, score.terms.shape
        ('order', torch.Size([2, 6]))
    """

    shortest = 1

    def __init__(self, config: MaskedConfig) -> None:
        super().__init__()
        self.config = config = validate(MaskedConfig, config, section="model")
        self.shape, self.levels = require_facts(config)
        self.network = _network(config, self.shape, self.levels)

    @property
    def num_values(self) -> int:
        """D."""
        return math.prod(self.shape)

    def loss(self, batch: Batch, *, step: int) -> Loss:
        r"""Nats of an item in the mean over orders, estimated by one place of one order.

        .. math:: \frac{D}{D - t} \sum_{d\ \mathrm{unknown}} -\log p(x_d \mid \mathrm{known})

        with t known values, drawn uniformly from 0 to D - 1 (eq. 8, Hoogeboom et al. 2022); with
        the order ``raster`` D times the nats of the value after the first t. The network ``made``
        gives the nats of all values in one of its orders, exactly.

        Args:
            batch: ``x`` (B, C, H, W) levels.
            step: What is hidden is a function of the item and the step; so is made's order.
        """
        x = self._values(batch.x)
        B, D = x.shape
        if isinstance(self.network, MADE):
            scores = self.network(x, step % len(self.network.orders))
            nats = cross_entropy(scores.transpose(1, 2), x, reduction="sum")
            return self._loss(nats, x)
        uniform = uniform_of(x, step, 1 + D)
        t = (uniform[:, :1] * D).long()
        if self.config.order == "random":
            rank = uniform[:, 1:].argsort(1).argsort(1)
            wanted = (rank >= t).float() * (D / (D - t))
        else:
            rank = torch.arange(D, device=x.device).expand(B, D)
            wanted = (rank == t).float() * D
        scores = self.network(x, rank < t)
        nats = cross_entropy(scores.transpose(1, 2), x, reduction="none")
        return self._loss((nats * wanted).sum(), x)

    def _loss(self, total: Tensor, x: Tensor) -> Loss:
        count = torch.tensor(x.numel(), device=x.device)
        chance = torch.tensor(float(self.levels), device=x.device).log()
        bits = total.detach() / count / torch.tensor(2.0).log()
        return Loss(total, count, {"chance_loss": chance, "bits_per_dim": bits})

    def score(
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        *,
        order: Tensor | None = None,
        num_orders: int = 1,
    ) -> Score:
        """The log-probability of items in an order, exact for that order.

        Args:
            x: (B, C, H, W) levels.
            lengths: None; images have none.
            order: (D,) places, in the order of :func:`ensue.models.images.sequence_of`; by default
                that one for ``raster``, and one that is always the same for ``random``.
            num_orders: Of more than one, drawn always alike, the mean probability: that of the
                ensemble of them.

        Returns:
            ``total`` (B,) nats; ``terms`` (B, D), of each value given those before it in the
            order, and of one order only.

        Raises:
            ConfigError: ``order`` isn't a permutation, or is given with ``num_orders``.
        """
        require_no_lengths(lengths)
        values = self._values(x)
        if num_orders == 1:
            return self._in_order(values, self.orders.checked(order))
        if order is not None or num_orders < 1:
            raise ConfigError(
                f"num_orders is {num_orders}; give one order, or at least one of them"
            )
        totals = [self._in_order(values, one).total for one in self.orders.numbered(num_orders)]
        return Score(torch.stack(totals).logsumexp(0) - math.log(num_orders), None, "order")

    def log_prob(
        self, x: Tensor, lengths: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """(B,) nats of items in the model's own order.

        Raises:
            ConfigError: There is a condition, which this family has no place for.
        """
        require_no_condition(condition, "masked")
        return self.score(x, lengths).total

    def sample(
        self,
        num: int,
        *,
        condition: Tensor | None = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        parallel: int = 1,
        **settings: Any,
    ) -> Samples:
        """Draw items, value by value in the model's own order.

        Args:
            num: How many.
            condition: None; this family has no place for one.
            temperature: 1 draws from the model, 0 takes the likeliest value each time.
            generator: Of the draw.
            parallel: Values drawn at once, as if they didn't depend on each other: that many
                times fewer passes, and less like the data.
            settings: Of :class:`ensue.generation.GenerationConfig`, over the model's own.

        Returns:
            ``values`` (num, C, H, W) levels, and the ``log_prob`` of each in that order; of
            parallel draws that of the values as they were drawn.
        """
        require_no_condition(condition, "masked")
        settings, order = {**settings, "temperature": temperature}, self.orders.by_number(0)
        if parallel != 1:
            require_at_least(1, num=num, parallel=parallel)
            nothing = torch.zeros(num, self.num_values, dtype=torch.long, device=self._device)
            return self._in_parallel(nothing, order, 0, parallel, settings, generator)
        own = self.config.generation
        return self._items(
            drawing.sample(self.prompts(num), own, settings, generator=generator), order
        )

    def complete(
        self,
        x: Tensor,
        known: Tensor,
        *,
        num: int = 1,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
        parallel: int = 1,
        **settings: Any,
    ) -> Samples:
        """Draw what isn't known, given whatever is.

        Args:
            x: (B, C, H, W) levels.
            known: Boolean like x: what is given, anywhere.
            num: Completions of each.
            temperature: 1 draws from the model, 0 takes the likeliest value each time.
            generator: Of the draw.
            parallel: Values drawn at once, as if they didn't depend on each other.
            settings: Of :class:`ensue.generation.GenerationConfig`, over the model's own.

        Returns:
            Whole items (B num, C, H, W), those of the first one first, with the ``log_prob`` of
            what is new and ``item``, which of the given ones is completed so.

        Raises:
            ConfigError: ``known`` has another shape, or leaves nothing to complete; or the model
                was trained in one order and what is known isn't its beginning.
        """
        require_unknown(known, x)
        require_at_least(1, num=num, items=len(x), parallel=parallel)
        settings = {**settings, "temperature": temperature}
        values, known = self._values(x), sequence_of(known)
        generator = generator or torch.default_generator
        parts = []
        for rows, order in self.orders.from_known(known):
            size = int(known[rows[0]].sum())
            if parallel > 1:
                each = rows.repeat_interleave(num)
                drawn = self._in_parallel(values[each], order, size, parallel, settings, generator)
                parts.append((each, drawn))
                continue
            first = joined_values(self.levels, values[rows][:, order[:size]])
            drawn = self._completed(first, order, settings, num, generator)
            assert drawn.item is not None
            parts.append((rows[drawn.item], self._items(drawn, order)))
        return _joined(parts)

    def _completed(
        self,
        first: Tensor,
        order: Tensor,
        settings: dict[str, Any],
        num: int,
        generator: torch.Generator,
    ) -> Samples:
        """Tokens in an order that go on from the first ones, (B, T)."""
        return drawing.complete(
            lambda some, _: self._prompts(some, order),
            list(first.cpu()),
            self.config.generation,
            settings,
            num=num,
            generator=generator,
        )

    def prompts(self, num: int) -> Prompts:
        """Prompts that ``num`` images begin with: bos."""
        return self._prompts([torch.tensor([self.levels])] * num, self.orders.by_number(0))

    def to_tokens(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Levels (B, C, H, W) as tokens (B, 1 + D), bos first, in the model's own order."""
        require_no_lengths(lengths)
        return joined_values(self.levels, self._values(x)[:, self.orders.by_number(0)])

    def from_tokens(self, tokens: Tensor) -> Tensor:
        """Tokens (B, 1 + D), bos first, in the model's own order, as levels (B, C, H, W)."""
        return self._images(tokens, self.orders.by_number(0))

    @property
    def orders(self) -> Orders:
        """The orders that were trained."""
        learned, is_strict = None, isinstance(self.network, MADE)
        if isinstance(self.network, MADE):
            learned = self.network.orders
        elif self.config.order == "raster":
            learned = torch.arange(self.num_values, device=self._device)[None]
        return Orders(self.num_values, learned, is_strict, self._device)

    @property
    def _device(self) -> torch.device:
        return next(self.parameters()).device

    def _in_parallel(
        self,
        values: Tensor,
        order: Tensor,
        size: int,
        parallel: int,
        settings: dict[str, Any],
        generator: torch.Generator | None,
    ) -> Samples:
        """Draw values (B, D) after the first ``size`` of an order, ``parallel`` at once."""
        if isinstance(self.network, MADE):
            raise ConfigError("parallel is for the networks that read any values, not for made")
        draw = ParallelDraw.of(
            self.network,
            order,
            parallel,
            self.config.generation,
            settings,
            num=len(values),
            generator=generator,
        )
        values, nats = draw.after(values, size)
        return Samples(image_of(values, self.shape), None, nats.to(values.device))

    def _in_order(self, values: Tensor, order: Tensor) -> Score:
        sequence = joined_values(self.levels, values[:, order])
        score = sequences.score(self.network.ordered(order), sequence, None)
        assert score.terms is not None
        terms = torch.empty_like(score.terms)
        terms[:, order] = score.terms
        return Score(score.total, terms, "order")

    def _values(self, x: Tensor) -> Tensor:
        return values_of(x, self.shape, self.levels)

    def _items(self, samples: Samples, order: Tensor) -> Samples:
        """Samples in an order as images."""
        images = self._images(samples.values, order)
        return Samples(images, None, samples.log_prob, item=samples.item)

    def _images(self, tokens: Tensor, order: Tensor) -> Tensor:
        """Tokens (B, 1 + D) in an order, bos first, as levels."""
        values = torch.empty_like(tokens[:, 1:])
        values[:, order] = tokens[:, 1:]
        return image_of(values, self.shape)

    def _prompts(self, first: list[Tensor], order: Tensor) -> Prompts:
        limits = torch.tensor([self.num_values + 1 - len(prompt) for prompt in first])
        return Prompts(
            self.network.ordered(order),
            first,
            num_tokens=self.levels + 1,
            limits=limits,
            device=order.device,
        )


def _network(
    config: MaskedConfig, shape: Shape, levels: int
) -> AnyOrderConvolution | AnyOrderMLP | MADE:
    inside: dict[str, Any] = {
        "embedding_size": config.embedding_size,
        "num_layers": config.num_layers,
        "dropout": config.dropout,
    }
    if config.network == "convolution":
        return AnyOrderConvolution(shape, levels, channels=config.channels, **inside)
    inside["hidden_size"] = config.hidden_size
    if config.network == "mlp":
        return AnyOrderMLP(math.prod(shape), levels, **inside)
    num_orders = config.num_orders if config.order == "random" else 0
    return MADE(math.prod(shape), levels, num_orders=num_orders, **inside)


def _joined(parts: list[tuple[Tensor, Samples]]) -> Samples:
    """Samples of several groups of items in the order of the items."""
    item = torch.cat([rows for rows, _ in parts])
    order = item.argsort(stable=True)
    values = torch.cat([samples.values for _, samples in parts])
    nats = torch.cat([samples.log_prob for _, samples in parts if samples.log_prob is not None])
    return Samples(values[order], None, nats[order], item=item[order])
