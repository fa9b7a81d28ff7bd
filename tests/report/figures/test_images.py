"""Figures of a run on pictures: neighbors are the nearest, and surprise is the model's own."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from ensue import load
from ensue.configuration import validate
from ensue.data.codecs import Codec
from ensue.data.kinds.image.codec import ImageCodec
from ensue.models.cpc import CPC, CPCConfig
from ensue.models.flows.realnvp import RealNVP, RealNVPConfig
from ensue.models.traits import Model
from ensue.report.figures import clips, map, neighbors, patches
from ensue.report.saved import File
from ensue.report.subject import Subject
from tests.data.stores import memory_store, numbered

SIZE, NUM = (14, 12), 9


def subject_of(model: Model, codec: Codec | None = None) -> Subject:
    """Random pictures, the last two of which are the same."""
    images = torch.randint(0, 256, (NUM, 3, *SIZE)).numpy()
    images[-1] = images[-2]
    labels = {"label": ["a", "", *"bcdefgh"], "split": ["train"] * NUM}
    return Subject(
        model=model,
        untrained=model,
        codec=codec or ImageCodec(levels=256, shape=(3, *SIZE)),
        store=memory_store(list(images[:, None]), labels=labels, sequence=False),
        rows=np.arange(NUM),
    )


def cpc(**settings: object) -> CPC:
    facts = {"shape": (3, *SIZE), "num_tokens": 257, "patch": 4, "patch_width": 4}
    sizes = {"channels": 8, "context_size": 6, "horizon": 2}
    return CPC(validate(CPCConfig, {**facts, **sizes, **settings}, section="model")).eval()


def test_neighbors_are_the_nearest_by_brute_force(seed: int) -> None:
    subject = subject_of(cpc())
    figure = neighbors.make(subject)
    assert figure is not None
    assert figure.num_items == NUM
    x = [e.astype(np.float64) for e in subject.embeddings]
    for query, *found in figure.rows:
        i = subject.store.ids.index(query.item)
        cosines = {
            subject.store.ids[j]: x[i] @ x[j] / math.sqrt((x[i] @ x[i]) * (x[j] @ x[j]))
            for j in range(NUM)
            if j != i
        }
        assert query.cosine is None
        assert query.item not in {p.item for p in found}
        shown = [cosines.pop(p.item) for p in found]
        assert [p.cosine for p in found] == pytest.approx(shown, abs=6e-4)  # rounded
        assert shown == sorted(shown, reverse=True)
        assert max(cosines.values()) <= shown[-1]


def test_every_family_that_encodes_pictures_shows_neighbors(seed: int) -> None:
    facts = {"shape": (3, *SIZE), "num_tokens": 257, "bos": 256}
    subject = subject_of(
        RealNVP(RealNVPConfig(depth=2, channels=4, num_blocks=1, num_scales=1, **facts)).eval()
    )
    figure = neighbors.make(subject)
    assert figure is not None
    assert [p.item for p in figure.rows[-1][:2]] == ["item8", "item7"]
    assert patches.make(subject) is None


def test_a_picture_that_is_there_twice_is_its_own_nearest_neighbor(seed: int) -> None:
    figure = neighbors.make(subject_of(cpc()))
    assert figure is not None
    query, first, *_ = figure.rows[-1]
    assert (query.item, first.item) == ("item8", "item7")
    assert first.cosine == 1


def test_labels_are_shown_where_there_are_any(seed: int) -> None:
    figure = neighbors.make(subject_of(cpc()))
    assert figure is not None
    shown = [picture for row in figure.rows for picture in row]
    page = neighbors.draw(figure)
    assert {p.item for p in shown} >= {"item0", "item1"}
    assert 'alt="item0, a"' in page
    assert 'alt="item1"' in page


def test_surprise_on_the_page_is_that_of_the_model(seed: int) -> None:
    model = cpc(directions=("down", "right"))
    subject = subject_of(model)
    figure = patches.make(subject)
    assert figure is not None
    assert (figure.size, figure.patch, figure.stride) == (SIZE, 4, 2)
    assert figure.chance == pytest.approx(math.log(6 * 5), abs=1e-3)
    means = []
    for picture in figure.pictures:
        row = subject.store.ids.index(picture.item)
        with torch.no_grad():
            nats = model.patch_surprise(subject.store[row])[0].double().numpy()
        told = np.array(picture.surprise, dtype=float)
        np.testing.assert_allclose(told, nats, atol=6e-4)  # rounded
        assert np.isnan(told[0, 0])
        means.append(float(np.nanmean(nats)))
    assert means == sorted(means)
    page = patches.draw(figure)
    assert page.count("<rect") == len(figure.pictures) * (6 * 5 - 1)
    assert f"chance, marked on the scale, is {figure.chance:.1f} nats" in page


@pytest.mark.parametrize(("patch", "stride"), [(4, 2), (4, 6), (5, 1)])
def test_squares_lie_in_their_patches_and_apart(patch: int, stride: int) -> None:
    picture = patches.Picture(
        item="a", labels={}, surprise=[[0.5, 0.7], [0.6, None]], file=File("a.png", b"")
    )
    figure = patches.Figure(
        size=SIZE, patch=patch, stride=stride, chance=1.0, num_items=1, pictures=[picture]
    )
    words = re.findall(
        r'<rect x="(.*?)" y="(.*?)" width="(.*?)" height="(.*?)"', patches.draw(figure)
    )
    squares = [[float(word) for word in square] for square in words]
    for (x, y, width, height), (row, column) in zip(squares, np.ndindex(2, 2), strict=False):
        assert column * stride <= x <= x + width <= column * stride + patch
        assert row * stride <= y <= y + height <= row * stride + patch
    first, second, third = squares
    assert first[0] + first[2] <= second[0]
    assert first[1] + first[3] <= third[1]


def test_what_is_of_sound_or_of_pictures_alone_is_left_out(seed: int) -> None:
    assert clips.make(subject_of(cpc())) is None
    sound = CPC(CPCConfig(sample_rate=8000, channels=4, context_size=4))
    subject = Subject(
        model=sound.eval(),
        untrained=sound,
        codec=None,  # type: ignore[arg-type]
        store=memory_store(numbered([900] * 4)),
        rows=np.arange(4),
    )
    assert patches.make(subject) is None
    assert neighbors.make(subject) is None


def test_a_map_of_pictures_has_each_of_them(seed: int) -> None:
    figure = map.make(subject_of(cpc()))
    assert figure is not None
    assert len(figure.pictures) == len(figure.items) == NUM
    assert not figure.sounds
    assert json.dumps(figure.pictures[0].base64)[1:-1] in map.draw(figure)


def test_card_and_page_say_that_it_is_of_pictures(picture_run: Path) -> None:
    card = (picture_run / "model" / "README.md").read_text()
    assert "tags:\n- cpc\n- image\n---" in card
    model = load(picture_run).model
    assert isinstance(model, CPC)
    assert f"| hop | {model.hop} pixels |" in card
    assert f"| receptive field | {model.receptive_field} pixels |" in card
    assert "a.png" in (picture_run / "report.html").read_text()
