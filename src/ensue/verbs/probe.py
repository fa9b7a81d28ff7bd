"""``probe``: what a linear classifier reads off a run's frozen features, beside baselines."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ensue.configuration import require_at_least
from ensue.data.sources.kinds import Data
from ensue.verbs.apply import open_data
from ensue.verbs.loaded import Loaded, load
from ensue.verbs.plan import describe

if TYPE_CHECKING:
    from ensue.evaluation.probe import ProbeResult
    from ensue.evaluation.represent import Represents


@dataclass(frozen=True, kw_only=True)
class Probed:
    """The result of a probe, and where it was written."""

    result: ProbeResult
    files: tuple[Path, ...]


def probe(
    run: str | Path,
    data: Data,
    *,
    label: str,
    level: Literal["frame", "item"] | None = None,
    baselines: bool = True,
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
        Of splits, frames and untrained weights.
    cache
        Folder for prepared data; by default "cache" beside the run.
    quiet
        Show no progress.
    """
    from ensue.evaluation.probe import make_task, run_probe
    from ensue.models.registry import require_contract
    from ensue.report import write_report
    from ensue.training.card import write_card
    from ensue.training.run_folder import RunFolder
    from ensue.verbs.progress import listener

    require_at_least(1, num_train=num_train, num_test=num_test)
    require_at_least(0, seed=seed)
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
    task = make_task(store, label, level=level, num_train=num_train, num_test=num_test, seed=seed)
    features = _baselines(loaded, seed) if baselines else {}
    progress.start(f"probing {label}", len(features) + 1)
    try:
        result = run_probe(
            task,
            store,
            {**features, f"{loaded.family} (this run)": _frozen(loaded)},
            seed=seed,
            on_done=lambda: progress.advance(1, {}),
        )
    finally:
        progress.stop()
    folder = RunFolder(loaded.path)
    folder.write_probe(_plain(result, data))
    write_card(folder, loaded.model)
    write_report(folder)
    return Probed(result=result, files=(folder.probes, folder.report))


def _frozen(loaded: Loaded) -> Represents:
    from ensue.evaluation.represent import by_model

    return by_model(loaded.model)


def _baselines(loaded: Loaded, seed: int) -> dict[str, Represents]:
    """MFCC where the data are sound, and the same network untrained, with each encoder."""
    from ensue.evaluation.represent import by_mfcc, by_model

    features: dict[str, Represents] = {}
    if loaded.codec.kind == "audio":
        features["MFCC with deltas"] = by_mfcc(loaded.codec.sample_rate)
    for name, config in loaded.model.untrained_variants().items():
        features[f"untrained, {name}"] = by_model(untrained_like(loaded.model, config, seed))
    return features


def untrained_like(model: Any, config: Any, seed: int) -> Any:
    """A new network of the same class on the same device."""
    import torch

    torch.manual_seed(seed + 1)
    return type(model)(config).to(next(model.parameters()).device)


def _plain(result: ProbeResult, data: Any) -> dict[str, Any]:
    return {"source": describe(data), **dataclasses.asdict(result)}
