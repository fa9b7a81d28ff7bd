"""``probe``: what is read off a run's features, beside chance and baselines."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ensue.configuration import require_at_least
from ensue.data.sources.data import Data
from ensue.runs.loaded import Loaded, load
from ensue.runs.plan import describe
from ensue.runs.prepare import warn_of_lookalikes
from ensue.verbs.apply import open_data
from ensue.verbs.probe_question import Question, make_question

if TYPE_CHECKING:
    from ensue.data.store import Store
    from ensue.evaluation.probes.classifiers import Kind
    from ensue.evaluation.probes.measured import MeasuredResult
    from ensue.evaluation.probes.probe import ProbeResult
    from ensue.evaluation.represent import Represents
    from ensue.training.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Probed:
    """The result of a probe, and where it was written."""

    result: ProbeResult | MeasuredResult
    files: tuple[Path, ...]


def probe(
    run: str | Path,
    data: Data,
    *,
    label: str,
    level: Literal["frame", "item"] | None = None,
    baselines: bool = True,
    knn: int | None = None,
    num_labels: str | int | Sequence[int] = (),
    label_fractions: str | float | Sequence[float] = (),
    draws: int | None = None,
    leave_one_group_out: bool = False,
    finetune: bool = False,
    finetune_steps: int | None = None,
    finetune_rate: float | None = None,
    verify: bool = False,
    separator: str | None = None,
    num_train: int = 16_000,
    num_test: int = 12_000,
    group: str | None = None,
    intervals: Sequence[str] = (),
    max_skipped: float = 0.05,
    seed: int = 0,
    cache: str | Path | None = None,
    quiet: bool = False,
) -> Probed:
    """Read a label off frozen features by logistic regression, beside chance and baselines.

    Parameters
    ----------
    run
        A run folder.
    data
        Labelled data: a folder, a manifest, a table, or builtin:NAME.
    label
        A label column, or the name of an intervals table.
    level
        frame or item; by default frames for intervals and items for columns.
    baselines
        Also MFCC (for sound) and the same network untrained.
    knn
        Also the vote of so many nearest neighbors, by the cosine of standardized features.
    num_labels
        Train on so many labelled examples only, with one of each class at least: 100, or
        10,100,1000 for a curve.
    label_fractions
        The same as fractions of the training part: 0.01,0.1,1.
    draws
        How often few labelled examples are drawn, by default 10; the table shows means.
    leave_one_group_out
        Test on each group in turn, trained on all others; GROUP names the column.
    finetune
        Also the whole network trained on the labels, from this run's weights and from random ones.
    finetune_steps
        Steps that a network is trained for at most, by default 400; the best number is chosen on
        a part of the training examples.
    finetune_rate
        Learning rate at its height, by default 0.001.
    verify
        Whether two test items have the same value (a speaker): equal error rate over their pairs.
    separator
        A cell holds several values with this between them: mean average precision over values.
        Lists in Parquet files are read with ";".
    num_train
        Frames (or items) to train on, at most.
    num_test
        Frames (or items) to test on, at most.
    group
        Label column that the split must not cut through; by default "group" or "speaker".
    intervals
        Frame labels as NAME=FILE: tables with the columns item, start, end, label.
    max_skipped
        Part of the items that may be unreadable.
    seed
        Of splits, draws, frames and untrained weights.
    cache
        Folder for prepared data; by default "cache" beside the run.
    quiet
        Show no progress.
    """
    from ensue.models.registry import require_contract
    from ensue.report import write_report
    from ensue.runs.progress import listener
    from ensue.training.card import write_card
    from ensue.training.run_folder import RunFolder

    require_at_least(1, num_train=num_train, num_test=num_test)
    require_at_least(0, seed=seed)
    question = make_question(
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
        separator=separator,
        num_train=num_train,
        num_test=num_test,
        seed=seed,
    )
    loaded = load(run).on_best_device()
    RunFolder(loaded.path).read_probes()  # what can't be added to is refused before the work
    require_contract(loaded.family, "encodes")
    progress = listener(quiet)
    _, store = open_data(
        loaded,
        data,
        cache,
        max_skipped=max_skipped,
        group=group,
        intervals=intervals,
        progress=progress,
    )
    warn_of_lookalikes(label, _values(store, label, separator))
    features = {
        **(_baselines(loaded, seed) if baselines else {}),
        f"{loaded.family} (this run)": _frozen(loaded),
    }
    result = _answer(question, store, features, loaded, progress)
    folder = RunFolder(loaded.path)
    folder.write_probe(_plain(result, data))
    write_card(folder, loaded.model)
    write_report(folder)
    return Probed(result=result, files=(folder.probes, folder.report))


def _values(store: Store, label: str, separator: str | None) -> Iterable[str]:
    """All values of a label, of items or of stretches; none where there is no such label."""
    from ensue.evaluation.probes.multi_label import values_of

    if label in store.intervals:
        return [v for _, _, found in store.intervals[label].by_item().values() for v in found]
    cells = store.labels.get(label, ())
    return cells if separator is None else chain.from_iterable(values_of(cells, separator))


def _answer(
    q: Question,
    store: Store,
    features: dict[str, Represents],
    loaded: Loaded,
    progress: Progress,
) -> ProbeResult | MeasuredResult:
    from ensue.evaluation.probes.classifiers import frozen
    from ensue.evaluation.probes.label_curve import run_label_curve, sizes_of
    from ensue.evaluation.probes.leave_group_out import run_leave_group_out
    from ensue.evaluation.probes.multi_label import run_multi_label
    from ensue.evaluation.probes.probe import run_probe
    from ensue.evaluation.probes.task import make_pool, make_task
    from ensue.evaluation.probes.verification import run_verification

    common: dict[str, Any] = {"seed": q.seed, "progress": progress}
    kinds = [frozen(name, made, num_neighbors=q.knn) for name, made in features.items()]
    if q.finetune:
        kinds += _ceilings(q, loaded, progress)
    if q.kind == "leave_one_group_out":
        num = q.num_train + q.num_test
        pool, level = make_pool(store, q.label, level=q.level, num=num, seed=q.seed)
        return run_leave_group_out(q.label, level, pool, store, kinds, **common)
    task = make_task(
        store,
        q.label,
        level=q.level,
        num_train=q.num_train,
        num_test=q.num_test,
        seed=q.seed,
        whole_cells=q.separator is None,
        known_values=q.kind != "verification",
    )
    if q.kind == "verification":
        return run_verification(task, store, features, **common)
    if q.separator is not None:
        return run_multi_label(task, store, features, separator=q.separator, **common)
    if q.kind == "label_curve":
        sizes = [*q.num_labels, *sizes_of(q.label_fractions, task)]
        return run_label_curve(task, store, kinds, sizes, draws=q.draws, **common)
    return run_probe(task, store, kinds, **common)


def _ceilings(q: Question, loaded: Loaded, progress: Progress) -> list[Kind]:
    """The run's network trained on the labels, and the same network that knows nothing before."""
    from ensue.evaluation.probes.finetune import Budget, fine_tuned
    from ensue.models.loading import untrained_like
    from ensue.models.traits import EncodingModel

    budget = Budget(max_steps=q.finetune_steps, learning_rate=q.finetune_rate, seed=q.seed)
    model = loaded.model_as(EncodingModel, "encodes")
    rows = {
        f"{loaded.family}, fine-tuned": lambda: copy.deepcopy(model),
        "same network, supervised from scratch": lambda: untrained_like(
            model, model.config, q.seed
        ),
    }
    return [fine_tuned(name, make, budget, progress) for name, make in rows.items()]


def _frozen(loaded: Loaded) -> Represents:
    from ensue.evaluation.represent import by_model
    from ensue.models.traits import EncodingModel

    return by_model(loaded.model_as(EncodingModel, "encodes"))


def _baselines(loaded: Loaded, seed: int) -> dict[str, Represents]:
    """MFCC where the data are sound, and the same network untrained, with each encoder."""
    import torch

    from ensue.data.codecs.protocols import DecodesSound
    from ensue.evaluation.represent import by_mfcc, by_model
    from ensue.models.loading import untrained_like
    from ensue.models.traits import EncodingModel

    features: dict[str, Represents] = {}
    codec = loaded.codec
    if isinstance(codec, DecodesSound):
        features["MFCC with deltas"] = by_mfcc(
            codec.sample_rate, lambda x: torch.from_numpy(codec.decode(x))
        )
    model = loaded.model_as(EncodingModel, "encodes")
    for name, config in model.untrained_variants().items():
        features[f"untrained, {name}"] = by_model(untrained_like(model, config, seed))
    return features


def _plain(result: ProbeResult | MeasuredResult, data: Any) -> dict[str, Any]:
    return {"source": describe(data), **dataclasses.asdict(result)}
