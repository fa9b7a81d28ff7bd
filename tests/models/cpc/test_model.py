"""CPC beside the network of 2018, with modules of a user, and with what it refuses."""

import math
import warnings
from typing import Any

import pytest
import torch
from torch import nn

from ensue.data.batches import Batch
from ensue.models.cpc import CPC, CPCConfig, objective

SMALL = {"sample_rate": 16000, "channels": 16, "context_size": 12, "horizon": 3}


# The network of 2018 has batch norm, and says so each time.
pytestmark = pytest.mark.filterwarnings("ignore:batch norm takes")


class CDCK2(nn.Module):
    """The network of 2018, written from its description for comparison only."""

    def __init__(self, timestep: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for kernel, stride, padding in zip(
            (10, 8, 4, 4, 4), (5, 4, 2, 2, 2), (3, 2, 1, 1, 1), strict=True
        ):
            layers += [
                nn.Conv1d(before, 512, kernel, stride, padding, bias=False),
                nn.BatchNorm1d(512),
                nn.ReLU(),
            ]
            before = 512
        self.encoder = nn.Sequential(*layers)
        self.gru = nn.GRU(512, 256, batch_first=True)
        self.Wk = nn.ModuleList(nn.Linear(256, 512) for _ in range(timestep))

    def features(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        z = self.encoder(x.unsqueeze(1)).transpose(1, 2)
        return z, self.gru(z)[0]

    def loss(self, x: torch.Tensor, t: int, dim: int) -> torch.Tensor:
        """Softmax of the (candidates, contexts) products over ``dim``; mean of the diagonal."""
        z, c = self.features(x)
        nats = [
            -torch.log_softmax(z[:, t + k] @ w(c[:, t]).T, dim=dim).diagonal()
            for k, w in enumerate(self.Wk, 1)
        ]
        return torch.stack(nats).mean()


@pytest.fixture(scope="module")
def reference() -> CDCK2:
    torch.manual_seed(0)
    network = CDCK2(12)
    with torch.no_grad():
        network.features(torch.randn(4, 8000))
        for predictor in network.Wk:  # scores that differ, so that the two softmaxes do
            predictor.weight *= 10
    return network.eval()  # its batch norms now have statistics of their own


def test_cdck2_gives_the_same_features(reference: CDCK2, seed: int) -> None:
    x = torch.randn(3, 20480)
    z, c = reference.features(x)
    with torch.inference_mode():
        mine = CPC.from_cdck2(reference.state_dict()).eval().encode(x)
    torch.testing.assert_close(mine.local, z, rtol=0, atol=1e-5)
    torch.testing.assert_close(mine.context, c, rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(("over", "dim"), [("candidates", 0), ("contexts", 1)])
def test_cdck2_gives_the_same_losses(reference: CDCK2, over: str, dim: int, seed: int) -> None:
    x = torch.randn(5, 20480)
    model = CPC.from_cdck2(reference.state_dict()).eval()
    for t in (0, 115):
        difference = model.loss_at(x, t, normalize_over=over) - reference.loss(x, t, dim)
        assert abs(float(difference)) <= 1e-5


@torch.no_grad()
def test_cdck2_default_is_over_candidates(reference: CDCK2, seed: int) -> None:
    x = torch.randn(4, 8000)
    model = CPC.from_cdck2(reference.state_dict()).eval()
    assert torch.equal(model.loss_at(x, 9), model.loss_at(x, 9, "candidates"))
    assert not torch.allclose(model.loss_at(x, 9), model.loss_at(x, 9, "contexts"))


@torch.no_grad()
def test_one_random_time_a_batch_is_the_loss_at_that_time(seed: int) -> None:
    settings = {"encoder": "waveform", "candidates": "aligned", "num_anchors": 1}
    model, x = CPC(CPCConfig(**SMALL, **settings)).eval(), torch.randn(4, 3200)
    loss = model.loss(Batch(x=x), step=seed % 1000).mean
    times = [model.loss_at(x, t) for t in range(20 - 3)]
    assert min(abs(float(loss - at)) for at in times) < 1e-5


def test_foreign_weights_are_refused() -> None:
    with pytest.raises(ValueError, match=r"layers\.0\.weight"):
        CPC.from_cdck2({"layers.0.weight": torch.zeros(1)})


def test_loss_from_features_is_the_loss(seed: int) -> None:
    model = CPC(CPCConfig(**SMALL)).eval()
    x, lengths = torch.randn(3, 3200), torch.tensor([3200, 1600, 2400])
    f = model.encode(x, lengths)
    mask = torch.arange(20) < f.lengths[:, None]
    mine = model.loss_from_features(f.local, f.context, mask, step=4)
    theirs = model.loss(Batch(x=x, lengths=lengths), step=4)
    torch.testing.assert_close(mine.total, theirs.total)
    assert mine.count == theirs.count


def test_another_throat_is_heard_in_training_and_never_predicted(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = CPC._loss
    config = CPCConfig(
        sample_rate=8000, channels=8, context_size=6, horizon=3, vocal_tract_perturbation=0.2
    )
    model = CPC(config)
    batch = Batch(x=torch.randn(3, 4000), lengths=torch.tensor([4000, 3000, 4000]))
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    monkeypatch.setattr(
        CPC,
        "_loss",
        lambda self, views, *rest: (
            seen.append((views.predicted, views.seen)) or loss(self, views, *rest)
        ),
    )
    first, again = model.loss(batch, step=1), model.loss(batch, step=1)
    model.loss(batch, step=2)
    model.eval().loss(batch, step=1)
    torch.testing.assert_close(first.total, again.total, rtol=0, atol=0)
    (z, c), *_, (other_z, other_c), (plain_z, plain_c) = seen
    for predicted in (z, other_z):
        torch.testing.assert_close(predicted, plain_z, rtol=0, atol=0)
    for one, two in ((c, plain_c), (other_c, plain_c), (c, other_c)):
        assert (one - two).abs().max() > 1e-3


def test_series_are_noisy_in_training_alone() -> None:
    model = CPC(CPCConfig(num_channels=2, num_steps=40, channels=8, context_size=6, jitter=0.3))
    x = torch.randn(3, 40, 2)
    x[0, 7] = torch.nan
    batch = Batch(x=x)
    first, again, other = (model.loss(batch, step=step).total.detach() for step in (1, 1, 2))
    plain = model.eval().loss(batch, step=1).total.detach()
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert first.isfinite()
    assert len({float(first), float(other), float(plain)}) == 3
    features = [model.encode(x).context for _ in range(2)]
    torch.testing.assert_close(*features, rtol=0, atol=0)


def test_windows_of_one_recording_are_no_negatives_of_each_other(seed: int) -> None:
    """Four windows of one recording are left with their own frames; of four, with all."""
    model, x = CPC(CPCConfig(**SMALL, num_negatives=8)).eval(), torch.randn(4, 3200)
    own = CPC(CPCConfig(**SMALL, num_negatives=0)).eval()
    own.load_state_dict(model.state_dict())
    one = model.loss(Batch(x=x, item=torch.zeros(4, dtype=torch.long)), step=0)
    torch.testing.assert_close(one.total, own.loss(Batch(x=x), step=0).total)
    assert float(one.metrics["chance_loss"]) == pytest.approx(math.log(20))
    four = model.loss(Batch(x=x, item=torch.arange(4)), step=0)
    assert float(four.metrics["chance_loss"]) == pytest.approx(math.log(28))


@torch.no_grad()
def test_score_in_blocks_is_the_score_at_once(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = CPC(CPCConfig(**SMALL)).eval(), torch.randn(2, 3200)
    whole = model.score(x)
    monkeypatch.setattr(objective, "ANCHORS_A_BLOCK", 7)
    blocks = model.score(x)
    torch.testing.assert_close(blocks.terms, whole.terms, equal_nan=True)
    assert whole.terms.shape == (2, 20, 3)


def test_kaiming_initialization_reaches_the_gru(seed: int) -> None:
    model = CPC(CPCConfig(**{**SMALL, "context_size": 256}, init="kaiming_fan_out"))
    weight = model.context.weight_hh_l0
    # fan out of (3 C, C) is 3 C; the sample deviation of 196,608 draws lies within 1 %.
    assert float(weight.detach().std()) == pytest.approx((2 / (3 * 256)) ** 0.5, rel=0.01)


def test_user_modules_train_and_encode_but_cannot_be_saved(seed: int, tmp_path) -> None:
    class Frames(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(100, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x.unfold(-1, 100, 100))

    model = CPC.from_parts(
        Frames(), nn.GRU(8, 6, batch_first=True), nn.Linear(6, 4 * 8), hop=100, horizon=4
    )
    x = torch.randn(3, 2000)
    model.loss(Batch(x=x), step=0).mean.backward()
    assert model.encode(x).context.shape == (3, 20, 6)
    with pytest.raises(ValueError, match="entry point"):
        model.save_pretrained(tmp_path / "never")
    assert not (tmp_path / "never").exists()
    with pytest.raises(ValueError, match="can't stream"):
        model.init_state(1)
    assert model.layers == ("local", "gru1", "context")
    assert model.up_to("local").encode(x).context.shape == (3, 20, 8)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"horizon": 0}, "horizon is 0"),
        ({"own_sequence": False, "num_negatives": 0}, "no negatives"),
        ({"encoder": "wavform"}, "did you mean 'waveform'"),
        ({"encoder": "log_mel", "sample_rate": None}, "sample_rate"),
        ({"horizon": -1, "channels": 0}, "channels is 0"),
        ({"encoder": "waveform", "vocal_tract_perturbation": 0.1}, "is for the encoder log_mel"),
        ({"encoder": "waveform", "cmn_frames": 9}, "cmn_frames is for the encoder log_mel"),
    ],
)
def test_wrong_settings_are_refused_by_name(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CPC(CPCConfig(**{**SMALL, **settings}))


def test_horizon_longer_than_the_clips_says_what_would_do() -> None:
    model = CPC(CPCConfig(**{**SMALL, "horizon": 40}))
    with pytest.raises(
        ValueError, match=r"horizon is 40 but the clips have 32 frames .*horizon 31 or less"
    ):
        model.loss(Batch(x=torch.zeros(2, 32 * 160)), step=0)


def test_too_short_waveform_is_refused() -> None:
    model = CPC(CPCConfig(**SMALL))
    with pytest.raises(ValueError, match="shorter than one frame"):
        model.encode(torch.zeros(2, 30))


def test_batch_norm_warns_that_it_leaks() -> None:
    with pytest.warns(UserWarning, match="leak"):
        CPC(CPCConfig(**SMALL, encoder="waveform", norm="batch"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CPC(CPCConfig(**SMALL, encoder="waveform", norm="channel"))


def test_learns_which_tone_follows(seed: int) -> None:
    """Steady tones: the frames ahead can be told from other tones' but not from their own."""
    torch.manual_seed(0)
    time = torch.arange(8000) / 16000

    def tones(num: int) -> torch.Tensor:
        return torch.sin(2 * torch.pi * (200 + 3000 * torch.rand(num, 1)) * time)

    model = CPC(CPCConfig(**SMALL, num_negatives=32, own_sequence=False))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for step in range(200):
        optimizer.zero_grad()
        model.loss(Batch(x=tones(16)), step=step).mean.backward()
        optimizer.step()
    metrics = model.eval().loss(Batch(x=tones(64)), step=0).metrics
    assert float(metrics["accuracy"]) > 0.25  # chance is 1 in 33


@pytest.mark.parametrize("num_context_layers", [1, 3])
def test_the_context_may_be_torchs_or_ours_with_the_same_weights(
    num_context_layers: int, seed: int
) -> None:
    settings: dict[str, Any] = {"sample_rate": 8000, "channels": 16, "context_size": 12}
    ours, theirs = (
        CPC(CPCConfig(**settings, num_context_layers=num_context_layers, recurrent=name)).eval()
        for name in ("ensue", "torch")
    )
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(3, 4000)
    for model in (ours, theirs):
        model.loss(Batch(x=x), step=0).mean.backward()
    torch.testing.assert_close(ours.encode(x).context, theirs.encode(x).context)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-5)
