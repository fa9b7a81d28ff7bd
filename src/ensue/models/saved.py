"""Models as files: huggingface_hub's way to save and load them, which keeps their precision."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import torch
from huggingface_hub import ModelHubMixin, PyTorchModelHubMixin
from safetensors import safe_open
from torch import Tensor, nn

from ensue.configuration import to_plain, validate
from ensue.errors import CheckpointError
from ensue.files import require_file
from ensue.models.settings import FamilyConfig

T = TypeVar("T", bound=ModelHubMixin)


class SavedModel(PyTorchModelHubMixin):
    """Saves a model with its configuration, and loads it in the precision of its weights.

    A new model is of float32, and would round weights of float64 that are copied into it.
    """

    config: Any

    def save_pretrained(self, save_directory: str | Path, **options: Any) -> str | None:
        """Save ``config.json``, as settings are written everywhere, and ``model.safetensors``.

        See huggingface_hub for the options.
        """
        config = options.pop("config", None) or to_plain(self.config)
        return super().save_pretrained(save_directory, config=config, **options)

    @classmethod
    def _decode_arg(cls, expected_type: Any, value: Any) -> Any:
        """Read settings strictly; huggingface_hub would leave out names that it doesn't know."""
        if isinstance(expected_type, type) and issubclass(expected_type, FamilyConfig):
            return validate(expected_type, value, section="config.json")
        return super()._decode_arg(expected_type, value)

    @classmethod
    def _load_as_safetensor(cls, model: T, model_file: str, map_location: str, strict: bool) -> T:
        assert isinstance(model, nn.Module)
        require_file(Path(model_file), error=CheckpointError)
        with safe_open(model_file, "pt") as weights:
            is_double = any(weights.get_slice(k).get_dtype() == "F64" for k in weights.keys())  # noqa: SIM118
        model.to(torch.float64 if is_double else torch.float32)
        return super()._load_as_safetensor(model, model_file, map_location, strict)


def precision_of(weights: Iterable[Tensor]) -> torch.dtype:
    """The precision of a model of these weights: float64 where one has it, else float32.

    Example:
        >>> precision_of([torch.zeros(1), torch.zeros(1, dtype=torch.float64)])
        torch.float64
    """
    return torch.float64 if any(t.dtype == torch.float64 for t in weights) else torch.float32
