"""Figures that aren't accuracies: of verification, of several labels per item, of numbers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """The figure of one kind of features with its 95 % interval, which may be exact.

    ``error`` is the mean absolute error of numbers, in their own unit, with its interval.
    """

    features: str
    value: float
    low: float
    high: float
    exact_over: int | None = None
    error: float | None = None
    error_low: float | None = None
    error_high: float | None = None


@dataclass(frozen=True)
class MeasuredResult:
    """A task's figures, chance first.

    Attributes:
        label: The label that was read.
        level: ``item``; of numbers also ``frame``.
        split: In words, how the test part was separated from the training part.
        num_train: Training items.
        num_test: Test items.
        num_classes: Values of the label that count in the figure; of numbers, different ones in
            training.
        rows: One for each kind of features.
        kind: ``verification``, ``multi_label`` or ``numeric``.
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
