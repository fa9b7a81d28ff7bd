"""The network of inverse VQA from its published keys: words as sources, texts without an end."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ensue.data.batches import Batch, Source
from ensue.errors import ConfigError
from ensue.models.tokens.seq2seq import Seq2Seq


def mlb(left: int, right: int, rank: int, out: int) -> nn.ModuleDict:
    linear = {"Wleft": nn.Linear(left, rank), "Wright": nn.Linear(right, rank)}
    return nn.ModuleDict({**linear, "Uout": nn.Linear(rank, out)})


def joined(m: nn.ModuleDict, a: Tensor, b: Tensor) -> Tensor:
    return m["Uout"](m["Wleft"](a).tanh() * m["Wright"](b).tanh()).tanh()


class Published(nn.Module):
    """Inverse VQA under its published names, a step at a time; one embedding for all words."""

    def __init__(self, V: int, E: int, H: int, F: int, Z: int, D: int, G: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(V, E)
        self.Init_glimpse = nn.ModuleDict({"Wih": nn.Linear(E, H), "Wah": nn.Linear(E, H)})
        self.rnn = nn.LSTM(E, H, batch_first=True)
        context = nn.ModuleDict({"Wih": nn.Linear(H, Z), "Wah": nn.Linear(E, Z)})
        self.coAtt = nn.ModuleDict(
            {
                "TContext": context,
                "MlbVT": mlb(F, Z, D, D),
                "MlbCZ": mlb(F, Z, D, G),
                "Toscore": nn.Linear(D, 1),
            }
        )
        self.predictor = nn.ModuleDict({"Wih": nn.Linear(G, V)})

    def begin(self, concept: Tensor, answer: Tensor) -> tuple[Tensor, Tensor]:
        first = self.Init_glimpse
        c, a = (self.embedding(w) if w.dim() == 1 else w for w in (concept, answer))
        h = (first["Wih"](c) + first["Wah"](a)).tanh()[None]
        return h, torch.zeros_like(h)

    def step(self, features: Tensor, answer: Tensor, token: Tensor, state: Any) -> Any:
        a, att = self.embedding(answer) if answer.dim() == 1 else answer, self.coAtt
        y, state = self.rnn(self.embedding(token)[:, None], state)
        z = (att["TContext"]["Wih"](y[:, 0]) + att["TContext"]["Wah"](a)).relu()
        scores = [att["Toscore"](joined(att["MlbVT"], v, z)) for v in features.unbind(1)]
        alpha = torch.cat(scores, dim=1).softmax(1)
        glimpse = (alpha[..., None] * features).sum(1)
        return self.predictor["Wih"](joined(att["MlbCZ"], glimpse, z)), state

    def forward(self, features: Tensor, concept: Tensor, answer: Tensor, x: Tensor) -> Tensor:
        state, found = self.begin(concept, answer), []
        for token in x.T:
            scores, state = self.step(features, answer, token, state)
            found.append(scores)
        return torch.stack(found, dim=1)

    def greedy(
        self, features: Tensor, concept: Tensor, answer: Tensor, first: Tensor, steps: int
    ) -> Tensor:
        state, written = self.begin(concept, answer), [first]
        for _ in range(steps):
            scores, state = self.step(features, answer, written[-1], state)
            written.append(scores.argmax(-1))
        return torch.stack(written, dim=1)


SMALL = {"V": 12, "E": 5, "H": 6, "F": 7, "Z": 8, "D": 9, "G": 4}


def inputs(
    B: int, K: int, V: int, F: int, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, ...]:
    """Regions, and words for concept and answer."""
    return torch.randn(B, K, F, dtype=dtype), *(torch.randint(0, V, (B,)) for _ in range(2))


def sources(features: Tensor, concept: Tensor, answer: Tensor) -> Source:
    return Source(regions=features, concepts=concept, answer=answer)


@torch.no_grad()
@settings(deadline=None, max_examples=25)
@given(
    sizes=st.fixed_dictionaries({name: st.integers(2, 20) for name in SMALL}),
    B=st.integers(1, 4),
    K=st.integers(1, 9),
    T=st.integers(1, 15),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 2**31),
)
def test_scores_are_the_published_ones_in_parallel_and_step_by_step(
    sizes: dict[str, int], B: int, K: int, T: int, dtype: torch.dtype, seed: int
) -> None:
    torch.manual_seed(seed)
    published = Published(**sizes).to(dtype)
    model = Seq2Seq.from_ivqa(published.state_dict()).eval()
    features, concept, answer = inputs(B, K, sizes["V"], sizes["F"], dtype)
    x = torch.randint(0, sizes["V"], (B, T))
    expected = published(features, concept, answer, x)
    found = model.logits(features, concept, answer, x)
    assert found.dtype == dtype
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    state, steps = model.decoder.init_state(B, sources(features, concept, answer)), []
    for token in x.split(1, dim=1):
        scores, state = model.decoder.step(token, state)
        steps.append(scores)
    torch.testing.assert_close(torch.cat(steps, dim=1), expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_words_are_their_embeddings_and_vectors_stay_possible(seed: int) -> None:
    published = Published(**SMALL)
    model = Seq2Seq.from_ivqa(published.state_dict()).eval()
    features, concept, answer = inputs(3, 5, 12, 7)
    x, embed = torch.randint(0, 12, (3, 6)), published.embedding
    expected = published(features, concept, answer, x)
    for c in (concept, concept[:, None], embed(concept)):
        for a in (answer, answer[:, None], embed(answer)):
            found = model.logits(features, c, a, x)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("steps", [1, 15, 40])
def test_greedy_texts_are_those_of_its_own_loop(steps: int, seed: int) -> None:
    published = Published(**SMALL).double()
    with torch.no_grad():
        published.predictor["Wih"].weight *= 30  # scores far apart, words that change
    model = Seq2Seq.from_ivqa(published.state_dict()).eval()
    given = inputs(6, 4, 12, 7, torch.float64)
    first = torch.randint(0, 12, (6,))
    expected = published.greedy(*given, first, steps)
    for how in ({"temperature": 0.0}, {"method": "greedy"}):
        found = model.sample(1, condition=sources(*given), first=first, max_length=steps, **how)
        assert torch.equal(found.values, expected)
        assert found.lengths is not None
        assert found.lengths.tolist() == [steps + 1] * 6


@torch.no_grad()
def test_by_default_texts_begin_with_0_and_end_after_15_words(seed: int) -> None:
    published = Published(**SMALL)
    model = Seq2Seq.from_ivqa(published.state_dict()).eval()
    assert (model.config.bos, model.config.eos, model.config.pad) == (0, None, 0)
    given = inputs(4, 3, 12, 7)
    expected = published.greedy(*given, torch.zeros(4, dtype=torch.long), 15)
    assert torch.equal(model.sample(1, condition=sources(*given), temperature=0.0).values, expected)


@pytest.mark.parametrize(
    "method", [{"method": "random"}, {"method": "gumbel"}, {"method": "greedy"}, {"method": "beam"}]
)
def test_no_word_ends_a_text_whatever_the_method(method: dict[str, Any], seed: int) -> None:
    model = Seq2Seq.from_ivqa(Published(**SMALL).state_dict()).eval()
    given = sources(*inputs(3, 4, 12, 7))
    drawn = model.sample(4, condition=given, max_length=9, **method)
    assert drawn.lengths is not None
    assert drawn.item is not None
    assert drawn.lengths.tolist() == [10] * 12
    nats = model.log_prob(drawn.values, drawn.lengths, condition=given[drawn.item])
    torch.testing.assert_close(nats.double(), drawn.log_prob, atol=1e-4, rtol=0)


def test_a_wide_beam_finds_the_likeliest_text_of_all(seed: int) -> None:
    """Of 4 words and 3 steps a beam of 64 holds all 64 texts."""
    model = Seq2Seq.from_ivqa(Published(**{**SMALL, "V": 4}).double().state_dict()).eval()
    given = sources(*inputs(1, 4, 4, 7, torch.float64))
    best = model.sample(1, condition=given, method="beam", num_beams=64, max_length=3)
    words = torch.cartesian_prod(*[torch.arange(4)] * 3)
    texts = torch.cat([torch.zeros(64, 1, dtype=torch.long), words], dim=1)
    nats = model.log_prob(texts, torch.full((64,), 4), condition=given[torch.zeros(64).long()])
    assert torch.equal(best.values[0], texts[nats.argmax()])


def test_a_first_token_may_be_drawn(seed: int) -> None:
    model = Seq2Seq.from_ivqa(Published(**SMALL).state_dict(), bos=3, eos=5).eval()
    given = sources(*inputs(200, 2, 12, 7))
    draws = [
        model.sample(
            1, condition=given, first="random", generator=torch.Generator().manual_seed(s)
        ).values[:, 0]
        for s in (1, 1, 2)
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert set(draws[0].tolist()) == set(range(12)) - {0, 3, 5}  # all words come in 200 draws


def test_an_end_may_be_named_and_what_follows_is_padding(seed: int) -> None:
    model = Seq2Seq.from_ivqa(Published(**SMALL).state_dict(), eos=5).eval()
    drawn = model.sample(300, condition=sources(*inputs(1, 2, 12, 7)), max_length=20)
    assert drawn.lengths is not None
    ends = [row.tolist() for row in drawn.values[drawn.lengths < 21]]
    assert ends
    for row in ends:
        assert set(row[row.index(5) + 1 :]) <= {0}


def test_padding_counts_for_nothing(seed: int) -> None:
    model = Seq2Seq.from_ivqa(Published(**SMALL).state_dict()).eval()
    given = sources(*inputs(2, 4, 12, 7))
    x = torch.tensor([[0, 3, 0, 7, 0, 0], [0, 4, 2, 1, 9, 6]])
    told = torch.tensor([4, 6])
    loss, known = (model.loss(Batch(x=x, lengths=n, condition=given), step=0) for n in (None, told))
    assert torch.equal(loss.total, known.total)
    assert int(loss.count) == int(known.count) == 8
    assert torch.equal(model.log_prob(x, condition=given), model.log_prob(x, told, condition=given))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": torch.tensor([1, 12])}, r"answer holds \[1, 12\]; tokens are 0 to 11"),
        ({"concepts": torch.tensor([-1, 2])}, r"concepts holds \[-1, 2\]; tokens are 0 to 11"),
        ({"answer": torch.tensor([[1, 2], [3, 4]])}, r"answer is \(2, 2\).* tokens \(B,\) or feat"),
        ({"answer": torch.tensor([1])}, "answer has 1 rows for 2 sources"),
    ],
)
def test_words_that_are_none_are_refused(change: dict[str, Tensor], message: str) -> None:
    model = Seq2Seq.from_ivqa(Published(**SMALL).state_dict()).eval()
    words = torch.tensor([1, 2])
    fine = {"regions": torch.zeros(2, 3, 7), "answer": words, "concepts": words}
    with pytest.raises(ConfigError, match=message):
        model.log_prob(torch.ones(2, 4, dtype=torch.long), condition=Source(**{**fine, **change}))


def test_words_need_vectors_as_wide_as_the_embedding() -> None:
    weights = Published(**SMALL).state_dict()
    weights["Init_glimpse.Wih.weight"] = torch.zeros(SMALL["H"], 3)
    model = Seq2Seq.from_ivqa(weights).eval()
    features, words, x = torch.zeros(2, 3, 7), torch.tensor([1, 2]), torch.ones(2, 4).long()
    assert model.logits(features, torch.zeros(2, 3), words, x).shape == (2, 4, 12)
    with pytest.raises(ConfigError, match=r"concepts is \(2,\) .* give features \(B, 3\)"):
        model.logits(features, words, words, x)


@pytest.mark.parametrize(
    ("first", "message"),
    [
        (torch.tensor([1]), r"first is \(1,\); give \(2,\) tokens"),
        (torch.tensor([1.0, 2.0]), r"give \(2,\) tokens"),
        ("any", "first is 'any'"),
        (torch.tensor([1, 12]), r"prompt 1 holds \[12\]; tokens are 0 to 11"),
    ],
)
def test_first_tokens_that_do_not_fit_are_refused(first: Any, message: str) -> None:
    model = Seq2Seq.from_ivqa(Published(**SMALL).state_dict()).eval()
    with pytest.raises(ConfigError, match=message):
        model.sample(1, condition=sources(*inputs(2, 3, 12, 7)), first=first)


def test_tokens_that_do_not_exist_are_refused_at_the_start() -> None:
    weights = Published(**SMALL).state_dict()
    for wrong in ({"bos": 12}, {"eos": 12}, {"pad": 12}, {"bos": -1}):
        with pytest.raises(ConfigError, match=r"num_tokens is 12|model\.bos is -1"):
            Seq2Seq.from_ivqa(weights, **wrong)


def test_settings_of_its_further_training_are_checked(seed: int) -> None:
    weights = Published(**SMALL).state_dict()
    model = Seq2Seq.from_ivqa(weights, dropout=0.2, teacher_forcing=0.5, forcing_coin="step")
    assert (model.config.dropout, model.config.forcing_coin) == (0.2, "step")
    with pytest.raises(ConfigError, match="unknown setting 'droppout'"):
        Seq2Seq.from_ivqa(weights, droppout=0.2)
    with pytest.raises(ConfigError, match="forcing_coin is step, and is for teacher_forcing below"):
        Seq2Seq.from_ivqa(weights, forcing_coin="step")


def test_saved_and_loaded_it_writes_the_same(tmp_path: Path, seed: int) -> None:
    published = Published(**SMALL).double()
    torch.save(published.state_dict(), tmp_path / "ivqa.pt")
    model = Seq2Seq.from_ivqa(tmp_path / "ivqa.pt", max_length=7).eval()
    model.save_pretrained(tmp_path / "model")
    again = Seq2Seq.from_pretrained(tmp_path / "model")
    assert again.config == model.config
    given = sources(*inputs(3, 4, 12, 7, torch.float64))
    x = torch.randint(1, 12, (3, 8))
    assert torch.equal(again.log_prob(x, condition=given), model.log_prob(x, condition=given))
    written = [m.sample(1, condition=given, temperature=0.0).values for m in (model, again)]
    assert torch.equal(*written)
    assert written[0].shape == (3, 8)


def given_words(x: Tensor, seen: Tensor) -> Tensor:
    """(B, T - 2) where a step saw the true token, of those where it could see another."""
    return seen[:, 1:] == x[:, 1:-1]


@pytest.mark.parametrize("coin", ["token", "step"])
def test_one_coin_falls_for_a_token_or_for_a_step_of_all(coin: str, seed: int) -> None:
    """Words that the model never draws mark which ones it was given."""
    torch.manual_seed(seed)
    published = Published(**SMALL)
    with torch.no_grad():
        published.predictor["Wih"].bias[1:].fill_(-1e4)  # it draws 0, and nothing else
    coins: dict[str, Any] = {"teacher_forcing": 0.3, "forcing_coin": coin}
    model = Seq2Seq.from_ivqa(published.state_dict(), **coins).train()
    x, shares = torch.randint(1, 12, (64, 15)), []
    seen: list[Tensor] = []
    attend = model.decoder.attend
    model.decoder.attend = lambda tokens, state: seen.append(tokens) or attend(tokens, state)
    for step in range(60):
        seen.clear()
        model.loss(Batch(x=x, condition=sources(*inputs(64, 2, 12, 7))), step=step)
        given = given_words(x, seen[-1])
        assert torch.equal(seen[-1][:, 0], x[:, 0])
        alike = (given == given[:1]).all(0)
        assert bool(alike.all()) is (coin == "step")
        shares.append(given.double().mean())
    # 60 x 13 coins of a step: within 5 standard errors of 0.3.
    assert abs(float(torch.stack(shares).mean()) - 0.3) < 5 * (0.21 / 780) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("coin", [None, "token", "step"])
def test_two_texts_are_learned_by_heart_and_written_without_a_teacher(coin: str | None) -> None:
    torch.manual_seed(0)
    published = Published(V=60, E=50, H=64, F=48, Z=64, D=64, G=64)
    coins = {} if coin is None else {"teacher_forcing": 0.5, "forcing_coin": coin}
    model = Seq2Seq.from_ivqa(published.state_dict(), **coins)
    given = sources(*inputs(2, 36, 60, 48))
    words = torch.randint(1, 60, (2, 14))
    x = torch.cat([torch.zeros(2, 1, dtype=torch.long), words], dim=1)
    optimizer = torch.optim.Adamax(model.train().parameters(), lr=0.002)
    for step in range(3000):
        loss = model.loss(Batch(x=x, condition=given), step=step)
        optimizer.zero_grad()
        loss.mean.backward()
        optimizer.step()
        if float(loss.mean.detach()) < 0.001:
            break
    model.eval()
    loss = model.loss(Batch(x=x, condition=given), step=0)
    assert float(loss.metrics["accuracy"]) == 1
    written = model.sample(1, condition=given, temperature=0.0, max_length=14)
    assert torch.equal(written.values[:, 1:], words)
