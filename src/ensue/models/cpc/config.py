"""Settings of a CPC; those of its encoder are in ``encoder_config``."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field

from ensue.configuration import from_data, takes_flat
from ensue.errors import ConfigError
from ensue.models.cpc.encoder_config import (
    MOST_FRAMES,
    ConvPatchConfig,
    Encoder,
    LogMelConfig,
    PatchConfig,
    SeriesConfig,
)
from ensue.models.settings import FamilyConfig, ImageShape, NumTokens
from ensue.nn.pooling import Pooled, Pooling
from ensue.nn.spectral import require_bands

USER_PARTS = "user-parts"
"""The encoder's name in the settings of a CPC of a user's modules."""
Direction = Literal["forward", "backward", "down", "up", "right", "left"]
LINE: tuple[Direction, ...] = ("forward", "backward")
GRID: tuple[Direction, ...] = ("down", "up", "right", "left")
FARTHEST_FRAME = 12
"""Frames ahead that a CPC of sound predicts (van den Oord et al. 2018, section 3.1)."""
FARTHEST_ROW = 5
"""Rows below that a CPC of images predicts (van den Oord et al. 2018, section 3.2)."""


@takes_flat
@dataclass(frozen=True, kw_only=True)
class CPCConfig(FamilyConfig):
    """Settings of a CPC model.

    Of sound, twelve steps ahead and 256 context features are the paper's (section 3.1); channel
    norm and 128 negatives are Riviere's; the log-mel encoder is what learns in minutes on a CPU.
    The recipe ``speech`` holds what was best on the built-in speech. Of images, five rows below are
    the paper's (section 3.2).
    """

    family: Literal["cpc"] = "cpc"
    encoder: Annotated[
        Encoder | str | None,
        Field(
            description="what frames are made by, or the name of an installed encoder; none: "
            "log_mel of sound, patches of images, series of series"
        ),
    ] = None
    channels: Annotated[int, Field(gt=0, description="features D of a frame z_t")] = 256
    norm: Annotated[
        Literal["channel", "batch", "none"],
        Field(description="norm of the encoder; batch leaks the future in training"),
    ] = "channel"
    directions: Annotated[
        tuple[Direction, ...],
        Field(
            description="where futures lie: forward, backward of sound and series; down, up, "
            "right, left of images; each has a context network and predictors of its own; none: "
            "the first"
        ),
    ] = ()
    context_size: Annotated[int, Field(gt=0, description="features C of the context c_t")] = 256
    num_context_layers: Annotated[
        int | None,
        Field(
            gt=0,
            description="layers of the context network; none: 1 of a GRU, 3 of convolutions over a "
            "grid",
        ),
    ] = None
    recurrent: Annotated[
        Literal["ensue", "torch"],
        Field(
            description="whose GRU: of the same weights, ensue's is faster on a CPU, torch's on a "
            "GPU"
        ),
    ] = "ensue"
    horizon: Annotated[
        int | None,
        Field(
            gt=0,
            description="K, how many frames ahead to predict, of images rows; none: 12 frames, "
            "and as many rows as there are, at most 5",
        ),
    ] = None
    nearest: Annotated[
        int | None,
        Field(
            gt=0,
            description="nearest frame (of images, row) to predict; nearer ones may share samples "
            "or pixels with c_t; none: 1, and of series the first that shares no step",
        ),
    ] = None
    candidates: Annotated[
        Literal["frames", "aligned"],
        Field(
            description="frames: the own sequence's and sampled ones of others; "
            "aligned: those of the whole batch at the same time, and nothing else"
        ),
    ] = "frames"
    own_sequence: Annotated[
        bool,
        Field(description="other frames of a sequence are negatives: favors the words spoken"),
    ] = True
    negative_gap: Annotated[
        int | None,
        Field(
            gt=1,
            description="frames of the own sequence nearer than this to the true one are no "
            "negatives: for signals that repeat themselves; none: all others are",
        ),
    ] = None
    num_negatives: Annotated[
        int, Field(ge=0, description="M, sampled frames of others: favors the speaker")
    ] = 128
    num_anchors: Annotated[
        int | None, Field(gt=0, description="A, sampled times t a sequence; none: all times")
    ] = None
    pooling: Annotated[
        Pooling | None,
        Field(
            description="the embedding: mean of the frames; statistics: and standard deviation; "
            "dynamics: and root mean square of its steps from frame to frame; extremes: and its "
            "largest and smallest values; cells: mean of each of 3 x 3 parts of an image; none: "
            "statistics of sound, mean of images"
        ),
    ] = None
    embedding: Annotated[
        Pooled | None,
        Field(
            description="what is pooled: context c_t, local z_t or both; none: context of sound, "
            "both of images"
        ),
    ] = None
    init: Annotated[
        Literal["default", "kaiming_fan_out"],
        Field(description="initial weights; kaiming_fan_out as in the 2018 network"),
    ] = "default"
    sample_rate: Annotated[int | None, Field(gt=0)] = from_data()
    step_rate: Annotated[float | None, Field(gt=0)] = from_data()
    num_channels: Annotated[int | None, Field(gt=0)] = from_data()
    num_steps: Annotated[int | None, Field(gt=0)] = from_data()
    shape: ImageShape = from_data()
    num_tokens: NumTokens = from_data()

    def __post_init__(self) -> None:
        if self.horizon is not None and 0 < self.horizon < (self.nearest or 1):
            raise ConfigError(f"nearest is {self.nearest}; it may be up to horizon {self.horizon}")
        if self.candidates == "frames" and not self.own_sequence and not self.num_negatives:
            raise ConfigError(
                "there are no negatives: own_sequence is false and num_negatives is 0; "
                "set own_sequence true or num_negatives above 0"
            )
        if self.negative_gap is not None:
            self._require_own_line()
        if len(set(self.directions)) < len(self.directions):
            raise ConfigError(f"directions are {', '.join(self.directions)}; name each once")

    def _require_own_line(self) -> None:
        """Refuse a distance between own frames where they are no negatives, or lie on a grid."""
        gap = f"negative_gap is {self.negative_gap}"
        if self.candidates == "aligned" or not self.own_sequence:
            raise ConfigError(f"{gap}, and frames of the own sequence are no negatives; leave out")
        if self.shape is not None:
            raise ConfigError(f"{gap}, and patches lie on a grid; leave it out")

    def require_trainable(self) -> None:
        """Refuse log-mel bands that hold no frequency at this rate; an old run may have them.

        Raises:
            ConfigError: There are some.
        """
        encoder = self.encoder or self._usual_encoder()
        if isinstance(encoder, LogMelConfig) and self.sample_rate is not None:
            require_bands(self.sample_rate, encoder.num_mels)

    def require_others(self, *, num_items: int, batch_size: int) -> None:
        """Refuse to learn without the own sequence's negatives where there are no others.

        Raises:
            ConfigError: There are none.
        """
        if self.candidates == "aligned" or self.own_sequence or min(num_items, batch_size) > 1:
            return
        what, remedy = ("there is one item", "more items")
        if num_items > 1:
            what, remedy = ("batch_size is 1", "a larger batch_size")
        raise ConfigError(
            f"own_sequence is false and {what}, so there are no negatives; leave own_sequence "
            f"true, or give {remedy}"
        )

    def with_encoder(self) -> "CPCConfig":
        """The same with an encoder, where none was chosen, and with the sizes of its patches."""
        encoder = self.encoder or self._usual_encoder()
        if isinstance(encoder, PatchConfig) and self.shape is not None:
            encoder = encoder.fitted(self.shape)
        if isinstance(encoder, SeriesConfig):
            encoder = encoder.fitted(self.num_steps or MOST_FRAMES)
        return replace(self, encoder=encoder)

    def _usual_encoder(self) -> Encoder:
        if self.num_channels is not None:
            return SeriesConfig()
        return LogMelConfig() if self.shape is None else ConvPatchConfig()

    def on_a_line(self, *, apart: int = 1, num_frames: int | None = None) -> "CPCConfig":
        """The same with what was left open filled in, for frames on a line.

        Args:
            apart: Frames from one to the next that shares no sample with it.
            num_frames: Of a usual item, where items may have few.
        """
        self._require_directions(LINE, "frames of sound and series lie on a line")
        if self.pooling == "cells":
            raise ConfigError("pooling is 'cells', which are parts of an image; use statistics")
        nearest = self.nearest or apart
        if self.horizon is not None and self.horizon < nearest:
            raise ConfigError(
                f"horizon is {self.horizon} but frames nearer than {nearest} share steps with the "
                f"context; use --horizon {nearest} or more, or --nearest 1 to predict these, too"
            )
        horizon = nearest + FARTHEST_FRAME - 1
        if num_frames is not None:
            horizon = max(nearest, min(horizon, (num_frames - 1 + nearest) // 2))
        return self._filled(
            LINE,
            nearest=nearest,
            layers=1,
            horizon=horizon,
            pooling="statistics",
            embedding="context",
        )

    def on_a_grid(self, num_rows: int) -> "CPCConfig":
        """The same with what was left open filled in, for frames on a grid.

        Args:
            num_rows: Of the frames in an image, or of the columns where these are fewer.
        """
        self._require_directions(GRID, "patches of images lie on a grid")
        if self.pooling in ("dynamics", "extremes"):
            raise ConfigError(f"pooling is {self.pooling!r}, which is of time; use mean or cells")
        nearest = self.nearest or 1
        horizon = min(FARTHEST_ROW, max(num_rows - 1, nearest))
        return self._filled(
            GRID, nearest=nearest, layers=3, horizon=horizon, pooling="mean", embedding="both"
        )

    def _filled(
        self,
        directions: tuple[Direction, ...],
        *,
        nearest: int,
        layers: int,
        horizon: int,
        pooling: Pooling,
        embedding: Pooled,
    ) -> "CPCConfig":
        return replace(
            self,
            directions=self.directions or directions[:1],
            num_context_layers=self.num_context_layers or layers,
            nearest=nearest,
            horizon=self.horizon or max(horizon, nearest),
            pooling=self.pooling or pooling,
            embedding=self.embedding or embedding,
        )

    def _require_directions(self, able: tuple[Direction, ...], why: str) -> None:
        stranger: Any = next((name for name in self.directions if name not in able), None)
        if stranger is not None:
            raise ConfigError(
                f"directions has {stranger!r}, but {why}; directions are {', '.join(able)}"
            )

    @property
    def reach(self) -> range:
        """Frames ahead that are predicted, once what was left open is filled in."""
        assert self.nearest is not None
        assert self.horizon is not None
        return range(self.nearest, self.horizon + 1)

    @property
    def num_predictions(self) -> int:
        """K, from ``nearest`` to ``horizon``."""
        return len(self.reach)
