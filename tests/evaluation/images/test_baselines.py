"""The laws of the baselines of images: what they see, what they learn from, where they are read."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ensue.data.kinds.image.codec import ImageCodec
from ensue.data.store import Store
from ensue.evaluation.images import by_patches, hog, image_baselines
from ensue.evaluation.probes.classifiers import frozen
from ensue.evaluation.probes.label_curve import run_label_curve
from ensue.evaluation.probes.measure import baselines_of
from ensue.evaluation.probes.probe import run_probe
from ensue.evaluation.probes.task import make_task
from ensue.evaluation.represent import Represents
from tests.data.stores import memory_store

NAMES = ["raw pixels", "HOG", "k-means patch features"]


def stripes(num: int, side: int, seed: int, **labels: list[str]) -> tuple[ImageCodec, Store]:
    """Gray pictures of stripes, up or across, at any place, in noise."""
    rng = np.random.default_rng(seed)
    across = np.arange(num) % 2 == 1
    phase = rng.uniform(0, 2 * np.pi, (num, 1, 1))
    waves = 110 * np.sin(np.arange(side) * 2 + phase) * np.ones((num, side, 1))
    waves[across] = waves[across].transpose(0, 2, 1)
    x = (128 + waves + rng.normal(0, 5, waves.shape)).clip(0, 255).round().astype(np.uint8)
    direction = ["across" if a else "up" for a in across]
    store = memory_store(
        [image[None, None] for image in x], labels={"way": direction, **labels}, sequence=False
    )
    return ImageCodec(levels=256, shape=(1, side, side)), store


def embeddings(represent: Represents, store: Store) -> np.ndarray:
    return np.stack([r.embedding for r in represent(store, np.arange(len(store)))])


def test_each_baseline_sees_the_picture_itself(seed: int) -> None:
    codec, store = stripes(3, 8, seed)
    images = [codec.decode(store[i][0]) for i in range(3)]
    features = {name: embeddings(r, store) for name, r in image_baselines(codec).items()}
    assert list(features) == NAMES
    np.testing.assert_allclose(features["raw pixels"] * 255, [i.ravel() for i in images], rtol=1e-6)
    np.testing.assert_array_equal(features["HOG"], [hog(i) for i in images])


@pytest.mark.parametrize("of", [frozen, lambda *a: frozen(*a, num_neighbors=3)])
def test_a_direction_is_read_off_edges_and_patches(of: Callable[..., Any], seed: int) -> None:
    codec, store = stripes(60, 8, seed)
    kinds = [of(name, r) for name, r in image_baselines(codec, cells=1).items()]
    accuracies = run_probe(make_task(store, "way"), store, kinds).accuracies
    assert [a.features for a in accuracies if "neighbors" not in a.features][1:] == NAMES
    assert all(a.accuracy == 1 for a in accuracies if a.features.startswith(("HOG", "k-means")))


def test_few_labels_suffice_for_edges_and_patches(seed: int) -> None:
    codec, store = stripes(60, 8, seed)
    kinds = [frozen(name, r) for name, r in image_baselines(codec, cells=1).items()]
    found = run_label_curve(make_task(store, "way"), store, kinds, [4, 30], draws=2)
    accuracy = {(a.features, a.num_labels): a.accuracy for a in found.accuracies}
    assert {num for _, num in accuracy} == {4, 30}
    # Chance is half; with each of 60 seeds all were read right.
    assert accuracy["HOG", 30] > 0.8
    assert accuracy["k-means patch features", 30] > 0.8


def test_centroids_are_learned_once_and_not_from_the_test_part(seed: int) -> None:
    split = ["test" if i < 10 else "train" for i in range(30)]
    codec, store = stripes(30, 8, seed, split=split)
    _, other = stripes(30, 8, seed, split=split)
    rng = np.random.default_rng(seed)
    other.values[:10] = rng.integers(0, 256, other.values[:10].shape)
    one, two = (embeddings(by_patches(codec), s) for s in (store, other))
    np.testing.assert_allclose(one[10:], two[10:], rtol=0, atol=1e-5)
    assert np.abs(one[:10] - two[:10]).max() > 0.01
    represent = by_patches(codec)
    rows = np.array([12, 3])
    some = {r.row: r.embedding for r in represent(other, rows)}
    np.testing.assert_allclose([some[12], some[3]], two[rows], rtol=0, atol=1e-5)


@pytest.mark.parametrize("split", [["test"] * 8, [""] * 8])
def test_without_a_training_part_all_are_learned_from(split: list[str], seed: int) -> None:
    codec, store = stripes(8, 8, seed, split=split)
    assert np.isfinite(embeddings(by_patches(codec), store)).all()


def test_pictures_are_pooled_as_the_embedding_of_the_model_is(seed: int) -> None:
    codec, store = stripes(6, 8, seed)
    sizes = {}
    for cells in (None, 1, 3):
        model: Any = SimpleNamespace(untrained_variants=dict)
        if cells is not None:
            model.cells = cells
        features = baselines_of(model, codec, seed=0)
        assert list(features) == NAMES
        sizes[cells] = embeddings(features["k-means patch features"], store).shape[1]
    assert sizes == {None: 4 * sizes[1], 1: sizes[1], 3: 9 * sizes[1]}


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 5), (3, 2, 2), (3, 40, 70)])
def test_pictures_of_any_size_have_finite_features(shape: tuple[int, int, int], seed: int) -> None:
    codec = ImageCodec(levels=4, shape=shape)
    x = torch.randint(4, (3, 1, *shape)).numpy()
    store = memory_store(list(x), sequence=False)
    baselines = image_baselines(codec)
    assert ("HOG" in baselines) == (min(shape[1:]) >= 2)
    for represent in baselines.values():
        features = embeddings(represent, store)
        assert np.isfinite(features).all()
        assert features.shape[1] <= max(3200, 15 * 15 * 36)
