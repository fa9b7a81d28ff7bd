"""Windows of series as items: which there are, what a codec makes of them, what it refuses."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ensue.data.codecs import load_codec, save_codec
from ensue.data.config import DataConfig
from ensue.data.items import Items
from ensue.data.kinds.series.record import record_of
from ensue.data.kinds.series.windowed import windows_of
from ensue.data.kinds.series.windows_codec import WindowsCodec
from ensue.data.sources import Wanted, open_items
from ensue.data.splits import train_validation
from ensue.errors import ConfigError, DataError


def items_of(*series: np.ndarray, labels: dict[str, list[str]] | None = None) -> Items:
    names = [f"s{i}" for i in range(len(series))]
    raws = [record_of(x) for x in series]
    return Items(kind="series", ids=names, raw=raws, labels=labels or {}, fingerprint="x")


def fitted(*series: np.ndarray, **settings: Any) -> WindowsCodec:
    config = DataConfig(**settings)
    items = WindowsCodec.cut_by(items_of(*series), config)
    return WindowsCodec.fit(items, config, range(len(items)))


@pytest.mark.parametrize(
    ("steps", "size", "stride"), [(10, 4, 4), (12, 4, 4), (9, 4, 1), (4, 4, 9)]
)
def test_every_step_is_in_a_window_and_the_last_ends_with_the_series(
    steps: int, size: int, stride: int
) -> None:
    items = windows_of(items_of(np.arange(float(steps))), size, stride)
    windows = [raw.read().values[:, 0] for raw in items.raw]
    assert all(len(x) == size and (np.diff(x) == 1).all() for x in windows)
    assert windows[0][0] == 0
    assert windows[-1][-1] == steps - 1
    if stride <= size:
        assert set(np.concatenate(windows)) == set(range(steps))
    starts = [int(x[0]) for x in windows]
    assert all(start % stride == 0 for start in starts[:-1])
    assert items.ids == [f"s0[{start}:{start + size}]" for start in starts]
    assert items.labels["start"] == [str(start) for start in starts]


def test_labels_go_with_the_series_and_a_short_one_stays() -> None:
    own = {"machine": ["a", "b"], "start": ["early", "late"]}
    items = windows_of(items_of(np.zeros(6), np.zeros(3), labels=own), 4, 2)
    assert items.ids == ["s0[0:4]", "s0[2:6]", "s1"]
    assert items.labels["machine"] == ["a", "a", "b"]
    assert items.labels["start"] == ["early", "early", "late"]
    assert items.labels["series"] == ["s0", "s0", "s1"]


def test_rows_of_the_file_and_labels_of_steps_go_along() -> None:
    x = record_of(np.arange(6.0))
    labelled = type(x)(
        x.values, x.channels, row=np.array([3, 4, -1, 6, 7, 8]), labels={"f": x.values[:, 0]}
    )
    items = Items(kind="series", ids=["a"], raw=[labelled], fingerprint="x")
    window = windows_of(items, 3, 3).raw[1].read()
    assert window.row.tolist() == [6, 7, 8]
    assert window.labels["f"].tolist() == [3, 4, 5]


def test_held_out_windows_are_of_other_series_than_those_of_training() -> None:
    items = windows_of(items_of(*[np.arange(40.0)] * 5), 8, 2)
    train, held = train_validation(items, 0.2)
    series = np.array(items.labels["series"])
    assert len(held)
    assert not set(series[train]) & set(series[held])


def test_held_out_windows_of_one_series_share_few_steps_with_others() -> None:
    items = windows_of(items_of(np.arange(1000.0)), 8, 1)
    train, held = train_validation(items, 0.1)
    steps = [set(raw.read().values[:, 0]) for raw in items.raw]
    seen = set.union(*(steps[i] for i in train))
    shared = sum(bool(steps[i] & seen) for i in held)
    assert len(held) >= 80
    assert shared / len(held) < 0.2


def test_a_window_comes_back_in_its_own_units(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    x = np.stack([rng.normal(100, 20, 60), rng.poisson(9, 60)], axis=1)
    codec = fitted(x, window=6)
    assert codec.whole == (False, True)
    row = codec.encode(x[12:18])
    assert row.shape == (12,)
    np.testing.assert_allclose(codec.decode(row), x[12:18], rtol=1e-6)
    assert (codec.decode(row)[:, 1] == x[12:18, 1]).all()
    np.testing.assert_allclose(codec.scaled(row.numpy())[3], row[6:8])
    save_codec(codec, tmp_path / "codec.json")
    assert load_codec(tmp_path / "codec.json") == codec


def test_the_log_determinant_is_that_of_encode(seed: int) -> None:
    """By the Jacobian of encode, of finite differences."""
    x = np.random.default_rng(seed).normal(50, 30, (40, 2))
    codec = fitted(x, window=3)
    window, size = x[:3], 1.0
    moved = [window.copy() for _ in range(6)]
    for i, one in enumerate(moved):
        one.flat[i] += size
    slopes = torch.stack([codec.encode(one) - codec.encode(window) for one in moved]) / size
    assert codec.log_det(window) == pytest.approx(float(slopes.double().logdet()), abs=1e-4)


def test_whole_numbers_lie_on_the_grid(seed: int) -> None:
    counts = np.random.default_rng(seed).poisson(30, 50).astype(float)
    codec = fitted(np.stack([counts, counts / 7], axis=1), window=5)
    grid = np.array(codec.facts()["grid"])
    assert codec.facts()["num_features"] == 10
    origin, width, num = grid[0]
    steps = (codec.encode(np.stack([counts, counts], axis=1)[:5]).numpy()[0::2] - origin) / width
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)
    assert num == 0
    assert math.exp(-codec.log_det(np.ones((5, 2))) / 5) == pytest.approx(
        codec.series.scale[0] * codec.series.scale[1]
    )
    assert (grid[1::2, 1] == 0).all()


def test_measurements_have_no_grid(seed: int) -> None:
    assert fitted(np.random.default_rng(seed).normal(size=40), window=4).facts()["grid"] == ()


X = np.random.default_rng(0).normal(size=(40, 2))


def counted(x: np.ndarray) -> np.ndarray:
    return np.stack([x[:, 0], np.rint(9 * x[:, 1])], axis=1)


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (X[:3], "it has 3 steps, and a window has 4"),
        (np.where(np.eye(4, 2), np.nan, X[:4]), "step 0 of channel 'x0' is missing"),
        (X[:4], "step 0 of channel 'x1' isn't a whole number"),
        (counted(X)[:4] * [1, 1e8], "too far from those of training"),
        (X[:4, :1], "has 1 channels"),
        (np.float64(3), r"a series is \(steps, channels\) or \(steps,\), not \(\)"),
    ],
)
def test_what_is_no_window_is_refused(window: Any, words: str) -> None:
    codec = fitted(counted(X), window=4)
    with pytest.raises(DataError, match=words):
        codec.encode(window)


@pytest.mark.parametrize(
    ("settings", "series", "words"),
    [
        ({}, X, "give it in steps with --window"),
        ({"window": 4, "scaling": "item"}, X, "scaling is 'item'"),
        ({"window": 4, "levels": 8}, X, "levels is 8"),
        ({"window": 4, "window_steps": 8}, X, "window_steps is 8"),
        ({"window": 41}, X, "the longest series has 40 steps, and a window 41"),
        ({"window": 4}, np.where(np.arange(40)[:, None] % 4, X, np.nan), "lacks a value"),
        ({"window": 4}, np.full(40, 0.5), "'x0' is 0.5 at step 0 of all"),
    ],
)
def test_what_gives_no_windows_is_refused(
    settings: dict[str, Any], series: np.ndarray, words: str
) -> None:
    with pytest.raises((ConfigError, DataError), match=words):
        fitted(series, **settings)


def test_a_codec_of_a_later_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "codec.json"
    save_codec(fitted(X, window=4), path)
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "stride": 0}))
    with pytest.raises(ValueError, match="stride"):
        load_codec(path)


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    config, path = DataConfig(window=4, stamps="ignore"), tmp_path / "a.csv"
    for value in (1, 2):
        path.write_text("\n".join(["x", *[f"{value}{i}" for i in range(8)]]) + "\n")
        items = open_items(path, config, cache=tmp_path, wanted=Wanted(("series",)))
        first = WindowsCodec.cut_by(items, config).raw[0].read()
        assert first.values[:, 0].tolist() == [10 * value + i for i in range(4)]
