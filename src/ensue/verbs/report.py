"""``report``: make the page of a run again, on data that you choose."""

from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import numpy as np
from rich.console import Console

from ensue.data.sources.data import Data
from ensue.report import write_report
from ensue.runs.exhibit import exhibit
from ensue.runs.loaded import load
from ensue.runs.reading import LabeledReading, open_data, require_options
from ensue.runs.results import open_file
from ensue.training.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class Reported:
    """The page that was written."""

    files: tuple[Path, ...]

    def show(self, console: Console) -> None:
        pass

    def suggest(self) -> str:
        return open_file(self.files[0])


def make_report(
    run: str | Path,
    data: Data | None = None,
    *,
    regions: str | None = None,
    seed: int = 0,
    **reading: Unpack[LabeledReading],
) -> Reported:
    """Write a run's report.html: one page that needs no network.

    Parameters
    ----------
    run
        A run folder.
    data
        Data for the embedding map, the recordings to listen to, and the samples. By default
        the page keeps the figures that it has.
    regions
        For questions: the file that the rows of data point into, or where the run that makes
        regions is now; by default the run's own.
    seed
        Seed of t-SNE, of samples and of untrained weights.
    reading
        Options for reading the data.
    """
    require_options(LabeledReading, reading)
    folder = RunFolder(Path(run))
    if data is not None:
        loaded = load(run).on_best_device()
        opened = open_data(loaded, data, regions=regions, **reading)
        rows = np.arange(len(opened.store))
        exhibit(folder, loaded.model, loaded.codec, opened.store, rows, seed, opened.sources)
    write_report(folder)
    return Reported(files=(folder.report,))
