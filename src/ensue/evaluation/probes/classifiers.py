"""Scikit-learn's classifiers on frozen features; each reads fold after fold off one matrix."""

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ensue.data.store import Store
from ensue.errors import ConfigError
from ensue.evaluation.probes.features import features_at
from ensue.evaluation.probes.task import Moments, groups_apart
from ensue.evaluation.represent import Represents

MAX_ITERATIONS = 100
STRENGTHS, NUM_FOLDS = (1.0, 0.1, 0.01), 3
ENOUGH_TO_CHOOSE_ON = range(500, 5_001)
"""Training examples to choose the strength on: fewer mislead, with more frames it matters little.

Of more items than these as many are drawn, since it does matter: of 8,000 pictures (CIFAR-10 as
JPEG, tested on 2,000 more) C = 0.01 instead of 1 reads raw pixels by 3 points better, HOG too.
"""


@dataclass(frozen=True)
class Reader:
    """Reads labels off a pool of moments.

    Attributes:
        read: Takes the positions of training and of test moments, and returns labels for the test.
        tells: Whether it reports its progress itself.
    """

    read: Callable[[np.ndarray, np.ndarray], np.ndarray]
    tells: bool = False


Kind = Callable[[Moments, Store], dict[str, Reader]]
"""Makes rows of a table of probes: from a pool to its readers, by the name of the row."""


def chance(pool: Moments, store: Store) -> dict[str, Reader]:
    """Predict the most frequent class of the training part, whatever the features."""

    def reads(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        values, counts = np.unique(pool.label[train], return_counts=True)
        return np.full(len(test), values[counts.argmax()])

    return {"chance (most frequent class)": Reader(reads)}


def frozen(name: str, represent: Represents, *, num_neighbors: int | None = None) -> Kind:
    """Read frozen features with a linear classifier, and with nearest neighbors if asked.

    The linear one is logistic regression; see :func:`choose_strength`. The neighbors are those with
    the largest cosine, and their votes count alike. Both see features standardized by the mean and
    deviation of the training part. Features are computed once for all folds.

    Args:
        name: Name of the features.
        represent: Computes them.
        num_neighbors: K, or None for the linear classifier alone.

    Raises:
        ConfigError: There are fewer training examples than neighbors.
    """

    def kind(pool: Moments, store: Store) -> dict[str, Reader]:
        @functools.cache
        def x() -> np.ndarray:
            return features_at(pool, store, represent)

        def linear(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            y, folds_keep = pool.label[train], units(pool.at(train), pool.at(test), store)
            some = to_choose_on(pool.at(train))
            strength = choose_strength(x()[train[some]], y[some], folds_keep[some])
            return fitted(logistic_regression(strength), x()[train], y).predict(x()[test])

        def near(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            assert num_neighbors is not None
            if num_neighbors > len(train):
                raise ConfigError(
                    f"knn is {num_neighbors} and there are {len(train)} training examples"
                )
            classifier = fitted(nearest(num_neighbors), x()[train], pool.label[train])
            return classifier.predict(x()[test])

        readers = {name: Reader(linear)}
        if num_neighbors is not None:
            readers[f"{name}, {num_neighbors} nearest neighbors"] = Reader(near)
        return readers

    return kind


def units(train: Moments, test: Moments, store: Store) -> np.ndarray:
    """Return the unit that folds keep whole: the group where the test has other groups, or item."""
    if groups_apart(train, test, store):
        return np.asarray(store.group)[train.row]
    return train.row


def to_choose_on(train: Moments) -> np.ndarray:
    """Return the positions of the examples to choose the strength on: some of very many items."""
    most = ENOUGH_TO_CHOOSE_ON[-1]
    if len(train) <= most or not np.isnan(train.time).all():
        return np.arange(len(train))
    return np.sort(np.random.default_rng(0).permutation(len(train))[:most])


def choose_strength(x: np.ndarray, labels: np.ndarray, unit: np.ndarray) -> float:
    """Choose C of the logistic regression, the inverse strength of its penalty.

    The one of `STRENGTHS` with the best accuracy in three-fold cross-validation on the
    training part, the weakest penalty of equal ones; 1 where there are too few examples to choose
    on, or enough that it matters little (`ENOUGH_TO_CHOOSE_ON`).

    Args:
        x: (N, D) features of the training part.
        labels: (N,) labels, each of which is in several units.
        unit: (N,) unit that folds keep whole: an item, or a group where the test has new groups.
    """
    _, counts = np.unique(labels, return_counts=True)
    too_few = min(*counts, len(np.unique(unit))) < NUM_FOLDS
    if len(labels) not in ENOUGH_TO_CHOOSE_ON or too_few:
        return STRENGTHS[0]
    search = GridSearchCV(
        make_pipeline(StandardScaler(), logistic_regression()),
        {"logisticregression__C": STRENGTHS},
        cv=StratifiedGroupKFold(NUM_FOLDS),
        refit=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(x, labels, groups=unit)
    return search.best_params_["logisticregression__C"]


def logistic_regression(strength: float = STRENGTHS[0]) -> LogisticRegression:
    """Make the linear classifier of every probe."""
    return LogisticRegression(C=strength, max_iter=MAX_ITERATIONS)


def nearest(k: int) -> KNeighborsClassifier:
    """Make a classifier that takes the vote of the k examples with the largest cosine."""
    return KNeighborsClassifier(k, metric="cosine", algorithm="brute")


def fitted(classifier: Any, x: np.ndarray, labels: np.ndarray) -> Any:
    """Fit the classifier, with a standardization before it, to (N, D) features."""
    with warnings.catch_warnings():
        # Accuracy has settled long before the last digits of the weights have.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return make_pipeline(StandardScaler(), classifier).fit(x, labels)
