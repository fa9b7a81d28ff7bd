"""Sums over all pairs, tile by tile, are those of the whole matrix."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ensue.errors import ConfigError
from ensue.information.bounds import donsker_varadhan, info_nce_bound, nwj
from ensue.information.critics import (
    BilinearCritic,
    ConcatenatedCritic,
    Critic,
    SeparableCritic,
    SumOfCritics,
)
from ensue.information.tiles import sums_of


def pairs(num: int) -> tuple[Tensor, Tensor]:
    x = torch.randn(num, 4)
    return x, x[:, :3] + torch.randn(num, 3)


def trained(critic: torch.nn.Module) -> torch.nn.Module:
    for parameter in critic.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return critic


CRITICS = [
    trained(SeparableCritic(4, 3, hidden_sizes=(16,))),
    trained(BilinearCritic(4, 3)),
    trained(ConcatenatedCritic(4, 3, hidden_sizes=(16, 8))),
    SumOfCritics(trained(BilinearCritic(4, 3)), trained(SeparableCritic(4, 3, hidden_sizes=(16,)))),
    SumOfCritics(
        trained(BilinearCritic(4, 3)), trained(ConcatenatedCritic(4, 3, hidden_sizes=(16,)))
    ),
    lambda x, y: 2 * x[:, :3] @ y.T,
]


@pytest.mark.parametrize("critic", CRITICS)
@pytest.mark.parametrize(("num", "num_blocks", "tile"), [(50, 5, 7), (47, 20, 64), (40, 1, 40)])
def test_tiles_give_the_bounds_of_the_whole(
    critic: Critic, num: int, num_blocks: int, tile: int, seed: int
) -> None:
    x, y = pairs(num)
    scores = critic(x, y).detach().double()
    sums = sums_of(critic, x, y, num_blocks=num_blocks, tile=tile)
    assert sums.info_nce() == pytest.approx(float(info_nce_bound(scores)), abs=1e-5)
    assert sums.donsker_varadhan() == pytest.approx(float(donsker_varadhan(scores)), abs=1e-5)
    assert sums.nwj() == pytest.approx(float(nwj(scores + 1)), rel=1e-5, abs=1e-5)


def test_a_block_is_left_out_as_x_and_as_y(seed: int) -> None:
    x, y = pairs(43)
    scores = CRITICS[0](x, y).detach().double()
    sums = sums_of(CRITICS[0], x, y, num_blocks=6)
    for block in range(6):
        rest = np.flatnonzero(sums.block.numpy() != block)
        wanted = info_nce_bound(scores[rest][:, rest])
        assert sums.without(block).info_nce() == pytest.approx(float(wanted), abs=1e-5)


def test_thousands_of_pairs_are_equal_to_the_full_softmax(seed: int) -> None:
    x, y = pairs(4096)
    scores = 20 * x[:, :3] @ y.T
    sums = sums_of(lambda a, b: 20 * a[:, :3] @ b.T, x, y)
    assert sums.info_nce() == pytest.approx(float(info_nce_bound(scores.double())), abs=1e-5)


@pytest.mark.parametrize("num_y", [38, 40])
def test_too_few_pairs_for_the_blocks_are_refused(num_y: int) -> None:
    x, y = pairs(38)[0], pairs(num_y)[1]
    with pytest.raises(ConfigError, match="20 blocks need at least 40 pairs"):
        sums_of(CRITICS[1], x, y, num_blocks=20)
