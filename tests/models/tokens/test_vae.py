"""The sequence VAE: the numbers of the usual one, bounds below the truth, and a z that is used."""

import math
import pickle
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from ensue.data.batches import Batch
from ensue.data.kinds.text.codec import Special, TextCodec
from ensue.errors import CheckpointError, ConfigError, DataError
from ensue.models.tokens.vae import SequenceVAE, SequenceVAEConfig

VOCABULARY = ["C", "l", "r", "<bos>", "N", "<pad>", "(", ")", "<eos>", "1", "<unk>"]
STRINGS = ["CCl", "N(C)C1C1", "C"]


class Usual(nn.Module):
    """The VAE of the MOSES benchmark as its paper describes it, on torch.nn."""

    def __init__(self, bidirectional: bool, layers: int) -> None:
        super().__init__()
        V, ways = len(VOCABULARY), 1 + bidirectional
        self.x_emb = nn.Embedding(V, 7, padding_idx=VOCABULARY.index("<pad>"))
        self.encoder_rnn = nn.GRU(7, 6, layers, batch_first=True, bidirectional=bidirectional)
        self.q_mu, self.q_logvar = nn.Linear(6 * ways, 4), nn.Linear(6 * ways, 4)
        self.decoder_rnn = nn.GRU(7 + 4, 5, 3, batch_first=True)
        self.decoder_lat, self.decoder_fc = nn.Linear(4, 5), nn.Linear(5, V)
        # The lists by which it is saved twice.
        self.vae = nn.ModuleList([self.x_emb, self.encoder_rnn])

    @staticmethod
    def tokens(string: str) -> Tensor:
        known = [VOCABULARY.index(c) if c in VOCABULARY else 10 for c in string]
        return torch.tensor([3, *known, 8])

    def posterior(self, string: str) -> tuple[Tensor, Tensor]:
        _, h = self.encoder_rnn(self.x_emb(self.tokens(string))[None])
        ways = 2 if self.encoder_rnn.bidirectional else 1
        h = torch.cat(h[-ways:].split(1), dim=-1)[0, 0]
        return self.q_mu(h), self.q_logvar(h)

    def nats(self, strings: list[str], z: Tensor) -> Tensor:
        """Of each string, all side by side, packed."""
        rows = [self.tokens(s) for s in strings]
        lengths = [len(r) for r in rows]
        x = pad_sequence(rows, batch_first=True, padding_value=5)
        inputs = torch.cat([self.x_emb(x), z[:, None].repeat(1, x.shape[1], 1)], dim=-1)
        packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
        out, _ = self.decoder_rnn(packed, self.decoder_lat(z)[None].repeat(3, 1, 1))
        y = self.decoder_fc(pad_packed_sequence(out, batch_first=True)[0])
        each = cross_entropy(y[:, :-1].transpose(1, 2), x[:, 1:], ignore_index=5, reduction="none")
        return each.sum(1)

    def greedy(self, z: Tensor, longest: int) -> list[int]:
        h, token, found = self.decoder_lat(z)[None, None].repeat(3, 1, 1), 3, []
        for _ in range(longest):
            inputs = torch.cat([self.x_emb(torch.tensor(token)), z])[None, None]
            y, h = self.decoder_rnn(inputs, h)
            token = int(self.decoder_fc(y[0, 0]).argmax())
            if token == 8:
                break
            found.append(token)
        return found


@pytest.mark.parametrize(("bidirectional", "layers"), [(False, 1), (True, 2)])
def test_weights_of_moses_give_its_numbers(bidirectional: bool, layers: int, seed: int) -> None:
    usual = Usual(bidirectional, layers).eval()
    for parameter in usual.parameters():
        parameter.data *= 2  # away from a decoder that says the same of everything
    ours = SequenceVAE.from_moses(usual.state_dict(), VOCABULARY).eval()
    strings = [*STRINGS, "C?"]
    posterior, expected = ours.posterior(strings), [usual.posterior(s) for s in strings]
    mu, logvar = (torch.stack(of) for of in zip(*expected, strict=True))
    torch.testing.assert_close(posterior.mu, mu, rtol=0, atol=1e-5)
    torch.testing.assert_close(posterior.logvar, logvar, rtol=0, atol=1e-5)
    kl = 0.5 * (logvar.exp() + mu**2 - 1 - logvar).sum(1)
    torch.testing.assert_close(posterior.kl(), kl, rtol=0, atol=1e-5)
    z = torch.randn(len(strings), 4)
    nats = ours.reconstruction_nll(strings, z)
    torch.testing.assert_close(nats, usual.nats(strings, z), rtol=0, atol=1e-5)
    drawn = ours.sample(len(strings), z=z, temperature=0.0, max_length=30)
    for row, n, one in zip(drawn.values, drawn.lengths.tolist(), z, strict=True):
        found = [t for t in row[1:n].tolist() if t != 8]
        assert found == usual.greedy(one, 30)


def test_strings_and_tokens_of_moses_are_its_own() -> None:
    ours = SequenceVAE.from_moses(Usual(False, 1).state_dict(), VOCABULARY)
    x = ours.string2tensor("CClr?")
    assert x.tolist() == [3, 0, 0, 1, 2, 10, 8]
    assert ours.tensor2string(x) == "CClr\ufffd"
    assert ours.tensor2string(torch.tensor([3, 4, 8, 5, 5])) == "N"


def test_weights_of_others_are_refused() -> None:
    weights = Usual(False, 1).state_dict()
    with pytest.raises(ConfigError, match=r"stranger\.weight"):
        SequenceVAE.from_moses({**weights, "stranger.weight": torch.zeros(1)}, VOCABULARY)
    few = {k: v for k, v in weights.items() if not k.startswith("q_mu")}
    with pytest.raises(ConfigError, match="q_mu"):
        SequenceVAE.from_moses(few, VOCABULARY)
    with pytest.raises(ConfigError, match="11"):
        SequenceVAE.from_moses(weights, [*VOCABULARY[:-2], "<unk>"])
    with pytest.raises(ConfigError, match="<pad>"):
        SequenceVAE.from_moses(weights, [t for t in VOCABULARY if t != "<pad>"])
    bent = {**weights, "decoder_lat.weight": torch.zeros(5, 9)}
    with pytest.raises(ConfigError, match="weights of a MOSES VAE"):
        SequenceVAE.from_moses(bent, VOCABULARY)


LETTERS = TextCodec(
    tokens="characters", vocabulary=("a", "b"), special=Special(bos=2, eos=3, unk=4, pad=5)
)


def small(**settings: Any) -> SequenceVAE:
    sizes = {"encoder_size": 6, "decoder_size": 6, "latent_size": 2, "embedding_size": 4}
    return SequenceVAE(SequenceVAEConfig(**{"codec": LETTERS, **sizes, **settings}))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_probabilities_given_z_add_up(cell: str, seed: int) -> None:
    """Of those that end by the third token, and those that haven't ended then."""
    of, z = small(cell=cell).double().eval(), torch.randn(1, 2, dtype=torch.float64)
    others = [t for t in range(6) if t != 3]
    ended = [[2, *s, 3] for n in range(3) for s in product(others, repeat=n)]
    going = [[2, *s] for s in product(others, repeat=3)]
    with torch.no_grad():
        nats = [
            float(of.bound.nats(torch.tensor([s]), torch.tensor([len(s)]), z))
            for s in ended + going
        ]
    assert sum(math.exp(-n) for n in nats) == pytest.approx(1, abs=1e-10)


def test_bounds_are_below_the_evidence_and_closer_with_more_draws(seed: int) -> None:
    """The evidence by the sum over a fine grid of the two latent units.

    A posterior wider than the prior keeps the weights p(x, z) / q(z) below a constant, so that
    their spread, taken from the same grid, is a true standard error.
    """
    of = small(latent_size=2).double().eval()
    for parameter in of.parameters():
        parameter.data *= 1.5
    of.encoder.log_var.weight.data.zero_()
    of.encoder.log_var.bias.data.fill_(0.5)
    x, lengths = torch.tensor([[2, 0, 1, 1, 0, 3]]), torch.tensor([6])
    axis = torch.linspace(-7, 7, 141, dtype=torch.float64)
    z = torch.cartesian_prod(axis, axis)
    log_area = 2 * math.log(14 / 140)
    with torch.no_grad():
        nats = -of.bound.nats(x.expand(len(z), -1), lengths.expand(len(z)), z)
        joint = nats - 0.5 * z.square().sum(1) - math.log(2 * math.pi)
        evidence = float(joint.logsumexp(0) + log_area)
        posterior = of.encode_posterior(x, lengths)
        second = float((2 * joint - posterior.log_prob(z)).logsumexp(0) + log_area)
        bound = float(of.score(x, lengths, num_draws=4000).total)
        draws = posterior.draw(torch.randn(2000, 1, 2).double())[:, 0]
        each = -of.bound.nats(x.expand(2000, -1), lengths.expand(2000), draws)
    error = math.sqrt(math.expm1(second - 2 * evidence) / 4000)
    assert error < 0.05
    assert bound == pytest.approx(evidence, abs=5 * error)
    lower = float(each.mean() - posterior.kl())
    assert lower <= evidence + 4 * float(each.std()) / 2000**0.5


def test_reconstruction_and_divergence_are_of_a_sequence_with_no_factor_between(seed: int) -> None:
    of = small(beta=3.0).train()
    x, lengths = torch.randint(0, 2, (3, 8)), torch.tensor([8, 4, 6])
    batch = Batch(x=x, lengths=lengths)
    loss = of.loss(batch, step=5)
    m = {name: float(value) for name, value in loss.metrics.items()}
    assert float(loss.mean.detach()) == pytest.approx(m["reconstruction"] + 3 * m["kl"], rel=1e-5)
    assert m["reconstruction_per_token"] == pytest.approx(m["reconstruction"] * 3 / 15, rel=1e-5)
    with torch.no_grad():
        posterior = of.encode_posterior(x, lengths)
        z = posterior.draw(of.bound.noise(x, lengths, 5, 1)[0].float())
        nats = float(of.bound.nats(x, lengths, z).mean())
    assert m["kl"] == pytest.approx(float(posterior.kl().mean()), rel=1e-5)
    assert m["reconstruction"] == pytest.approx(nats, rel=1e-5)
    of.eval()
    loss = of.loss(batch, step=5)
    assert float(loss.mean.detach()) == pytest.approx(-float(loss.metrics["elbo"]), rel=1e-6)


def test_word_dropout_hides_its_part_of_what_the_decoder_sees_and_never_the_beginning(
    seed: int,
) -> None:
    of = small(word_dropout=0.3).train()
    x = torch.randint(0, 2, (400, 21))
    x[:, 0] = LETTERS.bos
    kept = of.bound.kept(x, torch.full((400,), 21), 3)
    assert kept[:, 0].all()
    assert float(kept[:, 1:].float().mean()) == pytest.approx(0.7, abs=0.03)
    of.eval()
    lengths, z = torch.full((400,), 21), torch.zeros(400, 2)
    assert torch.equal(of.bound.nats(x, lengths, z, 3), of.bound.nats(x, lengths, z))


def test_nothing_is_hidden_while_the_variances_settle(seed: int) -> None:
    x = torch.randint(0, 2, (40, 21))
    x[:, 0] = LETTERS.bos
    batch = Batch(x=x, lengths=torch.full((40,), 21))
    of = small(word_dropout=0.3, settle_after=5).train()
    settled = of.loss(batch, step=5).mean
    assert of.encoder.training
    assert of.decoder.training
    of.eval()
    torch.testing.assert_close(settled, of.loss(batch, step=5).mean)


def test_samples_have_the_nats_of_their_z(seed: int) -> None:
    of, z = small().double().eval(), torch.randn(20, 2, dtype=torch.float64)
    drawn = of.sample(20, z=z, max_length=15, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        nats = -of.bound.nats(drawn.values, drawn.lengths, z)
    torch.testing.assert_close(drawn.log_prob, nats)
    assert int(drawn.lengths.max()) <= 16


def test_frozen_embeddings_stay_and_given_ones_are_taken(seed: int) -> None:
    of, given = small(freeze_embeddings=True), torch.randn(6, 4)
    of.set_embeddings(given)
    loss = of.loss(Batch(x=torch.randint(0, 2, (3, 5))), step=0)
    loss.mean.backward()
    assert of.decoder.embedding.weight.grad is None
    assert torch.equal(of.decoder.embedding.weight, given)
    some = {"a": torch.ones(4), "z": torch.zeros(4)}
    assert of.set_embeddings(some) == 1
    assert torch.equal(of.decoder.embedding.weight[0], torch.ones(4))
    assert torch.equal(of.decoder.embedding.weight[1:], given[1:])
    with pytest.raises(ConfigError, match=r"\(6, 4\)"):
        of.set_embeddings(torch.randn(5, 4))
    with pytest.raises(ConfigError, match="no token"):
        of.set_embeddings({"q": torch.ones(4)})


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_z_tells_texts_apart_that_nothing_else_can(pooling: str) -> None:
    """Eight strings of coin flips: without z each costs log 8; free bits pay for more than that."""
    torch.manual_seed(0)
    of = small(
        encoder_size=24,
        decoder_size=24,
        latent_size=8,
        pooling=pooling,
        free_bits=4.0,
        free_bits_of="batch",
    ).train()
    x = torch.tensor([[2, *bits, 3] for bits in product((0, 1), repeat=3)])
    batch = Batch(x=x.repeat(4, 1), lengths=torch.full((32,), 5))
    optimizer = torch.optim.Adam(of.parameters(), lr=0.02)
    for step in range(300):
        optimizer.zero_grad()
        of.loss(batch, step=step).mean.backward()
        optimizer.step()
    of.eval()
    assert torch.equal(of.reconstruct(x).values, x)
    with torch.no_grad():
        loss = of.loss(batch, step=0)
    # z of 8 items can tell log 8 nats at most.
    assert float(loss.metrics["mutual_information"]) == pytest.approx(math.log(8), abs=0.3)
    assert of.remark({name: value.tolist() for name, value in loss.metrics.items()}) is None


def test_a_collapsed_posterior_is_flagged_with_the_remedy(seed: int) -> None:
    of = small(latent_size=8)
    remark = of.remark({"kl": 0.03, "active_units": 0.0})
    assert remark is not None
    assert "free_bits" in remark
    assert of.remark({"kl": 9.0, "active_units": 8.0}) is None


def test_variances_alone_settle_and_the_bound_is_better_then(seed: int) -> None:
    of = small(free_bits=3.0, free_bits_of="batch", latent_size=4, settle_after=150).train()
    x = torch.tensor([[2, *bits, 3] for bits in product((0, 1), repeat=3)])
    batch = Batch(x=x.repeat(4, 1), lengths=torch.full((32,), 5))
    optimizer = torch.optim.Adam(of.parameters(), lr=0.02)
    bounds, means = [], []
    for step in range(250):
        if step in (150, 249):
            of.eval()
            with torch.no_grad():
                bounds.append(-float(of.loss(batch, step=0).mean))
                means.append(of.encode_posterior(x).mu)
            of.train()
        if step == 150:  # without the momentum of what came before
            optimizer = torch.optim.Adam(of.parameters(), lr=0.02)
        optimizer.zero_grad()
        of.loss(batch, step=step).mean.backward()
        optimizer.step()
    assert bounds[1] > bounds[0]
    assert torch.equal(*means)
    assert all(p.requires_grad for p in of.parameters())
    assert of.encoder.log_var.weight.grad is not None
    assert of.encoder.log_var.weight.grad.any()
    assert of.encoder.mu.weight.grad is not None
    assert not of.encoder.mu.weight.grad.any()


def test_a_saved_model_has_its_vocabulary(seed: int, tmp_path: Path) -> None:
    of = SequenceVAE.from_moses(Usual(False, 1).state_dict(), VOCABULARY).eval()
    of.save_pretrained(tmp_path)
    again = SequenceVAE.from_pretrained(tmp_path).eval()
    assert torch.equal(again.posterior(STRINGS).mu, of.posterior(STRINGS).mu)


def test_a_pickled_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vae.pt"
    with open(path, "wb") as file:
        pickle.dump(Usual(False, 1), file)
    with pytest.raises(CheckpointError, match="state_dict"):
        SequenceVAE.from_moses(path, VOCABULARY)
    path.write_text("hello")
    with pytest.raises(CheckpointError, match="can't read"):
        SequenceVAE.from_moses(path, VOCABULARY)
    torch.save(Usual(False, 1).state_dict(), path)
    assert SequenceVAE.from_moses(path, VOCABULARY).config.latent_size == 4
    with pytest.raises(CheckpointError, match="nowhere"):
        SequenceVAE.from_moses(tmp_path / "nowhere.pt", VOCABULARY)


def test_what_makes_no_sense_is_refused() -> None:
    of = small().eval()
    for z in (torch.zeros(2, 3), torch.zeros(3, 2), torch.zeros(2)):
        with pytest.raises(ConfigError, match="latent_size"):
            of.sample(2, z=z)
    with pytest.raises(ValueError, match="temperature"):
        of.sample(1, temperature=-0.5)
    with pytest.raises(ConfigError, match="condition"):
        of.sample(1, condition=torch.zeros(1, 1))
    with pytest.raises(ConfigError, match="strings, latent_size"):
        of.reconstruction_nll(["a"], torch.zeros(2, 2))
    for strings in ([], "aab"):
        with pytest.raises(DataError, match="list"):
            of.posterior(strings)
    with pytest.raises(ConfigError, match="num_draws"):
        of.score(torch.tensor([[2, 0, 3]]), num_draws=0)
    with pytest.raises(ConfigError, match="one token"):
        of.score(torch.tensor([[2, 0, 3], [2, 0, 0]]), torch.tensor([3, 1]))
    assert of.remark({"kl": 5.0}) is None
    with pytest.raises(ConfigError, match="unk"):
        small(codec=TextCodec(tokens="bytes"), word_dropout=0.1)
    with pytest.raises(ConfigError, match="codec"):
        SequenceVAE(SequenceVAEConfig())
    for settings, told in (
        ({"kl_steps": 7}, "schedules"),
        ({"kl_cycles": 2, "kl_schedule": "linear"}, "cyclical"),
        ({"free_bits_of": "batch"}, "free_bits"),
        ({"dropout": 0.5}, "several layers"),
    ):
        with pytest.raises(ValueError, match=told):
            small(**settings)


def test_temperature_0_takes_the_likeliest_each_time(seed: int) -> None:
    of, z = small().eval(), torch.randn(1, 2).expand(5, 2)
    drawn = of.sample(5, z=z, temperature=0.0, max_length=9)
    assert (drawn.values == drawn.values[:1]).all()


def test_an_empty_string_and_one_of_strangers_have_a_posterior(seed: int) -> None:
    of = small().eval()
    found = of.posterior(["", "??"])
    assert torch.isfinite(found.kl()).all()
    assert of.tensor2string(of.string2tensor("a?")) == "a\ufffd"
