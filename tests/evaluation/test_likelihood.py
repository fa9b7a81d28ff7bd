"""Nats of steps: they add up to the score, and a stream has those of the whole."""

import numpy as np
import pytest
import torch

from ensue.data.kinds.series.levels import LevelsCodec
from ensue.errors import ConfigError
from ensue.evaluation.likelihood import Deviations, nats_of
from ensue.evaluation.monitor import LikelihoodMonitor
from ensue.models.tokens.causal import Causal
from ensue.models.tokens.causal_config import CausalConfig
from tests.data.test_levels import fitted


def codec_and_steps(seed: int) -> tuple[LevelsCodec, np.ndarray]:
    """Two channels: counts that take two tokens, and measurements; a few are missing."""
    rng = np.random.default_rng(seed)
    x = np.stack([rng.integers(0, 2000, 90), rng.normal(size=90)], axis=1).astype(float)
    x[20:23, 0] = x[50, 1] = np.nan
    return fitted(x), x


def model_of(codec: LevelsCodec) -> Causal:
    config = CausalConfig(axes=codec.axes, usual_steps=90, channels=8, num_layers=3, num_lags=4)
    return Causal(config).eval()


def test_nats_of_values_add_up_to_the_score(seed: int) -> None:
    torch.manual_seed(seed)
    codec, x = codec_and_steps(seed)
    model, encoded = model_of(codec).double(), codec.encode(x)
    nats = nats_of(model, encoded)
    assert nats.shape == x.shape
    assert -nats.sum() == pytest.approx(float(model.score(encoded[None]).total.detach()), rel=1e-9)
    short = model.score_steps(encoded[None], torch.tensor([60]))[0].detach().numpy()
    np.testing.assert_allclose(short[:60], -nats[:60], rtol=1e-9)
    assert (short[60:] == 0).all()


@pytest.mark.parametrize("chunk", [1, 7, 90])
def test_a_stream_costs_what_the_whole_does(chunk: int, seed: int) -> None:
    torch.manual_seed(seed)
    codec, x = codec_and_steps(seed)
    model, encoded = model_of(codec), codec.encode(x)
    monitor = LikelihoodMonitor(model, codec)
    parts = [monitor.push(encoded[i : i + chunk]) for i in range(0, 90, chunk)]
    surprise = np.concatenate([part["surprise"] for part in parts])
    np.testing.assert_allclose(surprise, nats_of(model, encoded).sum(1), rtol=1e-5, atol=1e-5)
    deviation = np.concatenate([part["deviation"] for part in parts])
    np.testing.assert_array_equal(deviation, Deviations(codec).push(encoded.numpy()))
    assert monitor.num_steps == 90


def test_the_channel_farthest_off_counts(seed: int) -> None:
    codec, x = codec_and_steps(seed)
    x[80, 1] = 60
    deviation = Deviations(codec).push(codec.encode(x).numpy())
    assert np.isnan(deviation[0])
    assert deviation[80] == np.nanmax(deviation)
    assert np.isfinite(deviation[[20, 50]]).all()


def test_items_without_steps_have_no_nats_of_steps() -> None:
    model = Causal(CausalConfig(num_tokens=5, bos=4, num_layers=2, channels=8)).eval()
    with pytest.raises(ConfigError, match="items have no steps"):
        model.score_steps(torch.zeros(1, 6, dtype=torch.long))
