"""Scores of data that a run is applied to, in the units of the data."""

import numpy as np

from ensue.data.windows import Conditions
from ensue.evaluation.represent import score_items
from ensue.models.traits import ScoringModel
from ensue.runs.loaded import Loaded
from ensue.runs.reading import Opened

DENSITIES = ("exact", "lower_bound")
LIKELIHOODS = (*DENSITIES, "order")
"""Kinds of scores that are the cost of an item; information is none."""


def scores_of(
    loaded: Loaded, opened: Opened, condition: Conditions | None = None
) -> tuple[np.ndarray, str]:
    """Return the score of each item in nats, and its kind.

    A model's density is that of the encoded item; the log-determinant of the encoding turns it into
    the density of the item itself.
    """
    model = loaded.model_as(ScoringModel, "scores")
    totals, kind = score_items(model, opened.store, condition=condition)
    if kind in DENSITIES:
        totals = totals + np.array([loaded.codec.log_det(raw) for raw in opened.raws])
    return totals, kind
