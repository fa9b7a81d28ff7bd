"""Histograms of oriented gradients (Dalal and Triggs 2005): where edges are, and which way.

Dims: H, W pixels, C channels, Y, X cells.
"""

import numpy as np

from ensue.errors import DataError

NUM_ORIENTATIONS, BLOCK, CLIP, EPSILON = 9, 2, 0.2, 1e-5
CELL, FEWEST_CELLS, MOST_CELLS = 8, 4, 16
"""Pixels of a side of a cell; and cells along the shorter and the longer side of an image, for
which the cells of a small image are smaller, and those of a large one larger."""


SHORTEST_SIDE = BLOCK
"""Pixels that a side of an image must have, for 2 x 2 cells."""


def cell_size(height: int, width: int) -> int:
    """Pixels of a side of a cell: 8 in images of 32 to 128 pixels.

    Example:
        >>> [cell_size(n, n) for n in (3, 8, 28, 32, 128, 256)]
        [1, 2, 7, 8, 8, 16]
    """
    most = -(-max(height, width) // MOST_CELLS)
    cell = max(min(CELL, min(height, width) // FEWEST_CELLS), most, 1)
    return min(cell, min(height, width) // BLOCK)


def hog(image: np.ndarray) -> np.ndarray:
    r"""Histograms of oriented gradients of the cells of an image, normalized block by block.

    .. math::
        g = (\sqrt{x_{i, j+1}} - \sqrt{x_{i, j-1}},\; \sqrt{x_{i+1, j}} - \sqrt{x_{i-1, j}}), \quad
        w(t) = \max(0, 1 - |t|)

        h_{uvo} = \sum_{i, j} |g|\; w\Big(\frac{i - i_u}{s}\Big)\, w\Big(\frac{j - j_v}{s}\Big)\,
        w\Big(\frac{9 \theta}{\pi} - \frac12 - o\Big), \quad
        b \mapsto \frac{b}{\sqrt{|b|^2 + \epsilon^2}}

    Here (i_u, j_v) is the center of cell (u, v), s its side, and θ the direction of g in [0, π);
    the distance to the center of orientation o goes around the half circle. So a gradient votes for
    the nearest cells and orientations, the more the nearer they are. Of color each pixel has the
    gradient of the channel where it is largest. A block b is the histograms of 2 x 2 cells; it is
    normalized, clipped at 0.2 and normalized again (L2-Hys). Blocks overlap by a cell. All this is
    in section 6 of Dalal and Triggs 2005, the square root in 6.1; their Gaussian window of a block
    isn't used here. Beyond its edge an image goes on as at the edge, and the cells are centered.

    A cell is 8 x 8 pixels; in an image below 32 pixels a quarter of its shorter side, in one above
    128 a sixteenth of its longer side.

    Args:
        image: (H, W) or (H, W, 3) of 8 bits, at least 2 x 2 pixels.

    Returns:
        (36 (Y - 1) (X - 1),) float32.

    Raises:
        DataError: The image is smaller.

    Example:
        >>> stripes = np.tile(np.uint8([0, 0, 255, 255]), (32, 8))
        >>> features = hog(stripes)
        >>> features.shape, [round(float(x), 2) for x in features[:9]]
        ((324,), [0.35, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.35])
    """
    height, width = image.shape[:2]
    if min(height, width) < SHORTEST_SIDE:
        raise DataError(
            f"an image has {height} x {width} pixels; histograms of gradients take 2 x 2 or more"
        )
    size = cell_size(height, width)
    votes = _votes(np.sqrt(image.reshape(height, width, -1), dtype=np.float32))
    rows, columns = _shares(height, size), _shares(width, size)
    cells = np.tensordot(rows, np.einsum("vj,ijo->ivo", columns, votes), 1)
    Y, X = cells.shape[0] - 1, cells.shape[1] - 1
    corners = [cells[y : y + Y, x : x + X] for y in range(BLOCK) for x in range(BLOCK)]
    blocks = _normalized(np.concatenate(corners, axis=-1))
    return _normalized(np.minimum(blocks, CLIP)).ravel()


def _votes(x: np.ndarray) -> np.ndarray:
    """(H, W, C) to (H, W, 9): the magnitude of each gradient, shared between two orientations."""
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)), mode="edge")
    down, right = padded[2:, 1:-1] - padded[:-2, 1:-1], padded[1:-1, 2:] - padded[1:-1, :-2]
    strongest = (down**2 + right**2).argmax(-1)[..., None]
    dy, dx = (np.take_along_axis(g, strongest, -1) for g in (down, right))
    place = np.arctan2(dy, dx) * (NUM_ORIENTATIONS / np.pi) - 0.5
    below, magnitude = np.floor(place), np.hypot(dy, dx)
    share = place - below  # of the bin above
    lower = below.astype(np.int64) % NUM_ORIENTATIONS
    votes = np.zeros((*x.shape[:2], NUM_ORIENTATIONS), np.float32)
    np.put_along_axis(votes, lower, magnitude * (1 - share), -1)
    np.put_along_axis(votes, (lower + 1) % NUM_ORIENTATIONS, magnitude * share, -1)
    return votes


def _shares(length: int, size: int) -> np.ndarray:
    """(Y, H): what each cell gets of the votes of each row of pixels."""
    num = length // size
    centers = (length - num * size) / 2 + size * (np.arange(num) + 0.5) - 0.5
    apart = np.abs(np.arange(length) - centers[:, None]) / size
    return np.maximum(0, 1 - apart).astype(np.float32)


def _normalized(v: np.ndarray) -> np.ndarray:
    return v / np.sqrt((v**2).sum(-1, keepdims=True) + EPSILON**2)
