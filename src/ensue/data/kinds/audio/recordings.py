"""Recordings: files, and samples in memory, as blocks of float32 in the scale that files have.

A stretch of a file is what the whole file has there. Compressed sound can't be entered anywhere,
since what a decoder gives next depends on what it has read before. With libsndfile 1.2.2, over the
formats it writes at 8 to 48 kHz, a seek is exact in PCM, u-law, A-law and FLAC. In MP3 it is wrong
by up to 0.7, because the bits of a frame may lie in frames before it; in the last page of Vorbis
it lands some hundred samples away; in Opus it is wrong by up to 0.5. Those are entered earlier,
all other formats at their beginning, and all are read on without a seek.

Channels, resampling and level are not here.
"""

import math
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from ensue.data.arrays import are_numbers, as_array, is_array
from ensue.data.items import Clip
from ensue.data.kinds.audio.mp3 import length_of_mp3
from ensue.data.kinds.audio.samples import as_recording, as_samples, is_recording, scaled
from ensue.errors import DataError
from ensue.files import open_file, problem_of

BLOCK_VALUES = 2**20
"""Samples read at a time, all channels counted: 4 MiB."""
MP3_LEAD = 2**22
"""Samples decoded before a stretch of MP3. What begins earlier in the file is equal to the bit,
what begins later to 1.2e-7; the bits of a frame lie in at most 255 frames before it, 147,456
samples."""
OPUS_LEAD = 48_000
"""The same for Opus, which settles within 80 ms; from 4,800 samples on all are equal to the bit."""
VORBIS_BLOCK, OGG_PAGE = 8192, 65_307
"""The most samples of a block, and the most bytes of a page."""
Recording = Clip | tuple[Any, int]
Blocks = Iterator[tuple[np.ndarray, bool]]
"""Stretches of (samples,) or (samples, channels), and whether it is the last."""


def open_blocks(raw: Recording) -> tuple[int, Blocks]:
    """The sample rate of a recording, and its blocks as they were recorded.

    Args:
        raw: A stretch of a file; or (samples, rate) with samples of shape (S,) or (S, channels):
            fractions, or whole numbers of int8, uint8, int16 or int32, which are scaled as in a
            file, ``x / 32768`` for int16.

    Raises:
        DataError: It can't be read, or the scale of its samples isn't known; or, while blocks are
            read, it is damaged.

    Example:
        >>> rate, blocks = open_blocks((np.array([16384, -32768], np.int16), 8000))
        >>> rate, next(blocks)[0].tolist()
        (8000, [0.5, -1.0])
    """
    return _open(raw) if isinstance(raw, Clip) else _cut(*as_samples(raw))


def recording_of(value: Any, rate: int) -> Recording:
    """A recording as a user gives it: a path, samples and their rate, or samples alone.

    Args:
        value: What is given.
        rate: Hz of samples that come alone.

    Raises:
        DataError: It is something else, or the full scale of the samples isn't known.
    """
    if isinstance(value, str | Path):
        return Clip(Path(value))
    if isinstance(value, Clip):
        return value
    if is_recording(value):
        return as_recording(value)
    if not (is_array(value) and as_array(value).ndim in (1, 2)) and not are_numbers(value):
        raise DataError(
            f"an item is {value!r:.60}; give a path, a (samples, rate) pair, or samples at this "
            f"run's {rate:,} Hz"
        )
    return as_recording(value, rate)


def _cut(x: np.ndarray, rate: int) -> tuple[int, Blocks]:
    """Samples that are in memory already, as blocks."""
    size = max(BLOCK_VALUES // math.prod(x.shape[1:]), 1)
    starts = range(0, max(len(x), 1), size)
    return rate, ((scaled(x[i : i + size]), i + size >= len(x)) for i in starts)


class _Forward(soundfile.SoundFile):
    """A file that is read on from where it is.

    soundfile seeks after each read of a file that it can seek in, to where it is already; a
    decoder forgets by that what it has read, so that every block of MP3 would begin wrong.
    """

    def seekable(self) -> bool:
        return False

    @property
    def has_places(self) -> bool:
        """Return whether one can seek at all."""
        return super().seekable()


def _open(clip: Clip) -> tuple[int, Blocks]:
    if problem := problem_of(clip.path):
        raise DataError(f"it can't be read: {problem}")
    try:
        file = _Forward(clip.path)
    except (OSError, RuntimeError, TypeError) as error:
        # TypeError: soundfile takes a file that ends in .raw for samples without a header.
        raise DataError(f"it can't be read: {error}") from error
    return file.samplerate, _read(clip, file)


def _read(clip: Clip, file: _Forward) -> Blocks:
    with file:
        try:
            start, stop = _span(clip, file)
            size = max(BLOCK_VALUES // file.channels, 1)
            _go_to(start, file, clip.path, size)
            for first in range(start, max(stop, start + 1), size):
                num = min(size, stop - first)
                block = file.read(num, dtype="float32")
                if len(block) < num:
                    raise DataError("the file is cut short")
                yield block, first + size >= stop
        except (OSError, RuntimeError) as error:
            raise DataError(f"it can't be read: {error}") from error


def _go_to(start: int, file: _Forward, path: Path, size: int) -> None:
    """Decode up to ``start``, from where that gives what the whole file has."""
    at = _entry(file, path, start) if file.has_places else 0
    if at:
        file.seek(at)
    while at < start:
        num = len(file.read(min(size, start - at), dtype="float32"))
        if not num:
            raise DataError("the file is cut short")
        at += num


def _entry(file: _Forward, path: Path, start: int) -> int:
    """Where to begin to decode."""
    kind = file.subtype
    if kind.startswith("PCM_") or kind in ("FLOAT", "DOUBLE", "ULAW", "ALAW"):
        return start
    if kind.startswith("MPEG_"):
        return max(start - MP3_LEAD, 0)
    if kind == "OPUS":
        return max(start - OPUS_LEAD, 0)
    return min(start, _before_last_page(path)) if kind == "VORBIS" else 0


def _before_last_page(path: Path) -> int:
    """A sample before the last page of an Ogg file; 0 where none is known.

    A page begins with ``OggS``, a version and flags, and says at its 6th byte how many samples
    the stream has up to its end, -1 where no packet ends in it (RFC 3533, section 6).
    """
    with open_file(path) as file:
        file.seek(-min(path.stat().st_size, 3 * OGG_PAGE), 2)
        tail = file.read()
    pages = [match.start() for match in re.finditer(rb"OggS\0[\0-\7]", tail)][:-1]
    ends = [struct.unpack_from("<q", tail, page + 6)[0] for page in pages if page + 14 < len(tail)]
    return max((end - VORBIS_BLOCK for end in ends if end > VORBIS_BLOCK), default=0)


def _span(clip: Clip, file: _Forward) -> tuple[int, int]:
    """First sample and the one after the last."""
    rate = file.samplerate
    start = round(clip.start * rate)
    length = _length(file, clip.path)
    stop = length if clip.end is None else round(clip.end * rate)
    if start >= length and length:
        raise DataError(f"it starts at {clip.start} s, after the end of the file")
    # Manifests round to hundredths of a second.
    if stop > length + rate / 100:
        raise DataError(f"it ends at {clip.end} s, and the file has {length / rate:.3f} s")
    if _is_cut(file) and (clip.end is None or stop > length):
        raise DataError("the file is cut short")
    stop = min(stop, length)
    if stop > file.frames:
        raise DataError(
            f"it has {length / rate:.2f} s, of which {file.frames / rate:.2f} s can be read, since "
            "no header tells its length; copy it into a file with one, ffmpeg -i IN -c copy OUT"
        )
    return start, stop


def _length(file: _Forward, path: Path) -> int:
    """Samples of a file. Of an MP3 that doesn't tell it, libsndfile says an estimate."""
    counted = length_of_mp3(path) if file.subtype.startswith("MPEG_") else None
    return file.frames if counted is None else counted


def _is_cut(file: _Forward) -> bool:
    """Return whether a WAV file is shorter than its header says; libsndfile adds silence.

    A recorder that couldn't know the size writes the largest there is, which is no fault.
    """
    found = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    return found is not None and int(found[2]) < int(found[1]) < 0x7FFF0000
