"""The layers of causal models, convolutions or attention, and what they are conditioned on.

Dims: B batch, T tokens, E channels, S skip channels.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ensue.errors import ConfigError
from ensue.models.condition import ClassCondition, vectors_of
from ensue.models.tokens.causal_config import CausalConfig
from ensue.nn import CausalTransformer, GatedStack
from ensue.nn.causal_conv import condition_at


class CausalLayers(nn.Module, ABC):
    """Abstract: a decoder with causal layers, which may be conditioned on classes or numbers.

    A final class makes ``classes``, and the layers by :meth:`build_layers`, where it is their turn:
    weights are drawn in that order.

    Args:
        config: Of the layers.

    Attributes:
        classes: The condition where the data have classes, or None.
        num_features: S of convolutions, E of attention.
    """

    classes: ClassCondition | None
    layers: GatedStack | CausalTransformer
    given: nn.Linear | None
    num_features: int

    def __init__(self, config: CausalConfig) -> None:
        super().__init__()
        self.condition_size = config.condition_size

    def build_layers(self, config: CausalConfig, dilations: Sequence[int], window: int) -> None:
        """Make the layers.

        Args:
            config: Of the layers.
            dilations: Of the convolutions, taken in turn, where the settings leave them open.
            window: Tokens back that attention reaches.
        """
        E = config.channels
        if config.backbone == "transformer":
            self.num_features = E
            self.layers = CausalTransformer(
                E,
                num_layers=config.num_layers,
                num_heads=config.num_heads,
                window=window,
                dropout=config.dropout,
            )
            # Attention has no gates that a condition could turn; it is added to every token.
            self.given = nn.Linear(self.condition_size, E) if self.condition_size else None
            return
        turn = config.dilations or tuple(dilations)
        self.num_features, self.given = config.skip_channels, None
        self.layers = GatedStack(
            E,
            config.skip_channels,
            kernel_size=config.kernel_size,
            dilations=tuple(turn[i % len(turn)] for i in range(config.num_layers)),
            condition_size=config.condition_size or (E if config.classes else 0),
            dropout=config.dropout,
        )

    @property
    def recordable(self) -> bool:
        """True where a step reads nothing back; it does to see that numbers for steps suffice."""
        return not self.condition_size

    def init_state(self, batch: int, condition: Tensor | None = None) -> dict[str, Any]:
        """The state of ``batch`` sequences before their first token.

        Args:
            batch: B.
            condition: Classes (B,); or numbers (B, E), or (B, T, E) for the steps T of each, where
                the model has a ``condition_size`` E.

        Raises:
            ConfigError: It has another form, is missing, or there is no place for one.
        """
        given = self._vectors(condition, batch)
        if given is None:
            return {"layers": self.layers.init_state(batch)}
        if isinstance(self.layers, GatedStack):
            return {"layers": self.layers.init_state(batch, given)}
        added = given if self.given is None else self.given(given)
        return {"layers": self.layers.init_state(batch), "condition": added}

    @abstractmethod
    def features(self, x: Tensor, state: dict[str, Any]) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """Features (B, T, E) of tokens, those (B, T, S) of all up to each, and the state."""

    def skim(self, x: Tensor, state: dict[str, Any]) -> dict[str, Any]:
        """The state after tokens (B, T), without the scores of what follows them."""
        return self.features(x, state)[2]

    def through_layers(
        self, z: Tensor, state: dict[str, Any]
    ) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """Features (B, T, E) with what is added to them, those after the layers, and the state."""
        if "condition" in state:
            z = z + condition_at(state["condition"], state["layers"]["at"], z.shape[1])
        y, layers = self.layers.step(z, state["layers"])
        return z, y, {**state, "layers": layers}

    def places(self, num: int, state: dict[str, Any]) -> Tensor:
        """(B, T) how many tokens come before each of the next ``num``; (B, 1) where that is one."""
        at = state["layers"]["at"][:, None]
        return at if num == 1 else at + torch.arange(num, device=at.device)

    def _vectors(self, condition: Tensor | None, batch: int) -> Tensor | None:
        """The condition of the layers: (B, E), (B, T, E), or None."""
        if not self.condition_size:
            return vectors_of(self.classes, condition, batch)
        return _checked_numbers(condition, batch, self.condition_size)


def _checked_numbers(condition: Tensor | None, batch: int, size: int) -> Tensor:
    """The condition, if it is ``size`` numbers for each item or for each step of it."""
    if condition is None:
        raise ConfigError(
            f"condition is missing: this model (condition_size {size}) takes {size} numbers with "
            "each item, which a loop of your own must give"
        )
    fits = condition.dim() in (2, 3) and condition.shape[-1] == size and len(condition) == batch
    if not fits or not condition.is_floating_point():
        raise ConfigError(
            f"condition is {tuple(condition.shape)} of {condition.dtype}; it is {size} numbers, "
            f"({batch}, {size}), or that many for each step, ({batch}, steps, {size})"
        )
    return condition
