"""Rows of the table of what was measured: mutual information of tasks of known truth."""

import json
import statistics
from typing import Any

from benchmarks.measure import RESULTS

COMMAND = "`make results ROW=information`"


def information_rows() -> list[tuple[str, ...]]:
    """The default on tasks of few nats, bounds among few and many candidates, and intervals."""
    found = _read()
    tasks = found["defaults"]["tasks"]
    runs = [(run, task["truth"]) for task in tasks.values() for run in task["runs"]]
    worst = max(runs, key=lambda pair: abs(pair[0]["estimate"] - pair[1]))
    many, covered = found["65,536 candidates"], found["coverage of 90 %"]
    few = found["128 candidates"]
    return [
        (
            f"{len(tasks)} tasks of at most 2 nats, 10,000 pairs, three seeds, the default: mean "
            "absolute error of the lower bound",
            f"{found['defaults']['mean absolute error']:.3f} nats; most off "
            f"{worst[0]['estimate'] - worst[1]:+.2f}; at most "
            f"{found['defaults']['most errors above the truth']:.1f} standard errors above",
            f"canonical correlations {_error(tasks, 'canonical correlations'):.3f}; KSG, where it "
            f"is given, {_error(tasks, 'KSG'):.3f} (this one there "
            f"{_error_where_ksg(tasks):.3f})",
            COMMAND,
        ),
        (
            "20 pairs of normal variables, 2, 4 and 6 nats, InfoNCE among 128",
            ", ".join(f"{each['trained']:.2f}" for each in few.values()),
            "exact critic " + ", ".join(f"{each['exact critic']:.2f}" for each in few.values()),
            COMMAND,
        ),
        (
            "the same of 8 nats, among 65,536",
            f"{many['estimate']:.2f} ({many['low']:.2f} to {many['high']:.2f}), "
            f"{many['seconds']:.0f} s",
            f"log of 65,536 is {many['limit']:.2f}",
            COMMAND,
        ),
        (
            "intervals of 90 %, of 200 draws of 200 pairs: part that holds the bound's own mean, "
            "of 1 and 4 nats",
            ", ".join(f"{each['blocks left out']:.0%}" for each in covered.values()),
            "pairs drawn again "
            + ", ".join(f"{each['pairs drawn again']:.0%}" for each in covered.values()),
            COMMAND,
        ),
    ]


def information_table() -> list[tuple[str, ...]]:
    """Of each task the truth, the mean of the seeds, canonical correlations and KSG."""
    return [
        (
            name,
            f"{task['truth']:.2f}",
            f"{statistics.mean(run['estimate'] for run in task['runs']):.2f}",
            _told(task, "canonical correlations"),
            _told(task, "KSG"),
        )
        for name, task in _read()["defaults"]["tasks"].items()
    ]


def _told(task: dict[str, Any], name: str) -> str:
    values = [run["baselines"][name] for run in task["runs"]]
    return "" if isinstance(values[0], str) else f"{statistics.mean(values):.2f}"


def _error(tasks: dict[str, Any], name: str) -> float:
    """Mean absolute error of a baseline over the runs in which it was given."""
    return statistics.mean(
        abs(run["baselines"][name] - task["truth"])
        for task in tasks.values()
        for run in task["runs"]
        if not isinstance(run["baselines"][name], str)
    )


def _error_where_ksg(tasks: dict[str, Any]) -> float:
    return statistics.mean(
        abs(run["estimate"] - task["truth"])
        for task in tasks.values()
        for run in task["runs"]
        if not isinstance(run["baselines"]["KSG"], str)
    )


def _read() -> dict[str, Any]:
    return json.loads((RESULTS / "information.json").read_text())
