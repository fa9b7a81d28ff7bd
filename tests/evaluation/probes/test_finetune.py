"""The laws of ceilings: they learn what frozen features don't hold, and never see the test."""

import copy
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from ensue.data.items import Intervals
from ensue.data.store import Store
from ensue.errors import ConfigError
from ensue.evaluation.probes import finetune
from ensue.evaluation.probes.finetune import Budget, fine_tuned, held_out_moments, train_labeller
from ensue.evaluation.probes.probe import ProbeResult, run_probe
from ensue.evaluation.probes.task import Moments, Task, make_task
from ensue.models.cpc import CPC, CPCConfig
from ensue.models.flows.realnvp import RealNVP, RealNVPConfig
from ensue.training.progress import Silence
from tests.data.stores import memory_store
from tests.evaluation.probes.features import rows_with

RATE = 8000


def tones(num: int, seed: int) -> Store:
    """Two pitches, half as long the first: the label ``last`` is the one that lasts."""
    rng, time = np.random.default_rng(seed), np.arange(RATE * 3 // 8) / RATE
    first, items, rows = np.arange(num) % 2, [], []
    for i, f in enumerate(first):
        pitches = (400, 900) if f else (900, 400)
        one, other = (0.3 * np.sin(2 * np.pi * (p * time + rng.random())) for p in pitches)
        sound = np.concatenate([one[: RATE // 8], other])
        items.append(sound + 0.01 * rng.standard_normal(len(sound)))
        rows += [(f"item{i}", 0, 0.125, str(pitches[0])), (f"item{i}", 0.125, 0.5, str(pitches[1]))]
    columns = dict(zip(("item", "start", "end", "label"), zip(*rows, strict=True), strict=True))
    return memory_store(
        [np.asarray(x, np.float32) for x in items],
        labels={"last": [("low", "high")[f] for f in first]},
        intervals={"pitch": Intervals(pa.table({n: list(v) for n, v in columns.items()}))},
        rate=RATE,
    )


def cpc() -> CPC:
    torch.manual_seed(0)
    config = CPCConfig(sample_rate=RATE, channels=16, context_size=16, num_mels=16, horizon=2)
    return CPC(config).eval()


def ceiling(task: Task, store: Store, make: Any, **budget: Any) -> ProbeResult:
    kind = fine_tuned("tuned", make, Budget(**budget), Silence())
    return run_probe(task, store, [kind])


@pytest.mark.parametrize("label", ["last", "pitch"])
def test_network_learns_labels_of_items_and_of_frames(label: str, seed: int) -> None:
    store = tones(36, seed)
    task = make_task(store, label, num_train=400, num_test=400)
    result = ceiling(task, store, cpc, max_steps=40, learning_rate=1e-2, batch_size=12)
    chance, tuned = result.accuracies
    assert chance.accuracy < 0.7
    assert tuned.accuracy > 0.9


def test_flow_learns_what_is_not_linear(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (600, 2))
    inside = np.square(x).sum(1) < 0.6
    store = memory_store(
        list(x[:, None]), labels={"where": np.where(inside, "in", "out").tolist()}, sequence=False
    )
    task = make_task(store, "where")
    flow = RealNVP(RealNVPConfig(num_features=2, depth=4, hidden_sizes=(32,)))
    result = ceiling(
        task, store, lambda: copy.deepcopy(flow), max_steps=200, learning_rate=1e-2, batch_size=64
    )
    assert result.accuracies[1].accuracy > result.accuracies[0].accuracy + 0.05


def test_model_that_is_started_from_stays_as_it_is_and_the_seed_decides(seed: int) -> None:
    store, model = tones(12, seed), cpc()
    before = copy.deepcopy(model.state_dict())
    moments = Moments(np.arange(2), np.full(2, np.nan), np.array(["high", "low"]))
    runs = [
        train_labeller(
            lambda: copy.deepcopy(model), moments, store, Budget(max_steps=4), by_group=False
        )
        for _ in range(2)
    ]
    after = model.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)
    one, same = (run.state_dict() for run in runs)
    assert all(torch.equal(one[k], same[k]) for k in one)
    assert any(not torch.equal(one[f"model.{k}"], before[k]) for k in before)


def test_labels_of_the_test_change_nothing(seed: int) -> None:
    store = tones(24, seed)
    task = make_task(store, "last")
    wrong = Moments(task.test.row, task.test.time, task.test.label[::-1].copy())
    other = Task(task.label, task.level, task.split, task.train, wrong)
    found = []
    for each in (task, other):
        kind = fine_tuned("tuned", cpc, Budget(max_steps=5), Silence())
        found.append(kind(each.pool, store)["tuned"].read(*each.sides))
    assert (found[0] == found[1]).all()


def test_steps_are_chosen_on_whole_groups_where_the_test_has_others() -> None:
    group, word = [*"sstt" * 6], [*"abab" * 6]
    store = rows_with(word=word, group=group)
    moments = Moments(np.arange(24), np.full(24, np.nan), np.asarray(word))
    apart = held_out_moments(moments, store, Budget(), by_group=True)
    assert len({g for g, held in zip(group, apart, strict=True) if held}) == 1
    assert apart.sum() == 12
    items = held_out_moments(moments, store, Budget(), by_group=False)
    assert 0 < items.sum() < 8
    assert set(moments.label[~items]) == {"a", "b"}


def test_class_of_one_group_is_never_held_out_whole() -> None:
    store = rows_with(word=[*"aabb"], group=[*"sstt"])
    moments = Moments(np.arange(4), np.full(4, np.nan), np.array([*"aabb"]))
    held = held_out_moments(moments, store, Budget(), by_group=True)
    assert sorted(moments.label[~held]) == ["a", "b"]


def test_one_example_of_each_class_is_trained_on_for_all_steps(seed: int) -> None:
    store = tones(2, seed)
    moments = Moments(np.arange(2), np.full(2, np.nan), np.array(["high", "low"]))
    told: list[tuple[str, int, int]] = []
    train_labeller(
        cpc, moments, store, Budget(max_steps=3), by_group=False, on=lambda *a: told.append(a)
    )
    assert told == [("training on all examples", step, 3) for step in (1, 2, 3)]


@pytest.mark.parametrize("label", ["last", "pitch"])
def test_long_items_are_cut_around_their_moments(
    label: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(finetune, "CUT_STEPS", 1000)
    store, rng = tones(12, seed), np.random.default_rng(seed)
    moments = make_task(store, label, num_train=200, num_test=200, seed=seed).train
    for row in np.unique(moments.row):
        at = np.flatnonzero(moments.row == row)
        start, stop, inside = finetune._cut(at, row, moments, store, rng)
        assert 0 <= start < stop == start + 1000 <= store.lengths[row]
        assert len(inside)
        times = moments.time[inside] * RATE
        assert np.isnan(times).all() or ((times >= start) & (times < stop)).all()
    train_labeller(cpc, moments, store, Budget(max_steps=2), by_group=False)


@pytest.mark.parametrize("wrong", [{"max_steps": 0}, {"learning_rate": 0.0}])
def test_budget_that_trains_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="1 step or more at a learning rate above 0"):
        Budget(**wrong)
