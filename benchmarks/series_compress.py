"""Logs of whole numbers in few bytes: the second half of each by a model of its first half.

``NAB`` holds the files of the Numenta Anomaly Benchmark. Beside it, of the same numbers: xz -9 of
the text and of 32-bit numbers, xz -9 of differences, and a linear prediction by the last values
(fitted on the first half, as FLAC has it of each block) with what it leaves in xz -9 or in Rice
codes. The network's own size is told, and isn't counted.
"""

import lzma
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.labelled import folder_of
from benchmarks.measure import save
from ensue import compress, decompress, train
from ensue.data.columns import read_columns

RECIPE = "series-causal"
FILES = ("nyc_taxi", "elb_request_count_8c0756", "Twitter_volume_KO", "Twitter_volume_AMZN")
ORDER = 32
MOST_BITS = 20


def xz(content: bytes) -> int:
    return len(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))


def packed(numbers: np.ndarray) -> int:
    """Bytes of whole numbers by xz: as 16 or 32 bits, by number or by byte, what is least."""
    small = np.abs(numbers).max() < 2**15
    plain = numbers.astype("<i2" if small else "<i4")
    planes = plain.view(np.uint8).reshape(len(plain), -1).T
    return min(xz(plain.tobytes()), xz(planes.tobytes()))


def rice(numbers: np.ndarray) -> int:
    """Bytes of whole numbers in Rice codes with the best parameter for each 256 of them."""
    unsigned = np.where(numbers < 0, -2 * numbers - 1, 2 * numbers)
    blocks = np.array_split(unsigned, max(1, len(unsigned) // 256))
    bits = [min(5 + int(((b >> k) + 1 + k).sum()) for k in range(MOST_BITS)) for b in blocks]
    return sum(bits) // 8 + 1


def residuals(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Of the second half what a linear prediction from the last values leaves, rounded."""

    def lags(x: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(x, ORDER)[:-1].astype(float)
        return np.c_[windows, np.ones(len(windows))]

    weights, *_ = np.linalg.lstsq(lags(first), first[ORDER:].astype(float), rcond=None)
    whole = np.concatenate([first[-ORDER:], second])
    return second - np.rint(lags(whole) @ weights).astype(np.int64)


def one(path: Path, place: Path) -> dict[str, Any]:
    x = np.array([round(float(cell)) for cell in read_columns(path)["value"].to_pylist()])
    first, second = x[: len(x) // 2], x[len(x) // 2 :]
    for name, part in (("first", first), ("second", second)):
        (place / name).mkdir(parents=True)
        text = "\n".join(["count", *map(str, part.tolist())]) + "\n"
        (place / name / "log.csv").write_text(text)
    options: dict[str, Any] = {"stamps": "ignore", "quiet": True, "num_threads": 1}
    begun = time.process_time()
    run = place / "run"
    train("causal", place / "first", out=run, recipe=RECIPE, **options)
    trained = time.process_time() - begun
    begun, archive = time.process_time(), place / "log.ensue"
    compress(run, place / "second", out=archive, quiet=True)
    seconds = time.process_time() - begun
    decompress(run, archive, out=place / "again", quiet=True)
    written = (place / "second" / "log.csv").read_bytes()
    assert (place / "again" / "log.csv").read_bytes() == written
    left = residuals(first, second)
    return {
        "numbers": len(second),
        "bytes": {
            "this run": archive.stat().st_size,
            "xz -9 of the text": xz(written),
            "xz -9 of the numbers": packed(second),
            "xz -9 of differences": packed(np.diff(second, prepend=0)),
            f"linear prediction of order {ORDER}, xz -9": packed(left),
            f"linear prediction of order {ORDER}, Rice codes": rice(left),
        },
        "bytes of the network": (run / "model" / "model.safetensors").stat().st_size,
        "training, CPU seconds": round(trained, 1),
        "compressing, CPU seconds": round(seconds, 1),
    }


def main(nab: str = "") -> None:
    folder, found = folder_of(nab, "ENSUE_NAB", "the Numenta Anomaly Benchmark"), {}
    for name in FILES:
        path = next(folder.rglob(f"{name}.csv"), None)
        if path is None:
            sys.exit(f"there is no {name}.csv in {str(folder)!r}")
        with tempfile.TemporaryDirectory() as place:
            found[name] = one(path, Path(place))
        save("series_compress", {"recipe": RECIPE, "files": found})


if __name__ == "__main__":
    main(*sys.argv[1:])
