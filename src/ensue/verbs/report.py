"""``report``: the page of a run, made again, on data that you choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ensue.data.sources.data import Data
from ensue.runs.loaded import load
from ensue.runs.progress import listener
from ensue.verbs.apply import open_data, sources

if TYPE_CHECKING:
    import numpy as np

    from ensue.data.codecs import Codec
    from ensue.data.store import Store
    from ensue.data.windows import Conditions
    from ensue.models.traits import Model
    from ensue.training.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class Reported:
    """Where the page is."""

    files: tuple[Path, ...]


def make_report(
    run: str | Path,
    data: Data | None = None,
    *,
    group: str | None = None,
    intervals: Sequence[str] = (),
    regions: str | None = None,
    max_skipped: float = 0.05,
    seed: int = 0,
    cache: str | Path | None = None,
    quiet: bool = False,
) -> Reported:
    """Write a run's report.html: one page that needs no network.

    Parameters
    ----------
    run
        A run folder.
    data
        What to show the model on: embedding map, recordings to listen to, samples. By default
        what was shown before stays.
    group
        Label column that says what belongs together.
    intervals
        Frame labels as NAME=FILE: tables with the columns item, start, end, label.
    regions
        Of questions: the file that the rows of data point into; by default the run's own.
    max_skipped
        Part of the items that may be unreadable.
    seed
        Of t-SNE, of samples and of untrained weights.
    cache
        Folder for prepared data; by default "cache" beside the run.
    quiet
        Show no progress.
    """
    import numpy as np

    from ensue.report import write_report
    from ensue.training.run_folder import RunFolder

    folder = RunFolder(Path(run))
    if data is not None:
        loaded = load(run).on_best_device()
        items, store = open_data(
            loaded,
            data,
            cache,
            max_skipped=max_skipped,
            group=group,
            intervals=intervals,
            regions=regions,
            progress=listener(quiet),
        )
        written_from = sources(loaded, items, store, cache, regions)
        rows = np.arange(len(store))
        exhibit(folder, loaded.model, loaded.codec, store, rows, seed, written_from)
    write_report(folder)
    return Reported(files=(folder.report,))


def exhibit(
    folder: RunFolder,
    model: Model,
    codec: Codec,
    store: Store,
    rows: np.ndarray,
    seed: int,
    condition: Conditions | None = None,
) -> None:
    """Show the model on some items of a store, into the run folder."""
    from ensue.models.loading import untrained_like
    from ensue.report import make_figures
    from ensue.report.subject import Subject

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
