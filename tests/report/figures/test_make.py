"""Figures say what is in the data."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ensue.configuration import fill
from ensue.data.config import DataConfig
from ensue.data.items import Items
from ensue.data.kinds.text.codec import TextCodec
from ensue.data.store import open_store
from ensue.models.flows.realnvp import RealNVP, RealNVPConfig
from ensue.models.tokens.charrnn import CharRNN, CharRNNConfig
from ensue.report.figures import inside, writing
from ensue.report.figures.collapse import in_halves
from ensue.report.subject import Subject
from tests.data.stores import memory_store, numbered


def test_halves_are_the_items_again() -> None:
    store = memory_store(numbered([5, 2, 8]))
    halves = in_halves(store)
    assert len(halves) == 6
    for i in range(3):
        both = torch.cat([halves[2 * i], halves[2 * i + 1]])
        assert torch.equal(both, store[i])
        assert abs(len(halves[2 * i]) - len(halves[2 * i + 1])) <= 1


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
    subject = Subject(
        model=model,
        untrained=model,
        codec=codec,
        store=store,
        rows=np.arange(1),
    )
    figure = writing.make(subject)
    assert figure is not None
    (passage,) = figure.texts
    assert "".join(piece for piece, _ in passage.pieces) == text
    assert not any("\ufffd" in piece for piece, _ in passage.pieces)
    cost = float(-model.score(codec.encode(text)[None]).total.detach())
    assert sum(nats for _, nats in passage.pieces) == pytest.approx(cost, abs=0.05)
    assert len(figure.samples) == 6


@pytest.mark.parametrize("shape", [None, (1, 4, 4)])
def test_what_is_shown_inside_a_flow_adds_up(shape: tuple[int, int, int] | None, seed: int) -> None:
    facts = {"num_features": 4} if shape is None else {"shape": shape, "num_tokens": 6, "bos": 5}
    model = RealNVP(RealNVPConfig(depth=3, transform="spline", mixing=True, **facts))
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    items = torch.randn(50, 4) if shape is None else torch.randint(0, 5, (50, *shape))
    subject = Subject(
        model=model.eval(),
        untrained=model,
        codec=None,  # type: ignore[arg-type]
        store=items[:, None],  # type: ignore[arg-type]
        rows=np.arange(50),
    )
    figure = inside.make(subject)
    assert figure is not None
    assert sum(figure.density) * 0.2 == pytest.approx(1)
    assert figure.num_values == items[0].numel()
    assert list(figure.squares) == sorted(figure.squares)
    with torch.no_grad():
        values, _ = model.density._entered(items, 0, 1)
        _, log_det = model(values)
    whole = sum(layer.log_det[0] for layer in figure.layers)
    assert whole == pytest.approx(float(log_det.double().mean()), rel=1e-4, abs=1e-4)
    slopes = next(layer.log_slopes for layer in figure.layers if layer.log_slopes)
    # What a mask keeps isn't told; its slopes are 0 but for rounding.
    assert all(abs(slope) > 1e-6 for slope in slopes)
    assert not any(module._forward_hooks for module in model.modules())
