"""``evaluate``: measure a trained model on data, with the figures to compare it with."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from rich.console import Console
from rich.table import Table

from ensue.configuration import FORMAT, require_at_least
from ensue.data.sources.data import Data
from ensue.errors import CheckpointError
from ensue.evaluation.sections import Section
from ensue.files import write_text
from ensue.models.registry import require_contract
from ensue.report import write_report
from ensue.runs.loaded import load
from ensue.runs.plan import describe
from ensue.runs.reading import Reading, open_data, require_questions
from ensue.runs.results import left_out, open_file
from ensue.runs.sections import DEFAULTS, SECTIONS, Evaluation, require_read
from ensue.training.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The sections of figures, notes on missing ones, and the files."""

    sections: Sequence[Section]
    notes: Sequence[str]
    files: tuple[Path, ...]

    def show(self, console: Console) -> None:
        for section in self.sections:
            console.print(_table(section))
        for note in self.notes:
            console.print(note)

    def suggest(self) -> str:
        return open_file(self.files[-1])


def evaluate(
    run: str | Path,
    data: Data,
    *,
    num: int | None = None,
    temperature: float | None = None,
    num_draws: int | None = None,
    num_items: int | None = None,
    seed: int = 0,
    regions: str | None = None,
    **reading: Unpack[Reading],
) -> Evaluated:
    """Evaluate a trained model: likelihood, latent z, drawn molecules, questions.

    Parameters
    ----------
    run
        A run folder.
    data
        Items that the model hasn't seen: a folder, a table, a file, or builtin:NAME.
    num
        Molecules to draw; by default 10,000.
    temperature
        Temperature of the molecules: 1, the default, draws from the model; less is closer to the
        likeliest.
    num_draws
        Draws of z per item, for the importance-weighted bound; by default 64.
    num_items
        Items whose z is measured, at most, evenly spread over the data; for questions, pairs of
        picture and answer to write questions for, at most; by default 1,000.
    seed
        Seed of all draws.
    regions
        For questions: the file that the rows of DATA point into, or where the run that makes
        regions is now; by default the run's own.
    reading
        Options for reading the data.
    """
    options = {"num": num, "temperature": temperature}
    options |= {"num_draws": num_draws, "num_items": num_items}
    chosen = {name: value for name, value in options.items() if value is not None}
    folder = RunFolder(Path(run))
    folder.read_config()  # a model folder has no place for an evaluation
    loaded = load(run).on_best_device()
    require_contract(loaded.family, "scores")
    require_read(loaded, chosen)
    require_questions(loaded, regions=regions)
    options = {**DEFAULTS, **chosen}
    require_at_least(0, temperature=options["temperature"])
    require_at_least(1, **{n: value for n, value in options.items() if n != "temperature"})
    opened = open_data(loaded, data, regions=regions, **reading)
    evaluation = Evaluation(loaded=loaded, opened=opened, seed=seed, options=options)
    sections, notes = _made(evaluation)
    facts = {"source": describe(data), "temperature": options["temperature"], "seed": seed}
    _write(folder, facts, sections, notes)
    return Evaluated(sections=sections, notes=notes, files=(folder.evaluation, folder.report))


def _made(evaluation: Evaluation) -> tuple[list[Section], list[str]]:
    """Make all sections that apply, and the notes on missing ones."""
    sections, notes = [], left_out(evaluation.opened.store.skipped)
    for maker in SECTIONS:
        if maker.applies(evaluation.loaded):
            made, missing = maker.make(evaluation)
            sections += made
            notes += missing
    return sections, notes


def _write(
    folder: RunFolder, facts: dict[str, Any], sections: Sequence[Section], notes: Sequence[str]
) -> None:
    plain = [section.plain() for section in sections]
    values = {"format": FORMAT, **facts, "sections": plain, "notes": notes}
    text = json.dumps(values, indent=2, allow_nan=False) + "\n"
    write_text(folder.evaluation, text, error=CheckpointError)
    write_report(folder)


def _table(section: Section) -> Table:
    table = Table(title=section.title, title_justify="left")
    table.add_column("")
    for name in section.columns:
        table.add_column(name, justify="right")
    table.add_column("what it is")
    for name, values, meaning in section.rows:
        table.add_row(name, *("" if v is None else f"{v:.4g}" for v in values), meaning)
    return table
