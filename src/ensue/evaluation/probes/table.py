"""The table of a probe: a row for each kind of features, a column for each figure."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from ensue.evaluation.probes.measured import MeasuredResult
from ensue.training.probes import notes_of, rows_of, values_of

if TYPE_CHECKING:
    from ensue.evaluation.probes.probe import Accuracy, ProbeResult

UNEVEN = 0.02
"""Balanced accuracy is shown where it differs by more than this from accuracy in some row."""


def print_probe(result: "ProbeResult | MeasuredResult", console: Console) -> None:
    """Print a probe's figures, the kind of its intervals, and what didn't count."""
    table = Table(
        title=f"{result.label} by {result.level}: {values_of(dataclasses.asdict(result))}, "
        f"split by {result.split}",
        title_justify="left",
    )
    measured = isinstance(result, MeasuredResult)
    head, *rows = _measured(result) if measured else _accuracies(result.accuracies)
    for name in head:
        table.add_column(name, justify="left" if name == "features" else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print(f"intervals: {result.interval}; seed {result.seed}")
    for note in notes_of(dataclasses.asdict(result)):
        console.print(note)


def _accuracies(found: "Sequence[Accuracy]") -> list[list[str]]:
    curve = any(a.num_labels is not None for a in found)
    uneven = any(a.balanced is not None and abs(a.balanced - a.accuracy) > UNEVEN for a in found)
    head = ["features", *["labels"] * curve, "accuracy", "95 % interval", *["balanced"] * uneven]
    return [
        head,
        *(
            [
                a.features,
                *[f"{a.num_labels or 0:,}"] * curve,
                f"{a.accuracy:.1%}",
                f"{a.low:.1%} to {a.high:.1%}",
                *["" if a.balanced is None else f"{a.balanced:.1%}"] * uneven,
            ]
            for a in found
        ),
    ]


def _measured(result: MeasuredResult) -> list[list[str]]:
    rows = rows_of(dataclasses.asdict(result))
    has_error = any(row.error for row in rows)
    cells = [
        [r.features, f"{r.value:.1%}", f"{r.low:.1%} to {r.high:.1%}", *[r.error] * has_error]
        for r in rows
    ]
    errors = ["mean absolute error"] * has_error
    return [["features", result.measure, "95 % interval", *errors], *cells]
