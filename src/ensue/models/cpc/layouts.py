"""Layouts: how the frames of an item lie, on a line or on a grid, and all that depends on it.

A model asks its layout, and never which encoder made the frames.

Dims: B batch, T frames, D local and C context features.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from ensue.errors import ConfigError
from ensue.models.cpc.config import CPCConfig
from ensue.models.cpc.directions import Grid
from ensue.nn import GRU, StridedStack
from ensue.nn.grid_context import GridContext
from ensue.nn.patches import PatchFrames


@dataclass(frozen=True)
class OnALine:
    """Frames one after another, each a hop of samples later than the one before.

    Attributes:
        hop: Samples from frame to frame.
        shortest_item: Samples of the shortest item that has a frame.
        frame_rate: Frames a second, or None where it isn't known.
        apart: Frames from one to the next that shares no sample with it, where horizons begin
            there unless they are said to begin nearer.
        step_unit: What ``hop`` counts, in the plural.
    """

    hop: int
    shortest_item: int
    frame_rate: float | None
    apart: int = 1
    step_unit: str = "samples"
    any_size = False

    def grid_of(self, x: Tensor) -> None:
        """Return None: frames on a line have no rows or columns."""

    def completed(self, config: CPCConfig) -> CPCConfig:
        """The settings with what was left open filled in."""
        num_steps = config.num_steps
        num_frames = None if num_steps is None else num_steps // self.hop
        return config.on_a_line(apart=self.apart, num_frames=num_frames)

    def shortest(self, horizon: int) -> int:
        """Samples of the shortest item that has a future to predict."""
        return (horizon + 1) * self.hop

    def context_network(self, config: CPCConfig, num_features: int) -> nn.Module:
        """A new network from frames (B, T, D) to contexts (B, T, C)."""
        make = GRU if config.recurrent == "ensue" else nn.GRU
        layers = config.num_context_layers or 1
        return make(num_features, config.context_size, layers, batch_first=True)

    def require_future(self, config: CPCConfig, num_frames: int, grid: Grid | None) -> None:
        """Refuse items with fewer frames than a prediction needs.

        Raises:
            ConfigError: They have fewer.
        """
        horizon, rate = config.reach[-1], self.frame_rate
        if num_frames > horizon:
            return
        seconds = "" if rate is None else f" ({num_frames / rate:.2f} s at {rate:g} Hz)"
        raise ConfigError(
            f"horizon is {horizon} but the clips have {num_frames} frames{seconds}; "
            f"use --horizon {num_frames - 1} or less, or longer clips"
        )


@dataclass(frozen=True)
class OnAGrid:
    """Frames in rows and columns, each of a patch of an image.

    Attributes:
        frames: What makes them.
    """

    frames: PatchFrames
    shortest_item = 1
    step_unit = "pixels"
    any_size = True

    def grid_of(self, x: Tensor) -> Grid:
        """Rows and columns of the frames of images (B, C, H, W)."""
        return self.frames.grid((x.shape[-2], x.shape[-1]))

    def completed(self, config: CPCConfig) -> CPCConfig:
        """The settings with what was left open filled in."""
        assert config.shape is not None
        return config.on_a_grid(min(self.frames.grid(config.shape[1:])))

    def shortest(self, horizon: int) -> int:
        """An image is one step, whatever its size."""
        return 1

    def context_network(self, config: CPCConfig, num_features: int) -> nn.Module:
        """A new network from frames (B, Y, X, D) to contexts (B, Y, X, C)."""
        layers = config.num_context_layers or 1
        return GridContext(num_features, config.context_size, num_layers=layers)

    def require_future(self, config: CPCConfig, num_frames: int, grid: Grid | None) -> None:
        """Refuse images with fewer rows or columns than a prediction needs.

        Raises:
            ConfigError: They have fewer.
        """
        assert grid is not None
        horizon = config.reach[-1]
        sides = ["rows" if name in ("down", "up") else "columns" for name in config.directions]
        fewest, side = min((grid[side == "columns"], side) for side in sides)
        if fewest == 1:
            raise ConfigError(
                f"the images have one of the {side} of patches, and so no future; use a "
                "smaller patch or stride, or larger images"
            )
        if fewest <= horizon:
            raise ConfigError(
                f"horizon is {horizon} but the images have {fewest} {side} of patches; use "
                f"--horizon {fewest - 1} or less, a smaller stride, or larger images"
            )


Layout = OnALine | OnAGrid


def layout_of(encoder: nn.Module, frame_rate: float | None) -> Layout:
    """Return the layout of the frames of an encoder."""
    if isinstance(encoder, PatchFrames):
        return OnAGrid(encoder)
    hop = encoder.hop
    assert isinstance(hop, int)
    if isinstance(encoder, StridedStack) and encoder.num_channels is not None:
        apart = -(-encoder.receptive_field // hop)
        return OnALine(hop, encoder.shortest, frame_rate, apart, "steps")
    return OnALine(hop, getattr(encoder, "shortest", hop), frame_rate)
