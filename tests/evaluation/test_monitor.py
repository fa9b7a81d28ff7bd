"""The measures of a stream are those of the whole series, however it is cut."""

import numpy as np
import pytest
import torch

from ensue.evaluation.anomaly import MEASURES, Anomaly, frames_of, reference_of
from ensue.evaluation.monitor import ComparingMonitor
from tests.evaluation.test_anomaly import model_of, noise, store_of


@pytest.mark.parametrize("chunk", [1, 7, 90])
@pytest.mark.parametrize(("strides", "average"), [((1, 1), 1), ((1, 1), 6), ((2, 2), 9)])
def test_a_stream_is_measured_as_the_whole(
    chunk: int, strides: tuple[int, int], average: int
) -> None:
    model = model_of(0, kernels=(3, 3), strides=strides).repooled(embedding="context")
    usual = Anomaly(model, reference_of(model, store_of(noise(0, 200)), [0], average=average))
    x = noise(1, 90)
    x[40:44, 1] = np.nan
    whole = usual.of_series(frames_of(model, store_of(x), 0), x)
    monitor = ComparingMonitor(model, usual)
    parts = [monitor.push(torch.from_numpy(x[i : i + chunk])) for i in range(0, 90, chunk)]
    for name in MEASURES:
        told = np.concatenate([part[name] for part in parts])
        np.testing.assert_allclose(told, whole[name], atol=1e-5, rtol=1e-5)
        assert np.isfinite(told[60:]).all()
        assert np.isnan(told[: average - 1]).all() or name == "surprise"
