"""Coding by a model: every family that can gives back what went in, in as many bits as it says."""

import math

import numpy as np
import pytest
import torch

from ensue.coding.coder import decode, encode
from ensue.errors import DataError
from tests.contracts.families import Case, cases_with, label

pytest.importorskip("constriction")
coding = pytest.mark.parametrize("case", cases_with("codes"), ids=label)


@coding
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_what_goes_in_comes_out(case: Case, batch_size: int, seed: int) -> None:
    model, num = case.build().eval(), 7
    drawn = model.sample(num, generator=torch.Generator().manual_seed(seed))
    whole = model.to_tokens(drawn.values)
    lengths = [whole.shape[1]] * num if drawn.lengths is None else drawn.lengths.tolist()
    sequences = [tokens[:n] for tokens, n in zip(whole, lengths, strict=True)]
    # Texts end by their end or as the longest one does.
    longest = max(lengths)
    sequences = [s for s in sequences if s[-1] == getattr(model, "eos", -1) or len(s) == longest]
    prompts, settings = model.prompts(len(sequences)), {"longest": longest}
    words = encode(prompts, sequences, batch_size=batch_size, **settings)
    found = decode(prompts, words, batch_size=batch_size, **settings)
    for a, b in zip(found, sequences, strict=True):
        assert torch.equal(a, b)
    with torch.no_grad():
        nats = [float(model.log_prob(model.from_tokens(s[None]))) for s in sequences]
    bits = -sum(nats) / math.log(2)
    # A word of 32 bits may be spent on the last token, and another on the state.
    assert 32 * len(words) == pytest.approx(bits, rel=0.002, abs=64)


@coding
def test_tokens_are_undone(case: Case, seed: int) -> None:
    model = case.build().eval()
    x = torch.stack(case.items(1))
    assert torch.equal(model.from_tokens(model.to_tokens(x)), x)
    assert len(model.prompts(3)) == 3


def test_a_token_that_cannot_follow_is_told(seed: int) -> None:
    case = next(case for case in cases_with("codes") if case.family == "pixelcnn")
    model = case.build().eval()
    tokens = model.to_tokens(torch.stack(case.items(1)))
    tokens[0, 5] = 77
    with pytest.raises(DataError, match="the token 77 can't follow"):
        encode(model.prompts(1), list(tokens), longest=tokens.shape[1], batch_size=1)


def test_words_are_few_where_all_is_sure() -> None:
    """A token of probability 1 costs less than a ten-thousandth of a bit."""

    class Sure:
        def init_state(self, batch: int) -> torch.Tensor:
            return torch.zeros(batch)

        def step(self, x: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            scores = torch.full((*x.shape, 8), -100.0)
            scores[..., 3] = 100.0
            return scores, state

        def finish(self, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return torch.zeros(len(state), 0, 8), state

    from ensue.generation import Prompts

    num, length = 10, 5000
    prompts = Prompts(
        Sure(), [torch.tensor([3])] * num, num_tokens=8, limits=torch.full((num,), length)
    )
    sequences = [torch.full((length + 1,), 3)] * num
    words = encode(prompts, sequences, longest=length + 1, batch_size=num)
    assert words.dtype == np.uint32
    assert 32 * len(words) < num * length * 1e-4 + 64
    found = decode(prompts, words, longest=length + 1, batch_size=num)
    assert all(torch.equal(a, b) for a, b in zip(found, sequences, strict=True))
