"""Messages: what each verb's result looks like on the terminal."""

import json
from collections.abc import Iterable, Mapping
from functools import singledispatch
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from ensue.cli.following import following, in_python, opened
from ensue.cli.probe_table import print_probe
from ensue.data.kinds import KINDS
from ensue.models.registry import FAMILIES
from ensue.runs.prepare import has_classes
from ensue.verbs.apply import Written, left_out
from ensue.verbs.check import Checked
from ensue.verbs.demo import Demo
from ensue.verbs.evaluate import Evaluated
from ensue.verbs.probe import Probed
from ensue.verbs.report import Reported
from ensue.verbs.train import Trained

if TYPE_CHECKING:
    from ensue.data.survey import LabelFacts


NOTHING: Mapping[str, Any] = MappingProxyType({})

Given = Mapping[str, Any]
"""Options and settings of the command that was given, by name."""


@singledispatch
def tell(result: Any, console: Console, given: Given = NOTHING) -> None:
    """Print a verb's result, ending with the files it wrote and the next command.

    Args:
        result: Of the verb.
        console: Where to.
        given: Its options and settings, which the next command keeps.
    """


@tell.register
def _(result: dict, console: Console, given: Given = NOTHING) -> None:
    width = max((len(name) for name in result), default=0)
    for name, summary in result.items():
        console.print(f"{name:{width}}  {summary}")


@tell.register
def _(result: Checked, console: Console, given: Given = NOTHING) -> None:
    found = result.survey
    console.print(f"{result.source}: {found.num_items:,} items, {found.kind}")
    facts = Table.grid(padding=(0, 2))
    for name, value in found.facts:
        facts.add_row(f"  {name}", value)
    console.print(facts)
    if found.labels:
        console.print(_labels(found.labels))
    for text in found.findings:
        console.print(f"- {text}")
    if not found.findings:
        console.print("nothing to mend")
    if result.files:
        _files(result.files, console)
    family = _to_begin_with(found.kind, given)
    _next(following("train", family, result.source, out="runs/first", given=given), console)


@tell.register
def _(result: Trained, console: Console, given: Given = NOTHING) -> None:
    _training(result, console)
    _files(result.files, console)
    if all(KINDS[kind].has_sources for kind in FAMILIES[result.family].kinds):
        command = following("sample", result.run, "QUESTIONS.csv", out="asked.csv", given=given)
    elif "samples" in FAMILIES[result.family].contracts:
        command = following("sample", result.run, num=100, given=given)
    else:
        command = following("embed", result.run, "DATA", out="embeddings.parquet", given=given)
    _next(command, console)


@tell.register
def _(result: Written, console: Console, given: Given = NOTHING) -> None:
    of = "" if result.what == "items" else f" of {result.num_items:,} items"
    console.print(f"{result.num_rows:,} {result.what}{of}")
    for note in (*left_out(result.skipped), *result.notes):
        console.print(note)
    _files(result.files, console)
    path = result.files[0]
    if result.next is not None:
        _next(result.next, console)
        return
    if path.suffix in (".png", ""):
        _next(opened(path), console)
        return
    read = {
        ".parquet": "pyarrow.parquet.read_table",
        ".csv": "pyarrow.csv.read_csv",
        ".npz": "numpy.load",
    }[path.suffix]
    module = read.rpartition(".")[0]
    _next(in_python(f"import {module}; print({read}({json.dumps(str(path))}))"), console)


@tell.register
def _(result: Probed, console: Console, given: Given = NOTHING) -> None:
    print_probe(result.result, console)
    _files(result.files, console)
    _next(opened(result.files[-1]), console)


@tell.register
def _(result: Evaluated, console: Console, given: Given = NOTHING) -> None:
    for section in result.sections:
        table = Table(title=section.title, title_justify="left")
        table.add_column("")
        for name in section.columns:
            table.add_column(name, justify="right")
        table.add_column("what it is")
        for name, values, meaning in section.rows:
            table.add_row(name, *("" if v is None else f"{v:.4g}" for v in values), meaning)
        console.print(table)
    for note in result.notes:
        console.print(note)
    _files(result.files, console)
    _next(opened(result.files[-1]), console)


@tell.register
def _(result: Reported, console: Console, given: Given = NOTHING) -> None:
    _files(result.files, console)
    _next(opened(result.files[0]), console)


@tell.register
def _(result: Demo, console: Console, given: Given = NOTHING) -> None:
    _training(result.trained, console)
    for probed in result.probes:
        console.print()
        print_probe(probed.result, console)
    console.print(f"\nall in {result.seconds:.0f} s")
    _files(result.files, console)
    _next(following("train", "cpc", "MY_RECORDINGS/", out="runs/mine", given=given), console)


def _to_begin_with(kind: str, given: Given) -> str:
    """A family that models such items, and takes classes where a condition is given."""
    families = [name for name, row in FAMILIES.items() if kind in row.kinds]
    usual = KINDS[kind].usual_family or families[0]
    if given.get("condition") is None:
        return usual
    return next(filter(has_classes, [usual, *families]), usual)


def _training(result: Trained, console: Console) -> None:
    chance = "" if result.chance_loss is None else f" (chance {result.chance_loss:.3f})"
    console.print(
        f"trained {result.family} for {result.steps} steps: loss {result.loss:.3f} nats{chance}"
    )
    if result.skipped:
        console.print(f"{result.skipped} items couldn't be used; skipped.csv says why")
    for note in result.notes:
        console.print(note)


def _labels(labels: "Iterable[LabelFacts]") -> Table:
    table = Table(title="labels", title_justify="left")
    for name in ("column", "values", "commonest", "rarest", "empty"):
        table.add_column(name, justify="right" if name in ("values", "empty") else "left")
    for label in labels:
        table.add_row(
            label.name,
            f"{label.num_values:,}",
            f"{label.commonest} ({label.commonest_share:.1%})",
            f"{label.rarest} ({label.rarest_share:.1%})",
            f"{label.num_empty:,}",
        )
    return table


def _files(files: Iterable[Path], console: Console) -> None:
    console.print("wrote " + "  ".join(str(f) for f in files))


def _next(command: str, console: Console) -> None:
    console.print(f"next: {command}")
