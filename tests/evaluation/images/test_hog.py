"""The laws of histograms of oriented gradients: those of the definition, gradient by gradient."""

import math

import numpy as np
import pytest

from ensue.errors import DataError
from ensue.evaluation.images import hog
from ensue.evaluation.images.hog import cell_size


def picture(*shape: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def one_by_one(image: np.ndarray, size: int) -> np.ndarray:
    """The definition in float64: each pixel votes for each cell and orientation."""
    x = np.sqrt(image.astype(np.float64)).reshape(*image.shape[:2], -1)
    H, W, C = x.shape
    num = (H // size, W // size)
    start = [(side - n * size) / 2 for side, n in zip((H, W), num, strict=True)]
    histogram = np.zeros((*num, 9))
    for i in range(H):
        for j in range(W):
            gradients = [
                (
                    x[min(i + 1, H - 1), j, c] - x[max(i - 1, 0), j, c],
                    x[i, min(j + 1, W - 1), c] - x[i, max(j - 1, 0), c],
                )
                for c in range(C)
            ]
            dy, dx = max(gradients, key=lambda g: g[0] ** 2 + g[1] ** 2)
            angle = math.degrees(math.atan2(dy, dx)) % 180
            for u in range(num[0]):
                for v in range(num[1]):
                    away = abs(i + 0.5 - start[0] - (u + 0.5) * size) / size
                    aside = abs(j + 0.5 - start[1] - (v + 0.5) * size) / size
                    near = max(0.0, 1 - away) * max(0.0, 1 - aside)
                    for o in range(9):
                        turn = abs(angle - (20 * o + 10))
                        part = max(0.0, 1 - min(turn, 180 - turn) / 20)
                        histogram[u, v, o] += near * part * math.hypot(dy, dx)
    blocks = []
    for u in range(num[0] - 1):
        for v in range(num[1] - 1):
            b = histogram[u : u + 2, v : v + 2].ravel()
            b = np.minimum(b / math.sqrt(b @ b + 1e-10), 0.2)
            blocks.append(b / math.sqrt(b @ b + 1e-10))
    return np.concatenate(blocks)


@pytest.mark.parametrize(
    ("shape", "size"), [((18, 13), 3), ((17, 19, 3), 4), ((3, 2), 1), ((5, 40), 2)]
)
def test_features_are_those_of_the_definition(shape: tuple[int, ...], size: int, seed: int) -> None:
    image = picture(*shape, seed=seed)
    assert cell_size(*shape[:2]) == size
    expected = one_by_one(image, size)
    # Sums of some hundred votes in float32, which the normalization brings below 1.
    np.testing.assert_allclose(hog(image), expected, rtol=0, atol=2e-5)


def test_gray_in_color_has_the_features_of_gray(seed: int) -> None:
    image = picture(32, 32, seed=seed)
    np.testing.assert_array_equal(hog(np.repeat(image[..., None], 3, -1)), hog(image))


def test_a_turned_image_has_the_same_votes_elsewhere(seed: int) -> None:
    image = picture(32, 32, seed=seed)
    np.testing.assert_allclose(
        np.sort(hog(image)), np.sort(hog(np.ascontiguousarray(image[::-1]))), rtol=0, atol=1e-5
    )


def test_an_image_of_one_color_has_no_edges() -> None:
    assert not hog(np.full((32, 32, 3), 7, np.uint8)).any()


def test_a_large_image_has_few_cells() -> None:
    assert hog(np.zeros((256, 256, 3), np.uint8)).shape == (15 * 15 * 36,)


def test_a_line_of_pixels_is_refused() -> None:
    with pytest.raises(DataError, match="1 x 9 pixels"):
        hog(np.zeros((1, 9), np.uint8))
