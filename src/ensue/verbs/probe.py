"""``probe``: read a label off a run's features, compared with chance and baselines."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal, Unpack

from rich.console import Console

from ensue.configuration import require_at_least
from ensue.data.sources.data import Data
from ensue.data.store import Store
from ensue.evaluation.probes.measure import baselines_of, measure
from ensue.evaluation.probes.measured import MeasuredResult
from ensue.evaluation.probes.multi_label import values_of
from ensue.evaluation.probes.plan import make_plan
from ensue.evaluation.probes.probe import ProbeResult
from ensue.evaluation.probes.table import print_probe
from ensue.evaluation.represent import by_model
from ensue.nn.pooling import Pooled, Pooling
from ensue.report import write_report
from ensue.runs.encoder import encoder_of
from ensue.runs.loaded import load
from ensue.runs.plan import describe
from ensue.runs.prepare import warn_of_lookalikes
from ensue.runs.reading import LabeledReading, open_data
from ensue.runs.results import Next, open_file
from ensue.training.card import write_card
from ensue.training.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class Probed:
    """The result of a probe, and the files it was written to."""

    result: ProbeResult | MeasuredResult
    run: Path
    files: tuple[Path, ...]

    def show(self, console: Console) -> None:
        print_probe(self.result, console)

    def suggest(self) -> Next | str:
        page = next((file for file in self.files if file.suffix == ".html"), None)
        return Next("report", (self.run,)) if page is None else open_file(page)


def probe(
    run: str | Path,
    data: Data,
    *,
    label: str,
    level: Literal["frame", "item"] | None = None,
    baselines: bool = True,
    pooling: Pooling | None = None,
    embedding: Pooled | None = None,
    knn: int | None = None,
    num_labels: str | int | Sequence[int] = (),
    label_fractions: str | float | Sequence[float] = (),
    draws: int | None = None,
    leave_one_group_out: bool = False,
    finetune: bool = False,
    finetune_steps: int | None = None,
    finetune_rate: float | None = None,
    verify: bool = False,
    numeric: bool = False,
    separator: str | None = None,
    num_train: int = 16_000,
    num_test: int = 12_000,
    seed: int = 0,
    report: bool = False,
    **reading: Unpack[LabeledReading],
) -> Probed:
    """Read a label off frozen features by logistic regression, next to chance and baselines.

    Parameters
    ----------
    run
        A run folder.
    data
        Labeled data: a folder, a manifest, a table, or builtin:NAME.
    label
        A label column, or the name of an intervals table.
    level
        frame or item; by default frames for intervals and items for columns.
    baselines
        Also hand-made features (MFCC of sound; raw pixels, HOG and k-means patch features of
        images; statistics and raw values of series) and the same network untrained.
    pooling
        Of a CPC: mean, statistics, dynamics, extremes or cells (3 x 3 parts of an image); by
        default the run's own. The baselines are pooled alike.
    embedding
        Of a CPC: frames that one vector per item is pooled from: context, local or both; by
        default the run's own.
    knn
        Also the vote of this many nearest neighbors, by the cosine of standardized features.
    num_labels
        Number of labeled examples to train on, at least one of each class: 100, or 10,100,1000
        for a curve.
    label_fractions
        The same as fractions of the training part: 0.01,0.1,1.
    draws
        Draws of each number of labeled examples, by default 10; the table shows means.
    leave_one_group_out
        Test on each group in turn, after training on all others; GROUP names the column.
    finetune
        Also train the whole network on the labels, from this run's weights and from random ones.
    finetune_steps
        Steps to train the network at most, by default 400; the best number is chosen on a part of
        the training examples.
    finetune_rate
        Peak learning rate, by default 0.001.
    verify
        Decide whether two test items have the same value (a speaker), and report the equal error
        rate over all pairs.
    numeric
        Read the label as a number, by ridge regression: the variance that it explains (R²) and its
        mean absolute error.
    separator
        Text between the values of a cell that holds several; the probe then reports the mean
        average precision over values. Lists in Parquet files are read with ";".
    num_train
        Frames (or items) to train on, at most.
    num_test
        Frames (or items) to test on, at most.
    seed
        Seed of splits, draws, frames and untrained weights.
    report
        Also write the run's report.html again, as `report` does.
    reading
        Options for reading the data.
    """
    require_at_least(1, num_train=num_train, num_test=num_test)
    require_at_least(0, seed=seed)
    plan = make_plan(
        label=label,
        level=level,
        knn=knn,
        num_labels=num_labels,
        label_fractions=label_fractions,
        draws=draws,
        leave_one_group_out=leave_one_group_out,
        finetune=finetune,
        finetune_steps=finetune_steps,
        finetune_rate=finetune_rate,
        verify=verify,
        numeric=numeric,
        separator=separator,
        num_train=num_train,
        num_test=num_test,
        seed=seed,
    )
    loaded = load(run).on_best_device()
    folder = RunFolder(loaded.path)
    folder.read_probes()  # refuse a damaged file before the work
    model = encoder_of(loaded, pooling=pooling, embedding=embedding)
    pooled = " of ".join(option for option in (pooling, embedding) if option is not None)
    opened = open_data(loaded, data, **reading)
    if not numeric:
        warn_of_lookalikes(label, _values(opened.store, label, separator))
    features = {
        **(baselines_of(model, loaded.codec, seed) if baselines else {}),
        f"{loaded.family}{pooled and f', {pooled}'} (this run)": by_model(model),
    }
    result = measure(plan, opened.store, features, model, opened.progress)
    asked = {"source": describe(data), **({"pooled": pooled} if pooled else {})}
    folder.write_probe({**asked, **dataclasses.asdict(result)})
    write_card(folder, model)
    if report:
        write_report(folder)
    files = (folder.probes, folder.report) if report else (folder.probes,)
    return Probed(result=result, run=folder.path, files=files)


def _values(store: Store, label: str, separator: str | None) -> Iterable[str]:
    """Return all values of a label, of items or of intervals; none if there is no such label."""
    if label in store.intervals:
        spans = store.intervals[label].by_item().values()
        return [value for _, _, values in spans for value in values]
    cells = store.labels.get(label, ())
    return cells if separator is None else chain.from_iterable(values_of(cells, separator))
