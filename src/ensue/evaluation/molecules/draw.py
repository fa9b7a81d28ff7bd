"""Molecules as pictures: a grid of structural formulas as SVG."""

from collections.abc import Sequence

from ensue.data.kinds.smiles.molecules import require_rdkit

CELL = (220, 160)
"""Width and height of one, in pixels."""


def draw_grid(smiles: Sequence[str], *, across: int = 4, captions: Sequence[str] = ()) -> str:
    """Structural formulas side by side, as SVG.

    Args:
        smiles: Valid SMILES.
        across: Molecules in a row.
        captions: A caption below each, or none.

    Example:
        >>> draw_grid(["CCO"], across=1).count("<svg")
        1
    """
    require_rdkit()
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    down = -(-len(smiles) // across)
    width, height = CELL
    drawer = rdMolDraw2D.MolDraw2DSVG(across * width, down * height, width, height)
    options = drawer.drawOptions()
    options.clearBackground = False
    drawer.DrawMolecules([Chem.MolFromSmiles(s) for s in smiles], legends=list(captions) or None)
    drawer.FinishDrawing()
    return drawer.GetDrawingText()
