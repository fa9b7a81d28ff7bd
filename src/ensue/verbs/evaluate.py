"""``evaluate``: a trained model's figures on data, beside what they must be seen beside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ensue.configuration import FORMAT, require_at_least
from ensue.data.kinds import KINDS
from ensue.data.kinds.smiles.molecules import require_rdkit
from ensue.data.sources.data import Data
from ensue.errors import CheckpointError, ConfigError, EnsueError
from ensue.runs.loaded import Loaded, load
from ensue.runs.plan import describe
from ensue.runs.prepare import cache_of
from ensue.runs.progress import listener
from ensue.verbs.apply import left_out, open_data, read_items, require_questions, scores_of, sources

if TYPE_CHECKING:
    from ensue.data.items import Items
    from ensue.data.kinds.question.questions import Sources
    from ensue.data.store import Store
    from ensue.evaluation.sections import Section

NUM, NUM_DRAWS, NUM_ITEMS = 10_000, 64, 1_000
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
    num: int | None = None,
    temperature: float | None = None,
    num_draws: int | None = None,
    num_items: int | None = None,
    seed: int = 0,
    regions: str | None = None,
    max_skipped: float = 0.05,
    cache: str | Path | None = None,
    quiet: bool = False,
) -> Evaluated:
    """Evaluate a trained model: likelihood, what its z holds, what it draws or asks.

    Parameters
    ----------
    run
        A run folder.
    data
        Items that the model hasn't seen: a folder, a table, a file, or builtin:NAME.
    num
        Molecules to draw; by default 10,000.
    temperature
        Of these: 1, the default, draws from the model, less is closer to the likeliest.
    num_draws
        Draws of z of each item, for the importance-weighted bound; by default 64.
    num_items
        Items whose z is looked at, at most, evenly spread; of questions, pictures with answers
        that some are written for; by default 1,000.
    seed
        Of all draws.
    regions
        Of questions: the file that the rows of DATA point into; by default the run's own.
    max_skipped
        Part of the items that may be unreadable.
    cache
        Folder for prepared data; by default "cache" beside the run.
    quiet
        Show no progress.
    """
    import numpy as np

    from ensue.data.codecs.protocols import HasVocabulary
    from ensue.evaluation.sections import latents_section, likelihood_section
    from ensue.files import write_text
    from ensue.models.loading import untrained_like
    from ensue.models.registry import FAMILIES, require_contract
    from ensue.training.run_folder import RunFolder
    from ensue.verbs.report import make_report

    folder = RunFolder(Path(run))
    folder.read_config()  # a model folder has no place for what is found
    loaded = load(run).on_best_device()
    require_contract(loaded.family, "scores")
    contracts = FAMILIES[loaded.family].contracts
    kind = KINDS[loaded.codec.kind]
    draws = "samples" in contracts and "molecules" in kind.measures
    looks, asks = "latents" in contracts, kind.has_sources
    _refuse(not draws, "draws no molecules", num=num, temperature=temperature)
    _refuse(not looks, "has no z", num_draws=num_draws)
    _refuse(not looks and not asks, "has no z, and asks no questions", num_items=num_items)
    require_questions(loaded, regions=regions)
    num = NUM if num is None else num
    temperature = 1.0 if temperature is None else temperature
    num_draws = NUM_DRAWS if num_draws is None else num_draws
    num_items = NUM_ITEMS if num_items is None else num_items
    require_at_least(1, num=num, num_draws=num_draws, num_items=num_items)
    require_at_least(0, temperature=temperature)
    progress = listener(quiet)
    items, store = open_data(
        loaded, data, cache, max_skipped=max_skipped, regions=regions, progress=progress
    )
    sections, notes = [], left_out(store.skipped)
    progress.say(f"scoring {len(store):,} items")
    codec = loaded.codec
    num_tokens = codec.num_tokens if isinstance(codec, HasVocabulary) and store.sequence else None
    written_from = sources(loaded, items, store, cache, regions)
    totals, score_kind = scores_of(loaded, items, store, written_from)
    sections.append(likelihood_section(totals, score_kind, store, num_tokens))
    if looks:
        rows = np.unique(np.linspace(0, len(store) - 1, num_items).astype(int))
        progress.say(f"looking at z of {len(rows):,} items")
        untrained = untrained_like(loaded.model, loaded.model.config, seed)
        sections.append(
            latents_section(loaded.model, untrained, store, rows, num_draws=num_draws, seed=seed)
        )
    if written_from is not None:
        progress.say(f"asking about {num_items:,} pictures with answers at most")
        found, missing = _questions(loaded, store, written_from, num_items, seed)
        sections += found
        notes += missing
    if draws:
        progress.say(f"drawing {num:,} molecules")
        drawn = loaded.sample(num, temperature=temperature, seed=seed)
        found, missing = _molecules(loaded, drawn, list(items.raw), seed)
        sections += found
        notes += missing
    values = {
        "format": FORMAT,
        "source": describe(data),
        "temperature": temperature,
        "seed": seed,
        "sections": [section.plain() for section in sections],
        "notes": notes,
    }
    text = json.dumps(values, indent=2, allow_nan=False) + "\n"
    write_text(folder.evaluation, text, error=CheckpointError)
    make_report(run)
    return Evaluated(sections=sections, notes=notes, files=(folder.evaluation, folder.report))


def _refuse(absent: bool, why: str, **given: Any) -> None:
    """Refuse what there is no place for."""
    names = [name for name, value in given.items() if value is not None]
    if absent and names:
        raise ConfigError(f"{', '.join(names)}: this run {why}; leave it out")


def _molecules(
    loaded: Loaded, drawn: Sequence[str], reference: Sequence[str], seed: int
) -> tuple[list[Section], list[str]]:
    """The section of molecules, or why there is none, or something missing."""
    import numpy as np

    from ensue.evaluation.sections import molecules_section

    try:
        require_rdkit()
    except EnsueError as error:
        return [], [f"what was drawn isn't looked at as molecules: {error}"]
    notes, training = [], None
    try:
        items, chosen = _trained_on(loaded)
        training = [items.raw[row] for row in chosen]
    except EnsueError as error:
        notes.append(f"the data that it was trained on can't be read, so no novelty: {error}")
    some = np.unique(np.linspace(0, len(reference) - 1, MOST_REFERENCES).astype(int))
    beside = [reference[i] for i in map(int, some)]
    return [molecules_section(drawn, beside, training, seed=seed)], notes


def _questions(
    loaded: Loaded, store: Store, written_from: Sources, most: int, seed: int
) -> tuple[list[Section], list[str]]:
    """The sections of questions, and what is missing of them."""
    from ensue.data.codecs.protocols import HasSources
    from ensue.evaluation.questions import asked_of, dependence_section, questions_section

    codec, notes, training = loaded.codec, [], None
    assert isinstance(codec, HasSources)
    try:
        items, chosen = _trained_on(loaded)
        own = loaded.config["data"]["regions"]
        cache = cache_of(None, loaded.path)
        training = codec.sources(items, [items.ids[i] for i in chosen], cache, own)
    except EnsueError as error:
        notes.append(f"the data that it was trained on can't be read, so no baselines: {error}")
    asked = asked_of(written_from, most, seed)
    return [
        questions_section(loaded.model, written_from, asked, training),
        dependence_section(loaded.model, store, written_from, asked, seed=seed),
    ], notes


def _trained_on(loaded: Loaded) -> tuple[Items, list[int]]:
    """The items of the run's data, and which of them weren't held out.

    Raises:
        EnsueError: They can't be read, or have changed.
    """
    from ensue.configuration import validate
    from ensue.data.config import DataConfig
    from ensue.data.splits import train_validation, with_held_out_part

    config = loaded.config
    items = read_items(loaded, config["source"], max_skipped=1.0, group=config["data"].get("group"))
    data = validate(DataConfig, config["data"], section="data")
    items = with_held_out_part(
        items, data.validation, data.window_tokens, trained_on=config["fingerprint"]
    )
    if items.fingerprint != config["fingerprint"]:
        raise ConfigError(f"{config['source']!r} has changed since")
    chosen, _ = train_validation(items, data.validation)
    return items, chosen.tolist()
