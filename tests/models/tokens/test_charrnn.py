"""The recurrent language model: probabilities that add up, and texts of any length."""

import math
from itertools import product
from typing import Any

import pytest
import torch

from ensue.data.batches import Batch
from ensue.errors import ConfigError
from ensue.generation import GenerationConfig
from ensue.models.tokens import sequences
from ensue.models.tokens.charrnn import CharRNN, CharRNNConfig


def model(**settings: Any) -> CharRNN:
    small = {"num_tokens": 5, "bos": 3, "eos": 4, "embedding_size": 6, "hidden_size": 8}
    return CharRNN(CharRNNConfig(**{**small, **settings})).double().eval()


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_probabilities_of_all_texts_add_up(cell: str, seed: int) -> None:
    """Of those that end by the third token, and those that haven't ended then."""
    of, V = model(cell=cell), 5
    others = [t for t in range(V) if t != 4]
    ended = [[3, *s, 4] for n in range(3) for s in product(others, repeat=n)]
    going = [[3, *s] for s in product(others, repeat=3)]
    with torch.no_grad():
        nats = [float(of.log_prob(torch.tensor([s]))) for s in ended + going]
    assert sum(map(math.exp, nats)) == pytest.approx(1, abs=1e-10)


def test_a_text_of_any_length_is_scored_as_a_whole(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    of, x = model(num_layers=2), torch.randint(0, 3, (2, 61))
    lengths = torch.tensor([61, 17])
    whole = of.score(x, lengths)
    monkeypatch.setattr(sequences, "TOKENS_A_PIECE", 7)
    pieces = of.score(x, lengths)
    torch.testing.assert_close(pieces.total, whole.total)
    torch.testing.assert_close(pieces.terms, whole.terms)


def test_the_loss_is_what_scoring_gives(seed: int) -> None:
    of, x, lengths = model(), torch.randint(0, 3, (3, 9)), torch.tensor([9, 2, 5])
    loss = of.loss(Batch(x=x, lengths=lengths), step=0)
    torch.testing.assert_close(loss.total, -of.score(x, lengths).total.sum())
    assert int(loss.count) == 8 + 1 + 4
    bits = float(loss.total.detach()) / 13 / math.log(2)
    assert float(loss.metrics["bits_per_token"]) == pytest.approx(bits)


def test_it_learns_a_text_by_heart(seed: int) -> None:
    of = model(hidden_size=24).float().train()
    x = torch.tensor([[3, *([0, 1, 2, 2, 1] * 2), 4]])
    optimizer = torch.optim.Adam(of.parameters(), lr=0.02)
    for step in range(200):
        optimizer.zero_grad()
        of.loss(Batch(x=x), step=step).mean.backward()
        optimizer.step()
    assert float(of.loss(Batch(x=x), step=0).mean.detach()) < 0.1
    found = of.eval().sample(1, temperature=0, max_length=60)
    assert found.values[0].tolist() == x[0].tolist()


def test_completions_begin_with_what_is_known(seed: int) -> None:
    of = model(generation=GenerationConfig(max_length=9))
    x = torch.tensor([[3, 0, 1, 2], [3, 2, 0, 0]])
    known = torch.tensor([[True] * 4, [True, True, False, False]])
    generator = torch.Generator().manual_seed(seed)
    found = of.complete(x, known, num=3, generator=generator)
    assert found.values.shape[0] == 6
    assert found.lengths is not None
    assert found.log_prob is not None
    for row, (given, n) in enumerate([(x[0], 4)] * 3 + [(x[1], 2)] * 3):
        text = found.values[row, : int(found.lengths[row])]
        assert torch.equal(text[:n], given[:n])
        new = of.score(text[None]).terms[0, n - 1 :].sum()  # pyright: ignore
        torch.testing.assert_close(found.log_prob[row], new)
    with pytest.raises(ConfigError, match="true up to some token"):
        of.complete(x, known.flip(1))


def test_beams_complete_with_the_likeliest(seed: int) -> None:
    of, x = model(), torch.tensor([[3, 0]])
    known = torch.ones_like(x, dtype=torch.bool)
    found = of.complete(x, known, num=3, method="beam", max_length=4)
    assert found.log_prob is not None
    assert found.log_prob.tolist() == sorted(found.log_prob.tolist(), reverse=True)
    drawn = of.complete(x, known, num=200, max_length=4)
    assert drawn.log_prob is not None
    assert float(found.log_prob[0]) >= float(drawn.log_prob.max()) - 1e-9


def test_generation_settings_are_saved_with_the_model(seed: int, tmp_path: Any) -> None:
    of = model(generation=GenerationConfig(max_length=3, top_k=2)).float()
    of.save_pretrained(tmp_path)
    again = CharRNN.from_pretrained(tmp_path)
    assert again.config.generation == GenerationConfig(max_length=3, top_k=2)
    assert again.sample(5).values.shape[1] <= 5


def test_special_tokens_must_be_known() -> None:
    with pytest.raises(ConfigError, match="the codec of the texts gives them"):
        CharRNN(CharRNNConfig())
