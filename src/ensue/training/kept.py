"""Weights that a run keeps: the last ones, and those of the best validation.

Validations are compared by the final objective, which is a model's loss in eval mode. Validations
from before the end of its schedules count only if there is none from after it.
"""

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ensue.configuration import FORMAT
from ensue.errors import CheckpointError
from ensue.files import problem_of, read_json, write_text, written_whole
from ensue.models.loading import load_weights
from ensue.models.registry import family_row
from ensue.models.traits import HasSchedule, Model
from ensue.training.config import TrainingConfig
from ensue.training.run_folder import RunFolder

STOPPED_AFTER = 2
"""Number of validations since the best one after which a note says that a run stopped improving."""


@dataclass(frozen=True)
class Validation:
    """The validation loss of the weights after ``step`` steps, in nats.

    Attributes:
        step: Optimizer steps.
        loss: The loss by the final objective.
        settled: Whether the schedules of the objective had ended.
    """

    step: int
    loss: float
    settled: bool = True

    def beats(self, other: "Validation | None") -> bool:
        """Return whether these weights are better than others.

        Example:
            >>> Validation(20, 3.0).beats(Validation(10, 2.5, settled=False))
            True
            >>> Validation(30, 3.0).beats(Validation(20, 3.0))
            False
        """
        if other is None or self.settled != other.settled:
            return other is None or self.settled
        return self.loss < other.loss


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The weights that a run ended with, and those it could have ended with.

    Attributes:
        weights: ``last`` or ``best``.
        step: The optimizer steps that made them.
        best: The best validation, or None where there is none.
        last: The last validation, or None.
        num_since: Validations after the best one.
        has_best: Whether the weights of the best validation are there; runs of older versions
            may lack them.
    """

    weights: Literal["last", "best"]
    step: int
    best: Validation | None = None
    last: Validation | None = None
    num_since: int = 0
    has_best: bool = True

    @property
    def notes(self) -> tuple[str, ...]:
        """Return notes for the user; none if the last weights are the best."""
        if self.best is None or self.last is None or self.best.step == self.last.step:
            return ()
        other = "last" if self.weights == "best" else "best"
        remedy = f" (use the others with --resume --keep {other})" if self.has_best else ""
        best_note = (
            f"validation loss was best at step {self.best.step:,} ({self.best.loss:.3f} nats) and "
            f"is {self.last.loss:.3f} at the end (step {self.last.step:,}); the run keeps the "
            f"weights of step {self.step:,}{remedy}"
        )
        if self.num_since < STOPPED_AFTER or not self.best.settled:
            return (best_note,)
        return (
            best_note,
            f"it stopped improving {self.num_since} validations before the end; --patience N stops "
            "after N validations without a better one, and more data or a smaller model may get "
            "further",
        )


def settled_at(model: Model) -> int:
    """Return the step from which a model's objective is the final one."""
    return model.settled_at if isinstance(model, HasSchedule) else 0


def validation(model: Model, step: int, loss: float) -> Validation:
    """Return the validation of a model after ``step`` steps."""
    return Validation(step, loss, step >= settled_at(model))


def validations(model: Model, lines: Iterable[Mapping[str, Any]]) -> list[Validation]:
    """Return the validations among lines of metrics."""
    return [validation(model, x["step"], x["val_loss"]) for x in lines if "val_loss" in x]


def best_of(found: Iterable[Validation]) -> Validation | None:
    """Return the best validation; the first of equal ones."""
    best = None
    for one in found:
        best = one if one.beats(best) else best
    return best


def wanted(family: str, config: TrainingConfig) -> Literal["last", "best"]:
    """Return the kind of weights that a run is to end with."""
    if config.keep is not None:
        return config.keep
    return "best" if config.patience is not None else family_row(family).keeps


def keep(model: Model, config: TrainingConfig, run: RunFolder, step: int) -> Kept:
    """Load the weights that a run ends with into its model, which has had ``step`` steps."""
    found = validations(model, run.read_metrics())
    best = best_of(found)
    if best is None:
        return Kept(weights="last", step=step)
    if best.step == step and step_of(run.best) != step:
        if step % config.validate_every and run.best.exists():
            os.replace(run.best, run.best_on_schedule)
        save_best(model, run, step)
    since = len(found) - 1 - found.index(best)
    has_best = run.best.exists() and step_of(run.best) in (best.step, None)
    kept = Kept(
        weights="last", step=step, best=best, last=found[-1], num_since=since, has_best=has_best
    )
    if wanted(run.read_config()["family"], config) == "last" or not has_best:
        return kept
    load_weights(model, run.best)
    return dataclasses.replace(kept, weights="best", step=best.step)


def save_best(model: Model, run: RunFolder, step: int) -> None:
    """Save the best weights so far in ``checkpoints/best.safetensors``."""
    weights = {k: v.contiguous() for k, v in model.state_dict().items()}
    with written_whole(run.best, error=CheckpointError, also=(SafetensorError,)) as draft:
        save_file(weights, draft, metadata={"step": str(step)})


def step_of(path: Path) -> int | None:
    """Return the number of steps that made the weights in a file, or None if it isn't known."""
    if problem_of(path):
        return None
    try:
        with safe_open(path, "pt") as file:
            return int((file.metadata() or {})["step"])
    except (OSError, SafetensorError, KeyError):
        return None


def take_back(run: RunFolder, config: TrainingConfig) -> None:
    """Undo the change that the end of a run made to its best weights, since training continues.

    A longer run has no validation at an earlier end between two regular validations.
    """
    if run.best_on_schedule.exists():
        os.replace(run.best_on_schedule, run.best)
    elif (step_of(run.best) or 0) % config.validate_every:
        run.best.unlink()


def write_kept(run: RunFolder, kept: Kept) -> None:
    """Write ``checkpoints/kept.json``, which names the weights that the run ended with."""
    facts = {"format": FORMAT, **dataclasses.asdict(kept)}
    write_text(run.kept, json.dumps(facts, indent=2) + "\n", error=CheckpointError)


def read_kept(run: RunFolder) -> Kept | None:
    """Read which weights a finished run ended with; None if the run didn't record it."""
    if not run.kept.exists():
        return None
    facts = read_json(run.kept, error=CheckpointError)
    best, last = (facts[n] and Validation(**facts[n]) for n in ("best", "last"))
    return Kept(
        weights=facts["weights"],
        step=facts["step"],
        best=best,
        last=last,
        num_since=facts["num_since"],
        has_best=facts.get("has_best", True),
    )
