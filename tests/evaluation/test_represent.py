"""The laws of representing: every item once, none the worse for those beside it."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ensue.evaluation import represent
from ensue.evaluation.represent import by_mfcc, by_model, padded_lengths, score_items
from ensue.models.cpc import CPC, CPCConfig
from tests.data.stores import memory_store, numbered

LENGTHS = [5, 30, 2, 17, 2, 9]


class Sums(nn.Module):
    """Frames of one step each; embedding and score are the sums of what is valid."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.shapes: list[tuple[int, ...]] = []

    def encode(self, x: Tensor, lengths: Tensor | None) -> Any:
        assert not self.training
        self.shapes.append(tuple(x.shape))
        frames = None if lengths is None else x[:, :, None]
        return SimpleNamespace(
            embedding=x.reshape(len(x), -1).sum(1, keepdim=True),
            context=frames,
            local=frames,
            lengths=lengths,
            frame_rate=None if lengths is None else 7.0,
            grid=None,
        )

    def score(self, x: Tensor, lengths: Tensor | None) -> Any:
        return SimpleNamespace(total=self.encode(x, lengths).embedding[:, 0], kind="exact")


def test_every_item_is_represented_once_and_without_its_padding() -> None:
    store = memory_store(numbered(LENGTHS))
    found = {r.row: r for r in by_model(Sums())(store, range(6))}
    assert sorted(found) == list(range(6))
    for row, length in enumerate(LENGTHS):
        one = found[row]
        assert one.frames is not None
        assert one.local is not None
        assert one.embedding.tolist() == [(row + 1) * length]
        assert one.frames.tolist() == one.local.tolist() == [[row + 1]] * length
        assert one.frame_rate == 7.0


def test_only_the_rows_asked_for_are_represented() -> None:
    store = memory_store(numbered(LENGTHS))
    assert sorted(r.row for r in by_model(Sums())(store, np.array([4, 1]))) == [1, 4]


@pytest.mark.parametrize(("steps", "items"), [(40, 100), (10_000, 2)])
def test_batches_stay_within_their_limits(
    monkeypatch: pytest.MonkeyPatch, steps: int, items: int
) -> None:
    monkeypatch.setattr(represent, "BATCH_STEPS", steps)
    monkeypatch.setattr(represent, "BATCH_ITEMS", items)
    model = Sums()
    found = [r.row for r in by_model(model)(memory_store(numbered(LENGTHS)), range(6))]
    assert sorted(found) == list(range(6))
    assert len(model.shapes) > 1
    assert all(batch <= items and batch * length <= steps for batch, length in model.shapes)


def test_many_lengths_make_few_shapes_none_much_longer_than_its_items() -> None:
    lengths = np.arange(1, 2000)
    padded = padded_lengths(lengths)
    assert (padded >= lengths).all()
    assert (padded <= lengths * 1.125).all()
    assert len(np.unique(padded[lengths >= 1000])) <= 9


def test_rows_of_a_table_have_no_frames() -> None:
    store = memory_store(list(np.arange(8.0).reshape(4, 1, 2)), sequence=False)
    found = sorted(by_model(Sums())(store, range(4)), key=lambda r: r.row)
    assert [r.embedding.tolist() for r in found] == [[1], [5], [9], [13]]
    assert all(r.frames is r.local is r.frame_rate is None for r in found)


def test_scores_are_in_the_order_of_the_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(represent, "BATCH_STEPS", 20)
    totals, kind = score_items(Sums(), memory_store(numbered(LENGTHS)))
    assert totals.tolist() == [(i + 1) * n for i, n in enumerate(LENGTHS)]
    assert kind == "exact"


def tiny_cpc(encoder: str = "log_mel") -> CPC:
    torch.manual_seed(0)
    return CPC(CPCConfig(sample_rate=8000, encoder=encoder, channels=8, context_size=6, horizon=3))


def noise(*lengths: int) -> list[np.ndarray]:
    return [np.random.default_rng(n).standard_normal(n) for n in lengths]


@pytest.mark.parametrize("encoder", ["log_mel", "waveform"])
@pytest.mark.parametrize("piece", [100, 1111, 4000])
def test_a_long_item_in_pieces_is_as_one_taken_whole(
    monkeypatch: pytest.MonkeyPatch, encoder: str, piece: int
) -> None:
    store, model = memory_store(noise(9000, 700, 12_345), rate=8000), tiny_cpc(encoder)
    whole = {r.row: r for r in by_model(model)(store, range(3))}
    monkeypatch.setattr(represent, "LONG_STEPS", 5000)
    monkeypatch.setattr(represent, "PIECE_STEPS", piece)
    pieces: dict[int, list[represent.Represented]] = {0: [], 1: [], 2: []}
    for r in by_model(model)(store, range(3)):
        pieces[r.row].append(r)
    assert [len(p) > 1 for p in pieces.values()] == [True, False, True]
    for row, found in pieces.items():
        assert [r.first for r in found] == np.cumsum(
            [0, *(len(frames(r)) for r in found[:-1])]
        ).tolist()
        together = np.concatenate([frames(r) for r in found])
        # Float32 sums in another order.
        np.testing.assert_allclose(together, frames(whole[row]), rtol=0, atol=1e-5)
        np.testing.assert_allclose(found[-1].embedding, whole[row].embedding, rtol=0, atol=1e-5)


def frames(r: represent.Represented) -> np.ndarray:
    assert r.frames is not None
    return r.frames


def test_a_long_item_is_scored_by_the_mean_of_its_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    x = noise(9000)[0].astype(np.float32)
    store, model = memory_store([x], rate=8000), tiny_cpc()
    monkeypatch.setattr(represent, "LONG_STEPS", 5000)
    monkeypatch.setattr(represent, "PIECE_STEPS", 4500)
    (total,), kind = score_items(model, store)
    with torch.inference_mode():
        terms = [model.score(torch.from_numpy(part)[None]).terms for part in np.split(x, 2)]
    assert kind == "information"
    assert total == pytest.approx(
        float(torch.cat([t.flatten() for t in terms]).nanmean()), abs=1e-5
    )


def test_a_model_that_can_not_stream_takes_long_items_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(represent, "LONG_STEPS", 10)
    found = list(by_model(Sums())(memory_store(numbered(LENGTHS)), range(6)))
    assert sorted(r.row for r in found) == list(range(6))
    totals, _ = score_items(Sums(), memory_store(numbered(LENGTHS)))
    assert totals.tolist() == [(i + 1) * n for i, n in enumerate(LENGTHS)]


def test_mfcc_is_pooled_over_its_frames(seed: int) -> None:
    store = memory_store([np.random.default_rng(seed).standard_normal(n) for n in (2205, 50)])
    for item, num_frames in zip(by_mfcc(22050)(store, range(2)), (10, 1), strict=True):
        assert item.frames is not None
        assert item.frames.shape == (num_frames, 39)
        pooled = np.concatenate([item.frames.mean(0), item.frames.std(0)])
        assert item.embedding.tolist() == pooled.tolist()
        assert item.frame_rate == 22050 / 220  # a hop is a whole number of samples
