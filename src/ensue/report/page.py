"""The page: one file that needs no network, made of panels and figures.

A part of the page is drawn from the run folder's files; one that has nothing to show gives the
empty text and is left out. One that fails is reported in its place.
"""

import html
from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from string import Template

from ensue.errors import CheckpointError
from ensue.files import write_text
from ensue.report.charts import theme
from ensue.report.failures import Failure, attempt
from ensue.report.figures import FigureRow
from ensue.report.panels import Panel, summary
from ensue.report.subject import Subject
from ensue.training.exhibits import to_json
from ensue.training.run_folder import RunFolder

PAGE: Sequence[Panel | FigureRow] = (
    Panel("loss", "Learning", "ensue.report.panels.loss"),
    Panel("horizon", "Steps ahead", "ensue.report.panels.horizon"),
    Panel("evaluation", "Evaluation", "ensue.report.panels.evaluation"),
    Panel("probes", "What the features tell", "ensue.report.panels.probes"),
    FigureRow("map", "Embedding map", "ensue.report.figures.map"),
    FigureRow("neighbors", "Nearest neighbors", "ensue.report.figures.neighbors"),
    FigureRow("similar", "Similar series", "ensue.report.figures.similar"),
    FigureRow("patches", "Surprise by patch", "ensue.report.figures.patches"),
    FigureRow("logs", "Series", "ensue.report.figures.logs"),
    FigureRow("drawn", "Drawn series", "ensue.report.figures.drawn"),
    FigureRow("forecasts", "Forecasts", "ensue.report.figures.forecasts"),
    FigureRow("listening", "Listening", "ensue.report.figures.clips"),
    FigureRow("density", "Density and samples", "ensue.report.figures.density"),
    FigureRow("molecules", "Molecules", "ensue.report.figures.molecules"),
    FigureRow("writing", "Writing", "ensue.report.figures.writing"),
    FigureRow("asking", "Questions", "ensue.report.figures.asking"),
    FigureRow(
        "latents",
        "What z holds",
        "ensue.report.figures.latents",
        above="ensue.report.panels.divergence",
    ),
    FigureRow("pictures", "Pictures", "ensue.report.figures.pictures"),
    FigureRow("sounds", "Sounds", "ensue.report.figures.sounds"),
    FigureRow("inside", "Inside the flow", "ensue.report.figures.inside"),
    FigureRow("collapse", "Has it collapsed?", "ensue.report.figures.collapse"),
    Panel("use", "Use it", "ensue.report.panels.use"),
    Panel("settings", "Settings", "ensue.report.panels.settings"),
    Panel("environment", "Environment", "ensue.report.panels.environment"),
)
FAILED = "failed"
"""Name of the exhibit that holds the reasons why figures are missing, by their names."""


def make_figures(subject: Subject, run: RunFolder) -> None:
    """Make every figure that applies to a subject, in the place of the run's earlier ones."""
    subject.model.eval()
    texts: dict[str, str] = {}
    pictures: dict[str, bytes] = {}
    failed: dict[str, str] = {}
    for row in PAGE:
        if isinstance(row, Panel):
            continue
        made = attempt(partial(row.make, subject), row.exhibit, run)
        if isinstance(made, Failure):
            failed[row.exhibit] = made.reason
        elif made is not None:
            texts[row.exhibit] = made.text
            pictures |= made.files
    if failed:
        texts[FAILED] = to_json(failed)
    run.exhibits.replace(texts, pictures)


def write_report(run: RunFolder) -> None:
    """Write ``report.html`` of a run from its files."""
    config = run.read_config()
    failed = run.exhibits.read(FAILED) or {}
    with theme():
        parts = [(row, body) for row in PAGE if (body := _body(row, run, failed))]
    links = "".join(f'<a href="#{row.name}">{html.escape(row.title)}</a>' for row, _ in parts)
    sections = "\n".join(
        f'<section id="{row.name}"><h2>{html.escape(row.title)}</h2>\n{body}</section>'
        for row, body in parts
    )
    page = Template(_asset("page.html")).substitute(
        title=html.escape(f"{config['family']} on {config['source']}"),
        summary=summary.draw(run),
        links=links,
        sections=sections,
        style=_asset("page.css"),
        script=_asset("page.js"),
    )
    write_text(run.report, page, error=CheckpointError)


def _body(row: Panel | FigureRow, run: RunFolder, failed: dict[str, str]) -> str:
    """A part as HTML; the reason where it couldn't be made or drawn."""
    if isinstance(row, FigureRow) and row.exhibit in failed:
        return _missing(failed[row.exhibit])
    body = attempt(partial(row.draw, run), row.name, run)
    return _missing(body.reason) if isinstance(body, Failure) else body


def _missing(reason: str) -> str:
    return f"<p>This couldn't be made: {html.escape(reason)} (see train.log)</p>"


def _asset(name: str) -> str:
    return (files("ensue.report") / "assets" / name).read_text()
