r"""Any-order models: what an unknown value is, given any others.

.. math:: \log p(x) = \sum_t \log p(x_{\sigma(t)} \mid x_{\sigma(1)} \ldots x_{\sigma(t-1)})

for every order sigma at once (Uria, Murray, Larochelle 2014, 1310.1757; Hoogeboom et al. 2022,
2110.02037). Dims: B batch, D values of an item, T values in an order, F features of a value,
H hidden, V levels.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ensue.configuration import STRICT, Format, from_data, refuse_unread, require_at_least, validate
from ensue.data.batches import Batch
from ensue.errors import ConfigError
from ensue.generation import GenerationConfig, Prompts
from ensue.generation.choose import choose
from ensue.generation.processors import require_choice
from ensue.generation.random import RowRandom
from ensue.models import tokens
from ensue.models.images import (
    image_of,
    joined_values,
    require_facts,
    require_no_lengths,
    require_unknown,
    sequence_of,
    values_of,
)
from ensue.models.protocols import Loss, Samples, Score
from ensue.models.saved import SavedModel
from ensue.nn.any_order import AnyOrderConvolution, AnyOrderMLP
from ensue.nn.hashed import uniform_of
from ensue.nn.made import MADE


@dataclass(frozen=True, kw_only=True)
class MaskedConfig:
    """Settings of an any-order model."""

    __pydantic_config__ = STRICT

    format: Format = 1
    family: Literal["masked"] = "masked"
    order: Annotated[
        Literal["random", "raster"],
        Field(
            description="random: any values are given in training; raster: those before some place"
        ),
    ] = "random"
    network: Annotated[
        Literal["convolution", "mlp", "made"],
        Field(
            description="convolution: few images are enough; mlp: a drawn value costs little; "
            "made: each step learns all values, of fixed orders"
        ),
    ] = "convolution"
    num_orders: Annotated[
        int, Field(gt=0, description="random orders that made learns, in turn")
    ] = 1
    channels: Annotated[int, Field(gt=0, description="channels inside the convolution")] = 64
    embedding_size: Annotated[int, Field(gt=0, description="features F of a value")] = 16
    hidden_size: Annotated[int, Field(gt=0, description="features H of the mlp and made")] = 512
    num_layers: Annotated[
        int, Field(ge=0, description="residual layers between the first and the scores")
    ] = 4
    dropout: Annotated[float, Field(ge=0, lt=1, description="inside the residual layers")] = 0.0
    num_tokens: Annotated[int | None, Field(gt=0)] = from_data()
    bos: Annotated[int | None, Field(ge=0)] = from_data()
    shape: Annotated[tuple[int, int, int] | None, Field()] = from_data()
    generation: GenerationConfig = field(
        default_factory=GenerationConfig, metadata={"from_data": True}
    )

    def __post_init__(self) -> None:
        other = {
            "convolution": {"hidden_size": "the networks mlp and made"},
            "mlp": {"channels": "the network convolution"},
            "made": {"channels": "the network convolution"},
        }
        refuse_unread(self, other.get(self.network, {}))
        if self.network != "made" or self.order != "random":
            refuse_unread(self, {"num_orders": "the network made and the order random"})


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

    def __init__(self, config: MaskedConfig) -> None:
        super().__init__()
        self.config = config = validate(MaskedConfig, config, section="model")
        self.shape, self.levels = require_facts(config)
        inside = {
            "embedding_size": config.embedding_size,
            "num_layers": config.num_layers,
            "dropout": config.dropout,
        }
        self.network: AnyOrderConvolution | AnyOrderMLP | MADE
        if config.network == "convolution":
            self.network = AnyOrderConvolution(
                self.shape, self.levels, channels=config.channels, **inside
            )
        elif config.network == "mlp":
            self.network = AnyOrderMLP(
                self.num_values, self.levels, hidden_size=config.hidden_size, **inside
            )
        else:
            self.network = MADE(
                self.num_values,
                self.levels,
                hidden_size=config.hidden_size,
                num_orders=config.num_orders if config.order == "random" else 0,
                **inside,
            )

    @property
    def shortest(self) -> int:
        """Steps of the shortest item; an image is one."""
        return 1

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
            return self._in_order(values, self._checked(order, 0))
        if order is not None or num_orders < 1:
            raise ConfigError(
                f"num_orders is {num_orders}; give one order, or at least one of them"
            )
        known = self._learnt
        if known is not None and num_orders > len(known):
            raise ConfigError(
                f"num_orders is {num_orders}, and the model was trained in {len(known)}; it must "
                "be no more"
            )
        totals = [self._in_order(values, self._checked(None, i)).total for i in range(num_orders)]
        return Score(torch.stack(totals).logsumexp(0) - math.log(num_orders), None, "order")

    def log_prob(
        self, x: Tensor, lengths: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """(B,) nats of items in the model's own order.

        Raises:
            ConfigError: There is a condition, which this family has no place for.
        """
        tokens.require_no_condition(condition, "masked")
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
            parallel: Values drawn at once, as if they didn't depend on each other: so many times
                fewer passes, and less like the data.
            settings: Of :class:`ensue.generation.GenerationConfig`, over the model's own.

        Returns:
            ``values`` (num, C, H, W) levels, and the ``log_prob`` of each in that order; of
            parallel draws that of the values as they were drawn.
        """
        tokens.require_no_condition(condition, "masked")
        if parallel != 1:
            require_at_least(1, num=num, parallel=parallel)
            nothing = torch.zeros(num, self.num_values, dtype=torch.long, device=self._device)
            settings, order = {**settings, "temperature": temperature}, self._checked(None, 0)
            return self._in_groups(nothing, order, 0, parallel, settings, generator)
        settings = {**settings, "temperature": temperature}
        own = self.config.generation
        drawn = tokens.sample(self.prompts(num), own, settings, generator=generator)
        return self._items(drawn, self._checked(None, 0))

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
        values, given = self._values(x), sequence_of(known)
        generator = generator or torch.default_generator
        found = []
        for rows, order in self._orders(given):
            size = int(given[rows[0]].sum())
            if parallel > 1:
                each = rows.repeat_interleave(num)
                drawn = self._in_groups(values[each], order, size, parallel, settings, generator)
                found.append((each, drawn))
                continue
            first = joined_values(self.levels, values[rows][:, order[:size]])
            drawn = tokens.complete(
                lambda some, _, order=order: self._prompts(some, order),
                list(first.cpu()),
                self.config.generation,
                settings,
                num=num,
                generator=generator,
            )
            assert drawn.item is not None
            found.append((rows[drawn.item], self._items(drawn, order)))
        return _joined(found)

    def prompts(self, num: int) -> Prompts:
        """What ``num`` images begin with: bos."""
        return self._prompts([torch.tensor([self.levels])] * num, self._checked(None, 0))

    def to_tokens(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Levels (B, C, H, W) as tokens (B, 1 + D), bos first, in the model's own order."""
        require_no_lengths(lengths)
        return joined_values(self.levels, self._values(x)[:, self._checked(None, 0)])

    def from_tokens(self, tokens: Tensor) -> Tensor:
        """Tokens (B, 1 + D), bos first, in the model's own order, as levels (B, C, H, W)."""
        return self._images(tokens, self._checked(None, 0))

    @property
    def _device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def _learnt(self) -> Tensor | None:
        """The orders (N, D) that were trained; None where it was all of them."""
        if isinstance(self.network, MADE):
            return self.network.orders
        if self.config.order == "raster":
            return torch.arange(self.num_values, device=self._device)[None]
        return None

    def _orders(self, known: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Rows of which the same is known, and an order in which that comes first."""
        different, which = torch.unique(known, dim=0, return_inverse=True)
        for i, mask in enumerate(different):
            yield (which == i).nonzero()[:, 0], self._order_from(mask)

    def _order_from(self, known: Tensor) -> Tensor:
        """An order (D,) in which what is known (D,) comes first."""
        if self._learnt is None:
            own = self._checked(None, 0)
            return torch.cat([own[known[own]], own[~known[own]]])
        for order in self._learnt:
            if bool(known[order[: int(known.sum())]].all()):
                return order
        raise ConfigError(
            f"this model was trained in {len(self._learnt)} order(s), and what is known must come "
            "first in one (row by row in the order raster); train with the order random, and the "
            "network convolution or mlp, to fill in anything"
        )

    def _in_groups(
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
        config = tokens.over(asdict(self.config.generation), settings, fixed=True)
        if config.method == "beam" or config.no_repeat_ngram:
            raise ConfigError("parallel draws know no sequence: leave beam and no_repeat_ngram out")
        values, random = values.clone(), RowRandom(len(values), generator)
        nats = torch.zeros(len(values), dtype=torch.float64)
        # values[rows] of a slice is a view, which is filled in.
        for first in range(0, len(values), config.num_rows):
            rows = slice(first, first + config.num_rows)
            for begin in range(size, len(order), parallel):
                known, at = order[:begin], order[begin : begin + parallel]
                nats[rows] += self._group(values[rows], known, at, config, random, first)
        return Samples(image_of(values, self.shape), None, nats.to(values.device))

    def _group(
        self,
        values: Tensor,
        known: Tensor,
        at: Tensor,
        config: GenerationConfig,
        random: RowRandom,
        first: int,
    ) -> Tensor:
        """Draw the places ``at`` of values (B, D) at once, in place; nats (B,) of these."""
        given = torch.zeros_like(values, dtype=torch.bool)
        given[:, known] = True
        with torch.no_grad():
            scores = self.network(values, given)[:, at]
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        require_choice(scores.amax(-1))
        width = self.levels if config.method == "gumbel" else 1
        rows = range(first, first + len(values))
        uniform = random.uniform(rows, len(at) * width).view(-1, width).to(scores.device)
        values[:, at] = choose(scores.flatten(0, 1), config, uniform).view(len(values), -1)
        terms = scores.log_softmax(-1).gather(2, values[:, at, None])
        return terms.double().sum((1, 2)).cpu()

    def _in_order(self, values: Tensor, order: Tensor) -> Score:
        sequence = joined_values(self.levels, values[:, order])
        found = tokens.score(self.network.ordered(order), sequence, None)
        assert found.terms is not None
        terms = torch.empty_like(found.terms)
        terms[:, order] = found.terms
        return Score(found.total, terms, "order")

    def _checked(self, order: Tensor | None, number: int) -> Tensor:
        """The order asked for, or the model's own by number."""
        D, device, learnt = self.num_values, self._device, self._learnt
        if order is None:
            if learnt is not None:
                return learnt[number]
            return torch.randperm(D, generator=torch.Generator().manual_seed(number)).to(device)
        if sorted(order.tolist()) != list(range(D)):
            raise ConfigError(f"an order is the places 0 to {D - 1}, each once")
        order = order.to(device)
        if isinstance(self.network, MADE) and not bool((self.network.orders == order).all(1).any()):
            raise ConfigError("the network made has probabilities in its own orders only")
        return order

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

    def _prompts(self, given: list[Tensor], order: Tensor) -> Prompts:
        limits = torch.tensor([self.num_values + 1 - len(prompt) for prompt in given])
        return Prompts(
            self.network.ordered(order),
            given,
            num_tokens=self.levels + 1,
            limits=limits,
            device=order.device,
        )


def _joined(found: list[tuple[Tensor, Samples]]) -> Samples:
    """Samples of several groups of items in the order of the items."""
    item = torch.cat([rows for rows, _ in found])
    order = item.argsort(stable=True)
    values = torch.cat([samples.values for _, samples in found])
    nats = torch.cat([samples.log_prob for _, samples in found if samples.log_prob is not None])
    return Samples(values[order], None, nats[order], item=item[order])
