"""The length of an MP3 whose header doesn't tell it, counted frame by frame (ISO 11172-3, 2.4.1).

libsndfile takes the count of frames from the tag that most encoders write into the first frame.
Without one it guesses from the size of the file and the first frames, which is wrong by any factor
where the bit rate varies.
"""

import mmap
from pathlib import Path

from ensue.files import open_file

BIT_RATES = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""kbit/s by version, 3 MPEG-1 and 2 MPEG-2; 0, MPEG-2.5, is as 2."""
SAMPLE_RATES = {
    3: (44100, 48000, 32000),
    2: (22050, 24000, 16000),
    0: (11025, 12000, 8000),
}
APE = b"APETAGEX"
TAGS = (b"Xing", b"Info", b"VBRI")
LAYER_3 = 1
LARGEST = 1442
"""Bytes of a frame at most; less is left after the last: a tag ID3v1, or a frame that is cut."""


def length_of_mp3(path: Path) -> int | None:
    """Samples of an MP3 without a tag that says how many frames it has; None where it has one.

    None as well where that can't be counted: other layers, bit rates of no table, no frame.
    """
    if not path.stat().st_size:
        return None
    with open_file(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at, total = _after_id3(data), 0
        first = _frame(data, at)
        if first is None or any(tag in data[at : at + first[0]] for tag in TAGS):
            return None
        while (frame := _frame(data, at)) is not None and at + frame[0] <= len(data):
            at, total = at + frame[0], total + frame[1]
        ended = len(data) - at < LARGEST or data[at : at + len(APE)] == APE
        return total if ended else None


def _after_id3(data: mmap.mmap) -> int:
    """Where the sound begins: an ID3 tag says its size in four bytes of seven bits."""
    if data[:3] != b"ID3":
        return 0
    return 10 + sum(byte << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))


def _frame(data: mmap.mmap, at: int) -> tuple[int, int] | None:
    """Bytes and samples of the frame of layer III at a place, None if there is none."""
    head = data[at : at + 4]
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    rate_bits, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer != LAYER_3 or rate == 3 or not 0 < rate_bits < 15:
        return None
    samples = 1152 if version == 3 else 576
    bits = BIT_RATES[min(version | 2, 3)][rate_bits] * 1000
    size = samples // 8 * bits // SAMPLE_RATES[version][rate] + (head[2] >> 1 & 1)
    return size, samples
