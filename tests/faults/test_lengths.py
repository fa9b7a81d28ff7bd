"""Lengths inside a run follow its number of steps, or it is said that they don't fit."""

from typing import Any

import pytest

from ensue.configuration import lengths
from ensue.models.registry import FAMILIES
from ensue.runs.plan import make_plan, section_classes
from ensue.runs.recipes import FOLDER, read_recipe

RECIPES = {
    path.stem: family
    for path in sorted(FOLDER.glob("*.yaml"))
    for family in FAMILIES
    if f"family: {family}\n" in path.read_text()
}


def lengths_of(plan: Any) -> dict[str, int]:
    return {
        name: getattr(config, name)
        for config in plan.configs.values()
        for name, mark in lengths(type(config)).items()
        if getattr(config, name) and mark.is_read(config)
    }


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("factor", [0.001, 0.05, 0.5, 3])
def test_schedules_of_a_recipe_keep_their_part_of_the_run_and_warm_up_its_steps(
    recipe: str, factor: float
) -> None:
    whole = make_plan(RECIPES[recipe], "data", recipe, {}, None)
    num_steps = whole.configs["training"].max_steps
    other = max(1, int(factor * num_steps))
    plan = make_plan(RECIPES[recipe], "data", recipe, {"max_steps": other}, None)
    told = read_recipe(recipe, RECIPES[recipe])
    given = {name for section in told.values() for name in section}
    for name, length in lengths_of(whole).items():
        now = lengths_of(plan)[name]
        if name == "warmup_steps":
            assert now == max(1, min(length, other // 2))
        elif name in given:
            assert now == max(1, length * other // num_steps), name
        assert now <= max(other, 1), name
        is_told = any(note.startswith(f"{name} is {now:,} instead of") for note in plan.notes)
        assert is_told == (now != length), name
    assert not whole.notes, "what wasn't changed isn't told"


@pytest.mark.parametrize(
    ("recipe", "name"),
    [("molecules", "kl_steps"), ("qm9", "settle_after"), ("mnist", "warmup_steps")],
)
def test_length_that_the_user_gave_stays_and_is_told_where_it_does_not_fit(
    recipe: str, name: str
) -> None:
    for length, num_told in ((40, 0), (60, 1)):
        plan = make_plan(RECIPES[recipe], "data", recipe, {"max_steps": 50, name: length}, None)
        assert lengths_of(plan)[name] == length
        told = [n for n in plan.notes if n == f"{name} is {length}, and training has 50 steps"]
        assert len(told) == num_told


def test_default_that_is_longer_than_the_run_is_made_to_fit() -> None:
    plan = make_plan("vae", "data", None, {"max_steps": 60, "kl_schedule": "linear"}, None)
    assert lengths_of(plan) == {"kl_steps": 40, "warmup_steps": 30}
    assert len(plan.notes) == 2
    assert make_plan("vae", "data", None, {"max_steps": 60}, None).configs["model"].kl_steps == 1000


def test_every_setting_that_counts_steps_of_training_is_among_the_lengths() -> None:
    """By their names: a new one can't be forgotten."""
    outside = {"max_steps", "log_every", "validate_every", "checkpoint_every"}
    outside |= {"window_steps"}  # of a series
    for family in FAMILIES:
        for cls in section_classes(family).values():
            named = {
                n
                for n, field in cls.__dataclass_fields__.items()
                if n.endswith(("_steps", "_after")) and not field.metadata.get("from_data")
            }
            assert named - outside == lengths(cls).keys(), family
