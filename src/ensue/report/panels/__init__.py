"""Panels: parts of the page that are drawn from the run's own files.

A module here has ``draw(run) -> str``, which is empty where there is nothing to show.
"""

import importlib
from dataclasses import dataclass

from ensue.training.run_folder import RunFolder


@dataclass(frozen=True)
class Panel:
    """A row of the page.

    Attributes:
        name: The anchor.
        title: The heading.
        module: Draws it.
    """

    name: str
    title: str
    module: str

    def draw(self, run: RunFolder) -> str:
        """The panel as HTML, or the empty text."""
        # Only now, so that the table of a page costs none of its parts.
        return importlib.import_module(self.module).draw(run)
