"""The attention decoder: the published network, both ways to run it, and what it can remember."""

import dataclasses

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ensue.data.batches import Batch, Source
from ensue.errors import ConfigError
from ensue.models.tokens.forcing import forcing_probability, partly_own
from ensue.models.tokens.seq2seq import Seq2Seq, Seq2SeqConfig

SMALL = {
    "num_tokens": 9,
    "bos": 7,
    "eos": 8,
    "source_size": 6,
    "embedding_size": 5,
    "hidden_size": 7,
    "attention_size": 4,
    "query_size": 6,
    "joint_size": 5,
    "glimpse_size": 8,
    "answer_size": 3,
}
VARIANTS = {
    "bilinear": {"answers": "token", "num_answer_tokens": 4},
    "no answer": {},
    "phrase, concepts": {"answers": "phrase", "num_answer_tokens": 4, "concept_size": 2},
    "additive, gru": {"attention": "additive", "cell": "gru", "num_layers": 2},
    "dot, regions first": {"attention": "dot", "region_size": 4},
    "input feeding": {"input_feeding": True, "answers": "vector"},
}


def model(**settings) -> Seq2Seq:
    return Seq2Seq(Seq2SeqConfig(**{**SMALL, **settings})).eval()


def source(config: Seq2SeqConfig, num: int, *, num_regions: int = 5) -> Source:
    answer = torch.randint(0, 4, (num, 3 if config.answers == "phrase" else 1))
    if config.answers == "vector":
        answer = torch.randn(num, config.answer_size)
    return Source(
        regions=torch.randn(num, num_regions, config.source_size or 0),
        num_regions=torch.randint(1, num_regions + 1, (num,)),
        answer=None if config.answers is None else answer,
        answer_lengths=torch.randint(1, 4, (num,)) if config.answers == "phrase" else None,
        concepts=torch.rand(num, config.concept_size) if config.concept_size else None,
    )


class Published(nn.Module):
    """The network of inverse VQA under its published names, a step at a time."""

    def __init__(self, V: int, E: int, H: int, F: int, A: int, C: int, Z: int, D: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(V, E)
        self.Init_glimpse = nn.ModuleDict({"Wih": nn.Linear(C, H), "Wah": nn.Linear(A, H)})
        self.rnn = nn.LSTM(E, H, batch_first=True)
        mlb = lambda left, right, out: nn.ModuleDict(  # noqa: E731
            {"Wleft": nn.Linear(left, D), "Wright": nn.Linear(right, D), "Uout": nn.Linear(D, out)}
        )
        self.coAtt = nn.ModuleDict(
            {
                "TContext": nn.ModuleDict({"Wih": nn.Linear(H, Z), "Wah": nn.Linear(A, Z)}),
                "MlbVT": mlb(F, Z, D + 1),
                "MlbCZ": mlb(F, Z, D + 2),
                "Toscore": nn.Linear(D + 1, 1),
            }
        )
        self.predictor = nn.ModuleDict({"Wih": nn.Linear(D + 2, V)})

    def forward(self, features: Tensor, concept: Tensor, answer: Tensor, x: Tensor) -> Tensor:
        join = lambda m, a, b: m["Uout"](m["Wleft"](a).tanh() * m["Wright"](b).tanh()).tanh()  # noqa: E731
        first, att = self.Init_glimpse, self.coAtt
        h = (first["Wih"](concept) + first["Wah"](answer)).tanh()[None]
        state, found = (h, torch.zeros_like(h)), []
        for token in x.T:
            y, state = self.rnn(self.embedding(token)[:, None], state)
            context = att["TContext"]
            z = (context["Wih"](y[:, 0]) + context["Wah"](answer)).relu()
            scores = [att["Toscore"](join(att["MlbVT"], v, z)) for v in features.unbind(1)]
            alpha = torch.cat(scores, dim=1).softmax(1)
            glimpse = (alpha[..., None] * features).sum(1)
            found.append(self.predictor["Wih"](join(att["MlbCZ"], glimpse, z)))
        return torch.stack(found, dim=1)


def test_published_weights_give_the_published_scores():
    network = Published(V=11, E=5, H=6, F=7, A=4, C=3, Z=8, D=9)
    inputs = (torch.randn(2, 5, 7), torch.randn(2, 3), torch.randn(2, 4))
    x = torch.randint(0, 11, (2, 6))
    found = Seq2Seq.from_ivqa(network.state_dict()).eval().logits(*inputs, x)
    torch.testing.assert_close(found, network(*inputs, x), atol=1e-5, rtol=0)


def test_published_weights_without_a_key_are_refused():
    weights = Published(V=11, E=5, H=6, F=7, A=4, C=3, Z=8, D=9).state_dict()
    del weights["coAtt.MlbVT.Uout.weight"]
    with pytest.raises(ConfigError, match=r"lack coAtt\.MlbVT\.Uout\.weight"):
        Seq2Seq.from_ivqa(weights)
    with pytest.raises(ConfigError, match="these aren't the weights of inverse VQA: other"):
        Seq2Seq.from_ivqa({**weights, "other": torch.zeros(1)})


@pytest.mark.parametrize("name", VARIANTS)
def test_all_steps_side_by_side_are_steps_one_by_one(name):
    m = model(**VARIANTS[name])
    given, x = source(m.config, 4), torch.randint(0, 9, (4, 6))
    together, weights, _ = m.decoder.attend(x, m._begun(given, 4))
    state, steps = m._begun(given, 4), []
    for token in x.split(1, dim=1):
        glimpse, own, state = m.decoder.attend(token, state)
        steps.append((glimpse, own))
    torch.testing.assert_close(together, torch.cat([g for g, _ in steps], 1), atol=1e-6, rtol=0)
    torch.testing.assert_close(weights, torch.cat([w for _, w in steps], 1), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", VARIANTS)
def test_loss_is_the_negative_score_and_padding_changes_nothing(name):
    m = model(**VARIANTS[name])
    given, x = source(m.config, 3), torch.randint(0, 7, (3, 7))
    lengths = torch.tensor([7, 4, 2])
    loss = m.loss(Batch(x=x, lengths=lengths, condition=given), step=0)
    score = m.score(x, lengths, condition=given)
    torch.testing.assert_close(loss.total, -score.total.sum())
    assert int(loss.count) == int((lengths - 1).sum())
    for i, n in enumerate(lengths.tolist()):
        alone = m.score(x[i : i + 1, :n], condition=given[slice(i, i + 1)])
        torch.testing.assert_close(alone.total[0], score.total[i], atol=1e-5, rtol=0)


def test_regions_are_seen_by_their_whitened_components():
    torch.manual_seed(0)
    m = model(region_size=4, region_components=3)
    scales = torch.tensor([9.0, 5.0, 3.0, 0.1, 0.1, 0.1])
    regions = 7 + torch.randn(50, 20, 6) * scales
    m.standardize(Batch(x=torch.zeros(50, 3), condition=Source(regions=regions)))
    seen = ((regions - m.regions.mean) @ m.regions.basis).flatten(0, 1)
    torch.testing.assert_close(seen.T.cov(correction=0), torch.eye(3), atol=1e-3, rtol=0)
    # The three directions of most variance, and no others.
    assert float(m.regions.basis[3:].abs().max()) < 0.01
    real = Source(regions=regions, num_regions=torch.full((50,), 7))
    m.standardize(Batch(x=torch.zeros(50, 3), condition=real))
    torch.testing.assert_close(m.regions.mean, regions[:, :7].flatten(0, 1).mean(0))


@pytest.mark.parametrize("name", ["num_regions", "answer", "concepts"])
def test_sources_of_another_number_are_refused(name):
    m = model(answers="token", num_answer_tokens=4, concept_size=3)
    given = source(m.config, 2)
    wrong = dataclasses.replace(given, **{name: getattr(given, name)[:1]})
    with pytest.raises(ValueError, match=f"{name} has 1 rows for 2 sources"):
        m.score(torch.randint(0, 3, (2, 4)), condition=wrong)
    several = dataclasses.replace(given, answer=torch.zeros(2, 2, dtype=torch.long))
    with pytest.raises(ValueError, match="must be tokens"):
        m.score(torch.randint(0, 3, (2, 4)), condition=several)


def test_attention_of_what_was_written_is_told():
    m = model(**VARIANTS["bilinear"])
    given = source(m.config, 3)
    drawn = m.sample(2, condition=given, generator=torch.Generator().manual_seed(0), max_length=9)
    assert drawn.attention is not None
    assert drawn.lengths is not None
    assert drawn.item is not None
    assert drawn.item.tolist() == [0, 0, 1, 1, 2, 2]
    steps = torch.arange(drawn.attention.shape[1]) < drawn.lengths[:, None] - 1
    torch.testing.assert_close(drawn.attention.sum(-1), steps.float())
    nats = m.log_prob(drawn.values, drawn.lengths, condition=given[drawn.item])
    torch.testing.assert_close(nats.double(), drawn.log_prob, atol=1e-5, rtol=0)


def test_smoothed_loss_is_torchs():
    m = model(label_smoothing=0.2).train()
    given, x = source(m.config, 3), torch.randint(0, 7, (3, 5))
    found = m.loss(Batch(x=x, condition=given), step=0).mean
    scores = m.decoder.step(x[:, :-1], m._begun(given, 3))[0]
    expected = cross_entropy(scores.flatten(0, 1), x[:, 1:].flatten(), label_smoothing=0.2)
    torch.testing.assert_close(found, expected)


def test_without_teacher_a_step_sees_what_the_model_drew():
    torch.manual_seed(0)
    m = model(teacher_forcing=0.0).train()
    given, x = source(m.config, 200), torch.randint(0, 7, (200, 6))
    lengths = torch.full((200,), 6)
    seen = partly_own(
        m.decoder, x, lengths, m._begun(given, 200), forcing=0.0, coin="token", step=3
    )
    assert torch.equal(seen[:, 0], x[:, 0])
    with torch.no_grad():
        probability = m.decoder.step(seen[:, :-1], m._begun(given, 200))[0].softmax(-1)
    expected = probability.mean((0, 1))
    counts = torch.bincount(seen[:, 1:].flatten(), minlength=9) / seen[:, 1:].numel()
    assert float((counts - expected).abs().max()) < 0.05  # of 800 draws, 2.8 standard errors
    half = partly_own(
        m.decoder, x, lengths, m._begun(given, 200), forcing=0.5, coin="token", step=3
    )
    own = (half[:, 1:] != x[:, 1:-1]).float().mean()
    assert 0.3 < float(own) < 0.55  # half of them were drawn anew, one in nine of these the same
    again = partly_own(
        m.decoder, x, lengths, m._begun(given, 200), forcing=0.5, coin="token", step=3
    )
    assert torch.equal(half, again)
    assert torch.equal(
        partly_own(m.decoder, x, lengths, m._begun(given, 200), forcing=1.0, coin="token", step=3),
        x[:, :-1],
    )


def test_forcing_falls_from_one_to_its_end():
    for schedule in ("linear", "inverse_sigmoid"):
        found = [forcing_probability(s, schedule, end=0.3, steps=100) for s in range(0, 301, 10)]
        assert found == sorted(found, reverse=True)
        assert found[0] == pytest.approx(1, abs=0.003)
        assert found[-1] == pytest.approx(0.3, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"regions": torch.zeros(2, 0, 6)}, "at least one region"),
        ({"regions": torch.zeros(2, 5, 4)}, r"must be \(B, K, 6\)"),
        ({"regions": torch.zeros(3, 5, 6)}, "3 sources for 2 sequences"),
        ({"answer": None}, "has no answer"),
        ({"answer": torch.zeros(2, 3)}, "must be tokens"),
        ({"concepts": torch.zeros(2, 3)}, "trained without them"),
        ({"num_regions": torch.tensor([0, 1])}, "each source has 1 to 5"),
    ],
)
def test_a_source_that_does_not_fit_is_refused(change, message):
    m = model(**VARIANTS["bilinear"])
    fine = {"regions": torch.zeros(2, 5, 6), "answer": torch.zeros(2, 1, dtype=torch.long)}
    with pytest.raises(ConfigError, match=message):
        m.log_prob(torch.zeros(2, 3, dtype=torch.long), condition=Source(**{**fine, **change}))


def memory(**settings) -> tuple[Seq2Seq, Source, Tensor]:
    """Two random texts of 14 tokens to learn by heart, each with regions and an answer."""
    torch.manual_seed(0)
    m = Seq2Seq(
        Seq2SeqConfig(
            num_tokens=12,
            bos=10,
            eos=11,
            source_size=50,
            embedding_size=100,
            hidden_size=40,
            answers="vector",
            answer_size=20,
            concept_size=20,
            **settings,
        )
    )
    given = Source(
        regions=torch.randn(2, 5, 50), answer=torch.randn(2, 20), concepts=torch.randn(2, 20)
    )
    return m, given, torch.randint(0, 10, (2, 14))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_two_texts_are_learnt_by_heart(cell):
    m, given, x = memory(cell=cell)
    whole = torch.cat([torch.full((2, 1), 10), x], dim=1)
    optimizer = torch.optim.Adamax(m.parameters(), lr=0.002)
    m.train()
    for step in range(3000):
        loss = m.loss(Batch(x=whole, condition=given), step=step)
        optimizer.zero_grad()
        loss.mean.backward()
        optimizer.step()
        if step % 100 == 99 and float(loss.mean.detach()) < 0.005:
            break
    m.eval()
    with torch.no_grad():
        loss = m.loss(Batch(x=whole, condition=given), step=0)
    assert float(loss.mean) < 0.01
    assert int((loss.metrics["accuracy"] * 28).round()) == 28
    written = m.sample(1, condition=given, temperature=0.0, max_length=14)
    assert torch.equal(written.values[:, 1:15], x)
