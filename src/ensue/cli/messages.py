"""Messages: what each verb's result looks like on the terminal."""

from collections.abc import Iterable, Iterator
from functools import singledispatch
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ensue.models.registry import FAMILIES
from ensue.verbs.apply import Written
from ensue.verbs.check import Checked
from ensue.verbs.demo import Demo
from ensue.verbs.probe import Probed
from ensue.verbs.train import Trained

MARKS = {"refused": ("✗", "red"), "warning": ("!", "yellow"), "note": ("·", "dim")}
"""How the findings of ``check`` begin, by what they call for."""


@singledispatch
def tell(result: Any, console: Console) -> None:
    """Print a verb's result, ending with the files it wrote and the next command."""


@tell.register
def _(result: dict, console: Console) -> None:
    width = max((len(name) for name in result), default=0)
    for name, summary in result.items():
        console.print(f"{name:{width}}  {summary}")


def refusal(result: Any) -> str | None:
    """Why a verb that judges has judged against what it was given; None if it hasn't."""
    if not isinstance(result, Checked) or result.usable:
        return None
    return f"train would refuse these data: {result.findings[0].text}"


@tell.register
def _(result: Checked, console: Console) -> None:
    """The facts, the labels, and last what is to be done."""
    facts = Table.grid(padding=(0, 2))
    for name, text in _facts(result):
        facts.add_row(Text(name, style="dim"), Text(text))
    console.print(facts, soft_wrap=False)
    if result.labels:
        console.print()
        console.print(_labels(result), soft_wrap=False)
    findings = Table.grid(padding=(0, 1))
    for finding in result.findings:
        mark, style = MARKS[finding.level]
        findings.add_row(Text(mark, style=style), Text(finding.text))
    if result.findings:
        console.print()
        console.print(findings, soft_wrap=False)
    if result.files:
        _files(result.files, console)
    if result.usable:
        family = next(n for n, row in FAMILIES.items() if result.kind in row.kinds)
        _next(f"ensue train {family} {result.source} --out runs/mine", console)


def _facts(c: Checked) -> Iterator[tuple[str, str]]:
    lost = f", {len(c.skipped):,} of them can't be used" if c.skipped else ""
    yield "items", f"{c.num_items:,} ({c.kind}){lost}"
    f = c.facts
    if "hours" in f:
        length = "  ".join(f"{name} {s:.2f} s" for name, s in f["seconds"].items())
        yield "length", f"{f['hours']:.2f} h  {length}"
        yield "sample rate", _counts(f["sample_rates"])
        yield "channels", _counts(f["channels"])
    if "columns" in f:
        yield "columns", f"{len(f['columns'])}: {', '.join(f['columns'])}"
    if c.num_groups is not None:
        yield "groups", f"{c.num_groups:,}"
    if c.split:
        yield "split", _counts(c.split)
    for i in c.intervals:
        yield f"intervals {i.name}", f"{i.num_labels:,} labels on {i.coverage:.1%} of the time"
    unit = "windows" if "hours" in f else "rows"
    train = f"{c.num_train:,} items, {c.num_windows:,} {unit} an epoch"
    yield "training", f"{train}; {c.num_held_out:,} items held out"


def _counts(counts: dict[str, int]) -> str:
    return "  ".join(f"{name}: {num:,}" for name, num in counts.items()) or "none"


def _labels(checked: Checked) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("label")
    for name in ("values", "empty"):
        table.add_column(name, justify="right")
    for name in ("largest", "smallest", "by group"):
        table.add_column(name)
    for f in checked.labels:
        shares = [f"{value} {share:.1%}" for value, share in (f.largest, f.smallest)]
        confined = "each in one" if f.confined else ""
        table.add_row(f.name, f"{f.num_values:,}", f"{f.num_empty:,}", *shares, confined)
    return table


@tell.register
def _(result: Trained, console: Console) -> None:
    _training(result, console)
    _files(result.files, console)
    if "samples" in FAMILIES[result.family].contracts:
        _next(f"ensue sample {result.run} --num 100", console)
    else:
        _next(f"ensue embed {result.run} DATA --out embeddings.parquet", console)


@tell.register
def _(result: Written, console: Console) -> None:
    console.print(f"{result.num_rows:,} {result.what} of {result.num_items:,} items")
    if result.skipped:
        console.print(f"{result.skipped} items couldn't be read and were left out")
    _files(result.files, console)
    path = result.files[0]
    read = {
        ".parquet": "pyarrow.parquet.read_table",
        ".csv": "pyarrow.csv.read_csv",
        ".npz": "numpy.load",
    }[path.suffix]
    module = read.rpartition(".")[0]
    _next(f'python -c "import {module}; print({read}({str(path)!r}))"', console)


@tell.register
def _(result: Probed, console: Console) -> None:
    _probe(result, console)
    _files(result.files, console)
    _next(f"open {result.files[-1]}", console)


@tell.register
def _(result: Demo, console: Console) -> None:
    _training(result.trained, console)
    for probed in result.probes:
        console.print()
        _probe(probed, console)
    console.print(f"\nall in {result.seconds:.0f} s")
    _files(result.files, console)
    _next("ensue train cpc MY_RECORDINGS/ --out runs/mine", console)


def _training(result: Trained, console: Console) -> None:
    chance = "" if result.chance_loss is None else f" (chance {result.chance_loss:.3f})"
    console.print(
        f"trained {result.family} for {result.steps} steps: loss {result.loss:.3f} nats{chance}"
    )
    if result.skipped:
        console.print(f"{result.skipped} items couldn't be used; skipped.csv says why")


def _probe(probed: Probed, console: Console) -> None:
    r = probed.result
    table = Table(
        title=f"{r.label} by {r.level}: {r.num_classes} classes, split by {r.split}",
        title_justify="left",
    )
    table.add_column("features")
    table.add_column("accuracy", justify="right")
    table.add_column("95 % interval", justify="right")
    for a in r.accuracies:
        table.add_row(a.features, f"{a.accuracy:.1%}", f"{a.low:.1%} to {a.high:.1%}")
    console.print(table)


def _files(files: Iterable[Path], console: Console) -> None:
    console.print("wrote " + "  ".join(str(f) for f in files))


def _next(command: str, console: Console) -> None:
    console.print(f"next: {command}")
