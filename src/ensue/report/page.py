"""The page: one file that needs no network, made of panels.

A panel is a title and a function from the run folder to a piece of HTML; one that has nothing to
show gives the empty text and is left out. What a panel shows stands in the run folder's files.
"""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template

from ensue.report.charts import theme
from ensue.report.panels.about import environment_panel, settings_panel, summary, use_panel
from ensue.report.panels.asking import asking_panel
from ensue.report.panels.density import density_panel
from ensue.report.panels.evaluation import evaluation_panel
from ensue.report.panels.inside import inside_panel
from ensue.report.panels.latents import latents_panel
from ensue.report.panels.listening import listening_panel
from ensue.report.panels.molecules import molecules_panel
from ensue.report.panels.pictures import pictures_panel
from ensue.report.panels.probes import probe_panel
from ensue.report.panels.representation import collapse_panel, map_panel
from ensue.report.panels.sounding import sounding_panel
from ensue.report.panels.training import horizon_panel, loss_panel
from ensue.report.panels.writing import writing_panel
from ensue.training.run_folder import RunFolder
from ensue.training.whole import write_text


@dataclass(frozen=True)
class Panel:
    """A part of the page; ``name`` is its anchor."""

    name: str
    title: str
    draw: Callable[[RunFolder], str]


PANELS: Sequence[Panel] = (
    Panel("loss", "Learning", loss_panel),
    Panel("horizon", "Steps ahead", horizon_panel),
    Panel("evaluation", "Evaluation", evaluation_panel),
    Panel("probes", "What the features tell", probe_panel),
    Panel("map", "Embedding map", map_panel),
    Panel("listening", "Listening", listening_panel),
    Panel("density", "Density and samples", density_panel),
    Panel("molecules", "Molecules", molecules_panel),
    Panel("writing", "Writing", writing_panel),
    Panel("asking", "Questions", asking_panel),
    Panel("latents", "What z holds", latents_panel),
    Panel("pictures", "Pictures", pictures_panel),
    Panel("sounds", "Sounds", sounding_panel),
    Panel("inside", "Inside the flow", inside_panel),
    Panel("collapse", "Has it collapsed?", collapse_panel),
    Panel("use", "Use it", use_panel),
    Panel("settings", "Settings", settings_panel),
    Panel("environment", "Environment", environment_panel),
)


def write_report(run: RunFolder) -> None:
    """Write ``report.html`` of a run from its files."""
    config = run.read_config()
    with theme():
        drawn = [(panel, body) for panel in PANELS if (body := panel.draw(run))]
    links = "".join(f'<a href="#{p.name}">{html.escape(p.title)}</a>' for p, _ in drawn)
    sections = "\n".join(
        f'<section id="{p.name}"><h2>{html.escape(p.title)}</h2>\n{body}</section>'
        for p, body in drawn
    )
    page = Template(_asset("page.html")).substitute(
        title=html.escape(f"{config['family']} on {config['source']}"),
        summary=summary(run),
        links=links,
        sections=sections,
        style=_asset("page.css"),
        script=_asset("page.js"),
    )
    write_text(run.report, page)


def _asset(name: str) -> str:
    return (files("ensue.report") / "assets" / name).read_text()
