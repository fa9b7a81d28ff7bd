"""Own frames near the true one are no negatives."""

import numpy as np
import pytest
import torch

from ensue import CPC, CPCConfig
from ensue.data.batches import Batch
from ensue.errors import ConfigError
from ensue.information import contrast, far_enough

SMALL = {"channels": 6, "context_size": 5, "num_channels": 2, "num_steps": 60}


def test_frames_near_the_true_one_change_no_loss(seed: int) -> None:
    """Brute force: each loss is that among the frames that are far enough, and the true one."""
    torch.manual_seed(seed)
    B, A, K, T, M, D, gap = 2, 4, 3, 12, 5, 4, 3
    predicted, z = torch.randn(B, A, K, D).double(), torch.randn(B, T + M, D).double()
    target = torch.randint(T, (B, A, K))
    valid = torch.ones(B, A, K, dtype=torch.bool)
    far = far_enough(target, T, T + M, gap)
    told = contrast(predicted, z, target, valid, far)
    for b, a, k in np.ndindex(B, A, K):
        true = int(target[b, a, k])
        others = [j for j in range(T + M) if j >= T or abs(j - true) >= gap]
        scores = torch.stack([z[b, j] @ predicted[b, a, k] for j in [true, *others]])
        assert told.loss[b, a, k] == pytest.approx(float(-scores.log_softmax(0)[0]), rel=1e-9)
        assert told.chance[b, a, k] == pytest.approx(np.log(1 + len(others)), rel=1e-6)


@pytest.mark.parametrize("directions", [("forward",), ("forward", "backward")])
def test_a_gap_lowers_chance_and_is_trained_with(directions: tuple[str, ...], seed: int) -> None:
    torch.manual_seed(seed)
    batch = Batch(x=torch.randn(3, 60, 2), lengths=torch.tensor([60, 50, 40]))
    chances = []
    for gap in (None, 4):
        config = CPCConfig(**SMALL, negative_gap=gap, directions=directions, num_negatives=4)
        loss = CPC(config).loss(batch, step=0)
        loss.total.backward()
        chances.append(float(loss.metrics["chance_loss"]))
    # Of the frames of the sequence 6 at most are left out, 3 at least.
    assert chances[1] < chances[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"own_sequence": False}, "frames of the own sequence are no negatives"),
        ({"candidates": "aligned"}, "frames of the own sequence are no negatives"),
    ],
)
def test_a_gap_between_what_is_not_contrasted_is_refused(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        CPCConfig(**SMALL, negative_gap=4, **settings)


def test_a_gap_on_a_grid_is_refused() -> None:
    with pytest.raises(ConfigError, match="patches lie on a grid"):
        CPCConfig(shape=(1, 28, 28), negative_gap=2)


def test_a_gap_that_leaves_nothing_is_refused() -> None:
    model = CPC(CPCConfig(**SMALL, negative_gap=500, num_negatives=0))
    with pytest.raises(ConfigError, match="negative_gap is 500 frames, and a window has"):
        model.loss(Batch(x=torch.randn(2, 60, 2)), step=0)
