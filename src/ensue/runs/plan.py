"""The plan of a run: its family, its data, and its three configurations.

Settings come from a recipe, from the run that weights are taken from, and from the user, whose
settings win.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ensue.configuration import (
    lengths,
    settings,
    split_sections,
    to_plain,
    validate_all,
    warn_of_unread,
)
from ensue.data.config import DataConfig
from ensue.errors import ConfigError
from ensue.models.registry import config_class
from ensue.models.traits import HasOlderSettings
from ensue.runs.lengths import fitted
from ensue.runs.recipes import SECTIONS, read_recipe
from ensue.training.config import TrainingConfig
from ensue.training.run_folder import RunFolder

VERB_OPTIONS = ("out", "recipe", "resume", "init_from", "cache", "quiet")


@dataclass(frozen=True)
class Plan:
    """A family, its data and its three configurations, as the run folder records them.

    ``notes`` are a line each, about settings that were made to fit, or that don't.
    """

    family: str
    data: Any
    configs: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        sections = {name: to_plain(self.configs[name]) for name in SECTIONS}
        return {"family": self.family, "source": describe(self.data), **sections}


def make_plan(
    family: str,
    data: Any,
    recipe: str | Path | None,
    settings: Mapping[str, Any],
    init_from: str | Path | None,
) -> Plan:
    """Make the plan from a recipe, a run to start from and single settings.

    Raises:
        ConfigError: Settings are unknown or wrong: all of them in one message.
    """
    classes = section_classes(family)
    user_settings = split_sections(settings, classes, also=VERB_OPTIONS)
    base = read_recipe(recipe, family) if recipe else {name: {} for name in SECTIONS}
    known_lengths = _lengths_in(base, classes)
    if init_from is not None:
        begun = _run_of(Path(init_from), family)
        known_lengths = {
            **_lengths_in({"model": {}, **begun}, {"model": classes["model"]}),
            **known_lengths,
        }
        base["model"] = {
            **_model_settings(Path(init_from), begun, classes["model"]),
            **base["model"],
        }
    merged = {n: (classes[n], {**base[n], **user_settings[n]}) for n in SECTIONS}
    _, of_data = merged["data"]
    if isinstance(of_data.get("regions"), str | Path):
        # A run is used from other folders than it was trained in.
        of_data["regions"] = str(Path(of_data["regions"]).absolute())
    valid = validate_all(merged)
    warn_of_unread(valid["model"], user_settings["model"])
    configs, notes = fitted(valid, settings, known_lengths)
    return Plan(family, data, configs, notes)


def _lengths_in(sections: Mapping[str, Any], classes: Mapping[str, type]) -> Mapping[str, int]:
    """Return the lengths in a recipe or a run, each with the number of steps that it is for."""
    num_steps: int = sections["training"].get("max_steps", TrainingConfig.max_steps)
    names = {
        name
        for section, cls in classes.items()
        for name in lengths(cls)
        if name in sections[section]
    }
    return dict.fromkeys(names, num_steps)


def section_classes(family: str) -> dict[str, type]:
    """Return the configuration class of each section."""
    return {"model": config_class(family), "data": DataConfig, "training": TrainingConfig}


def _run_of(init_from: Path, family: str) -> dict[str, Any]:
    """Read the configuration of the run to start from."""
    config = RunFolder(init_from).read_config()
    if config["family"] != family:
        raise ConfigError(f"{str(init_from)!r} is a run of {config['family']!r}, not of {family!r}")
    return config


def _model_settings(init_from: Path, begun: Mapping[str, Any], cls: type) -> dict[str, Any]:
    """Return the settings of a run's model, with the sizes that were chosen for its data."""
    names = {s.name for s in settings(cls)}
    chosen = RunFolder(init_from).read_model_settings()
    every = {**older_settings(cls), **begun["model"], **chosen}
    return {n: v for n, v in every.items() if n in names}


def older_settings(cls: type) -> Mapping[str, Any]:
    """Return values for a model's settings that runs of older versions don't have."""
    return cls.older if isinstance(cls, HasOlderSettings) else {}


def describe(data: Any) -> str:
    """Describe the data in a word or by their path."""
    return str(data) if isinstance(data, str | Path) else f"{type(data).__name__} in memory"
