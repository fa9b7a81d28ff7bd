"""Real NVP: a density and a sampler from couplings (Dinh et al. 2017, arXiv 1605.08803).

The layers are in ``realnvp_layers``, what all flows do in ``model``. Dims: B batch, D values.
"""

from collections.abc import Mapping

from torch import Tensor

from ensue.configuration import validate
from ensue.models.flows.model import FlowModel
from ensue.models.flows.realnvp_config import DEPTH, RealNVPConfig
from ensue.models.flows.realnvp_layers import layers_of_images, layers_of_rows
from ensue.models.flows.sizes import PLAIN, sized
from ensue.models.foreign import load_renamed, rename_nvpnet


class RealNVP(
    FlowModel,
    library_name="ensue",
    license="apache-2.0",
    tags=["real-nvp", "normalizing-flow", "density-estimation"],
):
    r"""Real NVP with a mask and its complement in turn.

    .. math:: \log p(x) = \log \mathcal{N}(z; 0, I) + \sum_l \sum_j (1 - b_{lj}) s_{lj}

    (eq. 6 and 9, ibid.; the couplings are given in :class:`ensue.nn.coupling.Coupling`. With
    splines, 1906.04032, the logarithms of their slopes stand for s.)

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
        config = sized(validate(RealNVPConfig, config, section="model"), {"depth": DEPTH, **PLAIN})
        layers, entry = layers_of_images(config) if config.shape else layers_of_rows(config)
        super().__init__(config, layers, entry)

    @classmethod
    def from_nvpnet(cls, state_dict: Mapping[str, Tensor]) -> "RealNVP":
        r"""A Real NVP from the weights of an ``NVPNet``: two tanh networks and a mask a coupling.

        .. math:: y = b \odot x + (1 - b) \odot (x \odot \exp s(b \odot x) + t(b \odot x))

        from the data x to the base, with any zeros and ones as the mask b of each coupling. The
        model is of the weights' precision, and is trained, saved and loaded as any other.

        Args:
            state_dict: With the keys ``layers.{i}.b`` (1, D) or (D,), ``layers.{i}.map_s.{0,2}.*``
                and ``layers.{i}.map_t.{0,2}.*``, from D to H and from H to D features.

        Raises:
            ConfigError: Keys are missing or unknown, a mask isn't of 0 and 1, or sizes don't fit.

        Example:
            >>> parts = {"0.weight": (4, 2), "0.bias": (4,), "2.weight": (2, 4), "2.bias": (2,)}
            >>> weights = {"layers.0.b": torch.tensor([[1.0, 0.0]])}
            >>> for part, shape in parts.items():
            ...     for m in ("s", "t"):
            ...         weights[f"layers.0.map_{m}.{part}"] = torch.zeros(shape)
            >>> model = RealNVP.from_nvpnet(weights)
            >>> model.config.masks
            ('10',)
        """
        settings, weights = rename_nvpnet(state_dict)
        return load_renamed(cls(RealNVPConfig(**settings)), weights, "an NVPNet")
