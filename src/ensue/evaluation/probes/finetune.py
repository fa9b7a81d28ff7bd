"""Ceilings: the whole network trained on the labels, from a run's weights or from random ones.

The network gets a linear layer on standardized features, those that a probe reads frozen, and
everything is trained by cross-entropy. The best number of steps is found on a held-out part of
the training examples; then the network is trained from the start on all of them for that number.
The test part isn't used. Batches are whole items; long ones are cut at random.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from ensue.data.splits import held_out
from ensue.data.store import Store
from ensue.errors import ConfigError, TrainingError
from ensue.evaluation.probes.classifiers import Kind, Reader
from ensue.evaluation.probes.features import features_at, frames_at
from ensue.evaluation.probes.task import Moments, groups_apart, some_of_each
from ensue.evaluation.represent import by_model
from ensue.models.traits import EncodingModel
from ensue.training.config import TrainingConfig
from ensue.training.module import scheduled
from ensue.training.progress import Progress

CUT_STEPS = 65_536
"""Steps of an item in a training batch at most: 4 s of sound at 16 kHz."""
CLIP_NORM, MIN_DEVIATION = 1.0, 1e-5


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Limits and settings of training a network on labels.

    Attributes:
        max_steps: The largest number of optimizer steps that is tried.
        learning_rate: Peak learning rate; it rises over a tenth of the steps and falls by a cosine.
        batch_size: Items in a batch.
        held_out: Share of the training examples on which the number of steps is chosen.
        num_looks: Number of times that these are tested.
        seed: Seed of batches and cuts, and of the network's own draws.
    """

    max_steps: int = 400
    learning_rate: float = 1e-3
    batch_size: int = 32
    held_out: float = 0.2
    num_looks: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_steps < 1 or not 0 < self.learning_rate < math.inf:
            raise ConfigError(
                f"fine-tuning takes 1 step or more at a learning rate above 0, not "
                f"{self.max_steps} at {self.learning_rate}"
            )


class Labeller(nn.Module):
    r"""A model with a linear layer on top: logits of a label at moments of items.

    .. math:: \ell = W \frac{f(x) - \mu}{\sigma} + b

    with f the context at a frame or the embedding of an item, and :math:`\mu, \sigma` those of
    the features before the first step. W and b start at zero.

    Args:
        model: Any model that encodes; it is trained.
        features: (N, D) features before the first step.
        num_classes: Values of the label.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, model: EncodingModel, features: np.ndarray, num_classes: int) -> None:
        super().__init__()
        self.model, self.head = model, nn.Linear(features.shape[1], num_classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        deviation = np.maximum(features.std(0), MIN_DEVIATION)
        self.register_buffer("mean", torch.from_numpy(features.mean(0)).float())
        self.register_buffer("deviation", torch.from_numpy(deviation).float())
        self.to(next(model.parameters()).device)

    def read(self, features: Tensor) -> Tensor:
        """Turn (N, D) features into (N, classes) logits."""
        return self.head((features - self.mean) / self.deviation)

    def logits(self, moments: Moments, store: Store) -> Tensor:
        """Return (N, classes) logits at moments, from the features that a probe would read."""
        x = torch.from_numpy(features_at(moments, store, by_model(self.model)))
        with torch.no_grad():
            return self.read(x.to(self.mean.device)).cpu()


def fine_tuned(
    name: str, make_model: Callable[[], EncodingModel], budget: Budget, progress: Progress
) -> Kind:
    """Train the whole network on the labels of each fold's training part, as a row of a table.

    Args:
        name: Name of the row.
        make_model: Makes a new model at each call, with the weights to start from.
        budget: Limits and settings of the training.
        progress: Notified of each step.
    """

    def kind(pool: Moments, store: Store) -> dict[str, Reader]:
        def reads(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            apart = groups_apart(pool.at(train), pool.at(test), store)
            classes = np.unique(pool.label[train])
            labeller = train_labeller(
                make_model, pool.at(train), store, budget, by_group=apart, on=_tell(name, progress)
            )
            return classes[labeller.logits(pool.at(test), store).argmax(1).numpy()]

        return {name: Reader(reads, tells=True)}

    return kind


def train_labeller(
    make_model: Callable[[], EncodingModel],
    moments: Moments,
    store: Store,
    budget: Budget,
    *,
    by_group: bool,
    on: Callable[[str, int, int], None] = lambda what, step, total: None,
) -> Labeller:
    """Train a model with a linear layer on all ``moments``, for the best number of steps.

    That number is chosen on a held-out part. Where no example can be held out (there is one of
    each class), the training takes all steps.

    Args:
        make_model: Makes a new model at each call.
        moments: Labeled moments.
        store: The items to read from.
        budget: Limits and settings of the training.
        by_group: Whether whole groups are held out, where possible.
        on: Called with the name of the work, the step and the number of steps.

    Raises:
        TrainingError: The loss isn't a number any more.
    """
    aside = held_out_moments(moments, store, budget, by_group=by_group)
    steps = budget.max_steps
    if aside.any():
        fitted, held = moments.at(~aside), moments.at(aside)
        steps = _best_steps(make_model(), fitted, held, np.unique(moments.label), store, budget, on)
    labeller = _new_labeller(make_model(), moments, np.unique(moments.label), store)
    for step in _steps(labeller, moments, np.unique(moments.label), store, budget, steps):
        on("training on all examples", step, steps)
    return labeller


def held_out_moments(
    moments: Moments, store: Store, budget: Budget, *, by_group: bool
) -> np.ndarray:
    """Return a mask of the moments to choose on: whole groups, or whole items.

    Every class keeps an example to train on, wherever a choice of whole items allows it.
    """
    label, part, seed = moments.label, budget.held_out, budget.seed
    if by_group and store.group is not None:
        group = np.asarray(store.group)[moments.row]
        mask = np.isin(group, held_out(group, part, seed=seed))
        if len(np.unique(label[~mask])) == len(np.unique(label)):
            return mask
    if np.isnan(moments.time).all():
        return some_of_each(label, part, seed)
    return np.isin(moments.row, held_out(moments.row, part, seed=seed))


def _best_steps(
    model: EncodingModel,
    fitted: Moments,
    held: Moments,
    classes: np.ndarray,
    store: Store,
    budget: Budget,
    on: Callable[[str, int, int], None],
) -> int:
    """Return the number of steps with the best accuracy on ``held``; ties go to fewer nats."""
    target = torch.from_numpy(np.searchsorted(classes, held.label))
    labeller = _new_labeller(model, fitted, classes, store)
    every = math.ceil(budget.max_steps / budget.num_looks)
    best, best_steps = (-1.0, 0.0), budget.max_steps
    for step in _steps(labeller, fitted, classes, store, budget, budget.max_steps):
        on("choosing the number of steps", step, budget.max_steps)
        if step % every and step < budget.max_steps:
            continue
        logits = labeller.logits(held, store)
        accuracy = float((logits.argmax(1) == target).double().mean())
        result = (accuracy, -float(cross_entropy(logits, target)))
        if result > best:
            best, best_steps = result, step
    return best_steps


def _new_labeller(
    model: EncodingModel, moments: Moments, classes: np.ndarray, store: Store
) -> Labeller:
    return Labeller(model, features_at(moments, store, by_model(model)), len(classes))


def _steps(
    labeller: Labeller,
    moments: Moments,
    classes: np.ndarray,
    store: Store,
    budget: Budget,
    num: int,
) -> Iterator[int]:
    """Train and yield each step; the schedule is that of the whole budget."""
    optimizer, schedule = _optimizer(labeller, budget)
    target = torch.from_numpy(np.searchsorted(classes, moments.label)).to(labeller.mean.device)
    rng = np.random.default_rng(budget.seed)
    with torch.random.fork_rng():
        torch.manual_seed(budget.seed)
        for step, rows in zip(range(1, num + 1), _rows(moments, budget, rng), strict=False):
            labeller.train()
            features, at = _batch_features(labeller, moments, rows, store, rng)
            loss = cross_entropy(labeller.read(features), target[at])
            if not bool(torch.isfinite(loss)):
                raise TrainingError(
                    f"the loss is {float(loss)} at step {step}; lower finetune-rate"
                )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(labeller.parameters(), CLIP_NORM)
            optimizer.step()
            schedule.step()
            yield step
    labeller.eval()


def _optimizer(labeller: Labeller, budget: Budget) -> tuple[AdamW, LambdaLR]:
    """Make the optimizer and schedule that all training here uses."""
    config = TrainingConfig(
        max_steps=budget.max_steps,
        learning_rate=budget.learning_rate,
        warmup_steps=budget.max_steps // 10,
    )
    return scheduled(labeller.parameters(), config)


def _rows(moments: Moments, budget: Budget, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield batches of items without end: one permutation after another."""
    rows = np.unique(moments.row)
    size = min(budget.batch_size, len(rows))
    while True:
        shuffled = rng.permutation(rows)
        for start in range(0, len(rows) - size + 1, size):
            yield shuffled[start : start + size]


def _batch_features(
    labeller: Labeller,
    moments: Moments,
    rows: np.ndarray,
    store: Store,
    rng: np.random.Generator,
) -> tuple[Tensor, np.ndarray]:
    """Return the features at moments in cuts of these items, and the positions of those moments."""
    device = labeller.mean.device
    if not store.sequence:
        x = torch.from_numpy(np.stack([store.read(r, 0, 1)[0] for r in rows]))
        at = [np.flatnonzero(moments.row == row) for row in rows]
        slot = np.repeat(np.arange(len(rows)), [len(a) for a in at])
        return labeller.model.encode(x.to(device)).embedding[slot], np.concatenate(at)
    cuts = [_cut(np.flatnonzero(moments.row == row), row, moments, store, rng) for row in rows]
    lengths = torch.tensor([stop - start for start, stop, _ in cuts])
    x = torch.zeros(len(rows), int(lengths.max()), *store.values.shape[1:])
    for slot, (row, (start, stop, _)) in enumerate(zip(rows, cuts, strict=True)):
        x[slot, : stop - start] = torch.from_numpy(store.read(row, start, stop))
    f = labeller.model.encode(x.to(device), lengths.to(device))
    at = np.concatenate([inside for *_, inside in cuts])
    slot = np.repeat(np.arange(len(rows)), [len(inside) for *_, inside in cuts])
    if np.isnan(moments.time[at]).all():
        return f.embedding[slot], at
    assert f.context is not None
    assert f.lengths is not None
    assert f.frame_rate is not None
    starts, ends = np.array([c[0] for c in cuts])[slot], f.lengths.cpu().numpy()[slot]
    frames = frames_at(moments.time[at] - starts / store.rate, f.frame_rate, ends)
    return f.context[slot, frames], at


def _cut(
    at: np.ndarray, row: int, moments: Moments, store: Store, rng: np.random.Generator
) -> tuple[int, int, np.ndarray]:
    """Return the start and end of a stretch of an item, and the moments in it, at least one."""
    length = int(store.lengths[row])
    if length <= CUT_STEPS:
        return 0, length, at
    steps = moments.time[at] * store.rate
    if np.isnan(steps).all():
        start = int(rng.integers(0, length - CUT_STEPS + 1))
        return start, start + CUT_STEPS, at
    center = min(int(rng.choice(steps)), length - 1)
    start = int(rng.integers(max(0, center - CUT_STEPS + 1), center + 1))
    start = min(start, length - CUT_STEPS)
    inside = (steps >= start) & (steps < start + CUT_STEPS)
    return start, start + CUT_STEPS, at[inside]


def _tell(name: str, progress: Progress) -> Callable[[str, int, int], None]:
    def on(what: str, step: int, total: int) -> None:
        if step == 1:
            progress.start(f"{name}: {what}", total)
        progress.advance(1, {})

    return on
