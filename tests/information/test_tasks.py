"""Tasks of known information: their closed forms, by the mean of the exact log-ratio."""

import math

import numpy as np
import pytest

from ensue.information.tasks import TASKS, Student, UniformNoise, bimodal, half_cube, pairs, wiggly


def test_there_are_forty_of_other_names_and_shapes() -> None:
    assert len(TASKS) == 40
    for task in TASKS.values():
        x, y = task.sample(20)
        assert np.isfinite(x).all()
        assert len(x) == len(y) == 20
    assert sum(task.information <= 2 for task in TASKS.values()) >= 20


@pytest.mark.parametrize("name", TASKS)
def test_closed_forms_are_the_mean_log_ratio(name: str) -> None:
    joint = TASKS[name].joint
    ratios = joint.log_ratio(*joint.sample(40_000, np.random.default_rng(7)))
    error = ratios.std() / math.sqrt(len(ratios))
    assert abs(ratios.mean() - joint.information) < 4 * error


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 0.75])
def test_uniform_noise_by_entropies(epsilon: float) -> None:
    """I = h(y) - h(y | x), of which the first is an integral over the trapezoid."""
    y = np.linspace(-epsilon, 1 + epsilon, 2_000_001)
    density = (np.minimum(y + epsilon, 1) - np.maximum(y - epsilon, 0)).clip(0) / (2 * epsilon)
    entropy = -np.trapezoid(np.where(density > 0, density * np.log(density + 1e-300), 0), y)
    assert UniformNoise(epsilon).information == pytest.approx(
        entropy - math.log(2 * epsilon), abs=1e-5
    )


@pytest.mark.parametrize("map_", [half_cube, wiggly, bimodal])
def test_maps_of_a_coordinate_rise_everywhere(map_: object) -> None:
    assert callable(map_)
    assert (np.diff(map_(np.linspace(-6, 6, 10_001))) > 0).all()


def test_student_of_many_degrees_is_normal() -> None:
    many = Student(pairs(2, 2, 0.6), 2, 1e6)
    assert many.information == pytest.approx(-math.log(1 - 0.36), abs=1e-4)


def test_the_same_seed_draws_the_same() -> None:
    task = TASKS["spiral 3x3, two pairs"]
    for a, b in zip(task.sample(10, seed=3), task.sample(10, seed=3), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(task.sample(10, seed=3)[0], task.sample(10, seed=4)[0])
