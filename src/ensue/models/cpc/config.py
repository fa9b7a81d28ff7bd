"""Settings of a CPC."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ensue.configuration import from_data
from ensue.errors import ConfigError
from ensue.models.settings import FamilyConfig
from ensue.nn.pooling import Pooling
from ensue.nn.spectral import require_bands

ENCODERS = ("waveform", "log_mel")


OF_LOG_MEL = ("vocal_tract_perturbation", "cmn_frames")
"""Settings that change frequencies, and that other encoders have no place for; 0 is none."""


USER_PARTS = "user-parts"


@dataclass(frozen=True, kw_only=True)
class CPCConfig(FamilyConfig):
    """Settings of a CPC model.

    Twelve steps ahead and 256 context features are the paper's (section 3.1); channel norm and 128
    negatives are Riviere's; the log-mel encoder is what learns in minutes on a CPU. The recipe
    ``speech`` holds what was best on the built-in speech.
    """

    family: Literal["cpc"] = "cpc"
    encoder: Annotated[
        str, Field(description="waveform, log_mel, or the name of an installed encoder")
    ] = "log_mel"
    channels: Annotated[int, Field(gt=0, description="features D of a frame z_t")] = 256
    norm: Annotated[
        Literal["channel", "batch", "none"],
        Field(description="norm of the encoder; batch leaks the future in training"),
    ] = "channel"
    num_mels: Annotated[int, Field(gt=0, description="bands of the log_mel encoder")] = 80
    num_conv_layers: Annotated[
        int, Field(gt=0, description="convolutions of the log_mel encoder")
    ] = 2
    cmn_frames: Annotated[
        int,
        Field(
            ge=0,
            description="take out of log_mel frames their loudness, and of each band its mean over "
            "this many frames up to now; 0: keep all",
        ),
    ] = 0
    context_size: Annotated[int, Field(gt=0, description="features C of the context c_t")] = 256
    num_context_layers: Annotated[int, Field(gt=0, description="layers of the GRU")] = 1
    recurrent: Annotated[
        Literal["ensue", "torch"],
        Field(
            description="whose GRU: of the same weights, ensue's is faster on a CPU, torch's on a "
            "GPU"
        ),
    ] = "ensue"
    horizon: Annotated[int, Field(gt=0, description="K, how many frames ahead to predict")] = 12
    nearest: Annotated[
        int,
        Field(
            gt=0, description="nearest frame ahead to predict; nearer ones share samples with c_t"
        ),
    ] = 1
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
    num_negatives: Annotated[
        int, Field(ge=0, description="M, sampled frames of others: favors the speaker")
    ] = 128
    num_anchors: Annotated[
        int | None, Field(gt=0, description="A, sampled times t a sequence; none: all times")
    ] = None
    vocal_tract_perturbation: Annotated[
        float,
        Field(
            ge=0,
            lt=0.5,
            description="largest relative change of the frequencies that the context sees in "
            "training, while the future keeps its own (log_mel only): favors the words spoken",
        ),
    ] = 0.0
    pooling: Annotated[
        Pooling,
        Field(
            description="the embedding: mean of the context; statistics: and standard deviation; "
            "dynamics: and root mean square of its steps from frame to frame; extremes: and its "
            "largest and smallest values"
        ),
    ] = "statistics"
    init: Annotated[
        Literal["default", "kaiming_fan_out"],
        Field(description="initial weights; kaiming_fan_out as in the 2018 network"),
    ] = "default"
    sample_rate: Annotated[int | None, Field(gt=0)] = from_data()

    def __post_init__(self) -> None:
        if 0 < self.horizon < self.nearest:
            raise ConfigError(f"nearest is {self.nearest}; it may be up to horizon {self.horizon}")
        for name in OF_LOG_MEL:
            if getattr(self, name) and self.encoder != "log_mel":
                raise ConfigError(
                    f"{name} is for the encoder log_mel, not {self.encoder!r}; leave it out"
                )
        if self.candidates == "frames" and not self.own_sequence and not self.num_negatives:
            raise ConfigError(
                "there are no negatives: own_sequence is false and num_negatives is 0; "
                "set own_sequence true or num_negatives above 0"
            )

    def require_trainable(self) -> None:
        """Refuse log-mel bands that hold no frequency at this rate; an old run may have them.

        Raises:
            ConfigError: There are some.
        """
        if self.encoder == "log_mel" and self.sample_rate is not None:
            require_bands(self.sample_rate, self.num_mels)

    @property
    def num_predictions(self) -> int:
        """K, from ``nearest`` to ``horizon``."""
        return self.horizon - self.nearest + 1
