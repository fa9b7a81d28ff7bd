"""The embedding map, and the diagnostics of collapse."""

import base64
import json

from ensue.report.charts import table
from ensue.training.run_folder import RunFolder

MAP = """\
<div class="map" data-map>
<div class="controls">
<label>colored by <select data-label></select></label>
<fieldset data-projections><legend class="hidden">projection</legend></fieldset>
</div>
<svg viewBox="0 0 100 72" tabindex="0" role="application"
 aria-label="Embedding map: arrow keys move between items, Enter plays one"></svg>
<p class="note" data-told aria-live="polite">Point at an item, or press the arrow keys.</p>
<div class="legend" data-legend></div>
<script type="application/json">{data}</script>
</div>
<p class="note">{caption}</p>"""

MEANING = (
    ("effective_rank", "effective rank", "directions that embeddings use, of {num_features}"),
    ("mean_deviation", "mean deviation", "of a feature over items; 0 has collapsed"),
    ("smallest_deviation", "smallest deviation", "of any feature"),
    ("uniformity", "uniformity", "0: all in one direction; lower covers the sphere more evenly"),
    ("alignment", "alignment", "squared distance of the two halves of an item; 0 is together"),
)


def map_panel(run: RunFolder) -> str:
    """Items in two dimensions, by PCA and t-SNE, to point at and listen to."""
    found = run.exhibits.read("map")
    if found is None:
        return ""
    sounds = [base64.b64encode(run.exhibits.file(s)).decode() for s in found["sounds"]]
    # "<" would end the script early.
    data = json.dumps({**found, "sounds": sounds}).replace("<", "\\u003c")
    first, second = (*found["explained"], 0.0)[:2]
    caption = (
        f"{len(found['items'])} items. The axes of PCA hold {first:.0%} and {second:.0%} of the "
        "variance; distances between far groups mean little in t-SNE."
    )
    return MAP.format(data=data, caption=caption)


def collapse_panel(run: RunFolder) -> str:
    """Effective rank, deviation, uniformity and alignment beside the untrained network's."""
    found = run.exhibits.read("collapse")
    if found is None:
        return ""
    spaces = found["spaces"]
    rows = [
        (name, *(_figure(space[key]) for space in spaces.values()), meaning.format(**found))
        for key, name, meaning in MEANING
        if any(space[key] is not None for space in spaces.values())
    ]
    return table(("", *spaces, "what it is"), rows)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
