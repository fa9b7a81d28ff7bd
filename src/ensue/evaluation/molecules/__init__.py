"""Quality of a set of molecules: validity, novelty, diversity, and likeness to the training set.

``describe.py`` looks at each molecule once, ``similarity.py`` compares fingerprints and
``measures.py`` has the measures of a set (Polykovskiy et al. 2020, 1811.12823, section 4). Needs
rdkit.
"""

from ensue.evaluation.molecules.describe import Molecules, describe
from ensue.evaluation.molecules.measures import measure
from ensue.evaluation.molecules.similarity import (
    internal_diversity,
    nearest_similarity,
    tanimoto,
)

__all__ = [
    "Molecules",
    "describe",
    "internal_diversity",
    "measure",
    "nearest_similarity",
    "tanimoto",
]
