"""Figures: made of a model and its data, kept in the run's exhibits, and drawn from there.

A module here has a frozen dataclass ``Figure``, ``make(subject) -> Figure | None``, which is None
where the figure doesn't apply, and ``draw(figure) -> str``.
"""

import importlib
from dataclasses import dataclass
from typing import Any, Protocol, cast

from ensue.report.saved import Saved, read_figure, saved
from ensue.report.subject import Subject
from ensue.training.run_folder import RunFolder


class FigureModule(Protocol):
    """A module of this package."""

    @property
    def Figure(self) -> type[Any]: ...

    def make(self, subject: Subject) -> Any: ...

    def draw(self, figure: Any) -> str: ...


@dataclass(frozen=True)
class FigureRow:
    """A row of the page.

    Attributes:
        name: The anchor.
        title: The heading.
        module: Makes and draws it; its last name is that of the exhibit.
        above: Module of a panel that comes first in the same part of the page, or None.
    """

    name: str
    title: str
    module: str
    above: str | None = None

    @property
    def exhibit(self) -> str:
        """Name of the file in the run's exhibits."""
        return self.module.rpartition(".")[2]

    def make(self, subject: Subject) -> Saved | None:
        """The figure as it is saved, or None where it doesn't apply."""
        figure = self._module().make(subject)
        return None if figure is None else saved(figure)

    def draw(self, run: RunFolder) -> str:
        """The figure as HTML, or the empty text where the run has none."""
        if not run.exhibits.has(self.exhibit):
            return ""
        module = self._module()
        figure = read_figure(run.exhibits, self.exhibit, module.Figure)
        above = "" if self.above is None else importlib.import_module(self.above).draw(run)
        return above + module.draw(figure)

    def _module(self) -> FigureModule:
        # Only now, so that a page enters none of the figures that a run doesn't have.
        return cast(FigureModule, importlib.import_module(self.module))
