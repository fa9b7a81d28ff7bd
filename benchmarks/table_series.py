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
        *(_forecast_row(name, runs) for name, runs in _read("series_forecast")["runs"].items()),
        *(_archive_row(name, each) for name, each in _read("series_compress")["files"].items()),
        _nab_row(),
        _skab_row(),
    ]


def _forecast_row(name: str, runs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    def by_seed(measure: str, way: str = "this run") -> str:
        return _seeds([run["measures"][way][measure] for run in runs], ".4g")

    is_whole = name == "ItalyPowerDemand"
    error = "squared_error" if is_whole else "crps"
    others = [way for way in runs[0]["measures"] if not way.startswith("this run")]
    beside = ", ".join(f"{way} {runs[0]['measures'][way][error]:.4g}" for way in others)
    inside = _seeds([100 * run["measures"]["this run"]["coverage"] for run in runs], ".0f")
    what = "last 12 values from the first 12, squared error" if is_whole else "24 ahead, CRPS"
    told = (
        f"{by_seed(error)}; {inside} % inside of 80 % (seeds {_seeds([r['seed'] for r in runs])})"
    )
    return f"{name}: {what}", told, beside, "`make results ROW='series_forecast UCR NAB'`"


def _archive_row(name: str, each: Mapping[str, Any]) -> tuple[str, ...]:
    sizes = {way: f"{num:,}" for way, num in each["bytes"].items()}
    beside = ", ".join(f"{way} {num}" for way, num in sizes.items() if way != "this run")
    return (
        f"{name}: {each['numbers']:,} whole numbers by a run of as many before them, bytes "
        "(the network isn't counted)",
        sizes["this run"],
        beside,
        "`make results ROW='series_compress NAB'`",
    )


def _nab_row() -> tuple[str, ...]:
    found = _read("series_nab")
    way = "nats and deviation, over earlier"
    scores = {
        name: _seeds([run[name]["standard"]["score"] for run in found["runs"]], ".1f")
        for name in (way, f"{way}, rows apart")
    }
    baselines = {name: each["standard"] for name, each in found["baselines"].items()}
    beside = ", ".join(f"{name} {each['score']:.1f}" for name, each in baselines.items())
    best = baselines["windowed Gaussian"]["best by all labels"]
    return (
        f"Numenta Anomaly Benchmark, {found['files']} files, one pass, thresholds from the other "
        "half of the files, standard score",
        f"{scores[f'{way}, rows apart']}; without rows apart {scores[way]}",
        f"{beside}; windowed Gaussian with the best threshold for all labels {best:.1f}",
        "`make results ROW='series_nab NAB'`",
    )


def _skab_row() -> tuple[str, ...]:
    found = _read("series_skab")
    measure = found["settings"]["measure"]

    def told(figures: Sequence[Mapping[str, float]]) -> str:
        f1, alarms = (
            _seeds([100 * f[name] for f in figures], ".1f") for name in ("F1", "false alarm rate")
        )
        area = _seeds([f["area under the ROC curve"] for f in figures], ".3f")
        return f"F1 {f1} %, false alarms {alarms} %, area {area}"

    ours, untrained = (
        told([run["figures"][f"{who}, {measure}"] for run in found["runs"]])
        for who in ("cpc", "untrained")
    )
    rest = {name: f for name, f in found["baselines"].items() if "area under the ROC curve" in f}
    beside = "; ".join(f"{name}: {told([f])}" for name, f in rest.items())
    every = 100 * found["baselines"]["every row"]["F1"]
    return (
        f"SKAB, 34 files, single rows, {measure}",
        ours,
        f"untrained: {untrained}; {beside}; every row: F1 {every:.1f} %",
        "`make results ROW='series_skab FOLDER'`",
    )


def skab_table() -> list[tuple[str, ...]]:
    """Faults of SKAB by single rows, of each measure F1, false alarms and the area, by seed."""
    found = _read("series_skab")
    runs, baselines = found["runs"], found["baselines"]
    measures = (found["settings"]["measure"], "mahalanobis_local")
    rows = [(name, [figures]) for name, figures in baselines.items()]
    rows += [
        (f"`{measure}`, {who}", [run["figures"][f"{who}, {measure}"] for run in runs])
        for measure in measures
        for who in ("cpc", "untrained")
    ]
    names = ("F1", "false alarm rate", "area under the ROC curve")
    return [
        (name, *(_seeds([f[n] for f in each if n in f], ".3f") for n in names))
        for name, each in rows
    ]


def _seeds(values: Sequence[float], form: str = "g") -> str:
    return ", ".join(f"{value:{form}}" for value in values)


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
