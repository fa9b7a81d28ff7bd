"""The encoder of a run: its model, with the embedding pooled as a command asks for."""

from typing import Any

from ensue.errors import ConfigError
from ensue.models.traits import EncodingModel, Repools
from ensue.runs.loaded import Loaded


def encoder_of(loaded: Loaded, **options: Any) -> EncodingModel:
    """Return the model of a run that encodes.

    Args:
        loaded: The run.
        options: ``pooling`` and ``embedding``, None for the run's own.

    Raises:
        ConfigError: The family doesn't encode, or leaves no such choice.
    """
    model = loaded.model_as(EncodingModel, "encodes")
    changes = {name: value for name, value in options.items() if value is not None}
    if not changes:
        return model
    if not isinstance(model, Repools):
        raise ConfigError(
            f"{' and '.join(changes)}: the family {loaded.family!r} has one embedding; leave "
            f"{'it' if len(changes) == 1 else 'them'} out"
        )
    return model.repooled(**changes)
