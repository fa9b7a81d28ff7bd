"""The figures of ``evaluate``, each beside what it must be seen beside."""

import html

from ensue.report.charts import table
from ensue.training.run_folder import RunFolder


def evaluation_panel(run: RunFolder) -> str:
    """A table for each section, and what is missing."""
    found = run.read_evaluation()
    if found is None:
        return ""
    parts = [f"<p>On {html.escape(found['source'])}.</p>"]
    for section in found["sections"]:
        rows = [
            (name, *("" if value is None else f"{value:.4g}" for value in values), meaning)
            for name, values, meaning in section["rows"]
        ]
        parts.append(f"<h3>{html.escape(section['title'])}</h3>")
        parts.append(table(("", *section["columns"], "what it is"), rows))
    parts += [f"<p>{html.escape(note)}</p>" for note in found["notes"]]
    return "".join(parts)
