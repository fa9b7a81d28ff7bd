"""CPC in several directions: what each sees, and that together they are each alone."""

from itertools import pairwise
from typing import Any

import pytest
import torch

from ensue.data.batches import Batch
from ensue.errors import ConfigError
from ensue.models.cpc import CPC, CPCConfig
from ensue.models.cpc.directions import order_of

SHAPE, PATCH, STRIDE, LEVELS = (3, 18, 22), 6, 4, 256
GRID = (4, 5)
TOWARD = {"down": (1, 0), "up": (-1, 0), "right": (0, 1), "left": (0, -1)}
"""Rows and columns from a patch to the nearest one that it predicts."""


def of_images(*directions: str, **settings: Any) -> CPC:
    small = {"channels": 8, "context_size": 6, "patch": PATCH, "stride": STRIDE, "patch_width": 4}
    few = {"num_negatives": 4, "horizon": 2, "num_context_layers": 3}
    config = {**small, **few, "directions": directions, **settings}
    return CPC(CPCConfig(shape=SHAPE, num_tokens=LEVELS + 1, **config)).eval()


def pictures(num: int) -> torch.Tensor:
    return torch.randint(0, LEVELS, (num, *SHAPE), dtype=torch.uint8)


@pytest.mark.parametrize("direction", TOWARD)
def test_what_lies_ahead_does_not_change_a_context(direction: str, seed: int) -> None:
    """Change every pixel beyond the patches of a row: contexts up to that row are bit-equal."""
    model, x = of_images(direction, context_size=64), pictures(2)  # six ReLUs may all be closed
    before = model.encode(x).context.unflatten(1, GRID)
    dy, dx = TOWARD[direction]
    axis, size, count = (2, SHAPE[1], GRID[0]) if dy else (3, SHAPE[2], GRID[1])
    backward = dy + dx < 0
    for row in range(count - 1):
        # Places of the grid are counted from where the direction begins to read.
        last = (count - 1 - row) * STRIDE if backward else row * STRIDE + PATCH
        ahead = slice(0, last) if backward else slice(last, size)
        changed = x.clone()
        place = [slice(None)] * 4
        place[axis] = ahead
        changed[tuple(place)] = 255 - changed[tuple(place)]
        after = model.encode(changed).context.unflatten(1, GRID)
        a, b = (c if dy else c.transpose(1, 2) for c in (before, after))
        a, b = (c.flip(1) if backward else c for c in (a, b))
        assert torch.equal(a[:, : row + 1], b[:, : row + 1])
        assert (a[:, row + 1] != b[:, row + 1]).any(-1).all(), "each patch of the next row sees it"


def test_context_has_no_blind_spot(seed: int) -> None:
    """Three layers see six rows up and three columns to either side, whole."""
    model = of_images("down", context_size=32)
    grid, place = (4, 9), (3, 4)
    # Of one grid, the few paths to a far corner may all be closed by a ReLU.
    z = torch.randn(64, 36, model.encoder.num_features, requires_grad=True)
    c = model.contexts(z, None, grid).unflatten(1, grid)
    (gradient,) = torch.autograd.grad(c[:, place[0], place[1]].sum(), z)
    seen = gradient.unflatten(1, grid).any(-1).any(0)
    across = (torch.arange(9) - place[1]).abs() <= 3
    assert torch.equal(seen, across.expand(4, 9))


@pytest.mark.parametrize("direction", [*TOWARD, "forward", "backward"])
def test_turned_frames_turn_back(direction: Any, seed: int) -> None:
    z, lengths = torch.randn(3, 20, 2), torch.tensor([20, 7, 1])
    on_grid = direction in TOWARD
    for num_frames in (None, lengths) if not on_grid else (None,):
        order = order_of(direction, num_frames, 20, GRID if on_grid else None)
        assert torch.equal(order.turn_back(order.turn(z)), z)


@pytest.mark.parametrize("direction", TOWARD)
def test_future_lies_below_once_turned(direction: Any) -> None:
    order = order_of(direction, None, 20, GRID)
    places = order.turn(torch.arange(20.0).view(1, 20, 1))[0, :, 0].long().view(order.grid)
    rows, columns = places // GRID[1], places % GRID[1]
    for (y, next_y), (x, next_x) in zip(pairwise(rows), pairwise(columns), strict=True):
        assert ((next_y - y) == TOWARD[direction][0]).all()
        assert ((next_x - x) == TOWARD[direction][1]).all()


def test_backward_is_forward_on_reversed_frames(seed: int) -> None:
    settings = {"sample_rate": 16000, "channels": 8, "context_size": 6, "horizon": 3}
    model = CPC(CPCConfig(**settings, directions=("backward",))).eval()
    x, lengths = torch.randn(2, 3200), torch.tensor([3200, 1600])
    f = model.encode(x, lengths)
    assert f.lengths is not None
    for row, end in enumerate(f.lengths.tolist()):
        reversed_frames = f.local[row : row + 1, :end].flip(1)
        expected = model.context(reversed_frames)[0].flip(1)
        torch.testing.assert_close(f.context[row : row + 1, :end], expected, rtol=0, atol=1e-6)


def test_losses_of_directions_add_up(seed: int) -> None:
    """Each direction of several is the model of that direction alone, with the same weights."""
    several, x = of_images(*TOWARD, num_negatives=0), pictures(3)
    whole = several.loss(Batch(x=x), step=0)
    total, count = 0.0, 0
    for branch in several.branches:
        alone = of_images(branch.direction, num_negatives=0)
        alone.encoder.load_state_dict(several.encoder.state_dict())
        alone.context.load_state_dict(branch.context.state_dict())
        alone.predictor.load_state_dict(branch.predictor.state_dict())
        one = alone.loss(Batch(x=x), step=0)
        total, count = total + one.total, count + one.count
        figures = whole.metrics[f"{branch.direction}_loss_by_horizon"]
        torch.testing.assert_close(figures, one.metrics["loss_by_horizon"])
    torch.testing.assert_close(whole.total, total)
    assert whole.count == count


@pytest.mark.parametrize("num_negatives", [0, 5])
def test_equal_scores_cost_log_n(num_negatives: int, seed: int) -> None:
    model = of_images("down", "left", num_negatives=num_negatives)
    for predictor in (model.predictor, model.other_predictors["left"]):
        torch.nn.init.zeros_(predictor.weight)
        torch.nn.init.zeros_(predictor.bias)
    loss = model.loss(Batch(x=pictures(3)), step=0)
    expected = torch.tensor(20.0 + num_negatives).log()
    torch.testing.assert_close(loss.mean, expected)
    torch.testing.assert_close(loss.metrics["chance_loss"], expected)
    assert not loss.metrics["accuracy"]


def test_directions_that_do_not_fit_are_refused_in_words() -> None:
    for directions, words in (
        (("forward",), "has 'forward', but patches of images lie on a grid"),
        (("down", "down"), "name each once"),
    ):
        with pytest.raises(ConfigError, match=words):
            of_images(*directions)
    with pytest.raises(ConfigError, match="has 'up', but frames of sound and series lie on a line"):
        CPC(CPCConfig(sample_rate=8000, directions=("up",)))
    with pytest.raises(ConfigError, match="images have 4 rows of patches; use --horizon 3"):
        of_images("down", horizon=4).loss(Batch(x=pictures(2)), step=0)
    of_images("right", horizon=4).loss(Batch(x=pictures(2)), step=0)


def test_what_reads_backward_or_on_a_grid_has_no_stream() -> None:
    with pytest.raises(ConfigError, match="images have no stream"):
        of_images("down").init_state(1)
    both = ("forward", "backward")
    with pytest.raises(ConfigError, match="train forward alone"):
        CPC(CPCConfig(sample_rate=8000, directions=both)).init_state(1)
