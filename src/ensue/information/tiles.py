r"""Sums over all pairs of many rows, tile by tile, from which bounds and their intervals follow.

Of N pairs there are N^2 scores, and no bound needs them at once: of each x it needs the score of
its partner, and the logarithm of the sum of e^f over all others. These are kept for each of B
blocks of the y, so that a bound can be had without a block: that is what intervals are made of.

Dims: N pairs, B blocks.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ensue.errors import ConfigError
from ensue.information.critics import Critic, embedded

TILE = 1024
"""Rows and columns that are scored at once."""


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Sums over the scores of N pairs.

    Attributes:
        partner: (N,) float64, f(x_i, y_i).
        others: (N, B) float64, log of the sum of e^f(x_i, y_j) over the j of a block but for i.
        block: (N,) the block of each pair.
    """

    partner: Tensor
    others: Tensor
    block: Tensor

    def __len__(self) -> int:
        return len(self.partner)

    @property
    def num_blocks(self) -> int:
        """B."""
        return self.others.shape[1]

    def without(self, block: int) -> "Sums":
        """The sums without the pairs of a block, as an x and as a y."""
        rest = self.block != block
        columns = torch.arange(self.num_blocks) != block
        return Sums(
            partner=self.partner[rest],
            others=self.others[rest][:, columns],
            block=self.block[rest],
        )

    def info_nce(self) -> float:
        """The bound of :func:`ensue.information.bounds.info_nce_bound` for these scores."""
        total = torch.logaddexp(self.partner, self.others.logsumexp(1))
        return float((self.partner - total).mean()) + math.log(len(self))

    def donsker_varadhan(self) -> float:
        """The value of :func:`ensue.information.bounds.donsker_varadhan` for these scores."""
        return float(self.partner.mean()) - self._log_mean_of_others()

    def nwj(self) -> float:
        """The bound of :func:`ensue.information.bounds.nwj` for these scores plus one."""
        return 1 + float(self.partner.mean()) - math.exp(self._log_mean_of_others())

    def _log_mean_of_others(self) -> float:
        N = len(self)
        return float(self.others.flatten().logsumexp(0)) - math.log(N * (N - 1))


@torch.no_grad()
def sums_of(
    critic: Critic, x: Tensor, y: Tensor, *, num_blocks: int = 20, tile: int = TILE
) -> Sums:
    """Score all N^2 pairs of rows, a tile at a time.

    Args:
        critic: Scores pairs.
        x: (N, D).
        y: (N, E), row i drawn together with row i of x.
        num_blocks: B, of neighboring rows and equal sizes, give or take one.
        tile: Rows of a tile, at most.

    Raises:
        ConfigError: There are fewer than two pairs, or fewer than two for each block.

    Memory: tile^2 scores, of a critic without embeddings what it takes for each, and N B sums.
    """
    N = len(x)
    if len(y) != N or 2 * num_blocks > N:
        raise ConfigError(
            f"there are {N} x and {len(y)} y, and {num_blocks} blocks need at least "
            f"{2 * num_blocks} pairs"
        )
    if (products := embedded(critic, x, y)) is not None:
        (x, y), critic = products, _product
    block = torch.arange(N) * num_blocks // N
    others = torch.full((N, num_blocks), -torch.inf, dtype=torch.float64)
    partner = torch.empty(N, dtype=torch.float64)
    for b, columns in enumerate(torch.split(torch.arange(N), torch.bincount(block).tolist())):
        for part in columns.split(tile):
            for rows in torch.arange(N).split(tile):
                scores = critic(x[rows], y[part])
                if part[0] <= rows[-1] and rows[0] <= part[-1]:
                    own = (rows[:, None] == part).to(scores.device)
                    partner[rows[own.any(1).cpu()]] = scores[own].double().cpu()
                    scores = scores.masked_fill(own, -torch.inf)
                log_sum = scores.logsumexp(1).double().cpu()
                others[rows, b] = torch.logaddexp(others[rows, b], log_sum)
    return Sums(partner=partner, others=others, block=block)


def _product(x: Tensor, y: Tensor) -> Tensor:
    return x @ y.T
