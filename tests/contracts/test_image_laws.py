"""The laws of the families that predict images value by value."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from ensue.errors import ConfigError
from ensue.models.images import image_of, sequence_of
from ensue.models.tokens.causal import Causal, CausalConfig
from ensue.models.tokens.masked import Masked, MaskedConfig
from ensue.models.tokens.pixelcnn import PixelCNN, PixelCNNConfig

Shape = tuple[int, int, int]
CONVOLUTION = {"channels": 8, "num_layers": 3, "kernel_size": 2, "dilations": (1, 3)}
PIXELS = {"channels": 6, "skip_channels": 5, "num_layers": 3}
FORWARD: dict[str, Callable[..., Any]] = {
    "causal, convolution": lambda **f: Causal(CausalConfig(**CONVOLUTION, **f)),
    "causal, transformer": lambda **f: Causal(
        CausalConfig(channels=8, num_layers=2, backbone="transformer", attention_window=40, **f)
    ),
    "pixelcnn": lambda **f: PixelCNN(PixelCNNConfig(**PIXELS, kernel_size=3, **f)),
    "pixelcnn, wide kernel": lambda **f: PixelCNN(PixelCNNConfig(**PIXELS, kernel_size=7, **f)),
    "pixelcnn, classes": lambda **f: PixelCNN(
        PixelCNNConfig(**PIXELS, classes=("a", "b", "c"), **f)
    ),
    "pixelcnn, logistic": lambda **f: PixelCNN(
        PixelCNNConfig(**PIXELS, head="logistic", num_mixtures=3, **f)
    ),
    "masked, raster": lambda **f: Masked(MaskedConfig(order="raster", channels=4, **f)),
    "masked, raster, mlp": lambda **f: Masked(
        MaskedConfig(order="raster", network="mlp", hidden_size=8, num_layers=1, **f)
    ),
    "masked, made": lambda **f: Masked(
        MaskedConfig(order="raster", network="made", hidden_size=50, num_layers=1, **f)
    ),
}
ANY: dict[str, Callable[..., Any]] = {
    **FORWARD,
    "masked": lambda **f: Masked(MaskedConfig(channels=4, **f)),
    "masked, mlp": lambda **f: Masked(
        MaskedConfig(network="mlp", hidden_size=8, num_layers=1, **f)
    ),
}
forward = pytest.mark.parametrize("name", FORWARD)
every = pytest.mark.parametrize("name", ANY)


def model(name: str, shape: Shape, levels: int) -> Any:
    """In double precision, and away from what it is at initialization."""
    of = ANY[name](num_tokens=levels + 1, bos=levels, shape=shape).double().eval()
    for parameter in of.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return of


@every
@pytest.mark.parametrize("shape", [(1, 2, 3), (3, 1, 2), (1, 6, 1), (2, 3, 1)])
def test_probabilities_of_all_images_add_up(name: str, shape: Shape, seed: int) -> None:
    x = torch.tensor(list(product(range(2), repeat=6))).view(-1, *shape)
    with torch.no_grad():
        total = model(name, shape, 2).log_prob(x).exp().sum()
    assert float(total) == pytest.approx(1, abs=1e-10)


@forward
@pytest.mark.parametrize("batch", [1, 3])
def test_steps_draw_what_the_whole_network_would(name: str, batch: int, seed: int) -> None:
    """Greedily: each value is the likeliest one, as whole scores of all candidates say."""
    shape, levels = (3, 3, 5), 4
    of = model(name, shape, levels)
    found = sequence_of(of.sample(batch, temperature=0).values)
    assert len(found.unique(dim=0)) == 1
    naive = torch.zeros(1, 45, dtype=torch.long)
    with torch.no_grad():
        for t in range(45):
            candidates = naive.repeat(levels, 1)
            candidates[:, t] = torch.arange(levels)
            terms = of.score(image_of(candidates, shape)).terms
            naive[0, t] = terms[:, t].argmax()
    assert torch.equal(found[:1], naive)


@forward
def test_no_score_sees_its_own_value_or_later_ones(name: str, seed: int) -> None:
    of = model(name, (3, 4, 4), 5)
    x = torch.randint(0, 5, (2, 3, 4, 4))
    terms = of.score(x).terms
    for at in (0, 13, 31, 47):
        changed = sequence_of(x)
        changed[:, at:] = torch.randint(0, 5, (2, 48 - at))
        again = of.score(image_of(changed, (3, 4, 4))).terms
        assert torch.equal(terms[:, :at], again[:, :at])
        if at < 47:
            assert not torch.equal(terms[:, at + 1 :], again[:, at + 1 :])


@forward
def test_images_keep_what_is_known_of_them(name: str, seed: int) -> None:
    of, x = model(name, (1, 4, 3), 5), torch.randint(0, 5, (3, 1, 4, 3))
    known = torch.zeros_like(x, dtype=torch.bool)
    known[0, :, :1] = known[1, :, :3] = known[2, :, :1] = True
    generator = torch.Generator().manual_seed(seed)
    found = of.complete(x, known, num=2, generator=generator)
    assert found.values.shape == (6, 1, 4, 3)
    assert found.item.tolist() == [0, 0, 1, 1, 2, 2]
    for row, item in enumerate(found.item.tolist()):
        assert torch.equal(found.values[row][known[item]], x[item][known[item]])
        terms = of.score(found.values[row : row + 1]).terms
        new = terms[0, int(known[item].sum()) :].sum()
        assert float(found.log_prob[row]) == pytest.approx(float(new.detach()), abs=1e-9)
    beams = of.complete(x, known, num=2, method="beam")
    assert beams.values.shape == (6, 1, 4, 3)


@forward
def test_a_channel_may_be_where_drawing_goes_on(name: str, seed: int) -> None:
    """What is known may end inside a pixel, at another place in each image."""
    of, x = model(name, (3, 2, 3), 5), torch.randint(0, 5, (4, 3, 2, 3))
    sequence = torch.arange(18).expand(4, 18)
    known = image_of(sequence < torch.tensor([[1], [5], [9], [17]]), (3, 2, 3))
    found = of.complete(x, known, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(found.values[known], x[known])
    terms = of.score(found.values).terms
    new = (terms * ~sequence_of(known)).sum(1)
    torch.testing.assert_close(found.log_prob, new.detach())


def some(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.long)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda of: of.score(some(1, 1, 4, 4)), r"images are \(1, 4, 4\), and the model is of"),
        (lambda of: of.score(some(1, 1, 4, 3) + 5), "levels are 5 to 5; they must be 0 to 4"),
        (lambda of: of.score(some(1, 1, 4, 3) - 1), "levels are -1 to -1"),
        (
            lambda of: of.complete(some(1, 1, 4, 3), some(1, 1, 4, 4).bool()),
            r"known has the shape \(1, 1, 4, 4\)",
        ),
        (
            lambda of: of.complete(some(1, 1, 4, 3), some(1, 1, 4, 3) == 0),
            "everything is known",
        ),
        (
            lambda of: of.complete(some(1, 1, 4, 3), some(1, 1, 4, 3) > 0),
            "nothing is known of an item; sample draws",
        ),
        (lambda of: of.score(some(1, 1, 4, 3), torch.tensor([3])), "have no lengths"),
        (lambda of: of.score(some(1, 1, 4, 3) + 0.5), "whole numbers"),
        (lambda of: of.complete(some(1, 1, 4, 3), some(1, 1, 4, 3)), "known is true or false"),
        (lambda of: of.sample(0), "num is 0"),
        (lambda of: of.sample(1, max_length=3), "max_length: these items have one length"),
        (lambda of: of.sample(1, condition=torch.zeros(1)), "condition"),
        (lambda of: of.sample(1, condition=some(1) + 3), "condition"),
    ],
)  # fmt: skip
@every
def test_what_does_not_fit_is_told(name: str, ask: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ask(model(name, (1, 4, 3), 5))


@forward
def test_only_what_is_read_first_can_be_given(name: str) -> None:
    known = torch.arange(12).view(1, 1, 4, 3) == 5
    with pytest.raises(ConfigError, match=r"true up to some token|must come first"):
        model(name, (1, 4, 3), 5).complete(some(1, 1, 4, 3), known)
