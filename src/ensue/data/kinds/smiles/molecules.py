"""Molecules of SMILES by rdkit, where it is installed."""

from importlib.util import find_spec
from typing import Any

from ensue.errors import MissingExtraError


def has_rdkit() -> bool:
    """Return whether rdkit is installed."""
    return find_spec("rdkit") is not None


def require_rdkit() -> None:
    """Refuse to go on where rdkit isn't installed.

    Raises:
        MissingExtraError: It isn't.
    """
    if not has_rdkit():
        raise MissingExtraError(
            "molecules need rdkit; install it with: pip install 'ensue[molecules]'"
        )


def molecule_of(smiles: str) -> Any:
    """The molecule of a SMILES, or None where there is none; rdkit must be installed.

    What has white space in it is none: rdkit would take what follows for a name.
    """
    from rdkit import Chem, rdBase  # only now: it is an extra

    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(smiles) if smiles.split() == [smiles] else None


def canonical_of(smiles: str) -> str | None:
    """The canonical SMILES of a molecule, or None where there is none.

    Example:
        >>> canonical_of("OCC"), canonical_of("C(")
        ('CCO', None)
    """
    from rdkit import Chem  # only now: it is an extra

    molecule = molecule_of(smiles)
    return None if molecule is None else Chem.MolToSmiles(molecule)
