"""Molecules that the model drew, and those between two of its data."""

import html

from ensue.report.charts import table
from ensue.training.run_folder import RunFolder


def molecules_panel(run: RunFolder) -> str:
    """Structural formulas of the first valid ones, and of a line from one z to another."""
    found = run.exhibits.read("molecules")
    if found is None:
        return ""
    parts = [f"<p>{found['num_valid']} of {found['num_drawn']} that it drew are molecules.</p>"]
    if "drawn.svg" in found["files"]:
        parts.append(_picture(run, "drawn.svg", "The first ones of these."))
    if "between.svg" in found["files"]:
        told = "From one molecule of the data to another, along the line between their z."
        parts.append(_picture(run, "between.svg", told))
        rows = [(str(i), smiles) for i, smiles in enumerate(found["line"])]
        parts.append(f"<details><summary>SMILES</summary>{table((), rows)}</details>")
    return "".join(parts)


def _picture(run: RunFolder, name: str, caption: str) -> str:
    svg = run.exhibits.file(name).decode()
    svg = svg[svg.index("<svg") :].replace(
        "<svg", f'<svg role="img" aria-label="{html.escape(caption)}"', 1
    )
    return (
        f'<figure class="molecules">{svg}<figcaption>{html.escape(caption)}</figcaption></figure>'
    )
