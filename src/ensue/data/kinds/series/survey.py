"""The survey of series: rates, lengths, gaps, drift, and channels that say nothing new."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ensue.data.config import DataConfig
from ensue.data.items import Items
from ensue.data.kinds.series.record import Record, read
from ensue.data.surveyed import Surveyed, repeated
from ensue.errors import DataError

NAMED = 4
ALIKE = 0.99999
"""Correlation from which two channels are the same up to a factor."""
DRIFT = 2.0
"""Deviations between the means of the first and the last fifth of the steps."""
FEWEST_FOR_DRIFT = 50
GAP_SHARE, OFTEN = 0.01, 0.5


@dataclass(frozen=True)
class Looked:
    """One series: its form, what is missing, and sums to judge its channels by."""

    item: str
    steps: int
    rate: float | None
    channels: tuple[str, ...]
    left_out: tuple[str, ...]
    missing: np.ndarray
    low: np.ndarray
    high: np.ndarray
    drift: np.ndarray
    pairs: frozenset[tuple[str, str]]
    digest: bytes


def survey_series(items: Items, config: DataConfig, on_item: Callable[[], None]) -> Surveyed:
    """Every series, one after another."""
    looked, unreadable = [], []
    for item, raw in zip(items.ids, items.raw, strict=True):
        try:
            looked.append(_look(item, read(raw)))
        except DataError as error:
            unreadable.append((item, str(error)))
        finally:
            on_item()
    return Surveyed(
        facts=_facts(looked),
        unreadable=unreadable,
        findings=_findings(looked) if looked else [],
        seconds={one.item: one.steps / one.rate for one in looked if one.rate},
        wants_groups=False,
    )


def _look(item: str, record: Record) -> Looked:
    x = record.values
    known = ~np.isnan(x)
    low = np.where(known, x, np.inf).min(0)
    high = np.where(known, x, -np.inf).max(0)
    return Looked(
        item=item,
        steps=len(x),
        rate=record.rate,
        channels=record.channels,
        left_out=record.left_out,
        missing=(~known).sum(0),
        low=low,
        high=high,
        drift=_drift(x),
        pairs=_alike(x, record.channels),
        digest=hashlib.blake2b(np.ascontiguousarray(x).tobytes(), digest_size=16).digest(),
    )


def _drift(x: np.ndarray) -> np.ndarray:
    """By channel, how far the mean of the last fifth lies from that of the first, in deviations."""
    if len(x) < FEWEST_FOR_DRIFT:
        return np.zeros(x.shape[1])
    fifth = len(x) // 5
    first, last = x[:fifth], x[-fifth:]
    with np.errstate(all="ignore"):
        deviation = np.sqrt((_variance(first) + _variance(last)) / 2)
        apart = np.abs(_mean(last) - _mean(first))
        return np.nan_to_num(np.where(apart > 0, apart / deviation, 0.0), posinf=np.inf)


def _mean(x: np.ndarray) -> np.ndarray:
    known = ~np.isnan(x)
    return np.where(known, x, 0).sum(0) / known.sum(0)


def _variance(x: np.ndarray) -> np.ndarray:
    return _mean((x - _mean(x)) ** 2)


def _alike(x: np.ndarray, channels: tuple[str, ...]) -> frozenset[tuple[str, str]]:
    """Pairs of channels that are the same up to a factor and a shift, where nothing is missing."""
    whole = [c for c in range(x.shape[1]) if not np.isnan(x[:, c]).any() and np.ptp(x[:, c]) > 0]
    if len(whole) < 2 or len(x) < 3:
        return frozenset()
    related = np.abs(np.corrcoef(x[:, whole].T))
    pairs = np.argwhere(np.triu(related >= ALIKE, 1))
    names = [channels[c] for c in whole]
    return frozenset((names[i], names[j]) for i, j in pairs.tolist())


def _facts(looked: list[Looked]) -> list[tuple[str, str]]:
    if not looked:
        return []
    steps = np.array([one.steps for one in looked])
    shortest, median, longest = (f"{int(q):,}" for q in np.quantile(steps, [0, 0.5, 1]))
    names = Counter(one.channels for one in looked).most_common(1)[0][0]
    missing = sum(int(one.missing.sum()) for one in looked)
    total = sum(one.steps * len(one.channels) for one in looked)
    return [
        ("steps", f"{int(steps.sum()):,}"),
        ("shortest, median, longest", f"{shortest}, {median}, {longest} steps"),
        ("channels", f"{len(names)}: {_some(names)}"),
        ("rates", _counted(Counter(map(_rate, looked)))),
        ("missing values", f"{missing / total:.1%}" if missing else "none"),
    ]


def _rate(one: Looked) -> str:
    if one.rate is None:
        return "none, time has no unit"
    if one.rate < 1:
        return f"a step each {1 / one.rate:.6g} s"
    return f"{one.rate:.6g} steps a second"


def _findings(looked: list[Looked]) -> list[str]:
    left_out = sorted({name for one in looked for name in one.left_out})
    findings = []
    if left_out:
        findings.append(f"columns without numbers are no channels: {_some(left_out)}")
    if len({one.channels for one in looked}) > 1:
        findings.append(
            "channels differ between the series, and those unlike most are left out; name what all "
            "have in columns"
        )
    if len({_rate(one) for one in looked}) > 1:
        findings.append("rates differ; resample all to one: stamps resample, and a rate")
    return [*findings, *_of_channels(looked), *repeated("series", _twice(looked))]


def _of_channels(looked: list[Looked]) -> list[str]:
    """Findings on channels: gaps, drift, those that never change and those that are another."""
    names = Counter(one.channels for one in looked).most_common(1)[0][0]
    alike = [one for one in looked if one.channels == names]
    low = np.min([one.low for one in alike], 0)
    high = np.max([one.high for one in alike], 0)
    steps = sum(one.steps for one in alike)
    missing = np.sum([one.missing for one in alike], 0) / steps
    drifting = np.mean([one.drift > DRIFT for one in alike], 0)
    findings = []
    dead = [n for n, a, b in zip(names, low, high, strict=True) if a == b]
    if dead:
        findings.append(f"channels that never change: {_some(dead)}; leave them out by columns")
    gaps = [f"{n} ({m:.0%})" for n, m in zip(names, missing, strict=True) if m > GAP_SHARE]
    if gaps:
        findings.append(
            f"channels with missing values: {_some(gaps)}; they stay missing, and are masked"
        )
    drifts = [
        f"{n} ({d:.0%} of the series)" for n, d in zip(names, drifting, strict=True) if d > 0.5
    ]
    if drifts:
        findings.append(
            f"channels that drift, so that the end of a series lies far from its beginning: "
            f"{_some(drifts)}; scaling item or differences may serve better"
        )
    shared = frozenset.intersection(*(one.pairs for one in alike))
    if shared:
        pairs = [f"{a} = {b}" for a, b in sorted(shared)]
        findings.append(
            f"channels that are the same up to a factor: {_some(pairs)}; leave one of each out"
        )
    return findings


def _twice(looked: list[Looked]) -> list[tuple[str, str]]:
    first: dict[bytes, str] = {}
    found = [(first.setdefault(one.digest, one.item), one.item) for one in looked]
    return [(a, b) for a, b in found if a != b]


def _counted(counts: Counter) -> str:
    return ", ".join(f"{name} ({num:,})" for name, num in counts.most_common(NAMED))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
