"""Real NVP: a density and a sampler from affine couplings (Dinh et al. 2017, arXiv 1605.08803).

The coupling itself stands in ``ensue.nn.coupling``, what is common to flows in ``models.flow``.
Dims: B batch, D values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from huggingface_hub import PyTorchModelHubMixin
from pydantic import Field
from torch import Tensor, nn

from ensue.configuration import STRICT, Format, from_data, validate
from ensue.data.batches import Batch
from ensue.errors import ConfigError, DataError
from ensue.models.flow import Flow
from ensue.models.foreign import rename_nvpnet
from ensue.models.protocols import Features, Loss, Samples, Score
from ensue.nn import AffineCoupling, alternating_halves


@dataclass(frozen=True, kw_only=True)
class RealNVPConfig:
    """Settings of a Real NVP. The defaults are those of the recipe ``moons``."""

    __pydantic_config__ = STRICT

    format: Format = 1
    family: Literal["realnvp"] = "realnvp"
    depth: Annotated[int, Field(gt=0, description="number of couplings")] = 8
    hidden_size: Annotated[
        int, Field(gt=0, description="width of the tanh layer of each scale and shift network")
    ] = 64
    num_features: Annotated[int | None, Field(ge=2)] = from_data()


class RealNVP(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="ensue",
    license="apache-2.0",
    tags=["real-nvp", "normalizing-flow", "density-estimation"],
):
    r"""Real NVP with half masks and their complements in turn.

    .. math:: \log p(x) = \log \mathcal{N}(z; 0, I) + \sum_l \sum_j (1 - b_{lj}) s_{lj}

    (eq. 6 and 9, ibid.; the couplings are given in :class:`ensue.nn.coupling.AffineCoupling`.)

    Args:
        config: The settings, with ``num_features`` D.

    Raises:
        ConfigError: A setting is wrong.

    Example:
        >>> model = RealNVP(RealNVPConfig(num_features=2))
        >>> model.log_prob(torch.zeros(1, 2))  # the identity before training
        tensor([-1.8379], grad_fn=<AddBackward0>)
        >>> model.sample(3).values.shape
        torch.Size([3, 2])
    """

    def __init__(self, config: RealNVPConfig) -> None:
        super().__init__()
        self.config = config = validate(RealNVPConfig, config, section="model")
        if config.num_features is None:
            raise ConfigError("a Real NVP needs num_features, the number of values of an item")
        D, H = config.num_features, config.hidden_size
        masks = alternating_halves(D, config.depth)
        self.flow = Flow([AffineCoupling(m, _network(D, H), _network(D, H)) for m in masks])

    shortest = shortest_item = 1

    @classmethod
    def from_nvpnet(cls, state_dict: Mapping[str, Tensor]) -> "RealNVP":
        """A Real NVP from the weights of an ``NVPNet``: any masks, two tanh networks a coupling.

        Args:
            state_dict: With the keys ``layers.{i}.b``, ``layers.{i}.map_s.{0,2}.*`` and
                ``layers.{i}.map_t.{0,2}.*``.

        Raises:
            ConfigError: Keys are missing or unknown.
        """
        settings, weights = rename_nvpnet(state_dict)
        model = cls(RealNVPConfig(**settings)).to(weights["flow.layers.0.scale.0.weight"].dtype)
        model.load_state_dict(weights)
        return model

    def untrained_variants(self) -> dict[str, RealNVPConfig]:
        """What to compare a trained Real NVP with: a new one, which is the identity."""
        return {"the identity": self.config}

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D) x to (B, D) z and (B,) log-determinant of dz/dx."""
        return self.flow(x)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D) z to (B, D) x and (B,) log-determinant of dx/dz."""
        return self.flow.inverse(z)

    def log_prob(
        self, x: Tensor, lengths: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """Log-density of (B, D) values, (B,) nats.

        Raises:
            ConfigError: ``lengths`` or ``condition`` is given; items have a fixed shape here.
            DataError: The items are of another width.
        """
        _refuse(lengths=lengths, condition=condition)
        if x.ndim != 2 or x.shape[1] != self.config.num_features:
            raise DataError(f"x is {tuple(x.shape)} but num_features={self.config.num_features}")
        return self.flow.log_prob(x)

    def loss(self, batch: Batch, *, step: int) -> Loss:
        """Negative log-likelihood, summed over the batch."""
        nats = -self.log_prob(batch.x, batch.lengths, batch.condition)
        return Loss(nats.sum(), torch.tensor(len(batch), device=nats.device), {})

    def encode(self, x: Tensor, lengths: Tensor | None = None) -> Features:
        """The embedding is z = f(x), of the same width as x."""
        _refuse(lengths=lengths)
        return Features(None, None, self.flow(x)[0])

    def score(self, x: Tensor, lengths: Tensor | None = None) -> Score:
        """The exact log-density; see :meth:`log_prob`."""
        return Score(self.log_prob(x, lengths), None, "exact")

    def sample(
        self,
        num: int,
        *,
        condition: Tensor | None = None,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Samples:
        """Draw ``num`` items; ``temperature`` is the base's standard deviation.

        Raises:
            ConfigError: ``num`` or ``temperature`` is negative, or ``condition`` is given.
        """
        _refuse(condition=condition)
        if num < 0 or temperature < 0:
            raise ConfigError(f"num={num} and temperature={temperature} must not be negative")
        D = self.config.num_features
        assert D is not None
        x = self.flow.sample(num, D, temperature=temperature, generator=generator)
        return Samples(x, log_prob=self.flow.log_prob(x))


def _network(num_features: int, hidden_size: int) -> nn.Sequential:
    """One tanh layer; the output starts at zero, so that a new flow is the identity."""
    last = nn.Linear(hidden_size, num_features)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(num_features, hidden_size), nn.Tanh(), last)


def _refuse(**arguments: Tensor | None) -> None:
    for name, value in arguments.items():
        if value is not None:
            raise ConfigError(f"a Real NVP can't honor {name}; leave it out")
