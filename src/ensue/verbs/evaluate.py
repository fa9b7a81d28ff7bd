"""``evaluate``: a trained model's figures on data, beside what they must be seen beside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ensue.configuration import FORMAT, require_at_least
from ensue.data.sources.kinds import Data
from ensue.errors import DataError, MissingExtraError
from ensue.verbs.apply import open_data, read_items
from ensue.verbs.loaded import Loaded, load
from ensue.verbs.plan import describe
from ensue.verbs.progress import listener

if TYPE_CHECKING:
    from ensue.evaluation.sections import Section

MOST_REFERENCES = 10_000


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The sections of figures, what is missing and why, and the files."""

    sections: Sequence[Section]
    notes: Sequence[str]
    files: tuple[Path, ...]


def evaluate(
    run: str | Path,
    data: Data,
    *,
    num: int = 10_000,
    temperature: float = 1.0,
    num_draws: int = 64,
    num_items: int = 1_000,
    seed: int = 0,
    max_skipped: float = 0.05,
    cache: str | Path | None = None,
    quiet: bool = False,
) -> Evaluated:
    """Evaluate a trained model: likelihood, what its z holds, and of molecules what it draws.

    Parameters
    ----------
    run
        A run folder.
    data
        Items that the model hasn't seen: a folder, a table, a file, or builtin:NAME.
    num
        Molecules to draw.
    temperature
        Of the draw: 1 draws from the model, less is closer to the likeliest.
    num_draws
        Draws of z of each item, for the importance-weighted bound.
    num_items
        Items whose z is looked at, at most, evenly spread.
    seed
        Of all draws.
    max_skipped
        Part of the items that may be unreadable.
    cache
        Folder for prepared data; by default "cache" beside the run.
    quiet
        Show no progress.
    """
    import numpy as np

    from ensue.evaluation.sections import latents_section, likelihood_section
    from ensue.models.registry import FAMILIES, require_contract
    from ensue.training.run_folder import RunFolder
    from ensue.training.whole import write_text
    from ensue.verbs.probe import untrained_like
    from ensue.verbs.report import make_report

    require_at_least(1, num=num, num_draws=num_draws, num_items=num_items)
    require_at_least(0, temperature=temperature)
    loaded = load(run).on_best_device()
    require_contract(loaded.family, "scores")
    contracts = FAMILIES[loaded.family].contracts
    progress = listener(quiet)
    items, store = open_data(loaded, data, cache, max_skipped=max_skipped, progress=progress)
    sections, notes = [], []
    progress.say(f"scoring {len(store):,} items")
    num_tokens = getattr(loaded.codec, "num_tokens", None) if store.sequence else None
    sections.append(likelihood_section(loaded.model, store, num_tokens))
    if "latents" in contracts:
        rows = np.unique(np.linspace(0, len(store) - 1, num_items).astype(int))
        progress.say(f"looking at z of {len(rows):,} items")
        untrained = untrained_like(loaded.model, loaded.model.config, seed)
        sections.append(
            latents_section(loaded.model, untrained, store, rows, num_draws=num_draws, seed=seed)
        )
    if "samples" in contracts and loaded.codec.kind == "smiles":
        progress.say(f"drawing {num:,} molecules")
        drawn = loaded.sample(num, temperature=temperature, seed=seed)
        found, missing = _molecules(loaded, drawn, list(items.raw), seed)
        sections += found
        notes += missing
    folder = RunFolder(Path(run))
    values = {
        "format": FORMAT,
        "source": describe(data),
        "temperature": temperature,
        "seed": seed,
        "sections": [section.plain() for section in sections],
        "notes": notes,
    }
    write_text(folder.evaluation, json.dumps(values, indent=2, allow_nan=False) + "\n")
    make_report(run)
    return Evaluated(sections=sections, notes=notes, files=(folder.evaluation, folder.report))


def _molecules(
    loaded: Loaded, drawn: Sequence[str], reference: Sequence[str], seed: int
) -> tuple[list[Section], list[str]]:
    """The section of molecules, or why there is none."""
    import numpy as np

    from ensue.evaluation.sections import molecules_section

    notes = []
    some = np.unique(np.linspace(0, len(reference) - 1, MOST_REFERENCES).astype(int))
    try:
        training = list(read_items(loaded, loaded.config["source"], max_skipped=1.0).raw)
    except (DataError, KeyError) as error:
        training = None
        notes.append(f"the data that it was trained on can't be read, so no novelty: {error}")
    try:
        section = molecules_section(
            drawn, [reference[i] for i in map(int, some)], training, seed=seed
        )
    except MissingExtraError as error:
        return [], [f"what was drawn isn't looked at as molecules: {error}"]
    return [section], notes
