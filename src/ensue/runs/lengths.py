"""Lengths within a run (warm-up, schedules of an objective), fitted to its number of steps."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ensue.configuration import lengths


def fitted(
    configs: Mapping[str, Any], given: Mapping[str, Any], told: Mapping[str, int]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the configurations with lengths that fit ``max_steps``, and notes of a line each.

    If a recipe is for another number of steps, its objective's schedules scale in proportion, and
    so does a default that would be longer than the run. The warm-up of the learning rate keeps the
    first steps stable, however many follow: it stays if it is at most half of the run. A length
    that the user gave stays, with a note if it is longer than the run.

    Args:
        configs: The configuration of each section; ``training.max_steps`` is the number of steps.
        given: Settings that the user gave, by name.
        told: Lengths from a recipe or another run, each with the number of steps that it is for.
    """
    num_steps, default = configs["training"].max_steps, type(configs["training"]).max_steps
    fitted_configs, notes = dict(configs), []
    for section, config in configs.items():
        for name, mark in lengths(type(config)).items():
            length = getattr(config, name)
            if not length or not mark.is_read(config):
                continue
            if name in given:
                if length > num_steps:
                    notes.append(f"{name} is {length:,}, and training has {num_steps:,} steps")
                continue
            meant_for = told.get(name, default)
            fit = mark.fit(length, num_steps, meant_for, is_default=name not in told)
            if fit == length:
                continue
            fitted_configs[section] = dataclasses.replace(fitted_configs[section], **{name: fit})
            notes.append(
                f"{name} is {fit:,} instead of {length:,}: training has {num_steps:,} steps "
                f"instead of {meant_for:,}"
            )
    return fitted_configs, tuple(notes)
