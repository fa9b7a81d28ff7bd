"""Measures by ``evaluate``, each with what to compare it with."""

import html

from ensue.report.charts import table
from ensue.training.run_folder import RunFolder


def draw(run: RunFolder) -> str:
    """A table for each section, and what is missing."""
    evaluation = run.read_evaluation()
    if evaluation is None:
        return ""
    parts = [f"<p>On {html.escape(evaluation['source'])}.</p>"]
    for section in evaluation["sections"]:
        rows = [
            (name, *("" if value is None else f"{value:.4g}" for value in values), meaning)
            for name, values, meaning in section["rows"]
        ]
        parts.append(f"<h3>{html.escape(section['title'])}</h3>")
        parts.append(table(("", *section["columns"], "what it is"), rows))
    parts += [f"<p>{html.escape(note)}</p>" for note in evaluation["notes"]]
    return "".join(parts)
