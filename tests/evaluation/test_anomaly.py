"""Measures of anomaly, against brute force and against what a stream would have seen."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from ensue import CPC, CPCConfig
from ensue.data.store import Store
from ensue.errors import ConfigError, DataError
from ensue.evaluation.anomaly import (
    NUM_NEGATIVES,
    Anomaly,
    Reference,
    at_steps,
    frames_of,
    reference_of,
)
from ensue.evaluation.usual import Frames, Usual


def store_of(*items: np.ndarray) -> Store:
    values = np.concatenate(items).astype(np.float32)
    offsets = np.cumsum([0, *map(len, items)])
    names = [str(i) for i in range(len(items))]
    return Store(values, offsets, names, {}, None, {}, [], 1.0, True, Path())


def model_of(seed: int, **settings: object) -> CPC:
    torch.manual_seed(seed)
    usual = {"channels": 6, "context_size": 5, "num_channels": 2, "num_steps": 60}
    return CPC(CPCConfig(**{**usual, **settings})).eval()


def noise(seed: int, num_steps: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((num_steps, 2)).astype(np.float32)


def from_frames(frames: Frames) -> Reference:
    """Where values play no part."""
    return Reference(frames, frames, noise(0, 9))


@pytest.mark.parametrize("strides", [(1, 1), (2, 2)])
def test_steps_know_nothing_of_what_comes_after_them(strides: tuple[int, int]) -> None:
    model = model_of(0, kernels=(3, 3), strides=strides)
    usual = Anomaly(model, reference_of(model, store_of(noise(0, 200)), [0]))
    whole, changed = noise(1, 90), noise(1, 90)
    changed[61:] += 100

    def measures(x: np.ndarray) -> np.ndarray:
        frames = frames_of(model, store_of(x), 0)
        told = [*usual.surprise(frames).T, *usual.distances(frames).values()]
        return np.stack([at_steps(m, len(x), model) for m in told], axis=1)

    np.testing.assert_allclose(measures(whole)[:61], measures(changed)[:61], rtol=1e-6)
    assert not np.allclose(measures(whole)[70:], measures(changed)[70:])
    np.testing.assert_allclose(measures(whole[:61]), measures(whole)[:61], atol=1e-5)


def test_surprise_is_the_loss_among_reference_frames() -> None:
    model = model_of(1, nearest=2, horizon=4).double()
    rng = np.random.default_rng(1)
    frames = Frames(rng.standard_normal((9, 6)), rng.standard_normal((9, 5)))
    reference = Frames(rng.standard_normal((7, 6)), rng.standard_normal((7, 5)))
    with torch.no_grad():
        predicted = model.branches[0].predict(torch.from_numpy(frames.context)[None], 3)[0].numpy()
    expected = np.full((9, 3), np.nan)
    for j in range(9):
        for i, k in enumerate((2, 3, 4)):
            if j >= k:
                said = predicted[j - k, i]
                scores = [said @ frames.local[j], *(reference.local @ said)]
                expected[j, i] = math.log(sum(map(math.exp, scores))) - scores[0]
    # log N is kept in single precision.
    told = Anomaly(model, from_frames(reference)).surprise(frames)
    np.testing.assert_allclose(told, expected, atol=1e-7)


def test_surprise_takes_negatives_evenly_from_the_reference() -> None:
    model = model_of(2)
    frames = frames_of(model, store_of(noise(2, 100)), 0)
    many = reference_of(model, store_of(*(noise(i, 700) for i in range(3))), [0, 1, 2])
    few = many.frames.evenly(NUM_NEGATIVES)
    assert len(few) == NUM_NEGATIVES < len(many.frames)
    np.testing.assert_array_equal(
        Anomaly(model, many).surprise(frames), Anomaly(model, from_frames(few)).surprise(frames)
    )


def test_distances_are_those_of_their_definitions() -> None:
    rng = np.random.default_rng(3)
    usual, x = rng.standard_normal((5000, 3)) * [1, 2, 5], rng.standard_normal((20, 3))
    found = Usual(usual)
    np.testing.assert_allclose(found.nearest(x), cdist(x, usual).min(1))
    inverse = np.linalg.inv(np.cov(usual.T))
    expected = cdist(x, usual.mean(0)[None], "mahalanobis", VI=inverse)[:, 0]
    np.testing.assert_allclose(found.mahalanobis(x), expected, rtol=0.02)  # shrunk a little


@pytest.mark.parametrize("strides", [(1, 1), (2, 2)])
def test_distances_of_means_are_those_of_frames_and_steps_that_were_averaged(
    strides: tuple[int, int],
) -> None:
    model = model_of(3, kernels=(3, 3), strides=strides)
    usual, x = noise(0, 300), noise(3, 90)
    anomaly = Anomaly(model, reference_of(model, store_of(usual), [0], average=8))
    told = anomaly.of_series(frames_of(model, store_of(x), 0), x)
    first, num = model.num_padded_frames, 8 // model.hop

    def averaged(rows: np.ndarray, num: int) -> np.ndarray:
        return np.stack([rows[i - num : i].mean(0) for i in range(num, len(rows) + 1)])

    local = [frames_of(model, store_of(y), 0).local[first:] for y in (usual, x)]
    expected = Usual(averaged(local[0], num)).mahalanobis(averaged(local[1], num))
    found = told["mahalanobis_local"]
    assert found[-1] == pytest.approx(expected[-1], rel=1e-5)
    assert np.isfinite(found).sum() >= (len(expected) - 1) * model.hop
    values = Usual(averaged(usual, 8)).mahalanobis(averaged(x, 8))
    np.testing.assert_allclose(told["mahalanobis_values"][7:], values, rtol=1e-5)
    both = np.sqrt(found * told["mahalanobis_values"])
    np.testing.assert_allclose(told["mahalanobis_both"], both)


def test_a_channel_without_values_is_usual() -> None:
    model, x = model_of(3), noise(3, 40)
    anomaly = Anomaly(model, reference_of(model, store_of(noise(0, 300)), [0], average=3))
    x[20:30, 1] = np.nan
    filled = x.copy()
    filled[:, 1] = np.where(np.isnan(x[:, 1]), noise(0, 300)[:, 1].mean(), x[:, 1])
    told, expected = (anomaly.value_distance(each)[22:30] for each in (x, filled))
    np.testing.assert_allclose(told, expected, rtol=0.05)


def test_the_reference_is_spread_over_all_items() -> None:
    model = model_of(4)
    store = store_of(*(noise(i, 3000) for i in range(8)))
    frames = reference_of(model, store, range(8)).frames
    assert 5000 < len(frames) <= 10_000
    last = frames_of(model, store, 7)
    assert cdist(frames.local[-1:], last.local).min() == pytest.approx(0, abs=1e-6)


def test_a_hidden_channel_plays_no_part() -> None:
    model, x = model_of(5), noise(5, 50)
    other = x.copy()
    other[:, 1] = -3
    hidden, changed = (frames_of(model, store_of(v), 0, hidden=1) for v in (x, other))
    np.testing.assert_array_equal(hidden.context, changed.context)
    assert not np.allclose(hidden.context, frames_of(model, store_of(x), 0).context)


def test_what_can_not_be_measured_is_refused() -> None:
    model = model_of(6)
    with pytest.raises(DataError, match="the reference has 1 frames; give at least 2"):
        Anomaly(model, from_frames(Frames(np.zeros((1, 6)), np.zeros((1, 5)))))
    with pytest.raises(DataError, match="no series to compare with"):
        reference_of(model, store_of(noise(6, 50)), [])
    backward = model_of(6, directions=("backward",))
    with pytest.raises(ConfigError, match="without forward nothing says what comes next"):
        backward.information_among(torch.zeros(1, 9, 6), torch.zeros(1, 9, 5), torch.zeros(4, 6))
