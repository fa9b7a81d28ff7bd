"""A run keeps the last and the best-validation weights, and says which of them it ended with."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ensue.models.registry import FAMILIES
from ensue.models.traits import HasSchedule
from ensue.training.kept import Validation, best_of, validations
from ensue.training.run_folder import RunFolder
from ensue.verbs.train import Trained, train
from tests.contracts.families import CASES, seq2seq, vae

SETTINGS = {
    "max_steps": 60,
    "batch_size": 8,
    "warmup_steps": 1,
    "log_every": 6,
    "validate_every": 6,
    "validation": 0.5,
    "learning_rate": 0.05,
    "schedule": "constant",
    "num_threads": 1,
    "accelerator": "cpu",
    "quiet": True,
}
"""What soon learns 15 rows by heart."""


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((30, 3))


@pytest.fixture(scope="module")
def overfitted(rows: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train("realnvp", rows, out=tmp_path_factory.mktemp("run") / "run", **SETTINGS)


def losses(run: Path) -> dict[int, float]:
    return {x["step"]: x["val_loss"] for x in RunFolder(run).read_metrics() if "val_loss" in x}


def last_weights(run: Path) -> dict[str, torch.Tensor]:
    saved = torch.load(RunFolder(run).checkpoint, weights_only=True)["state_dict"]
    return {name.removeprefix("model."): value for name, value in saved.items()}


def are_equal(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[n], two[n]) for n in one)


def model_weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model" / "model.safetensors")


def test_density_ends_with_the_best_weights_and_keeps_the_last(overfitted: Trained) -> None:
    run, found = overfitted.run, losses(overfitted.run)
    best = min(found, key=lambda step: found[step])
    assert best < 60, "it should have been overfitted"
    assert are_equal(model_weights(run), load_file(RunFolder(run).best))
    assert not are_equal(model_weights(run), last_weights(run))
    kept = json.loads((run / "checkpoints" / "kept.json").read_text())
    assert (kept["weights"], kept["step"], kept["best"]["loss"]) == ("best", best, found[best])
    assert (kept["last"]["step"], kept["last"]["loss"]) == (60, found[60])


def test_run_that_stopped_improving_says_so_in_its_messages_and_its_log(
    overfitted: Trained,
) -> None:
    found = losses(overfitted.run)
    best = min(found, key=lambda step: found[step])
    told = " ".join(overfitted.notes)
    for part in (f"best at step {best} ({found[best]:.3f}", f"{found[60]:.3f} at the end"):
        assert part in told
    assert "stopped improving" in told
    assert "--patience" in told
    assert all(note in (overfitted.run / "train.log").read_text() for note in overfitted.notes)
    card = (overfitted.run / "model" / "README.md").read_text()
    assert f"those of step {best}" in card


@pytest.mark.parametrize(("keep", "is_best"), [("last", False), ("best", True)])
def test_setting_says_which_weights_a_run_ends_with(
    keep: str, is_best: bool, rows: np.ndarray, overfitted: Trained, tmp_path: Path
) -> None:
    train("realnvp", rows, out=tmp_path / "run", keep=keep, **SETTINGS)
    ended = best_weights = load_file(RunFolder(tmp_path / "run").best)
    if not is_best:
        ended = last_weights(tmp_path / "run")
    assert are_equal(model_weights(tmp_path / "run"), ended)
    assert are_equal(best_weights, load_file(RunFolder(overfitted.run).best))


def test_end_between_two_validations_may_be_the_best(rows: np.ndarray, tmp_path: Path) -> None:
    # Not from the fitted Gaussian, which is hard to improve on here.
    begun = {"start": "identity", "marginal_bins": 0, "transform": "affine", "dropout": 0.0}
    settings = {**SETTINGS, "max_steps": 8, "learning_rate": 1e-3, **begun}
    trained = train("realnvp", rows, out=tmp_path / "run", **settings)
    found = losses(trained.run)
    assert found[8] < found[6]
    for weights in (load_file(RunFolder(trained.run).best), last_weights(trained.run)):
        assert are_equal(model_weights(trained.run), weights)
    assert trained.notes == ()


def test_run_without_validation_ends_with_its_last_weights(
    rows: np.ndarray, tmp_path: Path
) -> None:
    settings = {**SETTINGS, "max_steps": 8, "validation": 0}
    trained = train("realnvp", rows, out=tmp_path / "run", **settings)
    assert are_equal(model_weights(trained.run), last_weights(trained.run))
    assert not RunFolder(trained.run).best.exists()


def test_bounds_keep_the_last_weights_and_likelihoods_the_best() -> None:
    """A bound that is better by a little says little of features and samples."""
    assert {name for name, row in FAMILIES.items() if row.keeps == "last"} == {"cpc", "vae"}


def test_validations_before_the_end_of_schedules_do_not_compete(seed: int) -> None:
    class Model:
        settled_at = 30

    rng = np.random.default_rng(seed)
    drawn = rng.uniform(size=9) - [9, 9, 0, 0, 0, 0, 0, 0, 0]  # the first two look the best
    lines = [{"step": 10 * k, "val_loss": float(x)} for k, x in enumerate(drawn, 1)]
    best = best_of(validations(Model(), lines))
    assert best is not None
    assert best.loss == min(x["val_loss"] for x in lines if x["step"] >= 30)
    early = best_of(validations(Model(), lines[:2]))
    assert early is not None, "where none is settled, all compete"
    assert early.loss == min(x["val_loss"] for x in lines[:2])
    assert not Validation(2, 1.0).beats(Validation(1, 1.0)), "the first of equal ones is kept"


SCHEDULED = {
    "vae": {
        "kl_schedule": "linear",
        "kl_steps": 10,
        "free_bits": 2.0,
        "word_dropout": 0.3,
        "settle_after": 15,
    },
    "seq2seq": {
        "forcing_schedule": "linear",
        "forcing_steps": 15,
        "teacher_forcing": 0.2,
        "label_smoothing": 0.1,
    },
}


@pytest.mark.parametrize("family", SCHEDULED)
def test_validation_loss_is_the_final_objective_wherever_the_schedules_are(
    family: str, seed: int
) -> None:
    build = {"vae": vae, "seq2seq": seq2seq}[family]
    case = next(case for case in CASES if case.family == family)
    given = {"answers": "token", "num_answer_tokens": 3} if family == "seq2seq" else {}
    scheduled, plain = build(**SCHEDULED[family], **given)(), build(**given)()
    plain.load_state_dict(scheduled.state_dict())
    assert (scheduled.settled_at, plain.settled_at) == (15, 0)
    batch = case.batch(case.items(3))
    for step in (0, 5, 12, 20):
        one, two = (model.eval().loss(batch, step=step).mean for model in (scheduled, plain))
        assert torch.equal(one, two)


def test_every_schedule_of_an_objective_is_told() -> None:
    """A family whose configuration has a schedule says when it ends."""
    for case in CASES:
        names = {field.name for field in dataclasses.fields(case.build().config)}
        if names & {"kl_schedule", "forcing_schedule", "settle_after"}:
            assert isinstance(case.build(), HasSchedule), case.family
