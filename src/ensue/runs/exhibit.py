"""Exhibit: make the figures of a run's report on some items."""

import numpy as np

from ensue.data.codecs.protocols import Codec
from ensue.data.store import Store
from ensue.data.windows import Conditions
from ensue.models.loading import untrained_like
from ensue.models.traits import Model
from ensue.report import make_figures
from ensue.report.subject import Subject
from ensue.training.run_folder import RunFolder


def exhibit(
    folder: RunFolder,
    model: Model,
    codec: Codec,
    store: Store,
    rows: np.ndarray,
    seed: int,
    condition: Conditions | None = None,
) -> None:
    """Make the figures of the model on some items of a store, in the run folder."""
    subject = Subject(
        model=model,
        untrained=untrained_like(model, model.config, seed),
        codec=codec,
        store=store,
        rows=rows,
        condition=condition,
        seed=seed,
    )
    make_figures(subject, folder)
