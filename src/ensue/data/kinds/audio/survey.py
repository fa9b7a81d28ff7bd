"""The survey of sound: durations, rates, channels, levels, and recordings that come twice."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ensue.data.config import DataConfig
from ensue.data.items import Items
from ensue.data.kinds.audio.recordings import Recording, open_blocks
from ensue.data.surveyed import Surveyed
from ensue.errors import DataError

SILENT, CLIPPED, CLIPPED_SHARE = 1e-4, 0.999, 0.001
LOUD = 2.0
"""Times full scale; resampled files and those of floats may lie a little above 1."""
LITTLE_SECONDS = 600
NAMED = 3


@dataclass(frozen=True)
class Sound:
    """One recording: its length, form and level, and a fingerprint of its samples."""

    item: str
    seconds: float
    rate: int
    channels: int
    peak: float
    clipped: float
    digest: bytes


def survey_sound(items: Items, config: DataConfig, on_item: Callable[[], None]) -> Surveyed:
    """Every recording, read in threads."""

    def examine(item: str, raw: Recording) -> Sound | tuple[str, str]:
        try:
            return _listen(item, raw)
        except DataError as error:
            return item, str(error)
        finally:
            on_item()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            found = list(pool.map(examine, items.ids, items.raw))
        finally:
            pool.shutdown(cancel_futures=True)
    sounds = [s for s in found if isinstance(s, Sound)]
    return Surveyed(
        facts=_facts(sounds, config),
        unreadable=[s for s in found if not isinstance(s, Sound)],
        findings=_findings(sounds, config) if sounds else [],
        seconds={s.item: s.seconds for s in sounds},
        wants_groups=True,
    )


def _listen(item: str, raw: Recording) -> Sound:
    rate, blocks = open_blocks(raw)
    num, channels, peak, clipped, digest = 0, 1, 0.0, 0, hashlib.blake2b(digest_size=16)
    for block, _ in blocks:
        if not np.isfinite(block).all():
            raise DataError("it has NaN or infinite samples")
        loudness = np.abs(block)
        num, channels = num + len(block), 1 if block.ndim == 1 else block.shape[1]
        peak = max(peak, float(loudness.max(initial=0)))
        clipped += int((loudness >= CLIPPED).sum())
        digest.update(np.ascontiguousarray(block).data)
    if not num:
        raise DataError("it has no samples")
    return Sound(
        item, num / rate, rate, channels, peak, clipped / (num * channels), digest.digest()
    )


def _facts(sounds: list[Sound], config: DataConfig) -> list[tuple[str, str]]:
    if not sounds:
        return []
    seconds = np.array([s.seconds for s in sounds])
    window = config.window_seconds
    return [
        ("total", _duration(float(seconds.sum()))),
        (
            "shortest, median, longest",
            ", ".join(_duration(float(q)) for q in np.quantile(seconds, [0, 0.5, 1])),
        ),
        ("sample rates", _counted(Counter(f"{s.rate:,} Hz" for s in sounds))),
        ("channels", _counted(Counter(str(s.channels) for s in sounds))),
        (
            f"windows of {window:g} s in an epoch",
            f"{int(np.maximum(seconds // window, 1).sum()):,}",
        ),
    ]


def _findings(sounds: list[Sound], config: DataConfig) -> list[str]:
    findings = []
    rates = Counter(s.rate for s in sounds)
    if max(rates) < config.sample_rate:
        findings.append(
            f"no recording has more than {max(rates):,} Hz and sample_rate is "
            f"{config.sample_rate:,}; --sample-rate {max(rates)} saves time and loses nothing"
        )
    elif len(rates) > 1:
        findings.append(
            f"sample rates differ; all are resampled to {config.sample_rate:,} Hz, and what was "
            "recorded at less lacks the high tones: a model can tell the recorders apart by that"
        )
    total = sum(s.seconds for s in sounds)
    if total < LITTLE_SECONDS:
        findings.append(f"{_duration(total)} of sound is little to learn from; ten minutes is more")
    short = [s for s in sounds if s.seconds < config.window_seconds]
    if short:
        findings.append(
            f"shorter than a window of {config.window_seconds:g} s: {len(short)} of {len(sounds)}; "
            f"they are {'padded' if config.short == 'pad' else 'left out'} (short {config.short})"
        )
    return [*findings, *_levels(sounds), *_twice(sounds)]


def _levels(sounds: list[Sound]) -> list[str]:
    findings = []
    silent = [s.item for s in sounds if s.peak < SILENT]
    if silent:
        findings.append(f"silent: {len(silent)} of {len(sounds)} ({_some(silent)}); remove them")
    loud = [s.item for s in sounds if s.peak > LOUD]
    if loud:
        highest = max(s.peak for s in sounds)
        findings.append(
            f"louder than full scale: {len(loud)} of {len(sounds)} ({_some(loud)}), up to "
            f"{highest:,.5g}, where files are within 1; whole numbers made fractions? divide them "
            "by their full scale, 32768 of int16"
        )
    clipped = [s.item for s in sounds if s.clipped > CLIPPED_SHARE and s.peak <= LOUD]
    if clipped:
        findings.append(
            f"clipped, with more than {CLIPPED_SHARE:.1%} of the samples at full scale: "
            f"{len(clipped)} of {len(sounds)} ({_some(clipped)}); lower the recording level"
        )
    return findings


def _twice(sounds: list[Sound]) -> list[str]:
    first: dict[bytes, str] = {}
    twice = [
        (s.item, first[s.digest]) for s in sounds if first.setdefault(s.digest, s.item) != s.item
    ]
    if not twice:
        return []
    pairs = _some([f"{a} = {b}" for a, b in twice])
    return [
        f"with the same samples as another: {len(twice)} ({pairs}); remove them, or they may be "
        "in training and test at once"
    ]


def _counted(counts: Counter) -> str:
    return ", ".join(f"{name} ({num:,})" for name, num in counts.most_common())


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")


def _duration(seconds: float) -> str:
    """
    >>> _duration(0.25), _duration(75), _duration(4000)
    ('0.25 s', '1 min 15 s', '1 h 6 min')
    """
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min {rest} s"
