"""The facts of one molecule, by rdkit; only this file imports rdkit at the top."""

from collections import Counter
from functools import cache
from typing import Any

import numpy as np
from rdkit import Chem
from rdkit.Chem.BRICS import BreakBRICSBonds
from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams
from rdkit.Chem.QED import properties, qed
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
from rdkit.Chem.Scaffolds.MurckoScaffold import GetScaffoldForMol
from rdkit.Contrib.SA_Score import sascorer  # pyright: ignore[reportMissingImports]

RADIUS, NUM_BITS = 2, 1024
"""Of Morgan fingerprints (Rogers and Hahn 2010)."""
FEWEST_RINGS = 2
"""Of a scaffold that counts."""


def facts_of(molecule: Any) -> dict[str, Any]:
    """Return everything that the measures need to know about one molecule, by name."""
    bits = _fingerprints().GetFingerprintAsNumPy(molecule)
    known = properties(molecule)
    return {
        "canonical": Chem.MolToSmiles(molecule),
        "bits": np.packbits(bits),
        "scaffold": _scaffold(molecule),
        "fragments": _fragments(molecule),
        "logp": known.ALOGP,
        "sa": sascorer.calculateScore(molecule),
        "qed": qed(molecule, qedProperties=known),
        "weight": known.MW,
        "alert": alerts().HasMatch(molecule),
    }


def _scaffold(molecule: Any) -> str:
    scaffold = GetScaffoldForMol(molecule)
    if scaffold.GetRingInfo().NumRings() < FEWEST_RINGS:
        return ""
    return Chem.MolToSmiles(scaffold)


def _fragments(molecule: Any) -> Counter[str]:
    pieces = Chem.GetMolFrags(BreakBRICSBonds(molecule), asMols=True, sanitizeFrags=False)
    return Counter(map(Chem.MolToSmiles, pieces))


@cache
def _fingerprints() -> Any:
    return GetMorganGenerator(radius=RADIUS, fpSize=NUM_BITS)


@cache
def alerts() -> Any:
    """Return the patterns of PAINS (Baell and Holloway 2010)."""
    params = FilterCatalogParams()
    params.AddCatalog(FilterCatalogParams.FilterCatalogs.PAINS)
    return FilterCatalog(params)
