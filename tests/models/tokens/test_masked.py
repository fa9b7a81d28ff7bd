"""Any-order models: probabilities that add up in every order, and in-filling of anything."""

from itertools import permutations, product
from typing import Any

import pytest
import torch
from torch import Tensor

from ensue.data.batches import Batch
from ensue.errors import ConfigError
from ensue.models.images import sequence_of
from ensue.models.tokens.masked import Masked, MaskedConfig
from ensue.nn.made import MADE, InOrder

SHAPE = (1, 2, 2)
every_network = pytest.mark.parametrize("network", ["convolution", "mlp"])


def model(shape: tuple[int, int, int] = SHAPE, levels: int = 3, **settings: Any) -> Masked:
    facts = {"num_tokens": levels + 1, "bos": levels, "shape": shape}
    size = "hidden_size" if settings.get("network") in ("mlp", "made") else "channels"
    small = {size: 8, "num_layers": 2, "embedding_size": 3}
    of = Masked(MaskedConfig(**{**facts, **small, **settings})).double().eval()
    for parameter in of.parameters():  # away from scores that are nearly equal
        parameter.data += 0.5 * torch.randn_like(parameter)
    return of


def nan(of: Masked) -> Masked:
    for parameter in of.parameters():
        parameter.data.fill_(torch.nan)
    return of


def everything(levels: int = 3, size: int = 4) -> Tensor:
    return torch.tensor(list(product(range(levels), repeat=size))).view(-1, *SHAPE)


def by_the_whole_network(of: Masked, x: Tensor, order: Tensor) -> Tensor:
    """The nats of each value in an order, each from a pass over all places."""
    values, terms = sequence_of(x), []
    for t, place in enumerate(order.tolist()):
        known = torch.zeros_like(values, dtype=torch.bool)
        known[:, order[:t]] = True
        scores = of.network(values, known)[:, place].log_softmax(-1)
        terms.append(scores.gather(1, values[:, place, None])[:, 0])
    return torch.stack(terms, 1)


@every_network
@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0]])
def test_probabilities_of_all_items_add_up_in_every_order(
    network: str, order: list[int], seed: int
) -> None:
    with torch.no_grad():
        total = (
            model(network=network).score(everything(), order=torch.tensor(order)).total.exp().sum()
        )
    assert float(total) == pytest.approx(1, abs=1e-10)


@every_network
def test_a_score_is_that_of_the_whole_network_step_by_step(network: str, seed: int) -> None:
    of, x = model((3, 2, 3), 5, network=network), torch.randint(0, 5, (4, 3, 2, 3))
    order = torch.randperm(18)
    with torch.no_grad():
        expected = by_the_whole_network(of, x, order)
        found = of.score(x, order=order)
    assert found.terms is not None
    torch.testing.assert_close(found.terms[:, order], expected)
    torch.testing.assert_close(found.total, expected.sum(1))
    assert found.kind == "order"


@every_network
def test_an_unknown_value_is_not_seen(network: str, seed: int) -> None:
    of, x = model((1, 3, 3), 4, network=network), torch.randint(0, 4, (5, 9))
    known = torch.rand(5, 9) < 0.5
    changed = torch.where(known, x, torch.randint(0, 4, (5, 9)))
    assert torch.equal(of.network(x, known), of.network(changed, known))


def test_an_ensemble_of_orders_is_the_mean_of_their_probabilities(seed: int) -> None:
    of, x = model(), everything()
    with torch.no_grad():
        found = of.score(x, num_orders=3).total.exp()
        each = [
            of.score(x, order=torch.randperm(4, generator=torch.Generator().manual_seed(i))).total
            for i in range(3)
        ]
    torch.testing.assert_close(found, torch.stack(each).exp().mean(0))
    assert float(found.sum()) == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("order", ["random", "raster"])
def test_the_loss_is_the_mean_over_places_and_orders(order: str, seed: int) -> None:
    """Beside brute force over all orders; every step hides something else."""
    of = model(order=order)
    x = torch.randint(0, 3, (1, *SHAPE))
    orders = [list(range(4))] if order == "raster" else list(permutations(range(4)))
    with torch.no_grad():
        exact = torch.stack([by_the_whole_network(of, x, torch.tensor(o)).sum() for o in orders])
        drawn = torch.stack([of.loss(Batch(x=x), step=i).total for i in range(4000)])
    error = 5 * float(drawn.std()) / 4000**0.5
    assert float(drawn.mean()) == pytest.approx(-float(exact.mean()), abs=error)


@every_network
def test_steps_of_different_age_run_side_by_side(network: str, seed: int) -> None:
    of, order = model((1, 3, 4), 5, network=network), torch.randperm(12)
    steps, x = (
        of.network.ordered(order),
        torch.cat([torch.full((2, 1), 5), torch.randint(0, 5, (2, 12))], 1),
    )
    with torch.no_grad():
        whole, _ = steps.step(x[:, :-1], steps.init_state(2))
        _, old = steps.step(x[:1, :6], steps.init_state(1))
        _, young = steps.step(x[1:, :2], steps.init_state(1))
        state = {name: torch.cat([old[name], young[name]]) for name in old}
        for i in range(4):
            token = torch.stack([x[0, 6 + i], x[1, 2 + i]])[:, None]
            scores, state = steps.step(token, state)
            expected = torch.stack([whole[0, 6 + i], whole[1, 2 + i]])
            torch.testing.assert_close(scores[:, 0], expected)


@every_network
def test_anything_is_filled_in_given_anything(network: str, seed: int) -> None:
    of, x = model((1, 3, 4), 5, network=network), torch.randint(0, 5, (4, 1, 3, 4))
    known = torch.rand(4, 1, 3, 4) < 0.6
    known[1] = known[2]
    known[:, 0, 0, 0], known[:, 0, 2, 3] = False, True
    generator = torch.Generator().manual_seed(seed)
    found = of.complete(x, known, num=3, generator=generator)
    assert found.item is not None
    assert found.item.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    for value, item in zip(found.values, found.item.tolist(), strict=True):
        assert torch.equal(value[known[item]], x[item][known[item]])


def test_filled_in_values_come_as_often_as_the_model_says(seed: int) -> None:
    """With one value unknown its distribution is one row of the network's scores."""
    of, x = model(), torch.tensor([[[[0, 1], [2, 0]]]])
    known = torch.tensor([[[[True, True], [False, True]]]])
    generator = torch.Generator().manual_seed(seed)
    drawn = of.complete(x, known, num=4000, generator=generator).values[:, 0, 1, 0]
    with torch.no_grad():
        scores = of.network(sequence_of(x), sequence_of(known))
    p = scores[0, 2].softmax(-1)
    often = torch.bincount(drawn, minlength=3) / 4000
    assert bool(((often - p).abs() < 5 * (p * (1 - p) / 4000).sqrt() + 1e-9).all())


def some(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.long)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda of: of.score(some(1, 1, 2, 3)), "images are"),
        (lambda of: of.score(some(1, *SHAPE) + 3), "levels are 3 to 3"),
        (lambda of: of.score(some(1, *SHAPE), torch.tensor([1])), "have no lengths"),
        (lambda of: of.score(some(1, *SHAPE), order=torch.tensor([0, 1, 1, 3])), "each once"),
        (lambda of: of.score(some(1, *SHAPE), num_orders=0), "num_orders is 0"),
        (
            lambda of: of.score(some(1, *SHAPE), order=torch.arange(4), num_orders=2),
            "give one order",
        ),
        (lambda of: of.complete(some(1, *SHAPE), some(1, *SHAPE) == 0), "everything is known"),
        (lambda of: of.complete(some(1, *SHAPE), some(1, 1, 2, 3) == 0), "known has the shape"),
        (lambda of: of.sample(1, condition=some(1)), "no place for a condition"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(ask: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ask(model())


def test_a_model_of_one_order_says_what_it_can_not_fill_in() -> None:
    of, known = model(order="raster"), some(1, *SHAPE) == 1
    known[..., 1, 1] = True
    with pytest.raises(ConfigError, match="train with the order random"):
        of.complete(some(1, *SHAPE), known)
    with pytest.raises(ConfigError, match="num_orders is 2, and the model was trained in 1"):
        of.score(some(1, *SHAPE), num_orders=2)
    with pytest.raises(ConfigError, match="the codec of the images gives them"):
        Masked(MaskedConfig())


@pytest.mark.parametrize("orders", [{"order": "raster"}, {"num_orders": 1}, {"num_orders": 3}])
def test_probabilities_of_made_add_up_in_each_of_its_orders(
    orders: dict[str, Any], seed: int
) -> None:
    of = model(network="made", **orders)
    assert isinstance(of.network, MADE)
    with torch.no_grad():
        for order in of.network.orders:
            total = of.score(everything(), order=order).total.exp().sum()
            assert float(total) == pytest.approx(1, abs=1e-10)


def test_the_loss_of_made_is_the_score_in_the_order_of_the_step(seed: int) -> None:
    of = model((3, 2, 3), 5, network="made", num_orders=3, hidden_size=17)
    x = torch.randint(0, 5, (4, 3, 2, 3))
    assert isinstance(of.network, MADE)
    with torch.no_grad():
        for step in range(4):
            expected = of.score(x, order=of.network.orders[step % 3]).total
            found = of.loss(Batch(x=x), step=step).total
            torch.testing.assert_close(found, -expected.sum())


def test_no_score_of_made_sees_its_own_value_or_later_ones(seed: int) -> None:
    """By the gradient of each score with respect to what is embedded of each value."""
    of = model((1, 3, 4), 4, network="made", num_orders=2, hidden_size=200)
    assert isinstance(of.network, MADE)
    x = torch.randint(0, 4, (1, 12))
    for number, order in enumerate(of.network.orders):
        e = of.network.embedding(x).detach().requires_grad_()
        ordered = InOrder(of.network, order)
        ordered.embedding = lambda x, e=e: e  # type: ignore[assignment]
        scores = ordered(x)
        assert torch.equal(scores.detach(), of.network(x, number).detach())
        for place in range(12):
            (grad,) = torch.autograd.grad(scores[0, place].sum(), e, retain_graph=True)
            seen = grad[0].abs().sum(-1) > 0
            before = torch.zeros(12, dtype=torch.bool)
            before[order[: int(order.argsort()[place])]] = True
            # A unit that relu shuts lets nothing through.
            assert not (seen & ~before).any()
            assert bool(seen.any()) == bool(before.any())


@pytest.mark.filterwarnings("ignore:there are 12 values and hidden_size is 5")
@pytest.mark.parametrize("hidden_size", [5, 11, 64])
def test_made_reads_every_value_but_the_last_however_small_it_is(
    hidden_size: int, seed: int
) -> None:
    of = model((1, 3, 4), 4, network="made", hidden_size=hidden_size)
    assert isinstance(of.network, MADE)
    assert int(of.network.degrees.min()) == 0
    assert int(of.network.degrees.max()) == 10
    mask = InOrder(of.network, of.network.orders[0]).weight.abs().sum((1, 2)) > 0
    assert mask[of.network.orders[0][:-1]].all()
    assert not mask[of.network.orders[0][-1]]


def test_made_goes_on_from_the_beginning_of_any_of_its_orders(seed: int) -> None:
    of, x = model((1, 3, 3), 4, network="made", num_orders=4), torch.randint(0, 4, (2, 1, 3, 3))
    assert isinstance(of.network, MADE)
    known = torch.zeros(2, 9, dtype=torch.bool)
    known[0, of.network.orders[2][:4]] = known[1, of.network.orders[3][:7]] = True
    known = known.view(2, 1, 3, 3)
    found = of.complete(x, known, num=2, generator=torch.Generator().manual_seed(seed))
    for row, item in enumerate((0, 0, 1, 1)):
        assert torch.equal(found.values[row][known[item]], x[item][known[item]])
    assert found.log_prob is not None
    whole = of.score(found.values[:1], order=of.network.orders[2]).terms
    assert whole is not None
    new = whole[0, of.network.orders[2][4:]].sum()
    assert float(found.log_prob[0]) == pytest.approx(float(new.detach()))


@every_network
@pytest.mark.parametrize("parallel", [2, 4, 100])
def test_parallel_draws_have_the_probability_that_they_were_drawn_with(
    network: str, parallel: int, seed: int
) -> None:
    of, x = model((1, 3, 3), 4, network=network), torch.randint(0, 4, (5, 1, 3, 3))
    known = torch.rand(5, 1, 3, 3) < 0.4
    known[:, :, 0, 0], known[:, :, 2, 1] = False, True
    draw = lambda: of.complete(  # noqa: E731
        x, known, num=2, parallel=parallel, generator=torch.Generator().manual_seed(seed)
    )
    found = draw()
    assert torch.equal(found.values, draw().values)
    assert found.item is not None
    assert found.log_prob is not None
    for row, item in enumerate(found.item.tolist()):
        given, values = sequence_of(known)[item].clone(), sequence_of(found.values)[row]
        assert torch.equal(values[given], sequence_of(x)[item][given])
        own = torch.randperm(9, generator=torch.Generator().manual_seed(0))
        order, nats = own[~given[own]], 0.0
        with torch.no_grad():
            for group in order.split(parallel):
                scores = of.network(values[None], given[None])[0, group].log_softmax(-1)
                nats += float(scores.gather(1, values[group, None]).sum())
                given[group] = True
        assert float(found.log_prob[row]) == pytest.approx(nats)
    few, many = (
        of.sample(5, parallel=2, num_rows=n, generator=torch.Generator().manual_seed(seed)).values
        for n in (2, 100)
    )
    assert torch.equal(few, many)


@pytest.mark.parametrize(
    ("settings", "ask", "words"),
    [
        ({"network": "made"}, lambda of: of.score(everything()[:1], num_orders=2), "num_orders is"),
        (
            {"network": "made"},
            lambda of: of.score(everything()[:1], order=torch.tensor([3, 1, 2, 0])),
            "in its own orders only",
        ),
        ({"network": "made"}, lambda of: of.sample(2, parallel=2), "parallel is for the networks"),
        ({}, lambda of: of.sample(2, parallel=0), "parallel is 0"),
        ({}, lambda of: nan(of).sample(2, parallel=2), "scores are NaN"),
        ({}, lambda of: of.sample(2, parallel=2, no_repeat_ngram=2), "know no sequence"),
        ({}, lambda of: of.sample(2, parallel=2, max_length=2), "max_length: these items have"),
    ],
)
def test_what_an_order_does_not_allow_is_told(
    settings: dict[str, Any], ask: Any, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        ask(model(**settings))


def test_orders_are_for_made() -> None:
    with pytest.raises(ConfigError, match="num_orders is 2, and is for the network made"):
        model(num_orders=2)
    with pytest.raises(ConfigError, match="num_orders is 2, and is for the network made"):
        model(network="made", order="raster", num_orders=2)
