"""Each molecule, read once: canonical SMILES, fingerprint, scaffold, fragments and properties."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np

from ensue.data.kinds.smiles.molecules import canonical_of, molecule_of, require_rdkit

NUM_BYTES = 128
"""Of a fingerprint."""
PROPERTIES = ("logp", "sa", "qed", "weight")
"""Octanol-water partition (Wildman and Crippen 1999), synthetic accessibility (Ertl and
Schuffenhauer 2009), drug-likeness (Bickerton et al. 2012), molecular weight in daltons."""
MOLECULES_A_TASK = 250


@dataclass(frozen=True, kw_only=True)
class Molecules:
    """Molecules by position; an invalid one has a canonical SMILES of None and no other entry.

    Attributes:
        canonical: (N,) canonical SMILES, or None where a text is no molecule.
        fingerprints: (M, 16) uint64 of the valid ones, 64 bits of a Morgan fingerprint each.
        scaffolds: (M,) Bemis-Murcko scaffolds of two rings or more, else the empty text.
        fragments: (M,) counts of BRICS fragments.
        properties: (M,) of each of ``PROPERTIES``.
        alerts: (M,) true where a molecule has a pattern of PAINS (Baell and Holloway 2010).
    """

    canonical: Sequence[str | None]
    fingerprints: np.ndarray
    scaffolds: Sequence[str]
    fragments: Sequence[Mapping[str, int]]
    properties: Mapping[str, np.ndarray]
    alerts: np.ndarray

    def __len__(self) -> int:
        return len(self.canonical)

    @property
    def valid(self) -> list[str]:
        """Return the (M,) canonical SMILES of the valid ones."""
        return [smiles for smiles in self.canonical if smiles is not None]


def canonical_smiles(smiles: Sequence[str], *, num_processes: int = -1) -> list[str | None]:
    """Return canonical SMILES, None where a text is no molecule.

    Args:
        smiles: In any spelling.
        num_processes: Number of processes; -1 is one for each core.

    Example:
        >>> canonical_smiles(["OCC", "C(", ""], num_processes=1)
        ['CCO', None, None]
    """
    require_rdkit()
    return [
        canonical for part in _parallel(_canonical, smiles, num_processes) for canonical in part
    ]


def describe(smiles: Sequence[str], *, num_processes: int = -1) -> Molecules:
    """Return everything that the measures need to know about molecules.

    Args:
        smiles: In any spelling, valid or not.
        num_processes: Number of processes; -1 is one for each core.

    Example:
        >>> found = describe(["OCC", "C("], num_processes=1)
        >>> found.canonical, found.fingerprints.shape, round(float(found.properties["weight"][0]))
        (['CCO', None], (1, 16), 46)
    """
    require_rdkit()
    rows = [row for part in _parallel(_describe, smiles, num_processes) for row in part]
    known = [row for row in rows if row is not None]
    bits = np.array([row["bits"] for row in known], np.uint8).reshape(len(known), NUM_BYTES)
    return Molecules(
        canonical=[None if row is None else row["canonical"] for row in rows],
        fingerprints=bits.view(np.uint64),
        scaffolds=[row["scaffold"] for row in known],
        fragments=[row["fragments"] for row in known],
        properties={name: np.array([row[name] for row in known]) for name in PROPERTIES},
        alerts=np.array([row["alert"] for row in known], bool),
    )


def _parallel(work: Any, smiles: Sequence[str], num_processes: int) -> list[list[Any]]:
    parts = [smiles[i : i + MOLECULES_A_TASK] for i in range(0, len(smiles), MOLECULES_A_TASK)]
    if len(parts) < 2:
        return [work(part) for part in parts]
    tasks = (joblib.delayed(work)(part) for part in parts)
    return [part or [] for part in joblib.Parallel(n_jobs=num_processes)(tasks)]


def _canonical(part: Sequence[str]) -> list[str | None]:
    return [canonical_of(smiles) for smiles in part]


def _describe(part: Sequence[str]) -> list[dict[str, Any] | None]:
    # Only now: it imports rdkit, which is an extra.
    from ensue.evaluation.molecules.facts import facts_of

    molecules = map(molecule_of, part)
    return [None if molecule is None else facts_of(molecule) for molecule in molecules]
