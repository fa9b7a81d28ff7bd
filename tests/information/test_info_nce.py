"""InfoNCE: log N for equal scores, never certifies more, and equals plain loops."""

import math

import pytest
import torch

from ensue.information import (
    Contrast,
    ahead,
    below,
    chance_loss,
    contrast,
    contrast_aligned,
    info_nce,
    information,
    own_and_others,
    sample_anchors,
    sample_other_frames,
)
from ensue.information.candidates import at


def contrast_ahead(
    predicted: torch.Tensor,
    z: torch.Tensor,
    num_frames: torch.Tensor | None = None,
    *,
    others: torch.Tensor | None = None,
    own_sequence: bool = True,
    nearest: int = 1,
) -> Contrast:
    """The contrast of all anchors on a line."""
    B, T, K, _ = predicted.shape
    end = T if num_frames is None else num_frames
    anchors = torch.arange(T).expand(B, T)
    future = ahead(anchors, end, horizon=nearest + K - 1, nearest=nearest, longest=T)
    if own_sequence:
        candidates, count = own_and_others(z, num_frames, others)
        return contrast(predicted, candidates, future.target, future.valid, count)
    assert others is not None
    return contrast(predicted, others, at(z, future.target), future.valid)


@pytest.mark.parametrize("num", [2, 5, 300])
def test_equal_scores_give_log_n(num: int) -> None:
    loss = info_nce(torch.full((3, num), 1.7, dtype=torch.float64), torch.tensor([0, 1, num - 1]))
    torch.testing.assert_close(loss, torch.full((3,), math.log(num), dtype=torch.float64))


def test_never_certifies_more_than_log_n(seed: int) -> None:
    scores = 1000 * torch.randn(200, 16)
    best = information(info_nce(scores, scores.argmax(-1)), 16)
    assert (best <= chance_loss(16)).all()


def brute_force(
    predicted: torch.Tensor,
    z: torch.Tensor,
    num_frames: list[int],
    others: torch.Tensor | None,
    own_sequence: bool,
    nearest: int,
) -> dict[tuple[int, int, int], float]:
    """Loops and lists: the definition, one prediction at a time."""
    losses = {}
    B, T, K, _ = predicted.shape
    for b in range(B):
        for t in range(T):
            for k in range(nearest, nearest + K):
                if t + k >= num_frames[b]:
                    continue
                negatives = [] if others is None else list(others[b])
                if own_sequence:
                    negatives += [z[b, j] for j in range(num_frames[b]) if j != t + k]
                scores = [
                    float(predicted[b, t, k - nearest] @ f) for f in [z[b, t + k], *negatives]
                ]
                losses[b, t, k] = math.log(sum(math.exp(s) for s in scores)) - scores[0]
    return losses


@pytest.mark.parametrize("own_sequence", [True, False])
@pytest.mark.parametrize("num_others", [0, 6])
@pytest.mark.parametrize("nearest", [1, 3])
def test_contrast_equals_plain_loops(
    own_sequence: bool, num_others: int, nearest: int, seed: int
) -> None:
    if not own_sequence and not num_others:
        pytest.skip("no negatives at all; that is refused")
    B, T, K, D = 3, 8, 3, 4
    predicted = torch.randn(B, T, K, D, dtype=torch.float64)
    z = torch.randn(B, T, D, dtype=torch.float64)
    others = torch.randn(B, num_others, D, dtype=torch.float64) if num_others else None
    num_frames = torch.tensor([8, 5, 2])
    told = contrast_ahead(
        predicted, z, num_frames, others=others, own_sequence=own_sequence, nearest=nearest
    )
    expected = brute_force(predicted, z, num_frames.tolist(), others, own_sequence, nearest)
    assert int(told.valid.sum()) == len(expected)
    for (b, t, k), loss in expected.items():
        assert float(told.loss[b, t, k - nearest]) == pytest.approx(loss, abs=1e-12)
        num = num_others + (int(num_frames[b]) if own_sequence else 1)
        assert float(told.chance[b, t, k - nearest]) == pytest.approx(math.log(num), abs=1e-6)


def test_gradient_of_the_contrast_is_that_of_the_loops(seed: int) -> None:
    z = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 3, 3, dtype=torch.float64)

    def total(z: torch.Tensor) -> torch.Tensor:
        predicted = torch.einsum("btd,kde->btke", z, weight)
        return contrast_ahead(predicted, z, torch.tensor([5, 4])).loss.sum()

    assert torch.autograd.gradcheck(total, z)


def test_no_negatives_are_refused() -> None:
    x, valid = torch.zeros(1, 3, 1, 2), torch.ones(1, 3, 1, dtype=torch.bool)
    with pytest.raises(ValueError, match="no candidates"):
        contrast(x, x[:, :0, 0], x, valid)


def test_collapsed_features_are_never_correct() -> None:
    z = torch.ones(2, 6, 3)
    told = contrast_ahead(torch.ones(2, 6, 2, 3), z)
    assert not told.correct.any()
    torch.testing.assert_close(told.loss[told.valid], told.chance[told.valid])


def test_grid_contrast_equals_a_loop_over_patches(seed: int) -> None:
    (B, Y, X, K, D), nearest = (2, 7, 7, 3, 4), 2
    predicted = torch.randn(B, Y * X, K, D, dtype=torch.float64)
    z = torch.randn(B, Y, X, D, dtype=torch.float64)
    anchors = torch.arange(Y * X).expand(B, -1)
    future = below(anchors, (Y, X), horizon=nearest + K - 1, nearest=nearest)
    told = contrast(predicted, z.flatten(1, 2), future.target, future.valid)
    seen = 0
    for b in range(B):
        for y in range(Y):
            for x in range(X):
                for k in range(nearest, nearest + K):
                    place = (b, y * X + x, k - nearest)
                    assert bool(told.valid[place]) == (y + k < Y)
                    if y + k >= Y:
                        continue
                    scores = [
                        float(predicted[place] @ z[b, i, j]) for i in range(Y) for j in range(X)
                    ]
                    true = float(predicted[place] @ z[b, y + k, x])
                    loss = math.log(sum(math.exp(s) for s in scores)) - true
                    assert float(told.loss[place]) == pytest.approx(loss, abs=1e-12)
                    seen += 1
    assert seen == int(told.valid.sum())


def test_other_frames_are_valid_and_of_others(seed: int) -> None:
    num_frames = torch.tensor([5, 1, 9, 3])
    drawn = sample_other_frames(num_frames, 4000, generator=torch.Generator().manual_seed(seed))
    own = torch.arange(4)[:, None]
    assert (drawn.row != own).all()
    assert (drawn.frame < num_frames[drawn.row]).all()
    assert (drawn.frame >= 0).all()
    seen = {(int(r), int(f)) for r, f in zip(drawn.row[0], drawn.frame[0], strict=True)}
    assert seen == {(r, f) for r in (1, 2, 3) for f in range(int(num_frames[r]))}
    z = torch.randn(4, 9, 2)
    assert torch.equal(drawn.of(z)[2, 7], z[drawn.row[2, 7], drawn.frame[2, 7]])


def test_one_sequence_has_no_others() -> None:
    with pytest.raises(ValueError, match="at least 2 sequences"):
        sample_other_frames(torch.tensor([4]), 2, generator=torch.Generator())


def test_anchors_have_their_whole_horizon_where_there_is_one(seed: int) -> None:
    num_frames = torch.tensor([10, 4, 1])
    anchors = sample_anchors(num_frames, 500, 3, generator=torch.Generator().manual_seed(seed))
    assert set(anchors[0].tolist()) == set(range(7))
    assert set(anchors[1].tolist()) == {0}
    assert set(anchors[2].tolist()) == {0}


@pytest.mark.parametrize("normalize_over", ["candidates", "contexts"])
def test_aligned_contrast_equals_plain_loops(normalize_over: str, seed: int) -> None:
    B, T, K, D = 4, 7, 2, 3
    predicted = torch.randn(B, T, K, D, dtype=torch.float64)
    z = torch.randn(B, T, D, dtype=torch.float64)
    future = ahead(torch.arange(T).expand(B, T), T, horizon=K)
    told = contrast_aligned(
        predicted, z, future.target[0], future.valid, normalize_over=normalize_over
    )
    for t in range(T):
        for k in range(K):
            if t + k + 1 >= T:
                assert not told.valid[:, t, k].any()
                continue
            scores = predicted[:, t, k] @ z[:, t + k + 1].T  # contexts by candidates
            scores = scores if normalize_over == "candidates" else scores.T
            expected = -torch.log_softmax(scores, dim=1).diagonal()
            torch.testing.assert_close(told.loss[:, t, k], expected)
