"""The laws of the codecs: raw items to tensors and back, and what can't be read says why."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
import torch

from ensue.data.codecs import Codec, fit_codec, load_codec, save_codec
from ensue.data.config import DataConfig
from ensue.data.items import Clip, Items
from ensue.data.kinds.audio.codec import AudioCodec
from ensue.data.kinds.audio.mu_law import MuLawCodec, levels_of, samples_of
from ensue.data.kinds.table.codec import TableCodec
from ensue.data.sources import open_items
from ensue.errors import CheckpointError, ConfigError, DataError
from tests.data.stores import write_lines, write_sound

PLAIN = AudioCodec(sample_rate=8000, level=1.0)


def pairs(*recordings: Any, rate: int = 8000) -> Items:
    return open_items([(x, rate) for x in recordings], DataConfig(), cache=Path("unused"))


def table(values: Any) -> Items:
    return open_items(np.asarray(values), DataConfig(), cache=Path("unused"))


def fitted(items: Items, **settings: Any) -> Any:
    return fit_codec(items, DataConfig(**settings), range(len(items)))


# Sound


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_resampling_keeps_length_and_frequency(rate: int) -> None:
    seconds, hertz = 0.75, 440
    time = np.arange(round(seconds * rate)) / rate
    codec = AudioCodec(sample_rate=16000, level=1.0)
    x = codec.encode((np.sin(2 * np.pi * hertz * time), rate)).numpy()
    assert abs(len(x) - seconds * 16000) <= 1
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x)), 160_000))
    assert abs(spectrum.argmax() * 16000 / 160_000 - hertz) <= 0.1  # a bin of this transform
    # Away from the ends, where there is nothing beyond to filter, the level stays too.
    assert np.abs(x[1000:-1000]).max() == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("rate", [8000, 11_025, 44_100])
def test_pieces_are_the_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rate: int) -> None:
    samples = 0.1 * np.random.default_rng(0).standard_normal((30_000, 2))
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, rate, subtype="FLOAT")
    codec = AudioCodec(sample_rate=8000, level=1.0)
    at_once = soxr.resample(samples.astype(np.float32).mean(1), rate, 8000)
    monkeypatch.setattr("ensue.data.kinds.audio.recordings.BLOCK_VALUES", 2 * 1234)
    for raw in (Clip(path), (samples, rate)):
        pieces = list(codec.pieces(raw))
        assert len(pieces) > 1
        np.testing.assert_array_equal(torch.cat(pieces), codec.encode(raw))
        # The filter of a stream is summed in other blocks.
        np.testing.assert_allclose(torch.cat(pieces), at_once, rtol=0, atol=1e-6)


def test_channels_are_mixed_in_equal_parts(tmp_path: Path) -> None:
    left, right = np.full(100, 0.5), np.full(100, -0.25)
    both = np.stack([left, right], axis=1)
    soundfile.write(tmp_path / "both.wav", both, 8000, subtype="FLOAT")
    for raw in ((both, 8000), Clip(tmp_path / "both.wav")):
        assert PLAIN.encode(raw).tolist() == [0.125] * 100


def test_level_is_the_root_mean_square_of_all_samples(seed: int) -> None:
    rng = np.random.default_rng(seed)
    recordings = [0.1 * rng.standard_normal(n) for n in (400, 40, 4000)]
    codec = fitted(pairs(*recordings), sample_rate=8000)
    together = np.concatenate(recordings)
    # The samples are rounded to float32 first.
    assert codec.level == pytest.approx(math.sqrt((together**2).mean()), rel=1e-6)
    x = torch.cat([codec.encode((r, 8000)) for r in recordings])
    assert float(x.double().square().mean()) == pytest.approx(1, rel=1e-5)


def test_level_is_that_of_the_training_rows_alone() -> None:
    items = pairs(np.full(10, 0.5), np.full(10, 0.1), np.full(10, 0.5))
    codec = fit_codec(items, DataConfig(sample_rate=8000), [0, 2])
    assert isinstance(codec, AudioCodec)
    assert codec.level == pytest.approx(0.5, rel=1e-7)


def test_level_passes_over_what_can_not_be_read() -> None:
    codec = fitted(pairs(np.full(10, np.nan), np.full(10, 0.5)), sample_rate=8000)
    assert codec.level == pytest.approx(0.5, rel=1e-7)


@pytest.mark.parametrize(
    ("x", "reason"), [(np.zeros(10), "they are silent"), (np.full(10, np.inf), "NaN or infinite")]
)
def test_nothing_to_measure_the_level_on_is_an_error(x: np.ndarray, reason: str) -> None:
    with pytest.raises(DataError, match=rf"no training item can be used: .*{reason}"):
        fitted(pairs(x, x), sample_rate=8000)


def test_decoding_undoes_encoding_of_sound(seed: int) -> None:
    raw = np.random.default_rng(seed).uniform(-1, 1, 1000).astype(np.float32)
    codec = AudioCodec(sample_rate=8000, level=0.07)
    # One rounding by the division and one by the product.
    np.testing.assert_allclose(codec.decode(codec.encode((raw, 8000))), raw, rtol=2.5e-7)


def test_log_det_of_sound_is_that_of_its_matrix() -> None:
    codec = AudioCodec(sample_rate=8000, level=0.07)
    matrix = torch.stack([codec.encode((row, 8000)) for row in np.eye(12)])
    expected = float(torch.linalg.slogdet(matrix.double()).logabsdet)
    # The matrix has float32 entries.
    assert codec.log_det((np.zeros(12), 8000)) == pytest.approx(expected, rel=1e-6)


def test_window_is_the_setting_in_samples() -> None:
    assert PLAIN.window(DataConfig(window_seconds=0.25)) == 2000
    assert PLAIN.window(DataConfig(window_seconds=1e-9)) == 1
    assert PLAIN.facts() == {"sample_rate": 8000}


def test_clip_may_end_a_sample_after_the_file_and_no_later(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", seconds=0.5)
    assert len(PLAIN.encode(Clip(path, 0.25, 0.5 + 1 / 8000))) == 2000
    with pytest.raises(DataError, match=r"it ends at 9.0 s, and the file has 0.500 s"):
        PLAIN.encode(Clip(path, 0.25, 9.0))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ((np.array([0.0, np.nan]), 8000), "NaN or infinite"),
        ((np.array([0.0, -np.inf]), 16000), "NaN or infinite"),
        ((np.array([1e300]), 8000), "NaN or infinite"),
        ((np.array([]), 8000), "no samples"),
        ((np.zeros((0, 2)), 16000), "no samples"),
        ((np.zeros(1), 44100), "no samples"),
        ((np.zeros((2, 2, 2)), 8000), r"the shape \(2, 2, 2\)"),
        ((np.zeros(10), 0), "at 0 Hz"),
    ],
    ids=["nan", "inf", "overflow", "empty", "stereo", "short", "shape", "rate"],
)
def test_recording_that_can_not_be_used_says_why(raw: Any, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        PLAIN.encode(raw)


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_file_with_nan_says_so(tmp_path: Path, subtype: str) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.0, np.nan]), 8000, subtype=subtype)
    with pytest.raises(DataError, match="NaN or infinite"):
        PLAIN.encode(Clip(tmp_path / "a.wav"))


def test_file_without_samples_says_so(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 8000)
    with pytest.raises(DataError, match="no samples"):
        PLAIN.encode(Clip(tmp_path / "a.wav"))


@pytest.mark.parametrize("name", ["text.wav", "text.mp3", "text.raw"])
def test_file_that_is_no_sound_says_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="can't be read: "):
        PLAIN.encode(Clip(write_lines(tmp_path / name, "a line of text", "and another")))


def test_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        PLAIN.encode(Clip(tmp_path / "gone.wav"))


def test_clip_that_starts_after_the_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"starts at 0.2 s, after the end"):
        PLAIN.encode(Clip(write_sound(tmp_path / "a.wav", seconds=0.1), 0.2))


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_file_that_is_cut_short_says_so(tmp_path: Path, suffix: str) -> None:
    path = write_sound(tmp_path / f"a.{suffix}", seconds=2)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut short|lost sync|malformed"):
        PLAIN.encode(Clip(path))


def test_stretch_before_the_cut_can_be_read(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", seconds=1)
    before = PLAIN.encode(Clip(path, 0, 0.25))
    path.write_bytes(path.read_bytes()[:8000])
    assert torch.equal(PLAIN.encode(Clip(path, 0, 0.25)), before)


def test_header_of_a_stream_is_no_cut(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", seconds=1)
    whole, data = PLAIN.encode(Clip(path)), path.read_bytes()
    size = data.index(b"data") + 4
    path.write_bytes(data[:size] + b"\xff\xff\xff\xff" + data[size + 4 :])
    assert torch.equal(PLAIN.encode(Clip(path)), whole)


# Tables


def test_columns_are_standardized(seed: int) -> None:
    values = np.random.default_rng(seed).normal([5, -2e-15, 1.6e9], [2, 1e-15, 3], (50, 3))
    codec = fitted(table(values))
    x = torch.stack([codec.encode(row) for row in table(values).raw]).double()
    torch.testing.assert_close(x.mean(0), torch.zeros(3).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(x.std(0, correction=0), torch.ones(3).double(), atol=1e-6, rtol=0)
    assert codec.facts() == {"num_features": 3, "columns": ["x0", "x1", "x2"], "grid": ()}


def test_constant_columns_are_dropped_with_a_warning_and_come_back() -> None:
    items = table([[1.0, 0.1, 3.0], [2.0, 0.1, 3.0], [4.0, 0.1, 3.0]])
    with pytest.warns(UserWarning, match="constant columns aren't modelled: x1, x2"):
        codec = fitted(items)
    assert codec.encode(items.raw[0]).shape == (1,)
    back = codec.decode(codec.encode(items.raw[0]))
    assert back == pytest.approx({"x0": 1.0, "x1": 0.1, "x2": 3.0}, rel=1e-6)


def test_rows_with_gaps_do_not_count() -> None:
    codec = fitted(table([[1.0, 5.0], [np.nan, 1e9], [3.0, 7.0], [9e9, np.inf]]))
    assert codec.mean == (2.0, 6.0)
    assert codec.std == (1.0, 1.0)


def test_column_without_a_complete_row_is_named() -> None:
    with pytest.raises(ConfigError, match="every row has a missing value, most of them in 'x1'"):
        fitted(table([[1.0, np.nan], [2.0, np.nan]]))


def test_constant_table_is_an_error() -> None:
    with pytest.raises(ConfigError, match="every column is constant: x0, x1"):
        fitted(table([[1.0, 2.0], [1.0, 2.0]]))


def test_decoding_undoes_encoding_of_a_table(seed: int) -> None:
    items = table(np.random.default_rng(seed).normal(100, 3, (20, 4)))
    codec = fitted(items)
    for row in items.raw:
        # The code is float32 and of order 1, in units of 3.
        assert codec.decode(codec.encode(row)) == pytest.approx(row, abs=3e-6)


def test_columns_are_found_by_name() -> None:
    codec = TableCodec(columns=("a", "b"), mean=(0.0, 0.0), std=(1.0, 2.0))
    assert codec.encode({"c": 9.0, "b": 4.0, "a": 1.0}).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"a": 1.0}, r"the columns \['b'\] are missing"),
        ({"a": 1.0, "b": math.nan}, "missing or infinite in b"),
        ({"a": -math.inf, "b": None}, "missing or infinite in a, b"),
        ({"a": 1.0, "b": "tall"}, "a value is no number: .*'tall'"),
    ],
)
def test_row_that_can_not_be_used_says_why(row: dict[str, Any], reason: str) -> None:
    codec = TableCodec(columns=("a", "b"), mean=(0.0, 0.0), std=(1.0, 2.0))
    with pytest.raises(DataError, match=reason):
        codec.encode(row)


def test_log_det_of_a_table_is_that_of_its_jacobian(seed: int) -> None:
    items = table(np.random.default_rng(seed).normal(0, [1, 30, 0.01], (20, 3)))
    codec = fitted(items)

    def decoded(z: torch.Tensor) -> torch.Tensor:
        return torch.tensor(list(codec.decode(z).values()), dtype=torch.float64)

    # The map is affine: a difference over any step is its Jacobian, to rounding.
    origin = torch.zeros(3, dtype=torch.float64)
    jacobian = torch.stack([decoded(e) - decoded(origin) for e in torch.eye(3).double()])
    expected = -float(torch.linalg.slogdet(jacobian).logabsdet)
    assert codec.log_det(items.raw[0]) == pytest.approx(expected, rel=1e-12)


# Sound as tokens


def test_levels_lie_closer_where_sound_is_quiet() -> None:
    every = torch.arange(256)
    samples = samples_of(every)
    assert torch.equal(levels_of(samples), every.int())
    assert float(samples[0]) == pytest.approx(-1)
    assert float(samples[-1]) == pytest.approx(1)
    steps = samples.diff()
    assert (steps > 0).all()
    assert float(steps[127]) < float(steps[-1]) / 100
    torch.testing.assert_close(samples, -samples.flip(0))


def test_mu_law_errs_by_half_a_level_at_most(seed: int) -> None:
    x = 2 * torch.rand(5000) - 1
    error = (samples_of(levels_of(x)) - x).abs()
    # A level's width is the slope of the expansion, ln 256 (1 + 255 |x|) / 255, times 2 / 255.
    width = np.log(256) * (1 + 255 * x.abs()) / 255 * 2 / 255
    assert (error <= 0.52 * width).all()


def test_sound_as_tokens_has_its_ends_and_its_peak(tmp_path: Path) -> None:
    loud, quiet = np.full(9, -0.5, np.float32), np.full(30, 0.1, np.float32)
    items = open_items([(loud, 8000), (quiet, 8000)], DataConfig(), cache=tmp_path)
    codec = fit_codec(items, DataConfig(sample_rate=8000), [0, 1], name="mu_law")
    assert codec == MuLawCodec(sample_rate=8000, peak=0.5, longest=32)
    x = codec.encode(items.raw[0])
    assert x.tolist() == [256, *[0] * 9, 257]
    np.testing.assert_allclose(codec.decode(x), loud)
    given, known = codec.begun([codec.encode(raw) for raw in items.raw], 0.2)
    assert known.sum(1).tolist() == [1 + 2, 1 + 6]
    assert given[0, :3].tolist() == [256, 0, 0]
    for part in (0.01, 0.99):
        _, known = codec.begun([x], part)
        assert 2 <= int(known.sum()) < len(x) - 1
    for part in (0.0, 1.0, math.nan):
        with pytest.raises(ConfigError, match="something must be left"):
            codec.begun([x], part)


def test_sound_as_tokens_does_not_run_at_other_speeds(tmp_path: Path) -> None:
    items = open_items([(np.ones(9, np.float32), 8000)], DataConfig(), cache=tmp_path)
    with pytest.raises(ConfigError, match="speed_perturbation is for families that read"):
        fit_codec(items, DataConfig(speed_perturbation=0.1), [0], name="mu_law")


# The file


CODECS = [
    MuLawCodec(sample_rate=8000, peak=0.123456789, longest=9),
    AudioCodec(sample_rate=16000, level=0.1234567890123456789),
    TableCodec(columns=("a", "ü"), mean=(0.1, -1e9), std=(1 / 3, 2.0), constants={"c": 1e-30}),
    TableCodec(columns=("a",), mean=(0.0,), std=(1.0,)),
]


@pytest.mark.parametrize("codec", CODECS, ids=lambda c: type(c).__name__)
def test_loading_undoes_saving(tmp_path: Path, codec: Codec) -> None:
    save_codec(codec, tmp_path / "codec.json")
    assert load_codec(tmp_path / "codec.json") == codec
    assert [p.name for p in tmp_path.iterdir()] == ["codec.json"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": 2}, "format 2 and this version reads up to 1; upgrade"),
        ({"format": None}, "carries no format number"),
        ({"levl": 1.0}, "is damaged: codec: unknown setting 'levl': did you mean 'level'"),
        (
            {"kind": "smell"},
            r"of kind 'smell', not one of \['audio', 'image', 'levels', 'mu_law', 'question', ",
        ),
        ({"kind": ["audio"]}, "of kind"),
        ({"kind": None}, "of kind None"),
        ({"kind": "table"}, "codec.columns is missing"),
        ({"level": "loud"}, "is damaged: codec.level is 'loud': input should be a valid number"),
        ({"level": 0}, "is damaged: codec.level is 0: input should be greater than 0"),
    ],
)
def test_wrong_file_is_refused_with_the_reason(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    save_codec(PLAIN, tmp_path / "codec.json")
    values = json.loads((tmp_path / "codec.json").read_text())
    (tmp_path / "codec.json").write_text(json.dumps({**values, **changes}))
    with pytest.raises(CheckpointError, match=reason):
        load_codec(tmp_path / "codec.json")


@pytest.mark.parametrize("text", ['{"kind": "au', "", "[]", "3", "\xff"])
def test_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "codec.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError, match=r"codec\.json'"):
        load_codec(tmp_path / "codec.json")


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"can't read .*codec\.json"):
        load_codec(tmp_path / "codec.json")
