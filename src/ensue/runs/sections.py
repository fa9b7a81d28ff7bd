"""Sections of an evaluation: each says whether it applies to a run, and which options it reads.

A new one is a class here and a row in ``SECTIONS``; what it computes is in ``ensue.evaluation``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from ensue.data.codecs.protocols import HasSources, HasVocabulary
from ensue.data.items import Items
from ensue.data.kinds import KINDS
from ensue.data.kinds.question.questions import Sources
from ensue.data.kinds.smiles.molecules import require_rdkit
from ensue.errors import ConfigError, EnsueError
from ensue.evaluation.questions import asked_of, dependence_section, questions_section
from ensue.evaluation.sections import (
    Section,
    latents_section,
    likelihood_section,
    molecules_section,
)
from ensue.models.loading import untrained_like
from ensue.models.registry import FAMILIES
from ensue.models.traits import LatentModel, WritingModel
from ensue.runs.loaded import Loaded
from ensue.runs.reading import Opened, cache_of, look_for, sources_in, trained_on
from ensue.runs.scores import scores_of

MOST_REFERENCES = 10_000
DEFAULTS: Mapping[str, Any] = {
    "num": 10_000,
    "temperature": 1.0,
    "num_draws": 64,
    "num_items": 1_000,
}


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A run, the data that it is evaluated on, and the options.

    Attributes:
        loaded: The run.
        opened: The data.
        seed: Seed of all draws.
        options: Options, as in ``DEFAULTS``.
    """

    loaded: Loaded
    opened: Opened
    seed: int
    options: Mapping[str, Any]

    @cached_property
    def trained_on(self) -> tuple[Items, list[int]]:
        """Return the items of the run's data, and the positions of those that weren't held out.

        Raises:
            EnsueError: They can't be read, or have changed.
        """
        return trained_on(self.loaded)


Made = tuple[list[Section], list[str]]
"""Tables of figures, and notes on what is missing."""


class Maker(Protocol):
    """Makes a section.

    Attributes:
        options: The options that it reads.
        absence: The reason why a run has no such section.
    """

    @property
    def options(self) -> Sequence[str]: ...
    @property
    def absence(self) -> str: ...
    def applies(self, loaded: Loaded) -> bool: ...
    def make(self, evaluation: Evaluation) -> Made: ...


class LikelihoodMaker:
    """The likelihood of the items."""

    options, absence = (), ""

    def applies(self, loaded: Loaded) -> bool:
        return True

    def make(self, evaluation: Evaluation) -> Made:
        opened, codec = evaluation.opened, evaluation.loaded.codec
        opened.progress.say(f"scoring {len(opened.store):,} items")
        num_tokens = None
        if isinstance(codec, HasVocabulary) and opened.store.sequence:
            num_tokens = codec.num_tokens
        totals, kind = scores_of(evaluation.loaded, opened, opened.sources)
        return [likelihood_section(totals, kind, opened.store, num_tokens)], []


class LatentsMaker:
    """The latent z of the items."""

    options, absence = ("num_draws", "num_items"), "has no z"

    def applies(self, loaded: Loaded) -> bool:
        return "latents" in FAMILIES[loaded.family].contracts

    def make(self, evaluation: Evaluation) -> Made:
        store, model = evaluation.opened.store, evaluation.loaded.model_as(LatentModel, "latents")
        num = evaluation.options["num_items"]
        rows = np.unique(np.linspace(0, len(store) - 1, num).astype(int))
        evaluation.opened.progress.say(f"looking at z of {len(rows):,} items")
        untrained = untrained_like(model, model.config, evaluation.seed)
        num_draws, seed = evaluation.options["num_draws"], evaluation.seed
        return [latents_section(model, untrained, store, rows, num_draws=num_draws, seed=seed)], []


class QuestionsMaker:
    """The quality of the model's questions, and what they depend on."""

    options, absence = ("num_items",), "asks no questions"

    def applies(self, loaded: Loaded) -> bool:
        return KINDS[loaded.codec.kind].has_sources

    def make(self, evaluation: Evaluation) -> Made:
        model = evaluation.loaded.model_as(WritingModel, "samples")
        most, seed = evaluation.options["num_items"], evaluation.seed
        sources, store = evaluation.opened.sources, evaluation.opened.store
        assert sources is not None
        evaluation.opened.progress.say(f"asking about {most:,} pictures with answers at most")
        training, notes = self._training(evaluation)
        asked = asked_of(sources, most, seed)
        return [
            questions_section(model, sources, asked, training),
            dependence_section(model, store, sources, asked, seed=seed),
        ], notes

    @staticmethod
    def _training(evaluation: Evaluation) -> tuple[Sources | None, list[str]]:
        """Return the training questions, or the reason why they are missing."""
        loaded = evaluation.loaded
        assert isinstance(loaded.codec, HasSources)
        try:
            items, chosen = evaluation.trained_on
            ids, cache = [items.ids[i] for i in chosen], cache_of(None, loaded.path)
            regions, progress = loaded.config["data"]["regions"], evaluation.opened.progress
            looked = look_for(loaded, items, cache, progress, regions)
            return sources_in(items, ids, loaded.codec, cache, looked or regions), []
        except EnsueError as error:
            return None, [
                f"the data that it was trained on can't be read, so no baselines: {error}"
            ]


class MoleculesMaker:
    """The quality of drawn molecules."""

    options, absence = ("num", "temperature"), "draws no molecules"

    def applies(self, loaded: Loaded) -> bool:
        row = KINDS[loaded.codec.kind]
        draws = "samples" in FAMILIES[loaded.family].contracts
        return draws and "molecules" in row.measures

    def make(self, evaluation: Evaluation) -> Made:
        num, temperature = (evaluation.options[name] for name in self.options)
        seed = evaluation.seed
        try:
            require_rdkit()
        except EnsueError as error:
            return [], [f"the draws can't be measured as molecules: {error}"]
        evaluation.opened.progress.say(f"drawing {num:,} molecules")
        drawn = evaluation.loaded.sample(num, temperature=temperature, seed=seed)
        training, notes = self._training(evaluation)
        reference = evaluation.opened.items.raw
        some = np.unique(np.linspace(0, len(reference) - 1, MOST_REFERENCES).astype(int))
        references = [reference[i] for i in map(int, some)]
        return [molecules_section(drawn, references, training, seed=seed)], notes

    @staticmethod
    def _training(evaluation: Evaluation) -> tuple[list[str] | None, list[str]]:
        """Return the training molecules, or the reason why they are missing."""
        try:
            items, chosen = evaluation.trained_on
            return [items.raw[row] for row in chosen], []
        except EnsueError as error:
            return None, [f"the data that it was trained on can't be read, so no novelty: {error}"]


SECTIONS: tuple[Maker, ...] = (
    LikelihoodMaker(),
    LatentsMaker(),
    QuestionsMaker(),
    MoleculesMaker(),
)
"""In the order of an evaluation."""


def require_read(loaded: Loaded, given: Mapping[str, Any]) -> None:
    """Refuse options that no section of a run reads.

    Raises:
        ConfigError: Some are given: all of them in one message.
    """
    problems = []
    for name in given:
        readers = [maker for maker in SECTIONS if name in maker.options]
        if not any(maker.applies(loaded) for maker in readers):
            why = ", and ".join(maker.absence for maker in readers)
            problems.append(f"{name}: this run {why}; leave it out")
    if problems:
        raise ConfigError("; ".join(problems))
