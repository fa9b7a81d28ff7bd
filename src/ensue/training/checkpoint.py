"""The folder ``checkpoints/``: the state of training, and the files needed to use its weights."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ensue.configuration import check_format, to_plain
from ensue.data.codecs import Codec, load_codec, save_codec
from ensue.errors import CheckpointError
from ensue.files import require_file, write_text, writing
from ensue.models.loading import build_model
from ensue.models.traits import Model

STATE = "last.ckpt"


def write_begun(folder: Path, model: Model, codec: Codec) -> None:
    """Write the settings of the model and the codec, which the use of a checkpoint needs."""
    settings = json.dumps(to_plain(model.config), indent=2) + "\n"
    write_text(folder / "config.json", settings, error=CheckpointError)
    with writing(repr(str(folder / "codec.json")), error=CheckpointError):
        save_codec(codec, folder / "codec.json")


def read_state(folder: Path) -> dict[str, Any]:
    """Read the state of training.

    Raises:
        CheckpointError: It is damaged, or of a newer format.
    """
    path = folder / STATE
    require_file(path, error=CheckpointError, remedy="start a new run")
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise CheckpointError(
            f"the checkpoint {str(path)!r} is damaged ({reason}); start a new run"
        ) from error
    check_format(saved, str(path))
    return saved


def weights_in(state: dict[str, Any]) -> dict[str, Tensor]:
    """Return the model's weights in a state of training."""
    return {name.removeprefix("model."): value for name, value in state["state_dict"].items()}


def load_unfinished(folder: Path) -> tuple[Model, Codec, int]:
    """Load the model of the last checkpoint, in eval mode on the CPU, its codec, and its step.

    Raises:
        CheckpointError: There is no checkpoint yet, or a file is damaged.
    """
    run = str(folder.parent)
    finish = "finish it with 'ensue train ... --resume'"
    if not (folder / STATE).exists():
        raise CheckpointError(f"the run {run!r} has no model and no checkpoint yet; {finish}")
    if not (folder / "codec.json").exists():  # a run of an earlier version
        raise CheckpointError(f"the run {run!r} has no model yet; {finish}")
    state = read_state(folder)
    model, codec = build_model(folder / "config.json"), load_codec(folder / "codec.json")
    try:
        model.load_state_dict(weights_in(state))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"the checkpoint of {run!r} doesn't fit it: {reason}") from error
    return model.eval(), codec, int(state["global_step"])
