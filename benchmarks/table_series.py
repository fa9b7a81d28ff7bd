"""Rows of the table of what was measured: CPC of series beside baselines with the same labels."""

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measure import RESULTS

OURS, UNTRAINED = "cpc (this run)", "untrained, series"
BESIDE = {
    "untrained": UNTRAINED,
    "MiniRocket": "MiniRocket",
    "1-NN DTW": "1-NN DTW",
    "raw values": "raw values",
    "four statistics": "four statistics",
}
"""What stands beside it, and its name among the figures."""
COMMAND = "`make results ROW='series_ucr FOLDER PEERS'`"


def series_rows() -> list[tuple[str, ...]]:
    """Labelled series: the mean over sets with all labels; the live series."""
    runs = _read("series_ucr")["runs"]
    by_seed = [_mean_of_sets(runs, OURS, place) for place in range(_num_seeds(runs))]
    minutes = max(run["training_cpu_seconds"] for each in runs.values() for run in each) / 60
    beside = ", ".join(f"{name} {_of_all(runs, key):.1%}" for name, key in BESIDE.items())
    live = _read("series_stream")["10 ms"]
    return [
        (
            f"series of {len(runs)} sets (UCR, UEA), all labels, mean accuracy of the sets; one "
            f"recipe, at most {minutes:.1f} CPU minutes a set",
            f"{statistics.mean(by_seed):.1%} ({min(by_seed):.1%} to {max(by_seed):.1%})",
            beside,
            COMMAND,
        ),
        (
            "12 channels at 1 kHz, surprise and distances of each step as it comes, 10 ms at a "
            "time, one core",
            f"{live['median_ms']:.1f} ms, 99 of 100 within {live['p99_ms']:.1f} ms; "
            f"{live['cpu_share_of_real_time']:.0%} of real time",
            "",
            "`make results ROW=series_stream`",
        ),
    ]


def series_table() -> list[tuple[str, ...]]:
    """Accuracies in percent, a row for each set, the mean over seeds, and one for the mean."""
    runs = _read("series_ucr")["runs"]
    keys = (OURS, *BESIDE.values())
    rows = [
        (name, *(f"{100 * _mean(each, key):.1f}" for key in keys)) for name, each in runs.items()
    ]
    return [*rows, ("mean", *(f"{100 * _of_all(runs, key):.1f}" for key in keys))]


def _read(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / f"{name}.json").read_text())


def _num_seeds(runs: Mapping[str, Sequence[Any]]) -> int:
    return min(map(len, runs.values()))


def _of_all(runs: Mapping[str, Sequence[Mapping[str, Any]]], key: str) -> float:
    return statistics.mean(_mean(each, key) for each in runs.values())


def _mean_of_sets(runs: Mapping[str, Sequence[Mapping[str, Any]]], key: str, place: int) -> float:
    return statistics.mean(_accuracy(each[place], key) for each in runs.values())


def _mean(runs: Sequence[Mapping[str, Any]], key: str) -> float:
    return statistics.mean(_accuracy(run, key) for run in runs)


def _accuracy(run: Mapping[str, Any], key: str) -> float:
    if key in run["peers"]:
        return run["peers"][key]
    return run["probes"]["all labels"][key][0]
