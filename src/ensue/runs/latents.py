"""Raw items by way of z: reconstruction, interpolation, and the search for the best.

Dims: N points, D latent units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ensue.data.codecs import Codec, decoded
from ensue.models.protocols import Samples
from ensue.models.traits import LatentModel

if TYPE_CHECKING:
    from ensue.models.tokens.latent_search import Found


@dataclass(frozen=True, kw_only=True)
class Latents:
    """The z of a run's items.

    Attributes:
        model: Encodes items as z, and decodes z.
        codec: Raw items to tensors and back.
        generator: Generator of draws from the prior.
        settings: Settings of generation, including its generator.
    """

    model: LatentModel
    codec: Codec
    generator: torch.Generator
    settings: dict[str, Any]

    def z(self, raw: Any) -> Tensor:
        """Return the (D,) mean of the posterior of a raw item."""
        with torch.inference_mode():
            return self.model.encode(self._encoded(raw)).embedding[0]

    def reconstruct(self, raw: Any) -> Any:
        """Decode the mean of the posterior of a raw item."""
        with torch.inference_mode():
            return self._decoded(self.model.reconstruct(self._encoded(raw), **self.settings))[0]

    def interpolate(self, start: Any, end: Any, num: int) -> list[Any]:
        """Decode ``num`` points on the line between the z of two raw items."""
        first, last = self.z(start), self.z(end)
        with torch.inference_mode():
            return self._decoded(self.model.interpolate(first, last, num, **self.settings))

    def optimize(
        self,
        function: Callable[[Sequence[Any]], Sequence[float]],
        start: Sequence[Any] | int,
        *,
        num_rounds: int,
        num: int,
        seed: int,
    ) -> Found:
        """Search for the raw items with the largest value, starting from items or draws."""
        # scikit-learn takes a second, and nothing else here needs it.
        from ensue.models.tokens.latent_search import search

        if isinstance(start, int):
            size = self.model.config.latent_size
            z = torch.randn(start, size, generator=self.generator).to(self._device)
        else:
            z = torch.stack([self.z(raw) for raw in start])
        return search(function, self._decode, z, num_rounds=num_rounds, num=num, seed=seed)

    def _decode(self, z: Tensor) -> list[Any]:
        """Decode z (N, D) to raw items, by default with the likeliest token each time."""
        with torch.inference_mode():
            drawn = self.model.sample(len(z), z=z, **{"temperature": 0.0, **self.settings})
        return self._decoded(drawn)

    def _encoded(self, raw: Any) -> Tensor:
        return self.codec.encode(raw)[None].to(self._device)

    def _decoded(self, drawn: Samples) -> list[Any]:
        return decoded(self.codec, drawn.values, drawn.lengths)

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device
