"""Figures that aren't accuracies: the results of verification and of several labels per item."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """The figure of one kind of features with its 95 % interval, which may be exact."""

    features: str
    value: float
    low: float
    high: float
    exact_over: int | None = None


@dataclass(frozen=True)
class MeasuredResult:
    """A task's figures, chance first.

    Attributes:
        label: The label that was read.
        level: Always ``item``.
        split: In words, how the test part was separated from the training part.
        num_train: Training items.
        num_test: Test items.
        num_classes: Values of the label that count in the figure.
        rows: One for each kind of features.
        kind: ``verification`` or ``multi_label``.
        measure: The name of the figure.
        better: ``lower`` or ``higher``.
        interval: The kind of interval, in words.
        seed: Seed of the split and of the bootstrap.
        num_pairs: Pairs of items, where pairs are compared.
        no_test_example: Values that no test item has, and that don't count.
        no_training_example: Values that no (or every) training item has, and that don't count.
    """

    label: str
    level: str
    split: str
    num_train: int
    num_test: int
    num_classes: int
    rows: tuple[Measured, ...]
    kind: str
    measure: str
    better: str
    interval: str
    seed: int = 0
    num_pairs: int | None = None
    no_test_example: tuple[str, ...] = ()
    no_training_example: tuple[str, ...] = ()
