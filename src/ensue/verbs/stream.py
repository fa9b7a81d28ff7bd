"""``stream``: measure each step of a live series as it comes, from standard input."""

import csv
import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TextIO, Unpack

import numpy as np
from cyclopts import Parameter
from rich.console import Console

from ensue.data.codecs.protocols import EncodesSteps
from ensue.data.kinds.series.live import LiveLines
from ensue.errors import ConfigError
from ensue.evaluation.monitor import ComparingMonitor, LikelihoodMonitor, Monitor
from ensue.models.traits import ComparingStream
from ensue.runs.encoder import encoder_of
from ensue.runs.loaded import Loaded, load
from ensue.runs.scorers import ComparingScorer, LikelihoodScorer, Scorer
from ensue.runs.step_scores import RECORD, Record, StepReading, require_steps, scorer_of


@dataclass(frozen=True, kw_only=True)
class Streamed:
    """The result of a stream: how many steps it had, and alarms; None where there can be none."""

    num_steps: int
    num_alarms: int | None
    notes: tuple[str, ...]
    files: tuple[Path, ...] = ()

    def show(self, console: Console) -> None:
        """Print it on standard error: standard output holds the measures."""
        num = self.num_alarms
        alarms = "" if num is None else f", {num:,} of them with an alarm"
        for line in (*self.notes, f"{self.num_steps:,} steps{alarms}"):
            print(line, file=sys.stderr)

    def suggest(self) -> None:
        """Give no next command."""


def stream(
    run: str | Path,
    *,
    lines: Annotated[Iterable[str] | None, Parameter(parse=False)] = None,
    to: Annotated[TextIO | None, Parameter(parse=False)] = None,
    **options: Unpack[StepReading],
) -> Streamed:
    """Measure each step of a live series as it comes, from standard input.

    Lines are CSV with a header or JSON, a step a line. Each is answered by a line of the same form
    on standard output: the step, its time, its measures as those of score --level step, and whether
    they are alarms. Nothing looks ahead. Columns that are no channels are ignored.

    Parameters
    ----------
    run
        A run folder.
    lines
        In Python: the lines, instead of those of standard input.
    to
        In Python: a text file to write to, instead of standard output.
    options
        What steps are compared with, and what is an alarm.
    """
    loaded = load(run)
    if options.get("by_horizon") or options.get("by_channel"):
        raise ConfigError("by_horizon, by_channel: of score --level step; leave them out")
    codec = require_steps(loaded)
    assert isinstance(codec, EncodesSteps)
    codec.require_steps_alone()
    scorer, limits, notes = scorer_of(loaded, options)
    monitor = _monitor(loaded, scorer)
    record = Record(scorer.names) if options.get("records") else None
    if record:
        limits = limits | {"record": RECORD}
    data = loaded.config["data"]
    reader = LiveLines(
        codec.channels,
        rate=None if data.get("stamps") == "ignore" else codec.facts()["step_rate"],
        time=data.get("time"),
        decimal=data.get("decimal", "."),
    )
    writer, num_alarms = _Writer(to or sys.stdout), 0
    try:
        for step in reader.read(sys.stdin if lines is None else lines):
            measures = monitor.push(codec.encode_steps(step.values))
            told = {name: float(x[-1]) for name, x in measures.items()}
            if record:
                told["record"] = float(record.push(measures)[-1])
            alarms = {f"alarm.{name}": told[name] > limit for name, limit in limits.items()}
            num_alarms += any(alarms.values())
            place = {} if step.time is None else {"time": step.time}
            writer.write({"step": monitor.num_steps - 1, **place, **told, **alarms}, reader.is_json)
    except BrokenPipeError:
        # Who reads has had enough. The rest of what is buffered must not fail at the end.
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
    return Streamed(
        num_steps=monitor.num_steps, num_alarms=num_alarms if limits else None, notes=tuple(notes)
    )


def _monitor(loaded: Loaded, scorer: Scorer) -> Monitor:
    """What measures steps as they come, as the scorer does those of a whole series."""
    if isinstance(scorer, ComparingScorer):
        model = encoder_of(loaded, pooling="mean", embedding="context")
        assert isinstance(model, ComparingStream)
        return ComparingMonitor(model, scorer.whole)
    assert isinstance(scorer, LikelihoodScorer)
    return LikelihoodMonitor(scorer.model, scorer.codec)


class _Writer:
    """Writes rows as lines at once, of JSON or of CSV with a header."""

    def __init__(self, file: TextIO) -> None:
        self.file, self.has_header = file, False

    def write(self, row: Mapping[str, Any], is_json: bool) -> None:
        if is_json:
            known = {n: None if isinstance(v, float) and np.isnan(v) else v for n, v in row.items()}
            print(json.dumps(known), file=self.file, flush=True)
            return
        lines = csv.writer(self.file, lineterminator="\n")
        if not self.has_header:
            lines.writerow(row)
            self.has_header = True
        lines.writerow([_cell(value) for value in row.values()])
        self.file.flush()


def _cell(value: Any) -> Any:
    """A cell of CSV: empty where nothing is known."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if isinstance(value, float) and np.isnan(value) else value
