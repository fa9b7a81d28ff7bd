"""Series as levels: whole numbers come back as they were, measurements to half a level."""

import io

import numpy as np
import pytest
import torch

from ensue.data.config import DataConfig
from ensue.data.items import Items
from ensue.data.kinds.series.codec import SeriesCodec
from ensue.data.kinds.series.levels import LevelsCodec, decimals_of
from ensue.data.kinds.series.record import record_of
from ensue.errors import ConfigError, DataError


def items_of(*series: np.ndarray) -> Items:
    names = [f"{i}" for i in range(len(series))]
    raws = [record_of(x, rate=None) for x in series]
    return Items(kind="series", ids=names, raw=raws, labels={}, fingerprint="x")


def fitted(*series: np.ndarray, **settings: object) -> LevelsCodec:
    return LevelsCodec.fit(items_of(*series), DataConfig(**settings), range(len(series)))


def test_whole_numbers_and_decimals_come_back_exactly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 30_000, 200).astype(float)
    prices = rng.integers(-400, 900, 200) / 100
    x = np.stack([counts, prices], axis=1)
    x[3, 0] = x[5, 1] = np.nan
    codec = fitted(x)
    np.testing.assert_array_equal(codec.decode(codec.encode(x)), x)
    assert codec.lost(x) == ""
    assert [whole is not None and whole.decimals for whole in codec.whole] == [0, 2]


def test_measurements_err_by_half_a_level_at_most(seed: int) -> None:
    x = np.random.default_rng(seed).standard_t(3, (500, 1)) * 7 + 3
    codec = fitted(x)
    level = codec.encode(x)[:, 0].numpy()
    width = codec.axes[0].width(level) * codec.series.scale[0]
    assert (np.abs(codec.decode(codec.encode(x)) - x)[:, 0] <= width * 0.51).all()
    assert "levels of measurements keep" in codec.lost(x)
    assert codec.axes[0].num == 256


def test_log_det_makes_densities_of_probabilities(seed: int) -> None:
    """The probability of a level over its width is the mean density of its values."""
    x = np.random.default_rng(seed).normal(0, 3, (50, 1))
    codec = fitted(x, levels=64)
    edges = np.array(codec.axes[0].place(np.arange(-0.5, 64)) * codec.series.scale[0])
    edges += codec.series.center[0]
    level = codec.encode(x)[:, 0].numpy()
    wanted = -np.log(edges[level + 1] - edges[level]).sum()
    assert codec.log_det(x) == pytest.approx(wanted, rel=1e-9)


def test_log_det_of_whole_numbers_is_0() -> None:
    assert fitted(np.arange(40.0)).log_det(np.arange(40.0)) == 0


@pytest.mark.parametrize(("x", "told"), [(-1.0, "-1 at step 0"), (7e4, "70000 at step 0")])
def test_what_levels_do_not_reach_is_told(x: float, told: str) -> None:
    lost = fitted(np.arange(1000.0)).lost(np.array([x, 3.0]))
    assert told in lost
    assert "levels are from 0 to 65535 with 0 decimals" in lost


@pytest.mark.parametrize(
    ("least", "most", "first", "num"),
    [(0, 40, 0, 256), (-30, 10, -71, 256), (5, 400, 0, 65_536), (-20_000, 20_000, -32_767, 65_536)],
)
def test_levels_reach_beyond_the_whole_numbers_of_training(
    least: int, most: int, first: int, num: int
) -> None:
    codec = fitted(np.arange(least, most + 1.0))
    assert (codec.whole[0].low, codec.axes[0].num) == (first, num)  # type: ignore[union-attr]
    assert codec.lost(np.array([float(first), first + num - 1.0])) == ""


def test_numbers_of_too_wide_a_range_are_measurements() -> None:
    codec = fitted(np.array([0.0, 1.0, 1e9, 5.0]))
    assert codec.whole == (None,)
    assert codec.axes[0].warped


def test_a_restored_file_is_read_as_the_series_it_was() -> None:
    x = np.stack([np.arange(5.0), np.arange(5) / 4], axis=1)
    x[2, 1] = np.nan
    codec = fitted(x)
    text = codec.written(codec.encode(x)).decode()
    assert text.splitlines()[:4] == ["x0,x1", "0,0.00", "1,0.25", "2,"]
    again = np.genfromtxt(io.StringIO(text), delimiter=",", skip_header=1)
    np.testing.assert_array_equal(again, x)


def test_steps_alone_are_encoded_as_in_the_whole(seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(30, 2))
    codec = fitted(x)
    codec.require_steps_alone()
    alone = torch.cat([codec.encode_steps(x[i : i + 1]) for i in range(30)])
    assert torch.equal(alone, codec.encode(x))


def test_scaled_levels_are_near_the_numbers_that_other_codecs_give(seed: int) -> None:
    x = np.random.default_rng(seed).normal(5, 2, (200, 1))
    x[7] = np.nan
    codec = fitted(x)
    numbers = SeriesCodec.fit(items_of(x), DataConfig(), [0]).encode(x).numpy()
    np.testing.assert_allclose(codec.scaled(codec.encode(x).numpy()), numbers, atol=0.05)


def test_beginnings_are_halves_and_never_all_or_nothing() -> None:
    codec = fitted(np.arange(40.0))
    x, known = codec.begun([codec.encode(np.arange(n, dtype=float)) for n in (4, 9, 2)], None)
    assert x.shape == (3, 9, 1)
    assert known.sum((1, 2)).tolist() == [2, 4, 1]
    with pytest.raises(ConfigError, match="known is 1"):
        codec.begun([torch.zeros(4, 1)], 1)
    with pytest.raises(DataError, match="one step"):
        codec.begun([torch.zeros(1, 1)], 0.5)


def test_items_with_scales_of_their_own_have_no_levels() -> None:
    with pytest.raises(ConfigError, match="scaling is 'item'"):
        fitted(np.arange(40.0), scaling="item")


def test_a_codec_of_numbers_refuses_a_number_of_levels() -> None:
    with pytest.raises(ConfigError, match="levels is for families that predict"):
        SeriesCodec.fit(items_of(np.arange(9.0)), DataConfig(levels=64), [0])


def test_a_missing_channel_is_refused() -> None:
    codec = fitted(np.random.default_rng(0).normal(size=(30, 2)))
    with pytest.raises(DataError, match="'x1' is missing throughout"):
        codec.encode(np.stack([np.arange(4.0), np.full(4, np.nan)], axis=1))


def test_decimals_are_those_of_the_nearest_floats() -> None:
    assert decimals_of(np.array([0.1 + 0.2])) is None  # 0.30000000000000004
    assert decimals_of(np.array([0.3, 1e-6])) == 6
