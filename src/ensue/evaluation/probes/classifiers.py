"""Classifiers on frozen features, scikit-learn's; each is asked fold after fold on one matrix."""

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ensue.data.store import Store
from ensue.errors import ConfigError
from ensue.evaluation.probes.features import features_at
from ensue.evaluation.probes.task import Moments
from ensue.evaluation.represent import Represents

MAX_ITERATIONS = 100


@dataclass(frozen=True)
class Reader:
    """Reads labels off a pool of moments.

    Attributes:
        read: From the positions of training and of test moments to labels for the latter.
        tells: Whether it reports its progress itself.
    """

    read: Callable[[np.ndarray, np.ndarray], np.ndarray]
    tells: bool = False


Kind = Callable[[Moments, Store], dict[str, Reader]]
"""What stands in a table of probes: given a pool, ways to read it, by name."""


def chance(pool: Moments, store: Store) -> dict[str, Reader]:
    """The most frequent class of the training part, whatever the features."""

    def reads(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        values, counts = np.unique(pool.label[train], return_counts=True)
        return np.full(len(test), values[counts.argmax()])

    return {"chance (most frequent class)": Reader(reads)}


def frozen(name: str, represent: Represents, *, num_neighbors: int | None = None) -> Kind:
    """Frozen features under a linear classifier, and under nearest neighbors where asked for.

    The linear one is logistic regression. The neighbors' votes count alike; near is what has a
    large cosine. Both see features standardized by the mean and deviation of the training part.
    Features are computed once, however many folds there are.

    Args:
        name: Of the features.
        represent: Makes them.
        num_neighbors: K, or None for the linear classifier alone.

    Raises:
        ConfigError: There are fewer training examples than neighbors.
    """

    def kind(pool: Moments, store: Store) -> dict[str, Reader]:
        @functools.cache
        def x() -> np.ndarray:
            return features_at(pool, store, represent)

        found = {name: _reads(x, pool.label, logistic_regression)}
        if num_neighbors is not None:
            k = num_neighbors
            found[f"{name}, {k} nearest neighbors"] = _reads(x, pool.label, lambda: nearest(k))
        return found

    return kind


def logistic_regression() -> LogisticRegression:
    """The linear classifier of every probe."""
    return LogisticRegression(max_iter=MAX_ITERATIONS)


def nearest(k: int) -> KNeighborsClassifier:
    """The vote of the k examples with the largest cosine."""
    return KNeighborsClassifier(k, metric="cosine", algorithm="brute")


def fitted(classifier: Any, x: np.ndarray, labels: np.ndarray) -> Any:
    """The classifier behind a standardization, both fitted to (N, D) features."""
    with warnings.catch_warnings():
        # Accuracy has settled long before the last digits of the weights have.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return make_pipeline(StandardScaler(), classifier).fit(x, labels)


def _reads(
    x: Callable[[], np.ndarray], labels: np.ndarray, classifier: Callable[[], Any]
) -> Reader:
    def reads(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        made = classifier()
        needed = getattr(made, "n_neighbors", 1)
        if needed > len(train):
            raise ConfigError(f"knn is {needed} and there are {len(train)} training examples")
        return fitted(made, x()[train], labels[train]).predict(x()[test])

    return Reader(reads)
