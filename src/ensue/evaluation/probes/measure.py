"""Measure: carry out the plan of a probe, on a run's features and on its baselines."""

import copy
from typing import Any

import torch

from ensue.data.codecs.protocols import Codec, DecodesImages, DecodesSeries, DecodesSound
from ensue.data.store import Store
from ensue.evaluation.images.baselines import CELLS, image_baselines
from ensue.evaluation.probes.classifiers import Kind, frozen
from ensue.evaluation.probes.label_curve import run_label_curve, sizes_of
from ensue.evaluation.probes.leave_group_out import run_leave_group_out
from ensue.evaluation.probes.measured import MeasuredResult
from ensue.evaluation.probes.multi_label import run_multi_label
from ensue.evaluation.probes.numeric import run_numeric
from ensue.evaluation.probes.plan import ProbePlan
from ensue.evaluation.probes.probe import ProbeResult, run_probe
from ensue.evaluation.probes.task import make_pool, make_task
from ensue.evaluation.probes.verification import run_verification
from ensue.evaluation.represent import Represents, by_mfcc, by_model
from ensue.evaluation.series import series_baselines
from ensue.models.loading import untrained_like
from ensue.models.traits import EncodingModel, PoolsCells
from ensue.training.progress import Progress


def measure(
    plan: ProbePlan,
    store: Store,
    features: dict[str, Represents],
    model: EncodingModel,
    progress: Progress,
) -> ProbeResult | MeasuredResult:
    """Carry out the plan of a probe.

    Args:
        plan: The question.
        store: The labeled items.
        features: Kinds of features by name, those of the run last.
        model: The run's model, for fine-tuning.
        progress: Notified of long work.

    Raises:
        EnsueError: The labels don't allow it.
    """
    common: dict[str, Any] = {"seed": plan.seed, "progress": progress}
    rows = [frozen(name, made, num_neighbors=plan.knn) for name, made in features.items()]
    if plan.finetune:
        rows += _ceilings(plan, model, progress)
    if plan.kind == "leave_one_group_out":
        num = plan.num_train + plan.num_test
        pool, level = make_pool(store, plan.label, level=plan.level, num=num, seed=plan.seed)
        return run_leave_group_out(plan.label, level, pool, store, rows, **common)
    task = make_task(
        store,
        plan.label,
        level=plan.level,
        num_train=plan.num_train,
        num_test=plan.num_test,
        seed=plan.seed,
        whole_cells=plan.separator is None and plan.kind != "numeric",
        known_values=plan.kind != "verification",
    )
    if plan.kind == "verification":
        return run_verification(task, store, features, **common)
    if plan.kind == "numeric":
        return run_numeric(task, store, features, **common)
    if plan.separator is not None:
        return run_multi_label(task, store, features, separator=plan.separator, **common)
    if plan.kind == "label_curve":
        sizes = [*plan.num_labels, *sizes_of(plan.label_fractions, task)]
        return run_label_curve(task, store, rows, sizes, draws=plan.draws, **common)
    return run_probe(task, store, rows, **common)


def baselines_of(model: EncodingModel, codec: Codec, seed: int) -> dict[str, Represents]:
    """Make the baselines: hand-made features of the data, and the same network untrained.

    MFCC of sound; statistics and raw values of series; raw pixels, HOG and k-means patch features
    of images, the last of these pooled over the same cells as the model's embedding, or over 2 x 2
    where the model doesn't say.
    """
    features: dict[str, Represents] = {}
    if isinstance(codec, DecodesSound):
        features["MFCC with deltas"] = by_mfcc(
            codec.sample_rate, lambda x: torch.from_numpy(codec.decode(x))
        )
    if isinstance(codec, DecodesImages):
        cells = model.cells if isinstance(model, PoolsCells) else CELLS
        features |= image_baselines(codec, cells=cells, seed=seed)
    if isinstance(codec, DecodesSeries):
        features |= series_baselines(codec)
    for name, config in model.untrained_variants().items():
        features[f"untrained, {name}"] = by_model(untrained_like(model, config, seed))
    return features


def _ceilings(plan: ProbePlan, model: EncodingModel, progress: Progress) -> list[Kind]:
    """Return the run's network trained on the labels, and the same network from random weights."""
    # Its training imports Lightning, which takes seconds.
    from ensue.evaluation.probes.finetune import Budget, fine_tuned

    budget = Budget(max_steps=plan.finetune_steps, learning_rate=plan.finetune_rate, seed=plan.seed)
    networks = {
        f"{model.config.family}, fine-tuned": lambda: copy.deepcopy(model),
        "same network, supervised from scratch": lambda: untrained_like(
            model, model.config, plan.seed
        ),
    }
    return [fine_tuned(name, make, budget, progress) for name, make in networks.items()]
