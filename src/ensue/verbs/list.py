"""``list``: what there is, by name, without importing what it names."""

from typing import Literal

from ensue.runs.recipes import recipe_names


def list_names(what: Literal["families", "recipes", "data"]) -> dict[str, str]:
    """List what there is: families of models, recipes, or built-in data.

    Parameters
    ----------
    what
        families, recipes or data.
    """
    if what == "recipes":
        return recipe_names()
    if what == "data":
        from ensue.data.sources.builtin import BUILTIN

        return {f"builtin:{name}": summary for name, summary in BUILTIN.items()}
    from ensue.models.registry import FAMILIES

    return {
        name: f"{row.summary} ({', '.join(row.contracts)}; data: {', '.join(row.kinds)})"
        for name, row in FAMILIES.items()
    }
