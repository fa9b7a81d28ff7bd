"""The plan of a run: which family, which data, and its three configurations.

Settings come from a recipe, from the run that weights are taken from, and from the user, who has
the last word.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ensue.errors import ConfigError
from ensue.verbs.recipes import SECTIONS, read_recipe

if TYPE_CHECKING:
    from ensue.training.run_folder import RunFolder

VERB_OPTIONS = ("out", "recipe", "resume", "init_from", "cache", "quiet")


@dataclass(frozen=True)
class Plan:
    """A family, its data and its three configurations, and how the run folder tells of them."""

    family: str
    data: Any
    configs: Mapping[str, Any]

    def plain(self) -> dict[str, Any]:
        from ensue.configuration import to_plain

        sections = {name: to_plain(self.configs[name]) for name in SECTIONS}
        return {"family": self.family, "source": describe(self.data), **sections}


def make_plan(
    family: str,
    data: Any,
    recipe: str | Path | None,
    settings: Mapping[str, Any],
    init_from: str | Path | None,
) -> Plan:
    """The plan that a recipe, a run to start from and single settings make.

    Raises:
        ConfigError: Settings are unknown or wrong: all of them in one message.
    """
    from ensue.configuration import split_sections, validate_all

    classes = section_classes(family)
    given = split_sections(settings, classes, also=VERB_OPTIONS)
    base = read_recipe(recipe, family) if recipe else {name: {} for name in SECTIONS}
    if init_from is not None:
        base["model"] = {**_model_settings(Path(init_from), family), **base["model"]}
    merged = {n: (classes[n], {**base[n], **given[n]}) for n in SECTIONS}
    _, of_data = merged["data"]
    if isinstance(of_data.get("regions"), str | Path):
        # A run is used from other folders than it was trained in.
        of_data["regions"] = str(Path(of_data["regions"]).absolute())
    return Plan(family, data, validate_all(merged))


def resumed_plan(
    plan: Plan, run: RunFolder, recipe: str | Path | None, settings: Mapping[str, Any]
) -> Plan:
    """The plan that the run was begun with; what is given now must not differ from it."""
    from ensue.configuration import validate_all

    begun, now = run.read_config(), plan.plain()
    changed = [
        f"{name} was {begun[name]!r} and is {now[name]!r}"
        for name in ("family", "source")
        if begun[name] != now[name]
    ]
    if not changed:
        given = set(settings)
        if recipe:
            given |= {
                name for section in read_recipe(recipe, plan.family).values() for name in section
            }
        changed = [
            f"{name} was {value!r} and is {now[section][name]!r}"
            for section in SECTIONS
            for name, value in begun[section].items()
            if name in given and now[section][name] != value
        ]
    if changed:
        raise ConfigError(
            f"a resumed run keeps its settings, but {'; '.join(changed)}; "
            "leave them out, or start another run"
        )
    classes = section_classes(plan.family)
    begun["model"] = {**_older(plan.family), **begun["model"]}
    configs = validate_all({n: (classes[n], begun[n]) for n in SECTIONS})
    return dataclasses.replace(plan, configs=configs)


def section_classes(family: str) -> dict[str, type]:
    """The configuration class of each section."""
    from ensue.data.config import DataConfig
    from ensue.models.registry import config_class
    from ensue.training.config import TrainingConfig

    return {"model": config_class(family), "data": DataConfig, "training": TrainingConfig}


def _model_settings(init_from: Path, family: str) -> dict[str, Any]:
    from ensue.configuration import settings
    from ensue.training.run_folder import RunFolder

    found = RunFolder(init_from).read_config()
    if found["family"] != family:
        raise ConfigError(f"{str(init_from)!r} is a run of {found['family']!r}, not of {family!r}")
    names = {s.name for s in settings(section_classes(family)["model"])}
    path = RunFolder(init_from).model / "config.json"
    # With the sizes that were chosen for its data, where the user left them open.
    chosen = json.loads(path.read_text()) if path.exists() else {}
    every = {**_older(family), **found["model"], **chosen}
    return {n: v for n, v in every.items() if n in names}


def _older(family: str) -> Mapping[str, Any]:
    """What the settings of a model mean that runs of older versions don't have."""
    return getattr(section_classes(family)["model"], "older", {})


def describe(data: Any) -> str:
    """What the data are, in a word or a path."""
    return str(data) if isinstance(data, str | Path) else f"{type(data).__name__} in memory"
