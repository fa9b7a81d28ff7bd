"""Survey: read every item once, in blocks, and tell what it is like; one function per kind.

Nothing is stored and nothing is resampled: a survey says what a store of the items would hold.
"""

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile

from ensue.data.codecs import fit_codec
from ensue.data.codecs.audio import AudioCodec, read_clip
from ensue.data.config import DataConfig
from ensue.data.findings import Finding
from ensue.data.items import Clip, Items, Positions
from ensue.data.sources.table import Rows
from ensue.errors import DataError, EnsueError

BLOCK_SECONDS = 60.0
ITEMS_AT_ONCE = 1024
CLIPPED, NUM_CLIPPED = 0.999, 10
"""A recording clips when so many samples reach so much of full scale."""
SILENT = 1e-4
"""Root mean square below which nothing can be heard: -80 dB of full scale."""
MAX_DISCRETE = 20

Advance = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What the items are like.

    Attributes:
        steps: Steps of each item as a store would hold it; 0 where it can't be used.
        size: Steps of a training window; None where items are taken whole.
        rate: Steps a second; 1 where time has no unit.
        skipped: Items that can't be used, and why.
        digests: Of the content of each item; the empty text where it can't be read.
        facts: What is worth showing, by name.
        findings: What needs a decision.
    """

    steps: np.ndarray
    size: int | None
    rate: float
    skipped: tuple[tuple[str, str], ...]
    digests: tuple[str, ...]
    facts: dict[str, Any]
    findings: tuple[Finding, ...]


def survey(items: Items, config: DataConfig, train: Positions, advance: Advance) -> Survey:
    """Read all items, in as many threads as there are cores.

    Memory is bounded: a thread holds one minute of a recording at a time.

    Args:
        items: What to look at.
        config: Settings of the data.
        train: Positions of the training items.
        advance: Called with how many more items are done.
    """
    return SURVEYS[items.kind](items, config, train, advance)


@dataclass(frozen=True)
class _Heard:
    """One recording, read to its end; ``reason`` says why it can't be used, if it can't."""

    reason: str = ""
    rate: int = 0
    channels: int = 0
    frames: int = 0
    power: float = 0.0
    peak: float = 0.0
    clipped: int = 0
    digest: str = ""

    @property
    def seconds(self) -> float:
        return self.frames / self.rate if self.rate else 0.0


def _survey_audio(items: Items, config: DataConfig, train: Positions, advance: Advance) -> Survey:
    heard = list(_in_threads(_hear, items.raw, advance))
    steps = np.array([_resampled(h, config.sample_rate) for h in heard])
    reasons = [h.reason or ("" if n else "it has no samples") for h, n in zip(heard, steps)]  # noqa: B905
    good = [h for h, reason in zip(heard, reasons, strict=True) if not reason]
    seconds = np.array([h.seconds for h in good]) if good else np.zeros(1)
    facts = {
        "hours": float(seconds.sum() / 3600),
        "seconds": {
            "shortest": float(seconds.min()),
            "median": float(np.median(seconds)),
            "longest": float(seconds.max()),
        },
        "sample_rates": _counted(f"{h.rate} Hz" for h in good),
        "channels": _counted(str(h.channels) for h in good),
    }
    codec = AudioCodec(sample_rate=config.sample_rate, level=1.0)
    size = codec.window(config)
    power = sum(heard[row].power for row in train)
    refused = [] if power or not good else [Finding("refused", "all training items are silent")]
    return Survey(
        steps=np.where([not r for r in reasons], steps, 0),
        size=size,
        rate=config.sample_rate,
        skipped=_skipped(items, reasons),
        digests=tuple(h.digest for h in heard),
        facts=facts,
        findings=(*refused, *_findings_of_sound(good, config)),
    )


def _hear(raw: Any) -> _Heard:
    rate, channels, frames, power, peak, clipped = 0, 0, 0, 0.0, 0.0, 0
    digest = hashlib.sha256()
    try:
        for samples, rate in _blocks(raw):  # noqa: B007 (the last one is used below)
            x = samples if samples.ndim == 2 else samples[:, None]
            if not np.isfinite(x.mean(axis=1)).all():
                return _Heard(reason="it has NaN or infinite samples")
            size = np.abs(x)
            channels, frames = x.shape[1], frames + len(x)
            power += float(np.square(x.mean(axis=1), dtype=np.float64).sum())
            peak = max(peak, float(size.max(initial=0)))
            clipped += int((size >= CLIPPED).any(axis=1).sum())
            digest.update(np.ascontiguousarray(x).data)
    except DataError as error:
        return _Heard(reason=str(error))
    if not frames:
        return _Heard(reason="it has no samples")
    digest.update(f"{rate} {channels}".encode())
    return _Heard("", rate, channels, frames, power, peak, clipped, digest.hexdigest())


def _blocks(raw: Any) -> Iterator[tuple[np.ndarray, int]]:
    """A recording by the minute, read as the codec reads it and refused for what it refuses."""
    if not isinstance(raw, Clip):
        samples, rate = raw
        if np.ndim(samples) not in (1, 2) or rate <= 0:
            raise DataError(f"it has the shape {np.shape(samples)} at {rate} Hz")
        with np.errstate(over="ignore"):
            yield np.asarray(samples, dtype=np.float32), rate
        return
    last = _last_second(raw)
    start = raw.start
    while start + BLOCK_SECONDS < last:
        yield read_clip(Clip(raw.path, start, start + BLOCK_SECONDS))
        start += BLOCK_SECONDS
    yield read_clip(Clip(raw.path, start, raw.end))


def _last_second(clip: Clip) -> float:
    """Where a clip ends; 0 where only reading it can tell."""
    try:
        is_file = clip.path.is_file()
        seconds = soundfile.info(clip.path).duration if is_file else 0.0
    except (OSError, RuntimeError, TypeError):
        return 0.0
    return seconds if clip.end is None else min(clip.end, seconds)


def _resampled(heard: _Heard, rate: int) -> int:
    return round(heard.frames * rate / heard.rate) if heard.rate else 0


def _findings_of_sound(good: list[_Heard], config: DataConfig) -> list[Finding]:
    def some(level: Any, num: int, what: str) -> list[Finding]:
        return [Finding(level, f"{num:,} of {len(good):,} recordings {what}")] if num else []

    lower = sum(h.rate < config.sample_rate for h in good)
    short = sum(h.seconds < config.window_seconds for h in good)
    fate = "are padded" if config.short == "pad" else "are left out"
    return [
        *some("warning", sum(h.clipped >= NUM_CLIPPED for h in good), "clip; record them lower"),
        *some(
            "warning",
            sum(h.power < SILENT**2 * h.frames for h in good),
            "are silent; leave them out",
        ),
        *some(
            "note",
            lower,
            f"have a lower rate than {config.sample_rate} Hz and nothing above half of their own; "
            "--sample-rate sets it",
        ),
        *some(
            "note",
            short,
            f"are shorter than a window of {config.window_seconds:g} s and {fate}; "
            "--window-seconds sets it",
        ),
    ]


def _survey_table(items: Items, config: DataConfig, train: Positions, advance: Advance) -> Survey:
    table = items.raw
    assert isinstance(table, Rows)
    known = np.isfinite(table.values)
    missing = {c: int(n) for c, n in zip(table.columns, (~known).sum(0), strict=True) if n}
    kinds = {c: _distinct(table.values[:, j]) for j, c in enumerate(table.columns)}
    constants = [c for c, values in kinds.items() if len(values) == 1]
    modelled = [c not in constants for c in table.columns]
    gaps = ~known[:, modelled]
    names = np.array(table.columns)[modelled]
    reasons = [
        f"values are missing or infinite in {', '.join(names[row])}" if row.any() else ""
        for row in gaps
    ]
    advance(len(items))
    facts = {
        "columns": list(table.columns),
        "missing": missing,
        "constant": constants,
        "discrete": {
            c: len(v)
            for c, v in kinds.items()
            if 1 < len(v) <= MAX_DISCRETE and (v == np.round(v)).all()
        },
    }
    return Survey(
        steps=np.array([int(not r) for r in reasons]),
        size=None,
        rate=1.0,
        skipped=_skipped(items, reasons),
        digests=tuple(hashlib.sha256(row.tobytes()).hexdigest() for row in table.values),
        facts=facts,
        findings=tuple(_findings_of_table(items, config, train, facts)),
    )


def _findings_of_table(
    items: Items, config: DataConfig, train: Positions, facts: dict[str, Any]
) -> Iterator[Finding]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the constant columns are told below
            fit_codec(items, config, train)
    except EnsueError as error:
        yield Finding("refused", str(error))
    for column, num in facts["missing"].items():
        text = f"column {column!r} lacks {num:,} of {len(items):,} values"
        yield Finding("warning", f"{text}; fill them, or leave it out with --columns")
    for column in facts["constant"]:
        yield Finding("note", f"column {column!r} is constant and isn't modelled")
    for column, num in facts["discrete"].items():
        text = f"column {column!r} has {num} whole values only"
        yield Finding("warning", f"{text}: a density has no sense there; leave it out by --columns")


def _distinct(values: np.ndarray) -> np.ndarray:
    return np.unique(values[np.isfinite(values)])


def _skipped(items: Items, reasons: list[str]) -> tuple[tuple[str, str], ...]:
    return tuple((n, r) for n, r in zip(items.ids, reasons, strict=True) if r)


def _counted(values: Any) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _in_threads(do: Callable[[Any], Any], raws: Any, advance: Advance) -> Iterator[Any]:
    """The results in order, some items ahead and not all: a corpus may have millions."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for begin in range(0, len(raws), ITEMS_AT_ONCE):
            some = [raws[i] for i in range(begin, min(begin + ITEMS_AT_ONCE, len(raws)))]
            try:
                for result in pool.map(do, some):
                    advance(1)
                    yield result
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def same_content(digests: tuple[str, ...]) -> list[list[int]]:
    """Positions of items with one content, for each content that several have.

    Example:
        >>> same_content(("a", "b", "a", "", ""))
        [[0, 2]]
    """
    where: dict[str, list[int]] = {}
    for position, digest in enumerate(digests):
        if digest:
            where.setdefault(digest, []).append(position)
    return [positions for positions in where.values() if len(positions) > 1]


SURVEYS = {"audio": _survey_audio, "table": _survey_table}
