"""The CPC network of 2018 from its published keys: what it takes, counts and predicts."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ensue.data.batches import Batch
from ensue.errors import ConfigError, DataError
from ensue.models.cpc import CPC, CPCConfig

# The network has batch norm, and says so each time.
pytestmark = pytest.mark.filterwarnings("ignore:batch norm takes")

SHAPES = [(10, 5, 3), (8, 4, 2), (4, 2, 1), (4, 2, 1), (4, 2, 1)]
"""Kernel, stride and padding of each convolution."""


class CDCK2(nn.Module):
    """Convolutions without bias, batch norms and ReLUs, a GRU, and a linear predictor a step."""

    def __init__(self, channels: int, context: int, horizon: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i, shape in enumerate(SHAPES):
            conv = nn.Conv1d(channels if i else 1, channels, *shape, bias=False)
            layers += [conv, nn.BatchNorm1d(channels), nn.ReLU()]
        self.encoder = nn.Sequential(*layers)
        self.gru = nn.GRU(channels, context, batch_first=True)
        self.Wk = nn.ModuleList(nn.Linear(context, channels) for _ in range(horizon))

    def scores(self, x: Tensor, t: int) -> Tensor:
        """(K, B candidates, B contexts) of waveforms (B, 1, S)."""
        z = self.encoder(x).transpose(1, 2)
        c = self.gru(z[:, : t + 1])[0][:, t]
        return torch.stack([z[:, t + k] @ w(c).T for k, w in enumerate(self.Wk, 1)])

    def predict(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        return self.gru(self.encoder(x).transpose(1, 2), hidden)


def network(channels: int, context: int, horizon: int) -> CDCK2:
    """With statistics of its own in the batch norms, and scores far enough apart to differ."""
    made = CDCK2(channels, context, horizon).double()
    with torch.no_grad():
        made.encoder(torch.randn(8, 1, 4000, dtype=torch.float64))
        for w in made.Wk:
            w.weight *= 20
    return made.eval()


@torch.no_grad()
@settings(deadline=None, max_examples=25)
@given(
    channels=st.integers(2, 24),
    context=st.integers(2, 24),
    horizon=st.integers(1, 12),
    batch=st.integers(2, 9),
    seed=st.integers(0, 2**31),
)
def test_losses_accuracies_and_contexts_are_the_published_ones(
    channels: int, context: int, horizon: int, batch: int, seed: int
) -> None:
    torch.manual_seed(seed)
    published = network(channels, context, horizon)
    model = CPC.from_cdck2(published.state_dict()).eval()
    x = torch.randn(batch, 1, 160 * (horizon + 6), dtype=torch.float64)
    t, own = int(torch.randint(0, 6, ())), torch.arange(batch)
    scores = published.scores(x, t)
    for over, dim in (("contexts", 2), ("candidates", 1)):
        nats = -scores.log_softmax(dim).diagonal(dim1=1, dim2=2).mean()
        found = model.loss_at(x, t, over, accuracy=True)
        torch.testing.assert_close(found.loss, nats, rtol=0, atol=1e-6)
        counted = (scores[-1].softmax(1).argmax(0) == own).double().mean()
        assert float(found.accuracy_by_contexts) == float(counted)
        right = (scores.softmax(1).argmax(1) == own).double().mean()
        assert float(found.accuracy) == float(right)
        assert float(model.loss_at(x, t, over)) == float(found.loss)
    hidden = torch.randn(1, batch, context, dtype=torch.float64)
    for mine, theirs in zip(model.predict(x, hidden), published.predict(x, hidden), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-6)


@torch.no_grad()
def test_the_published_size_in_single_precision(seed: int) -> None:
    """512 features of 20,480 samples: what the GRUs round differently was 2.4e-7 at most."""
    published = CDCK2(512, 256, 12)
    published.encoder(torch.randn(4, 1, 20480))
    model, x = CPC.from_cdck2(published.eval().state_dict()).eval(), torch.randn(3, 1, 20480)
    hidden = torch.randn(1, 3, 256)
    for mine, theirs in zip(model.predict(x, hidden), published.predict(x, hidden), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-6)


def test_the_two_accuracies_differ(seed: int) -> None:
    """One candidate far above all: every context picks it, and of contexts one is right."""
    model = CPC.from_cdck2(network(6, 5, 1).state_dict()).eval()
    found = [model.loss_at(torch.randn(16, 1, 2000).double(), 3, accuracy=True) for _ in range(9)]
    assert any(f.accuracy != f.accuracy_by_contexts for f in found)


@pytest.mark.parametrize("encoder", ["waveform", "log_mel"])
def test_waveforms_may_have_a_dimension_of_one_channel(encoder: str, seed: int) -> None:
    model = CPC(
        CPCConfig(
            sample_rate=16000, encoder=encoder, channels=8, context_size=6, horizon=2,
            vocal_tract_perturbation=0.1 if encoder == "log_mel" else 0.0,
        )
    )  # fmt: skip
    x, lengths = torch.randn(4, 3200), torch.tensor([3200, 3200, 2400, 1600])
    wide = x[:, None]
    for of in (Batch(x=x, lengths=lengths), Batch(x=x)):
        one = Batch(x=of.x[:, None], lengths=of.lengths)
        assert torch.equal(model.loss(one, step=3).total, model.loss(of, step=3).total)
    assert torch.equal(model.encode(wide, lengths).embedding, model.encode(x, lengths).embedding)
    assert torch.equal(model.score(wide).total, model.score(x).total)
    assert torch.equal(model.loss_at(wide, 4), model.loss_at(x, 4))
    lower = model.up_to("conv1")
    assert torch.equal(lower.encode(wide).context, lower.encode(x).context)
    streamed = [model.step(part, model.init_state(4))[0].local for part in (wide, x)]
    assert torch.equal(*streamed)


@pytest.mark.parametrize("shape", [(3200,), (2, 2, 3200), (2, 1, 1, 3200), (2, 3200, 1)])
def test_waveforms_of_another_shape_are_refused_by_name(shape: tuple[int, ...]) -> None:
    model = CPC(CPCConfig(encoder="waveform", channels=8, context_size=6, horizon=2))
    for use in (
        model.encode,
        lambda x: model.loss(Batch(x=x), step=0),
        lambda x: model.loss_at(x, 1),
        lambda x: model.step(x, model.init_state(2)),
        model.predict,
    ):
        with pytest.raises(DataError, match=r"waveforms are \(batch, samples\) or \(batch, 1, "):
            use(torch.zeros(shape))


@pytest.mark.parametrize("recurrent", ["ensue", "torch"])
def test_contexts_go_on_from_the_state_that_they_gave(recurrent: str, seed: int) -> None:
    """A state holds all that was heard: contexts of other frames go on as in one sequence."""
    model = CPC(
        CPCConfig(
            encoder="waveform", channels=8, context_size=6, num_context_layers=2,
            recurrent=recurrent,  # type: ignore[arg-type]
        )
    ).double()  # fmt: skip
    first, second = torch.randn(2, 3, 1600, dtype=torch.float64)
    c, hidden = model.predict(first)
    torch.testing.assert_close(c, model.encode(first).context)
    after, last = model.predict(second, hidden)
    z = torch.cat([model.encode(x).local for x in (first, second)], dim=1)
    whole, end = model.context(z)
    torch.testing.assert_close(torch.cat([c, after], dim=1), whole)
    torch.testing.assert_close(last, end)
    with pytest.raises(ConfigError, match=r"hidden is \(1, 3, 6\) and must be \(2, 3, 6\)"):
        model.predict(first, hidden[:1])


def test_its_precision_is_kept_on_disk(tmp_path: Path, seed: int) -> None:
    model = CPC.from_cdck2(network(4, 3, 2).state_dict()).eval()
    model.save_pretrained(tmp_path)
    x = torch.randn(2, 1, 1600, dtype=torch.float64)
    again = CPC.from_pretrained(tmp_path)
    assert torch.equal(again.encode(x).context, model.encode(x).context)


def test_weights_of_other_sizes_are_refused() -> None:
    weights = CDCK2(4, 3, 2).state_dict()
    weights["encoder.6.weight"] = torch.zeros(4, 4, 3)
    with pytest.raises(ConfigError, match=r"these aren't the weights of a CDCK2: .*size mismatch"):
        CPC.from_cdck2(weights)
