"""The sections of ``evaluate``: figures of a model, next to what they must be compared with.

Each section is made by one function, from the model's contracts and the kind of its data.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ensue.data.store import Store
from ensue.evaluation.latents import measure_latents
from ensue.evaluation.molecules.describe import PROPERTIES, canonical_smiles, describe
from ensue.evaluation.molecules.measures import measure
from ensue.models.traits import LatentModel

OF_LATENTS = {
    "elbo": "evidence lower bound, nats of an item",
    "bound": "importance-weighted bound of {num_draws} draws, nats",
    "kl": "divergence of the posterior from the prior, nats",
    "mutual_information": "information in z about which item it is of, nats; at most {most:.2f}",
    "active_units": "units whose posterior mean varies, of {size}",
    "exact_reconstructions": "items whose tokens come back as they were",
}
OF_MOLECULES = {
    "valid": "part that is a molecule",
    "unique@1k": "different ones among the first 1,000 valid, or all",
    "unique@10k": "different ones among the first 10,000 valid, or all",
    "novelty": "different ones that weren't trained on",
    "int_div_1": "internal diversity: 1 less the mean similarity",
    "int_div_2": "the same by the root mean square",
    "snn": "similarity to the nearest of the reference",
    "fragments": "cosine of the counts of BRICS fragments with the reference's",
    "scaffolds": "the same of scaffolds",
    "filters": "part without an alert of PAINS",
    **{f"wasserstein_{name}": f"distance of {name} from the reference's" for name in PROPERTIES},
}


@dataclass(frozen=True, kw_only=True)
class Section:
    """A table of figures.

    Attributes:
        name: A short name.
        title: The heading.
        columns: The headings of the columns of figures, this run first.
        rows: For each measure its name, its figures (None where there is none) and its meaning.
    """

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[float | None], str]]

    def plain(self) -> dict[str, Any]:
        """Return plain values, as ``evaluation.json`` holds them."""
        return asdict(self)


def likelihood_section(
    totals: np.ndarray, kind: str, store: Store, num_tokens: int | None
) -> Section:
    """Report the mean score per item, and per token where items are made of tokens.

    Args:
        totals: (N,) nats, in the units of the data.
        kind: The kind of these scores.
        store: The items.
        num_tokens: V, or None where items aren't made of tokens.
    """
    rows: list[tuple[str, Sequence[float | None], str]] = []
    length = float(np.mean(store.lengths - 1))
    chance = None if num_tokens is None else -length * math.log(num_tokens)
    mean = float(np.mean(totals))
    rows.append(("nats", [mean, chance], f"of an item ({kind})"))
    if chance is not None:
        each = [mean / length, chance / length]
        rows.append(("nats a token", each, f"{length:.1f} tokens an item"))
    return Section(
        name="likelihood",
        title=f"How well it expected {len(store):,} items",
        columns=("this run", "every token alike"),
        rows=rows,
    )


def latents_section(
    model: LatentModel,
    untrained: LatentModel,
    store: Store,
    rows: np.ndarray,
    *,
    num_draws: int,
    seed: int,
) -> Section:
    """Report the latent measures of items, next to the same network with random weights."""
    measures = [
        measure_latents(m, store, rows, num_draws=num_draws, seed=seed) for m in (model, untrained)
    ]
    facts = {"num_draws": num_draws, "most": measures[0].most_information}
    facts["size"] = len(measures[0].kl_of_units)
    return Section(
        name="latents",
        title=f"What z holds of {len(rows):,} items",
        columns=("this run", "untrained"),
        rows=[
            (name, [float(getattr(f, name)) for f in measures], meaning.format(**facts))
            for name, meaning in OF_LATENTS.items()
        ],
    )


def molecules_section(
    drawn: Sequence[str], reference: Sequence[str], training: Sequence[str] | None, *, seed: int
) -> Section:
    """Report the measures of drawn molecules, next to the same number of training molecules.

    Args:
        drawn: SMILES in the order of drawing.
        reference: SMILES that the model hasn't seen.
        training: SMILES that it was trained on, or None where they aren't available.
        seed: Seed of the choice among these.

    Raises:
        MissingExtraError: rdkit isn't installed.
    """
    beside = describe(reference)
    columns: dict[str, Mapping[str, float]] = {}
    known = None
    if training is not None:
        known = [smiles for smiles in canonical_smiles(training) if smiles is not None]
    columns["this run"] = measure(describe(drawn), beside, known)
    if training is not None:
        order = np.random.default_rng(seed).permutation(len(training))[: len(drawn)]
        some = [training[i] for i in map(int, order)]
        columns["its data"] = measure(describe(some), beside)
    return Section(
        name="molecules",
        title=f"{len(drawn):,} molecules, beside {len(reference):,} of the reference",
        columns=tuple(columns),
        rows=[
            (name, [_finite(figures.get(name)) for figures in columns.values()], meaning)
            for name, meaning in OF_MOLECULES.items()
        ],
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
