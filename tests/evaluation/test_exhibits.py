"""Exhibits: pictures and sounds say what is in the data."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ensue.configuration import fill
from ensue.data.config import DataConfig
from ensue.data.items import Items
from ensue.data.kinds.text.codec import TextCodec
from ensue.data.store import open_store
from ensue.evaluation.embedding_map import embedding_map
from ensue.evaluation.exhibits.inside import inside
from ensue.evaluation.exhibits.representation import in_halves
from ensue.evaluation.exhibits.sound import mp3
from ensue.evaluation.exhibits.subject import Subject
from ensue.evaluation.exhibits.writing import writing
from ensue.evaluation.surprise import surprise_by_frame
from ensue.models.flows.realnvp import RealNVP, RealNVPConfig
from ensue.models.registry import FAMILIES
from ensue.models.tokens.charrnn import CharRNN, CharRNNConfig
from tests.data.stores import memory_store, numbered


def test_surprise_is_the_mean_loss_of_the_predictions_that_met_a_frame(seed: int) -> None:
    rng = np.random.default_rng(seed)
    T, K, nearest, chance = 9, 3, 2, np.log(9)
    terms = rng.standard_normal((T, K))
    for t in range(T):
        terms[t, [t + k >= T for k in range(nearest, nearest + K)]] = np.nan
    found = surprise_by_frame(terms, nearest=nearest, chance=chance)
    for j in range(T):
        met = [chance - terms[j - k, k - nearest] for k in range(2, 5) if j - k >= 0]
        np.testing.assert_allclose(found[j], np.mean(met) if met else np.nan)


def test_halves_are_the_items_again() -> None:
    store = memory_store(numbered([5, 2, 8]))
    halves = in_halves(store)
    assert len(halves) == 6
    for i in range(3):
        both = torch.cat([halves[2 * i], halves[2 * i + 1]])
        assert torch.equal(both, store[i])
        assert abs(len(halves[2 * i]) - len(halves[2 * i + 1])) <= 1


def test_a_sound_can_be_heard_again_at_its_pitch() -> None:
    time = np.arange(20000) / 10000  # a rate that MP3 doesn't have
    samples, rate = soundfile.read(io.BytesIO(mp3(np.sin(2 * np.pi * 440 * time), 10000)))
    assert abs(len(samples) / rate - 2) < 0.2  # the encoder pads
    middle = samples[rate // 2 : rate // 2 + rate]
    assert abs(np.abs(np.fft.rfft(middle)).argmax() - 440) <= 1


def test_the_map_keeps_groups_apart(seed: int) -> None:
    rng = np.random.default_rng(seed)
    group = np.arange(40) % 2
    found = embedding_map(rng.standard_normal((40, 6)) + 20 * group[:, None], seed=0)
    assert found.tsne is not None
    for xy in (found.pca, found.tsne):
        means = np.stack([xy[group == g].mean(0) for g in (0, 1)])
        nearest = np.square(xy[:, None] - means).sum(-1).argmin(1)
        assert (nearest == group).mean() > 0.95
    assert found.explained[0] > found.explained[1]


def test_few_or_flat_embeddings_still_have_a_map() -> None:
    assert embedding_map(np.random.default_rng(0).standard_normal((4, 6))).tsne is None
    assert np.isfinite(embedding_map(np.ones((12, 3))).pca).all()
    assert embedding_map(np.arange(12.0)[:, None]).pca.shape == (12, 2)


@pytest.mark.parametrize("tokens", ["bytes", "characters", "words"])
def test_what_surprised_it_is_the_text_again_with_its_whole_cost(
    tokens: str, tmp_path: Path, seed: int
) -> None:
    text = "Straßen und Wege \U0001f600 gehen weiter"
    items = Items(kind="text", ids=["a"], raw=[text], fingerprint="a")
    codec = TextCodec.fit(items, DataConfig(tokens=tokens), [0])  # type: ignore[arg-type]
    store = open_store(items, codec, tmp_path)
    config = fill(CharRNNConfig(hidden_size=8, embedding_size=4), codec.facts())
    model = CharRNN(config).eval()
    contracts = FAMILIES["charrnn"].contracts
    subject = Subject(
        model=model,
        untrained=model,
        codec=codec,
        store=store,
        rows=np.arange(1),
        contracts=contracts,
    )
    (found,) = writing(subject)
    (passage,) = found.values["texts"]
    assert "".join(piece for piece, _ in passage["pieces"]) == text
    assert not any("\ufffd" in piece for piece, _ in passage["pieces"])
    cost = float(-model.score(codec.encode(text)[None]).total.detach())
    assert sum(nats for _, nats in passage["pieces"]) == pytest.approx(cost, abs=0.05)
    assert len(found.values["samples"]) == 6


@pytest.mark.parametrize("shape", [None, (1, 4, 4)])
def test_what_is_shown_inside_a_flow_adds_up(shape: tuple[int, int, int] | None, seed: int) -> None:
    facts = {"num_features": 4} if shape is None else {"shape": shape, "num_tokens": 6, "bos": 5}
    model = RealNVP(RealNVPConfig(depth=3, transform="spline", mixing=True, **facts))
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    items = torch.randn(50, 4) if shape is None else torch.randint(0, 5, (50, *shape))
    subject = Subject(
        model=model.eval(),
        untrained=None,
        codec=None,  # type: ignore[arg-type]
        store=items[:, None],  # type: ignore[arg-type]
        rows=np.arange(50),
        contracts=(),
    )
    (exhibit,) = inside(subject)
    found = exhibit.values
    assert sum(found["density"]) * 0.2 == pytest.approx(1)
    assert found["num_values"] == items[0].numel()
    assert found["squares"] == sorted(found["squares"])
    with torch.no_grad():
        values, _ = model.density._entered(items, 0, 1)
        _, log_det = model(values)
    whole = sum(layer["log_det"][0] for layer in found["layers"])
    assert whole == pytest.approx(float(log_det.double().mean()), rel=1e-4, abs=1e-4)
    slopes = next(layer["log_slopes"] for layer in found["layers"] if layer["log_slopes"])
    # What a mask keeps isn't told; its slopes are 0 but for rounding.
    assert all(abs(slope) > 1e-6 for slope in slopes)
    assert not any(module._forward_hooks for module in model.modules())
