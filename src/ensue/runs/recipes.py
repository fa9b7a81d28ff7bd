"""Recipes: settings by name or file, in the sections ``model``, ``data`` and ``training``."""

from pathlib import Path
from typing import Any

import yaml

from ensue.configuration import check_format
from ensue.errors import ConfigError, unknown
from ensue.files import read_text

SECTIONS = ("model", "data", "training")
ABOUT = ("format", "family", "summary", "source", "fingerprint")
"""Other keys that a recipe may have; a run's config.yaml is a recipe too."""
MOST = 2**20
"""Bytes of a recipe at most."""
FOLDER = Path(__file__).parent.parent / "recipes"


def recipe_names() -> dict[str, str]:
    """Return the installed recipes, each with its own description."""
    return {
        path.stem: str(yaml.safe_load(read_text(path)).get("summary", ""))
        for path in sorted(FOLDER.glob("*.yaml"))
    }


def read_recipe(recipe: str | Path, family: str) -> dict[str, dict[str, Any]]:
    """Read the sections of a recipe, by name or file.

    Raises:
        ConfigError: There is no such recipe, it is for another family, or it isn't one.
    """
    path = Path(recipe)
    if path.suffix not in (".yaml", ".yml"):
        path = FOLDER / f"{recipe}.yaml"
    if not path.exists():
        raise ConfigError(unknown("recipe", str(recipe), recipe_names()))
    text = read_text(path, most=MOST, error=ConfigError)
    try:
        recipe_values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"the recipe {str(path)!r} isn't YAML: {error}") from error
    if not isinstance(recipe_values, dict):
        raise ConfigError(f"the recipe {str(path)!r} has no sections {', '.join(SECTIONS)}")
    check_format(recipe_values, f"the recipe {str(path)!r}")
    strangers = {str(key) for key in recipe_values} - {*ABOUT, *SECTIONS}
    if strangers:
        raise ConfigError(
            f"the recipe {str(path)!r}: "
            + "; ".join(unknown("section", s, SECTIONS) for s in sorted(strangers))
        )
    if recipe_values.get("family") != family:
        raise ConfigError(
            f"the recipe {str(path)!r} is for {recipe_values.get('family')!r}, not {family!r}"
        )
    for name in SECTIONS:
        if not isinstance(recipe_values.get(name) or {}, dict):
            raise ConfigError(f"the recipe {str(path)!r}: {name} must hold settings by name")
    return {name: dict(recipe_values.get(name) or {}) for name in SECTIONS}
