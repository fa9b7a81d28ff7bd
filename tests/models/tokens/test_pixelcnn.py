"""PixelCNN: what it learns of classes, what its steps carry, and the mixture of its head."""

import pytest
import torch

from ensue.data.batches import Batch
from ensue.errors import ConfigError
from ensue.models.condition import ClassCondition
from ensue.models.tokens.pixelcnn import PixelCNN, PixelCNNConfig

SMALL = {"channels": 8, "skip_channels": 8, "num_layers": 2, "kernel_size": 3}


def of_images(shape: tuple[int, int, int], levels: int, **settings: object) -> PixelCNN:
    facts = {"num_tokens": levels + 1, "bos": levels, "shape": shape}
    return PixelCNN(PixelCNNConfig(**{**SMALL, **facts, **settings}))


@pytest.mark.parametrize("shape", [(1, 5, 4), (3, 4, 3), (2, 1, 7), (1, 6, 1)])
@pytest.mark.parametrize("head", ["categorical", "logistic"])
def test_single_precision_steps_stay_near_the_whole(
    shape: tuple[int, int, int], head: str, seed: int
) -> None:
    """In chunks of any size, with a class, each image at a pixel of its own."""
    of = of_images(shape, 9, head=head, classes=("a", "b", "c")).eval()
    x = torch.randint(0, 9, (3, *shape))
    condition = torch.tensor([2, 0, 1])
    with torch.no_grad():
        terms = of.score(x, condition=condition).terms
        assert terms is not None
        sequence = x.movedim(1, -1).flatten(1)
        tokens = torch.cat([torch.full((3, 1), 9), sequence], 1)[:, :-1]
        state = of.decoder.init_state(3, condition)
        parts = []
        for chunk in tokens.split([1, 2, 1, tokens.shape[1] - 4], dim=1):
            scores, state = of.decoder.step(chunk, state)
            parts.append(scores)
    found = torch.cat(parts, 1).log_softmax(-1).gather(2, sequence[..., None])[..., 0]
    torch.testing.assert_close(found, terms, rtol=1e-5, atol=1e-5)


def test_a_chunk_leaves_the_state_that_it_was_given(seed: int) -> None:
    of, x = of_images((1, 4, 4), 5).eval(), torch.randint(0, 5, (2, 9))
    with torch.no_grad():
        _, state = of.decoder.step(x[:, :6], of.decoder.init_state(2))
        first, _ = of.decoder.step(x[:, 6:], state)
        again, _ = of.decoder.step(x[:, 6:], state)
    assert torch.equal(first, again)


def test_a_class_is_learnt_and_drawn(seed: int) -> None:
    """Black images are of one class, white ones of the other."""
    # With fewer channels, rectifiers may cut off all that a black image reaches.
    wide = {"channels": 16, "skip_channels": 16}
    of = of_images((1, 3, 3), 2, classes=("black", "white"), condition_hidden=0.5, **wide)
    optimizer = torch.optim.Adam(of.parameters(), 0.01)
    condition = torch.tensor([0, 1]).repeat(8)
    x = condition.view(-1, 1, 1, 1).expand(-1, 1, 3, 3)
    for step in range(150):
        optimizer.zero_grad()
        of.loss(Batch(x=x, condition=condition), step=step).mean.backward()
        optimizer.step()
    of.eval()
    white = of.sample(8, condition=torch.tensor(1), generator=torch.Generator().manual_seed(seed))
    assert white.values.float().mean() > 0.8
    each = of.log_prob(x[:2], condition=condition[:2])
    either = of.log_prob(x[:2])
    torch.testing.assert_close(each.exp(), torch.ones(2), atol=0.1, rtol=0)
    assert ((either.exp() > 0.1) & (either.exp() < 0.9)).all()
    known = torch.zeros(2, 1, 3, 3, dtype=torch.bool)
    known[..., 0, 0] = True
    found = of.complete(x[:2], known, condition=condition[:2], num=3)
    assert (found.values.float().mean((1, 2, 3)).round() == torch.tensor([0, 0, 0, 1, 1, 1])).all()


def test_hidden_classes_depend_on_the_item_and_the_step_only(seed: int) -> None:
    of = ClassCondition(3, 4, hidden=0.5)
    x, condition = torch.randint(0, 9, (200, 6)), torch.randint(0, 3, (200,))
    found = of(of.hide(condition, x, 5), 200)
    assert torch.equal(of(of.hide(condition[50:], x[50:], 5), 150), found[50:])
    hidden = (found == of.embedding.weight[3]).all(1)
    assert 60 < int(hidden.sum()) < 140
    assert not torch.equal(found, of(of.hide(condition, x, 6), 200))
    assert torch.equal(found[~hidden], of(condition, 200)[~hidden])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kernel_size": 4}, "kernel_size is 4; it must be odd"),
        ({"num_mixtures": 3}, "num_mixtures is 3, and is for the head logistic"),
        ({"bos": 7}, "the codec of the images gives them"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        of_images((1, 3, 3), 5, **settings)


def test_an_unknown_class_is_told() -> None:
    of = of_images((1, 3, 3), 5, classes=("a", "b"))
    x = torch.zeros(2, 1, 3, 3, dtype=torch.long)
    for num, items in ((2, 7), (5, 3)):
        with pytest.raises(
            ConfigError, match=f"condition is of {items} items, and there are {num}"
        ):
            of.sample(num, condition=torch.zeros(items, dtype=torch.long))
    for condition in (torch.tensor([0, 2]), torch.tensor([-2, 0]), torch.tensor([0, 1, 1])):
        with pytest.raises(ConfigError, match="condition is"):
            of.log_prob(x, condition=condition)
