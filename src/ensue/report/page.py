"""The page: curves, probes and settings of a run in one file that needs no network.

Each part of the page is a panel: a title and a piece of HTML made from the run folder. A part
that has nothing to show is left out.
"""

import html
import io
from collections.abc import Callable, Sequence
from string import Template
from typing import Any

import matplotlib
import yaml
from matplotlib.figure import Figure

from ensue.training.run_folder import RunFolder, write_text

COLORS = ("#3b6ea8", "#c8553d", "#6b8f71", "#8d6a9f")

PAGE = Template("""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>$title</title>
<style>
:root { color-scheme: light dark; --line: #8884; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
figure { margin: 1rem 0; overflow-x: auto; } figcaption, .note { color: #777; font-size: .9rem; }
svg { max-width: 100%; height: auto; background: #fff; border-radius: 6px; }
table { border-collapse: collapse; } td, th { padding: .25rem .8rem .25rem 0; text-align: left; }
td, th { border-bottom: 1px solid var(--line); } td.n, th.n { text-align: right; }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); border-radius: 6px; }
</style>
<main><h1>$title</h1>
$panels
</main></html>
""")


def write_report(run: RunFolder) -> None:
    """Write ``report.html`` of a run from its files."""
    config = run.read_config()
    panels = "\n".join(
        f"<section><h2>{html.escape(title)}</h2>\n{body}</section>"
        for title, draw in PANELS
        if (body := draw(run))
    )
    title = html.escape(f"{config['family']} on {config['source']}")
    write_text(run.report, PAGE.substitute(title=title, panels=panels))


def loss_panel(run: RunFolder) -> str:
    """Training and validation loss by step, with the chance loss."""
    lines = run.read_metrics()
    figure, axes = _figure()
    for key, name, style in (
        ("loss", "training", "-"),
        ("val_loss", "validation", "o-"),
        ("chance_loss", "chance", "--"),
    ):
        points = [(line["step"], line[key]) for line in lines if key in line]
        if points:
            axes.plot(*zip(*points, strict=True), style, label=name, markersize=4)
    axes.set_xlabel("step")
    axes.set_ylabel("loss in nats")
    axes.legend(frameon=False)
    return _svg(figure, "Loss by step. Below the chance loss the model knows something.")


def horizon_panel(run: RunFolder) -> str:
    """Accuracy and certified information for each step ahead, at the last validation."""
    found = [line for line in run.read_metrics() if "val_accuracy_by_horizon" in line]
    if not found:
        return ""
    last, nearest = found[-1], run.read_config()["model"].get("nearest", 1)
    pairs = zip(last["val_accuracy_by_horizon"], last["val_information_by_horizon"], strict=True)
    rows = [(str(k), f"{a:.1%}", f"{i:.2f}") for k, (a, i) in enumerate(pairs, nearest)]
    return _table(("steps ahead k", "accuracy", "information, nats"), rows)


def probe_panel(run: RunFolder) -> str:
    """One bar chart and one table a probe, with 95 % intervals."""
    return "\n".join(_probe(p) for p in run.read_probes())


def settings_panel(run: RunFolder) -> str:
    """The settings, as a recipe could hold them."""
    text = yaml.safe_dump(run.read_config(), sort_keys=False)
    return f"<pre>{html.escape(text)}</pre>"


def use_panel(run: RunFolder) -> str:
    """How to load the model."""
    code = f'import ensue\nrun = ensue.load("{run.path}")\nrun.model'
    return f"<pre>{html.escape(code)}</pre>"


PANELS: Sequence[tuple[str, Callable[[RunFolder], str]]] = (
    ("Loss", loss_panel),
    ("Steps ahead", horizon_panel),
    ("Probes", probe_panel),
    ("Use it", use_panel),
    ("Settings", settings_panel),
)


def _probe(probe: dict[str, Any]) -> str:
    measure = probe.get("measure", "accuracy")
    rows = [_named(row) for row in probe.get("accuracies") or probe["rows"]]
    figure, axes = _figure(height=0.5 * len(rows) + 0.9)
    names, values = [r["features"] for r in rows], [100 * r["accuracy"] for r in rows]
    errors = [
        [100 * (r["accuracy"] - r["low"]) for r in rows],
        [100 * (r["high"] - r["accuracy"]) for r in rows],
    ]
    colors = [COLORS[1] if "this run" in n else COLORS[0] for n in names]
    axes.barh(names, values, xerr=errors, color=colors, capsize=3)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel(f"{measure}, %")
    caption = (
        f"{probe['label']} by {probe['level']}, {probe['num_classes']} classes, "
        f"{probe['num_train']:,} to train and {probe['num_test']:,} to test, split by "
        f"{probe['split']}. Intervals: {probe.get('interval', '95 % bootstrap over items')}."
    )
    table = _table(
        ("features", measure, "95 % interval"),
        [
            (r["features"], f"{r['accuracy']:.1%}", f"{r['low']:.1%} to {r['high']:.1%}")
            for r in rows
        ],
    )
    return _svg(figure, caption) + table


def _named(row: dict[str, Any]) -> dict[str, Any]:
    """A row of any kind of probe under the names of the plain one."""
    labels = f", {row['num_labels']:,} labels" if row.get("num_labels") else ""
    value = row["accuracy"] if "accuracy" in row else row["value"]
    return {**row, "features": row["features"] + labels, "accuracy": value}


def _figure(height: float = 3.2) -> tuple[Figure, Any]:
    figure = Figure(figsize=(7.5, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Figure, caption: str) -> str:
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "ensue", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    drawing = svg[svg.index("<svg") :]
    return f"<figure>{drawing}<figcaption>{html.escape(caption)}</figcaption></figure>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        first, *others = (html.escape(c) for c in cells)
        numbers = "".join(f'<{tag} class="n">{c}</{tag}>' for c in others)
        return f"<tr><{tag}>{first}</{tag}>{numbers}</tr>"

    return f"<table>{line(head, 'th')}{''.join(line(r, 'td') for r in rows)}</table>"
