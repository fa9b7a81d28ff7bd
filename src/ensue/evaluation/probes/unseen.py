"""Classes of the test part that the training part lacks: no features can make them right."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Unseen:
    """Test examples that count as wrong, whatever the features.

    Attributes:
        classes: Values of the label that have test examples and no training example in their fold.
        num: Test examples with these values.
        num_test: Test examples in all.
        most: The highest possible accuracy.
        most_balanced: The highest possible balanced accuracy.
    """

    classes: tuple[str, ...]
    num: int
    num_test: int
    most: float
    most_balanced: float


def unseen_in(folds: Iterable[tuple[np.ndarray, np.ndarray]]) -> Unseen | None:
    r"""Return the unseen classes of folds that are each tested once, or None.

    .. math:: a_{max} = \frac{\sum_f |\{i \in T_f : y_i \in Y(R_f)\}|}{\sum_f |T_f|}

    with T the test part of a fold, R its training part and Y(R) the labels there.

    Args:
        folds: For each fold the labels of its training part and of its test part.

    Example:
        >>> unseen_in([(np.array([*"aab"]), np.array([*"abcc"]))])
        Unseen(classes=('c',), num=2, num_test=4, most=0.5, most_balanced=0.6666666666666666)
    """
    pairs = [(test, np.isin(test, np.unique(train))) for train, test in folds]
    labels, seen = (np.concatenate(part) for part in zip(*pairs, strict=True))
    if seen.all():
        return None
    by_class = [float(seen[labels == value].mean()) for value in np.unique(labels)]
    return Unseen(
        classes=tuple(np.unique(labels[~seen]).tolist()),
        num=int((~seen).sum()),
        num_test=len(seen),
        most=float(seen.mean()),
        most_balanced=float(np.mean(by_class)),
    )
