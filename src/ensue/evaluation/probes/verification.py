"""Verification: are two items of the same group (a speaker)? By the cosine of their features."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.preprocessing import StandardScaler, normalize

from ensue.data.store import Store
from ensue.errors import DataError
from ensue.evaluation.probes.features import features_at
from ensue.evaluation.probes.intervals import LEVELS, at_an_end, draw_weights
from ensue.evaluation.probes.measured import Measured, MeasuredResult
from ensue.evaluation.probes.task import Task
from ensue.evaluation.represent import Represents
from ensue.training.progress import Progress, Silence

MAX_ITEMS = 400
"""Test items whose pairs are all compared: 80,000 pairs, each weighted again a thousand times."""
MIN_VALUES = 10
"""Number of values of the label from which the bootstrap draws values rather than items."""


def run_verification(
    task: Task,
    store: Store,
    features: Mapping[str, Represents],
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> MeasuredResult:
    """Measure the equal error rate of features over all pairs of test items; chance is 50 %.

    Items are compared by the cosine of their embeddings, standardized by the mean and deviation
    of the training part, which has no other use here. With ten or more values of the label the
    interval is over values, drawn with replacement; with fewer it is over items, and doesn't
    extend to values that weren't tested.

    Args:
        task: A task at level item.
        store: The items to read from.
        features: Kinds of features, by name.
        seed: Seed of the choice of items and of the bootstrap.
        progress: Notified of each kind that is done.

    Raises:
        DataError: No two test items have the same label, or no two differ.
    """
    rng, progress = np.random.default_rng(seed), progress or Silence()
    chosen = np.sort(rng.permutation(len(task.test))[:MAX_ITEMS])
    test = task.test.at(chosen)
    first, second = np.triu_indices(len(test), 1)
    same = test.label[first] == test.label[second]
    if not same.any() or same.all():
        raise DataError(
            f"verification needs pairs of test items with the same {task.label!r} and with "
            f"different ones; all {len(same)} pairs are {'the same' if same.any() else 'different'}"
        )
    draws, unit = _draws(test.label, first, second, rng)
    rows = [Measured("chance", 0.5, 0.5, 0.5)]
    progress.start(f"verifying {task.label}", len(features))
    try:
        for name, represent in features.items():
            scaler = StandardScaler().fit(features_at(task.train, store, represent))
            e = np.asarray(normalize(scaler.transform(features_at(test, store, represent))))
            cosine = (e[first] * e[second]).sum(1)
            rows.append(_measured(name, cosine, same, draws))
            progress.advance(1, {})
    finally:
        progress.stop()
    return MeasuredResult(
        label=task.label,
        level=task.level,
        split=task.split,
        num_train=len(task.train),
        num_test=len(test),
        num_classes=len(np.unique(test.label)),
        rows=tuple(rows),
        kind="verification",
        measure="equal error rate",
        better="lower",
        interval=f"95 % bootstrap over {unit}",
        seed=seed,
        num_pairs=len(same),
    )


def equal_error_rate(
    score: np.ndarray, same: np.ndarray, weight: np.ndarray | None = None
) -> float:
    r"""Return the rate at which false acceptances and false rejections are equally frequent.

    .. math::
        \mathrm{FA}(\theta) = P(s \ge \theta \mid \mathrm{different}), \quad
        \mathrm{FR}(\theta) = P(s < \theta \mid \mathrm{same}), \quad
        \mathrm{EER} = \mathrm{FA}(\theta^*) = \mathrm{FR}(\theta^*)

    on straight lines between the points of the ROC curve; equal scores are one point.

    Args:
        score: (P,) scores, higher for pairs that seem alike.
        same: (P,) true for pairs that are of the same group.
        weight: (P,) weights of the pairs; by default 1.

    Example:
        >>> equal_error_rate(np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False]))
        0.5
    """
    order, last = _order(score)
    weight = np.ones(len(score)) if weight is None else weight
    return _crossing(weight[order], same[order], last)


def _order(score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return positions from the highest score down, and the last of each run of equal scores."""
    order = np.argsort(-score, kind="stable")
    return order, np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)


def _crossing(weight: np.ndarray, same: np.ndarray, last: np.ndarray) -> float:
    accepted_same = np.concatenate([[0.0], np.cumsum(weight * same)[last]])
    accepted = np.concatenate([[0.0], np.cumsum(weight)[last]])
    false_rejection = 1 - accepted_same / accepted_same[-1]
    different = accepted - accepted_same
    false_acceptance = different / different[-1]
    gap = false_acceptance - false_rejection  # from -1 up to 1
    k = int(np.argmax(gap >= 0))
    part = -gap[k - 1] / (gap[k] - gap[k - 1])
    step = false_acceptance[k] - false_acceptance[k - 1]
    return float(false_acceptance[k - 1] + part * step)


def _measured(name: str, score: np.ndarray, same: np.ndarray, draws: "_Draws") -> Measured:
    order, last = _order(score)
    first, second, same_ = draws.first[order], draws.second[order], same[order]
    within = first == second
    rates = []
    for times in draws.times:
        # A pair within one unit counts as often as that unit is drawn.
        weight = times[first] * np.where(within, 1, times[second])
        if (weight * same_).any() and (weight * ~same_).any():
            rates.append(_crossing(weight, same_, last))
    low, high = np.quantile(rates, LEVELS)
    rate, num_units = equal_error_rate(score, same), draws.times.shape[1]
    return Measured(name, rate, *at_an_end(rate, (float(low), float(high)), num_units))


@dataclass(frozen=True)
class _Draws:
    """(B, U) counts of each drawn unit, and the two units of each pair, which may be the same.

    Copies of one unit make no pairs with each other, since these would carry no information.
    """

    times: np.ndarray
    first: np.ndarray
    second: np.ndarray


def _draws(
    label: np.ndarray, first: np.ndarray, second: np.ndarray, rng: np.random.Generator
) -> tuple[_Draws, str]:
    """Draw values of the label, or items where there are few values; and say which in words."""
    values, value = np.unique(label, return_inverse=True)
    if len(values) >= MIN_VALUES:
        times = draw_weights(len(values), rng)
        return _Draws(times, value[first], value[second]), "values of the label"
    return _Draws(draw_weights(len(label), rng), first, second), "test items"
