"""A network without steps generates what the same network generates step by step."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ensue.errors import ConfigError
from ensue.generation import BeamSearch, Drawing, GenerationConfig, Prefix, Prompts, collect
from ensue.models.tokens.causal import Causal, CausalConfig
from ensue.models.tokens.causal_decoder import CausalDecoder


def decoder(**settings: Any) -> CausalDecoder:
    facts = {"num_tokens": 7, "bos": 5, "eos": 6, "channels": 8, "num_layers": 2}
    return Causal(CausalConfig(**{**facts, **settings})).double().eval().decoder


def tokens(*prompts: list[int]) -> list[Tensor]:
    return [torch.tensor(prompt) for prompt in prompts]


@pytest.mark.parametrize(
    "config",
    [
        GenerationConfig(max_length=20, num_rows=3),
        GenerationConfig(max_length=20, method="greedy"),
        GenerationConfig(max_length=9, num_rows=1, top_k=3),
    ],
)
def test_drawing_by_prefixes_is_drawing_by_steps(config: GenerationConfig, seed: int) -> None:
    of = decoder()
    prefix = Prefix(lambda x: of.step(x, of.init_state(len(x)))[0], 7, longest=30)
    given = tokens([5], [5, 1, 2], [5, 3], [5, 0, 0, 0, 4], [5])
    found = []
    for steps in (of, prefix):
        prompts = Prompts(steps, given, num_tokens=7, eos=6)
        generator = torch.Generator().manual_seed(seed)
        found.append(collect(Drawing(prompts, config, generator=generator)))
    assert torch.equal(found[0].tokens, found[1].tokens)
    torch.testing.assert_close(found[0].log_prob, found[1].log_prob)


def test_beams_by_prefixes_are_beams_by_steps(seed: int) -> None:
    of = decoder(backbone="transformer")
    prefix = Prefix(lambda x: of.step(x, of.init_state(len(x)))[0], 7, longest=12)
    config = GenerationConfig(method="beam", num_beams=4, num_best=4, max_length=6)
    a, b = (
        BeamSearch(Prompts(s, tokens([5], [5, 2, 1]), num_tokens=7, eos=6), config).run()
        for s in (of, prefix)
    )
    assert [[h.tokens for h in best] for best in a] == [[h.tokens for h in best] for best in b]


def test_torchs_transformer_generates_without_steps(seed: int) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    body, embedding, scores = layer.eval(), nn.Embedding(7, 8), nn.Linear(8, 7)

    def network(x: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        return scores(body(embedding(x), src_mask=mask, is_causal=True))

    prompts = Prompts(
        Prefix(network, 7, longest=20),
        tokens([5], [5, 1]),
        num_tokens=7,
        limits=torch.tensor([9, 4]),
    )
    drawn = collect(Drawing(prompts, GenerationConfig(temperature=0)))
    naive = torch.tensor([[5]])
    with torch.no_grad():
        for _ in range(9):
            naive = torch.cat([naive, network(naive)[:, -1:].argmax(-1)], dim=1)
    assert drawn.length.tolist() == [9, 4]
    assert torch.equal(drawn.tokens[0], naive[0, 1:])


def test_a_sequence_that_gets_too_long_is_told() -> None:
    steps = Prefix(lambda x: torch.zeros(*x.shape, 7), 7, longest=3)
    with pytest.raises(ConfigError, match="a sequence has 4 tokens; longest is 3"):
        collect(Drawing(Prompts(steps, tokens([5]), num_tokens=7), GenerationConfig(max_length=9)))
