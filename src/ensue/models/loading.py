"""Saved models: built as their configuration says, and given their weights, strictly."""

from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from ensue.configuration import check_format, validate
from ensue.errors import CheckpointError, EnsueError
from ensue.files import problem_of, read_json
from ensue.models.protocols import ModelSettings
from ensue.models.registry import config_class, model_class
from ensue.models.saved import precision_of
from ensue.models.traits import Model

M = TypeVar("M", bound=Model)


def load_model(folder: Path) -> Model:
    """The model of a ``model/`` folder, read strictly, in eval mode on the CPU.

    Raises:
        CheckpointError: A file is missing, damaged, of a newer format, or has unknown keys.
    """
    model = build_model(folder / "config.json")
    load_weights(model, folder / "model.safetensors")
    return model.eval()


def build_model(path: Path) -> Model:
    """A model as a ``config.json`` describes it, with random weights.

    Raises:
        CheckpointError: The file is missing, damaged, of a newer format, or has unknown keys.
    """
    values = read_json(path, error=CheckpointError)
    check_format(values if isinstance(values, dict) else {}, str(path))
    try:
        family = str(values.get("family"))
        config = validate(config_class(family), values, section="config.json")
    except EnsueError as error:
        raise CheckpointError(f"{str(path)!r} is damaged or foreign: {error}") from error
    return model_class(family)(config)


def load_weights(model: Model, path: Path) -> None:
    """Load a safetensors file into a model, strictly, in the precision of its weights.

    Raises:
        CheckpointError: It is missing or damaged, or its tensors don't fit the model.
    """
    if problem := problem_of(path):
        raise CheckpointError(f"can't load the weights {str(path)!r}: {problem}")
    try:
        weights = load_file(path)
        model.to(precision_of(weights.values())).load_state_dict(weights)
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"can't load the weights {str(path)!r}: {reason}") from error


def untrained_like(model: M, config: ModelSettings, seed: int) -> M:
    """A new network of the same class on the same device."""
    torch.manual_seed(seed + 1)
    made: Any = type(model)
    return made(config).to(next(model.parameters()).device)
