"""Sound is what was recorded: a stretch is that of the whole file, whole numbers have a scale."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ensue
from ensue.data.config import DataConfig
from ensue.data.items import Clip
from ensue.data.kinds.audio.codec import AudioCodec
from ensue.data.kinds.audio.mu_law import MuLawCodec
from ensue.data.kinds.audio.recordings import open_blocks
from ensue.data.kinds.audio.survey import survey_sound
from ensue.data.sources import open_items
from ensue.errors import DataError

ROUNDING = 2e-7
"""One and a half units in the last place of float32 at 1.0."""
FORMATS: dict[str, tuple[str, str, int, int, dict[str, Any]]] = {
    **{
        f"{end} {subtype} {rate} {channels}": (end, subtype, rate, channels, {})
        for end, subtypes in {
            "wav": ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"),
            "flac": ("PCM_S8", "PCM_16", "PCM_24"),
            "ogg": ("VORBIS", "OPUS"),
            "aiff": ("PCM_16",),
            "caf": ("ALAC_16",),
        }.items()
        for subtype in subtypes
        for rate, channels in ((8000, 1), (48000, 2))
    },
    **{
        f"wav {subtype}": ("wav", subtype, 8000, 1, {})
        for subtype in ("IMA_ADPCM", "MS_ADPCM", "GSM610", "G721_32", "NMS_ADPCM_32")
    },
    **{
        f"mp3 {mode} {level} {rate} {channels}": (
            "mp3",
            "MPEG_LAYER_III",
            rate,
            channels,
            {"bitrate_mode": mode, "compression_level": level},
        )
        for mode in ("CONSTANT", "AVERAGE", "VARIABLE")
        for level in (0.0, 0.6, 0.99)
        for rate, channels in ((8000, 1), (24000, 2), (44100, 2), (48000, 1))
    },
}


def written(path: Path, name: str, seconds: float, seed: int = 0) -> Path:
    """Tones and bursts of noise, so that frames of a variable bit rate differ in size."""
    end, subtype, rate, channels, options = FORMATS[name]
    rng, num = np.random.default_rng(seed), round(seconds * rate)
    time = np.arange(num) / rate
    tone = 0.2 * np.sin(2 * np.pi * (300 + 40 * time) * time)
    bursts = 0.1 * rng.standard_normal((num, channels)) * (np.sin(9 * time) > 0)[:, None]
    path = path / f"x.{end}"
    form = {"ogg": "OGG"}.get(end, end.upper())
    with soundfile.SoundFile(
        path, "w", rate, channels, format=form, subtype=subtype, **options
    ) as file:
        for block in np.array_split(tone[:, None] + bursts, max(num // 4096, 1)):
            file.write(block)
    return path


def stretch(path: Path, start: int, stop: int | None, rate: int) -> np.ndarray:
    clip = Clip(path, start / rate, None if stop is None else stop / rate)
    return np.concatenate([block for block, _ in open_blocks(clip)[1]])


@pytest.fixture(scope="module", params=FORMATS)
def whole(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, np.ndarray, int]:
    """A file of three seconds, and what libsndfile reads of it from beginning to end."""
    path = written(tmp_path_factory.mktemp("sound"), request.param, 3)
    with soundfile.SoundFile(path) as file:
        return path, file.read(file.frames, dtype="float32"), file.samplerate


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_stretch_is_that_of_the_whole_file(
    whole: tuple[Path, np.ndarray, int], data: st.DataObject
) -> None:
    path, samples, rate = whole
    num = len(samples)
    last_tenth = st.integers(num * 9 // 10, num - 1)
    start = data.draw(st.one_of(st.integers(0, num - 1), last_tenth))
    stop = data.draw(st.integers(start + 1, num))
    np.testing.assert_array_equal(stretch(path, start, stop, rate), samples[start:stop])


def test_whole_file_is_read_whole(whole: tuple[Path, np.ndarray, int]) -> None:
    path, samples, rate = whole
    np.testing.assert_array_equal(stretch(path, 0, None, rate), samples)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("mp3 VARIABLE 0.6 48000 1", 95), ("ogg VORBIS 48000 2", 12), ("ogg OPUS 48000 2", 12)],
)
def test_long_file_and_a_stretch_far_into_it_are_what_they_are(
    tmp_path: Path, name: str, seconds: float
) -> None:
    """Across blocks, and where MP3 isn't decoded from the beginning and sums group otherwise."""
    path = written(tmp_path, name, seconds)
    with soundfile.SoundFile(path) as file:
        samples, rate = file.read(file.frames, dtype="float32"), file.samplerate
    np.testing.assert_array_equal(stretch(path, 0, None, rate), samples)
    for start in (len(samples) - 3 * rate, len(samples) - 777):
        found = stretch(path, start, None, rate)
        np.testing.assert_allclose(found, samples[start:], atol=ROUNDING, rtol=0)


@pytest.mark.parametrize("end", ["wav", "mp3", "ogg"])
def test_pieces_of_a_stretch_are_resampled_as_the_same_samples(tmp_path: Path, end: str) -> None:
    name = next(n for n in FORMATS if n.startswith(end) and "48000" in n)
    path, codec = written(tmp_path, name, 3), AudioCodec(sample_rate=16000, level=0.7)
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    found = torch.cat(list(codec.pieces(Clip(path, 1.25, 2.5))))
    torch.testing.assert_close(found, codec.encode((samples[rate * 5 // 4 : rate * 5 // 2], rate)))


def test_manifest_of_stretches_holds_what_the_whole_file_has(tmp_path: Path) -> None:
    path = written(tmp_path, "mp3 VARIABLE 0.6 24000 2", 3)
    (tmp_path / "stretches.csv").write_text("path,start,end\nx.mp3,0.5,1\nx.mp3,1.5,2.75\n")
    config = DataConfig(sample_rate=24000)
    items = open_items(tmp_path / "stretches.csv", config, cache=tmp_path)
    codec = AudioCodec(sample_rate=24000, level=1.0)
    whole = codec.encode(Clip(path))
    for raw, (start, stop) in zip(items.raw, ((0.5, 1), (1.5, 2.75)), strict=True):
        begin, end = (round(t * 24000) for t in (start, stop))
        assert torch.equal(codec.encode(raw), whole[begin:end])


def without_tag(path: Path) -> Path:
    """The same MP3 without its first frame, whose tag tells how many frames there are."""
    data = path.read_bytes()
    tag = max(data.find(b"Xing"), data.find(b"Info"))
    assert 0 <= tag < 100
    sync = bytes([0xFF, data[1]])
    path.write_bytes(data[data.index(sync, tag) :])
    return path


def mp3(path: Path, mode: str, loud: slice) -> Path:
    noise = np.zeros(44100 * 8)
    noise[loud] = 0.3 * np.random.default_rng(0).standard_normal(len(noise[loud]))
    options = {"bitrate_mode": mode, "compression_level": 0.3}
    soundfile.write(path / "x.mp3", noise, 44100, **options)
    return without_tag(path / "x.mp3")


@pytest.mark.parametrize(
    ("mode", "loud"),
    [("CONSTANT", slice(None)), ("VARIABLE", slice(44100 * 4, None))],
)
def test_mp3_that_does_not_tell_its_length_is_read_to_its_end(
    tmp_path: Path, mode: str, loud: slice
) -> None:
    """libsndfile guesses more than there is; all that is there is read."""
    path = mp3(tmp_path, mode, loud)
    samples = stretch(path, 0, None, 44100)
    assert len(samples) == pytest.approx(44100 * 8, abs=2 * 1152)
    np.testing.assert_array_equal(stretch(path, 44100 * 5, None, 44100), samples[44100 * 5 :])


def test_mp3_of_which_the_end_can_not_be_read_is_refused(tmp_path: Path) -> None:
    """libsndfile guesses less than there is, and would leave the rest out."""
    path = mp3(tmp_path, "VARIABLE", slice(44100 * 4))
    with pytest.raises(DataError, match=r"8\.0\d s, of which \d\.\d+ s can be read"):
        stretch(path, 0, None, 44100)


# Whole numbers


WHOLE = {"PCM_U8": "uint8", "PCM_S8": "int8", "PCM_16": "int16", "PCM_32": "int32"}


def of_type(name: str, fractions: np.ndarray) -> np.ndarray:
    """Fractions as whole numbers: two's complement, but unsigned 8 bits count from 128."""
    info = np.iinfo(name)
    full = (info.max - info.min + 1) / 2
    values = np.clip(np.round(fractions * full), -full, full - 1)
    return (values + (full if info.min == 0 else 0)).astype(name)


@given(
    subtype=st.sampled_from(list(WHOLE)),
    channels=st.sampled_from([0, 1, 2]),
    order=st.sampled_from(["=", ">", "<"]),
    fractions=st.lists(st.floats(-1, 1), min_size=6, max_size=30),
)
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_whole_numbers_are_scaled_as_those_of_a_file(
    tmp_path: Path, subtype: str, channels: int, order: str, fractions: list[float]
) -> None:
    samples = of_type(WHOLE[subtype], np.array(fractions))
    if channels:
        samples = np.stack([samples, samples[::-1]][:channels], axis=1)
    path = tmp_path / ("x.flac" if subtype == "PCM_S8" else "x.wav")
    # As wider numbers with the same upper bits, which is how libsndfile takes them.
    wide = (samples.astype(np.int64) - (128 if subtype == "PCM_U8" else 0)) << (
        32 - 8 * samples.dtype.itemsize
    )
    soundfile.write(path, wide.astype(np.int32), 8000, subtype=subtype)
    codec = AudioCodec(sample_rate=8000, level=1.0)
    own = samples.astype(samples.dtype.newbyteorder(order))
    torch.testing.assert_close(
        codec.encode((own, 8000)), codec.encode(Clip(path)), atol=ROUNDING, rtol=0
    )


NO_SCALE = [
    *(np.zeros(50, name) for name in ("int64", "uint16", "uint32", "uint64", "bool")),
    *(np.zeros(50, complex), np.zeros(50, object), np.array(["1"] * 50)),
    [0, 1, 2] * 9,
    torch.zeros(50, dtype=torch.int64),
]


@pytest.mark.parametrize("samples", NO_SCALE, ids=lambda x: str(getattr(x, "dtype", type(x))))
def test_samples_of_no_known_scale_are_refused(samples: Any, cpc_run: Path) -> None:
    says = r"full scale isn't known; give fractions, such as x / 32768, or one of int8, uint8"
    with pytest.raises(DataError, match=says):
        AudioCodec(sample_rate=8000, level=1.0).encode((samples, 8000))
    with pytest.raises(DataError, match=says):
        ensue.load(cpc_run).embed([(samples, 8000)])
    with pytest.raises(DataError, match=says):
        open_items([(samples, 8000)], DataConfig(), cache=Path())


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str
)
def test_fractions_are_taken_as_they_are(dtype: torch.dtype) -> None:
    x = torch.linspace(-1.5, 1.5, 33).to(dtype).requires_grad_()
    found = AudioCodec(sample_rate=8000, level=1.0).encode((x, 8000))
    assert torch.equal(found, x.detach().float())


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_masked_samples_are_refused(dtype: str, cpc_run: Path) -> None:
    """What a mask hides isn't sound, and what stands for it isn't known."""
    masked = np.ma.masked_greater(np.arange(9000).astype(dtype), 5)
    with pytest.raises(DataError, match=r"samples are masked; fill them first"):
        ensue.load(cpc_run).embed([(masked, 8000)])
    with pytest.raises(DataError, match=r"samples are masked; fill them first"):
        open_items([(masked, 8000)], DataConfig(), cache=Path())


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ((np.zeros(50), "8000"), r"\(samples, rate\)"),
        ((np.zeros(50), float("nan")), "the rate in whole Hz"),
        ((np.zeros((2, 16000)), 8000), r"\(2, 16000\).*give \(samples,\) or \(samples, channels\)"),
        (([[1.0], [2.0, 3.0]], 8000), r"\(samples, rate\)"),
    ],
    ids=["text", "nan", "channels first", "ragged"],
)
def test_what_is_no_recording_is_refused(raw: Any, says: str, cpc_run: Path) -> None:
    with pytest.raises(DataError, match=says):
        ensue.load(cpc_run).embed([raw])
    with pytest.raises(DataError, match=says):
        open_items([raw], DataConfig(), cache=Path())


def numbers(num: int = 8) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [(3000 * rng.standard_normal(6000)).astype(np.int16) for _ in range(num)]


def files_of(folder: Path, recordings: list[np.ndarray]) -> Path:
    folder.mkdir()
    for i, x in enumerate(recordings):
        soundfile.write(folder / f"{i:06d}.wav", x, 8000)
    return folder


def test_use_of_whole_numbers_is_that_of_their_file(cpc_run: Path, tmp_path: Path) -> None:
    recordings, run = numbers(3), ensue.load(cpc_run)
    paths = sorted(files_of(tmp_path / "files", recordings).iterdir())
    pairs = [(x, 8000) for x in recordings]
    for verb in (run.embed, run.score):
        np.testing.assert_allclose(verb(pairs), verb(paths), atol=1e-6)
    np.testing.assert_allclose(run.frames(pairs[0]), run.frames(paths[0]), atol=1e-6)


def test_training_on_whole_numbers_is_that_on_their_files(tmp_path: Path) -> None:
    """Both codecs: level and peak are those of the files."""
    recordings = numbers()
    folder = files_of(tmp_path / "files", recordings)
    settings_ = {"sample_rate": 8000, "window_seconds": 0.3, "max_steps": 2, "warmup_steps": 1}
    sizes = {"channels": 8, "context_size": 6, "horizon": 2, "num_mels": 10, "num_negatives": 4}
    common = {**settings_, **sizes, "batch_size": 2, "quiet": True}
    for data, name in (([(x, 8000) for x in recordings], "arrays"), (folder, "paths")):
        ensue.train("cpc", data, out=tmp_path / name, **common)
    arrays, paths = (ensue.load(tmp_path / name) for name in ("arrays", "paths"))
    assert arrays.codec == paths.codec
    for name, weights in paths.model.state_dict().items():
        assert torch.equal(arrays.model.state_dict()[name], weights), name
    config = DataConfig(sample_rate=8000)
    rows = range(len(recordings))
    fitted = [
        MuLawCodec.fit(open_items(data, config, cache=tmp_path), config, rows)
        for data in ([(x, 8000) for x in recordings], folder)
    ]
    assert fitted[0] == fitted[1]


def test_check_says_where_fractions_are_louder_than_full_scale(tmp_path: Path) -> None:
    """As whole numbers that were only made floats are."""
    pairs = [(x.astype(np.float32), 8000) for x in numbers()]
    items = open_items(pairs, DataConfig(sample_rate=8000), cache=tmp_path)
    findings = survey_sound(items, DataConfig(sample_rate=8000), lambda: None).findings
    said = [f for f in findings if "full scale" in f]
    assert re.search(r"louder than full scale: 8 of 8 .*divide", said[0])
    assert not any(f.startswith("clipped") for f in findings)
