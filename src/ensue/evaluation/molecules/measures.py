"""Measures of a set of molecules, and of two (Polykovskiy et al. 2020, 1811.12823, section 4)."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import wasserstein_distance

from ensue.evaluation.molecules.describe import PROPERTIES, Molecules
from ensue.evaluation.molecules.similarity import internal_diversity, nearest_similarity

FIRST = {"unique@1k": 1_000, "unique@10k": 10_000}


def measure(
    generated: Molecules, reference: Molecules, training: Sequence[str] | None = None
) -> dict[str, float]:
    """Return all measures of generated molecules, compared with a held-out reference set.

    Args:
        generated: The molecules drawn, in the order of drawing.
        reference: Held-out molecules.
        training: Canonical SMILES of the training molecules, for the novelty; None leaves it out.

    Returns:
        ``valid``: share of valid ones; the other measures are of these. ``unique@1k``,
        ``unique@10k``: share of different ones among the first 1,000 and 10,000; ``novelty``:
        share of the different ones that aren't in training; ``int_div_1``, ``int_div_2``: internal
        diversity; ``snn``: mean similarity to the nearest reference; ``fragments``, ``scaffolds``:
        cosines of their counts; ``filters``: share without alerts; ``wasserstein_NAME``: distances
        between the distributions of a property. NaN where nothing is valid.
    """
    valid = generated.valid
    nothing = not valid or not reference.valid
    figures = {
        "valid": len(valid) / max(len(generated), 1),
        **{name: unique(valid[:k]) for name, k in FIRST.items()},
        "int_div_1": internal_diversity(generated.fingerprints, 1),
        "int_div_2": internal_diversity(generated.fingerprints, 2),
        "snn": math.nan
        if nothing
        else float(nearest_similarity(generated.fingerprints, reference.fingerprints).mean()),
        "fragments": cosine(_fragments(generated), _fragments(reference)),
        "scaffolds": cosine(_scaffolds(generated), _scaffolds(reference)),
        "filters": float(1 - generated.alerts.mean()) if valid else math.nan,
    }
    if training is not None:
        figures["novelty"] = novelty(valid, training)
    for name in PROPERTIES:
        a, b = generated.properties[name], reference.properties[name]
        figures[f"wasserstein_{name}"] = math.nan if nothing else float(wasserstein_distance(a, b))
    return figures


def unique(smiles: Sequence[str]) -> float:
    """Return the share of canonical SMILES that are different.

    Example:
        >>> unique(["C", "C", "O", "N"])
        0.75
    """
    return len(set(smiles)) / len(smiles) if smiles else math.nan


def novelty(smiles: Sequence[str], training: Sequence[str]) -> float:
    """Return the share of different canonical SMILES that aren't in the training set.

    Example:
        >>> novelty(["C", "C", "O"], ["O"])
        0.5
    """
    different = set(smiles)
    return len(different - set(training)) / len(different) if different else math.nan


def cosine(a: Mapping[str, int], b: Mapping[str, int]) -> float:
    r"""Return the cosine of the angle between counts of fragments or scaffolds.

    .. math:: \frac{\sum_f a_f b_f}{\sqrt{\sum_f a_f^2 \sum_f b_f^2}}

    Example:
        >>> cosine({"CC": 3, "O": 4}, {"CC": 2})
        0.6
    """
    if not a or not b:
        return math.nan
    product = sum(count * b.get(name, 0) for name, count in a.items())
    norms = (np.sqrt(sum(count**2 for count in counts.values())) for counts in (a, b))
    return float(product / math.prod(norms))


def _fragments(molecules: Molecules) -> Counter[str]:
    total: Counter[str] = Counter()
    for counts in molecules.fragments:
        total.update(counts)
    return total


def _scaffolds(molecules: Molecules) -> Counter[str]:
    return Counter(scaffold for scaffold in molecules.scaffolds if scaffold)
