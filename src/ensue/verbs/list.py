"""``list``: list families, recipes or data by name, without importing them."""

from typing import Literal

from rich.console import Console

from ensue.data.corpora import BUILTIN
from ensue.models.registry import FAMILIES
from ensue.runs.recipes import recipe_names


class Names(dict[str, str]):
    """Names, each with a line about it."""

    files = ()

    def show(self, console: Console) -> None:
        width = max((len(name) for name in self), default=0)
        for name, summary in self.items():
            console.print(f"{name:{width}}  {summary}")

    def suggest(self) -> None:
        """Give no next command: it depends on the user's goal."""


def list_names(what: Literal["families", "recipes", "data"]) -> Names:
    """List the families of models, the recipes, or the built-in data.

    Parameters
    ----------
    what
        The list to show: families, recipes or data.
    """
    if what == "recipes":
        return Names(recipe_names())
    if what == "data":
        return Names({f"builtin:{name}": summary for name, summary in BUILTIN.items()})
    return Names(
        {
            name: f"{row.summary} ({', '.join(row.contracts)}; data: {', '.join(row.kinds)})"
            for name, row in FAMILIES.items()
        }
    )
