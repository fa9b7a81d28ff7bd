"""The class of an item as a condition, known or not."""

import torch
from torch import Tensor, nn

from ensue.errors import ConfigError
from ensue.nn.hashed import uniform_of


class ClassCondition(nn.Module):
    """A vector for each class, and one for items of which nobody says the class.

    In training the class of some items is hidden (Ho and Salimans 2022, 2207.12598, section 3.2),
    so that one model gives p(x | class) and p(x).

    Args:
        num_classes: How many there are.
        size: Numbers in a vector.
        hidden: The part of the items whose class is hidden in training.

    Example:
        >>> of = ClassCondition(10, 4, hidden=0.1)
        >>> of(torch.tensor([3, 7]), 2).shape, of(None, 5).shape
        (torch.Size([2, 4]), torch.Size([5, 4]))
    """

    def __init__(self, num_classes: int, size: int, *, hidden: float) -> None:
        super().__init__()
        self.num_classes, self.hidden = num_classes, hidden
        self.embedding = nn.Embedding(num_classes + 1, size)

    def forward(self, condition: Tensor | None, batch: int) -> Tensor:
        """Classes (B,), -1 where one isn't known, or None where none is, to vectors (B, size).

        Raises:
            ConfigError: They are no classes.
        """
        return self.embedding(self._checked(condition, batch))

    def hide(self, condition: Tensor | None, x: Tensor, step: int) -> Tensor:
        """The classes (B,), some of them hidden: which ones is a function of the item and the step.

        Args:
            condition: (B,) classes, or None.
            x: (B, D) whole numbers, the items.
            step: Of training.
        """
        given = self._checked(condition, len(x))
        hidden = uniform_of(x, step, 1)[:, 0] < self.hidden
        return given.masked_fill(hidden | (given == self.num_classes), -1)

    def _checked(self, condition: Tensor | None, batch: int) -> Tensor:
        device, C = self.embedding.weight.device, self.num_classes
        if condition is None:
            return torch.full((batch,), C, device=device)
        if condition.is_floating_point() or condition.shape != (batch,):
            raise ConfigError(
                f"condition is {tuple(condition.shape)} of {condition.dtype}; it is a whole number "
                f"for each of the {batch} items, their classes"
            )
        if bool(((condition < -1) | (condition >= C)).any()):
            raise ConfigError(
                f"condition is {condition.tolist()}; classes are 0 to {C - 1}, and -1 where one "
                "isn't known"
            )
        return (condition.to(device).long() % (C + 1)).expand(batch)


def class_condition(classes: tuple[str, ...], size: int, *, hidden: float) -> ClassCondition | None:
    """The condition of a model whose data have classes; None where they have none."""
    return ClassCondition(len(classes), size, hidden=hidden) if classes else None


def vectors_of(of: ClassCondition | None, condition: Tensor | None, batch: int) -> Tensor | None:
    """Classes to vectors (B, size); None where the model has no place for classes.

    Raises:
        ConfigError: There is a condition and no place for one, or it is no class.
    """
    if of is not None:
        return of(condition, batch)
    if condition is not None:
        raise ConfigError(
            "this model was trained without a condition; leave it out, or train with the setting "
            "condition"
        )
    return None


def for_each(condition: Tensor | None, num: int) -> Tensor | None:
    """A condition for each of ``num`` items: one class for all becomes (num,).

    Raises:
        ConfigError: There are several, and not one for each.

    Example:
        >>> for_each(torch.tensor(3), 2)
        tensor([3, 3])
    """
    if condition is None:
        return None
    if condition.numel() == 1 and condition.dim() < 2:
        return condition.flatten().expand(num)
    if len(condition) != num:
        raise ConfigError(
            f"condition is of {len(condition)} items, and there are {num}; give one, or one for "
            "each"
        )
    return condition
