"""Settings of the training, which are the same for every family."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ensue.configuration import STRICT, Format, StepsOfTraining


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Settings of the training."""

    __pydantic_config__ = STRICT

    format: Format = 1
    max_steps: Annotated[int, Field(gt=0, description="optimizer steps")] = 1500
    batch_size: Annotated[
        int, Field(gt=0, description="windows or rows of a batch, over all processes")
    ] = 16
    accumulate: Annotated[
        int,
        Field(gt=0, description="batches per step; they share gradients, but not negatives"),
    ] = 1
    learning_rate: Annotated[float, Field(gt=0, description="peak learning rate")] = 1e-3
    warmup_steps: Annotated[
        int, Field(ge=0, description="steps of linear rise"), StepsOfTraining(most=0.5)
    ] = 100
    schedule: Annotated[
        Literal["cosine", "constant"], Field(description="learning rate after the rise")
    ] = "cosine"
    weight_decay: Annotated[float, Field(ge=0, description="decoupled (AdamW)")] = 0.0
    clip_norm: Annotated[
        float | None, Field(gt=0, description="largest norm of the gradient; none: any")
    ] = None
    precision: Annotated[
        Literal["float32", "bf16"], Field(description="bf16 needs hardware that has it")
    ] = "float32"
    seed: Annotated[
        int,
        Field(ge=0, description="seed of weights, windows and dropout; the step sets negatives"),
    ] = 0
    log_every: Annotated[int, Field(gt=0, description="steps between lines of metrics")] = 20
    validate_every: Annotated[int, Field(gt=0, description="steps between validations")] = 250
    checkpoint_every: Annotated[int, Field(gt=0, description="steps between checkpoints")] = 250
    checkpoint_minutes: Annotated[
        float | None,
        Field(gt=0, description="at most this many minutes between checkpoints; none: any"),
    ] = 5.0
    patience: Annotated[
        int | None,
        Field(gt=0, description="validations without a better loss after which training stops"),
    ] = None
    keep: Annotated[
        Literal["last", "best"] | None,
        Field(
            description="weights that the run ends with: the last, or the best by validation loss; "
            "none: the best with patience, else the default of the family"
        ),
    ] = None
    accelerator: Annotated[Literal["auto", "cpu", "gpu"], Field(description="where to train")] = (
        "auto"
    )
    devices: Annotated[
        int, Field(gt=0, description="processes on this machine; under torchrun it is torchrun's")
    ] = 1
    logger: Annotated[
        Literal["tensorboard", "mlflow", "wandb"] | None,
        Field(description="where metrics go besides metrics.jsonl, in the run (extra: track)"),
    ] = None
    num_threads: Annotated[
        int | None, Field(gt=0, le=1024, description="threads of the CPU; none: all cores")
    ] = None


END_SETTINGS = ("max_steps", "patience", "keep")
"""Settings that say when a run ends and with which weights; a resumed run may change them."""
FREE_SETTINGS = ("checkpoint_every", "checkpoint_minutes", "logger")
"""Settings that no weight and no line of metrics depends on; a resumed run may change them too."""
