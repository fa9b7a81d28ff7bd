r"""Critics: networks that score pairs (x, y), all with all.

A new one scores all pairs 0. The best critic of every bound here is the log-ratio
log p(x, y) / (p(x) p(y)), but for a constant or a function of x alone.

Dims: N and M rows, D and E features.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ensue.errors import ConfigError, unknown
from ensue.nn.mlp import MLP


class Critic(Protocol):
    """Scores all pairs of rows x (N, D) and y (M, E): (N, M). Any module of a user's may be one."""

    def __call__(self, x: Tensor, y: Tensor, /) -> Tensor: ...


@runtime_checkable
class Embeds(Protocol):
    """A critic whose scores are products of embeddings, so that a row is embedded only once."""

    def embed(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (N, K) and (M, K), the products of which are the scores."""
        ...


class SeparableCritic(nn.Module):
    r"""Product of two embeddings; costs a network of each row, and a product for each pair.

    .. math:: f(x, y) = g(x)^\top h(y)

    Args:
        x_features: D.
        y_features: E.
        embedding_size: Numbers of an embedding.
        hidden_sizes: Layers of both networks.

    Example:
        >>> SeparableCritic(3, 2)(torch.zeros(4, 3), torch.zeros(5, 2)).shape
        torch.Size([4, 5])
    """

    def __init__(
        self,
        x_features: int,
        y_features: int,
        *,
        embedding_size: int = 32,
        hidden_sizes: Sequence[int] = (128, 128),
    ) -> None:
        super().__init__()
        self.of_x = MLP(x_features, embedding_size, hidden_sizes=hidden_sizes)
        self.of_y = MLP(y_features, embedding_size, hidden_sizes=hidden_sizes)
        # Zero times zero would never learn.
        self.of_x.last.reset_parameters()

    def embed(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (N, K) and (M, K), the products of which are the scores."""
        return self.of_x(x), self.of_y(y)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores (N, M)."""
        of_x, of_y = self.embed(x, y)
        return of_x @ of_y.T


class BilinearCritic(nn.Module):
    r"""Bilinear form, as the predictor of CPC is one (eq. 3, van den Oord et al. 2018).

    .. math:: f(x, y) = x^\top W y

    Args:
        x_features: D.
        y_features: E.

    Example:
        >>> BilinearCritic(3, 2)(torch.ones(4, 3), torch.ones(5, 2)).shape
        torch.Size([4, 5])
    """

    def __init__(self, x_features: int, y_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(x_features, y_features))

    def embed(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """x W and y."""
        return x @ self.weight, y

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores (N, M)."""
        return x @ self.weight @ y.T


class ConcatenatedCritic(nn.Module):
    r"""One network that reads both; costs a network for each pair: N M of them.

    .. math:: f(x, y) = g([x; y])

    Args:
        x_features: D.
        y_features: E.
        hidden_sizes: Layers.

    Example:
        >>> ConcatenatedCritic(3, 2)(torch.zeros(4, 3), torch.zeros(5, 2)).shape
        torch.Size([4, 5])
    """

    def __init__(
        self, x_features: int, y_features: int, *, hidden_sizes: Sequence[int] = (128, 128)
    ) -> None:
        super().__init__()
        first, *others = hidden_sizes
        # The first product is of x and of y alone: the sum of both is that of the pair.
        self.of_x = nn.Linear(x_features, first)
        self.of_y = nn.Linear(y_features, first, bias=False)
        self.rest = MLP(first, 1, hidden_sizes=others)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores (N, M)."""
        pairs = (self.of_x(x)[:, None] + self.of_y(y)).relu()
        return self.rest(pairs.flatten(0, 1)).view(len(x), len(y))


class SumOfCritics(nn.Module):
    """Sum of the scores of several critics.

    Args:
        parts: The critics.
    """

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Scores (N, M)."""
        return torch.stack([part(x, y) for part in self.parts]).sum(0)


def embedded(critic: Critic, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor] | None:
    """Embeddings (N, K) and (M, K) with the scores as products, or None where there are none."""
    if not isinstance(critic, SumOfCritics):
        return critic.embed(x, y) if isinstance(critic, Embeds) else None
    parts = [embedded(part, x, y) for part in critic.parts]
    if None in parts:
        return None
    of_x, of_y = zip(*filter(None, parts), strict=True)
    return torch.cat(of_x, dim=1), torch.cat(of_y, dim=1)


def critic_of(name: str, x_features: int, y_features: int) -> nn.Module:
    """The critic of a name: separable, bilinear or concatenated.

    Raises:
        ConfigError: There is no such critic.
    """
    critics = {
        "separable": SeparableCritic,
        "bilinear": BilinearCritic,
        "concatenated": ConcatenatedCritic,
    }
    if name not in critics:
        raise ConfigError(unknown("critic", name, critics))
    return critics[name](x_features, y_features)
