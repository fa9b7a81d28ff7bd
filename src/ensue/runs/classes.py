"""The classes that a run was trained with, as its model takes them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ensue.errors import ConfigError, DataError, unknown
from ensue.models.traits import Conditioned, Model


def classes_known_to(model: Model) -> tuple[str, ...]:
    """Return the names of the classes that a model was trained with.

    Raises:
        ConfigError: There are none.
    """
    classes = model.config.classes if isinstance(model.config, Conditioned) else ()
    if not classes:
        raise ConfigError(
            "this run was trained without a condition; leave it out, or train with the setting "
            "condition"
        )
    return classes


def class_condition(model: Model, label: str | None, num: int = 1) -> dict[str, Tensor]:
    """Return the class of ``num`` items as an argument of a model, or no argument without a class.

    Raises:
        ConfigError: The model was trained without classes.
        DataError: The class isn't one of them.
    """
    if label is None:
        return {}
    classes = classes_known_to(model)
    if label not in classes:
        raise DataError(unknown("class", label, classes))
    device = next(model.parameters()).device
    return {"condition": classes_of([label] * num, classes).to(device)}


def classes_of(labels: Sequence[str], classes: Sequence[str]) -> Tensor:
    """Return labels as class numbers; -1 where there is no label.

    Raises:
        DataError: A label isn't one of the classes.
    """
    number = {"": -1, **{name: i for i, name in enumerate(classes)}}
    stranger = next((label for label in labels if label not in number), None)
    if stranger is not None:
        raise DataError(unknown("class", stranger, classes))
    return torch.tensor([number[label] for label in labels], dtype=torch.long)
