"""Every recipe is one that ``train`` takes, and runs for two steps."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import yaml

from ensue.configuration import validate
from ensue.runs.plan import section_classes
from ensue.runs.recipes import FOLDER, read_recipe, recipe_names
from ensue.verbs.train import train
from tests.data.stores import write_sound
from tests.questions import write_questions

DATA = {
    "imagenet-cpc": "builtin:digits",
    "mnist-cpc": "builtin:digits",
    "cifar-cpc": "builtin:digits",
    "caltech-cpc": "builtin:digits",
    "cpc": "sounds",
    "fsdd-wavenet": "sounds",
    "digits": "builtin:digits",
    "masked": "builtin:digits",
    "series-cpc": "series",
    "series-causal": "series",
    "pixelcnn": "builtin:digits",
    "digits-realnvp": "builtin:digits",
    "digits-affine": "builtin:digits",
    "digits-maf": "builtin:digits",
    "maf": "builtin:moons",
    "mnist-realnvp": "builtin:digits",
    "realnvp": "builtin:moons",
    "seq2seq": "questions",
    "molecules": "molecules",
    "moses": "molecules",
    "qm9": "molecules",
}
"""By the name of the recipe or by the family; others learn a text."""
TEXT = "What follows is said again. " * 40


@pytest.mark.slow
@pytest.mark.parametrize("name", recipe_names())
@pytest.mark.filterwarnings("ignore:batch norm takes")
@pytest.mark.filterwarnings("ignore:the posterior has collapsed")
def test_recipe_runs_for_two_steps(
    name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    family = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())["family"]
    data = DATA.get(name, DATA.get(family))
    cache = tmp_path_factory.getbasetemp() / "recipes-cache"
    small: dict[str, Any] = {"max_steps": 2, "batch_size": 4, "num_validation": 4}
    small["precision"] = "float32"  # not every machine has hardware for bf16
    if data == "sounds":
        data = tmp_path / "sounds"
        for i in range(8):
            write_sound(data / f"{i}.wav", seconds=0.8, rate=16_000)
        small["window_seconds"] = 0.4 if family == "cpc" else 0.05
    if name == "imagenet-cpc":
        small |= {"depth": 18, "resnet_width": 4, "channels": 8, "context_size": 8}
        small |= {"image_size": (75, 75), "crop": (64, 64), "patch": 16, "stride": 8}
    if name == "mnist-cpc":
        small["image_size"] = (28, 28)
    if name == "embeddings":
        data = tmp_path / "embeddings.parquet"
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.random.randn(40 * 6)), 6)
        pyarrow.parquet.write_table(pa.table({"embedding": vectors}), data)
    if data == "molecules":
        data = tmp_path / "some.smi"
        data.write_text("".join(f"C{'N' * (i % 4)}{'C' * i}O\n" for i in range(20)))
    if data == "questions":
        data = write_questions(tmp_path)
        small["validation"] = 0.3
    if data is None:
        data = tmp_path / "text.txt"
        data.write_text(TEXT)
    if family == "vae":
        small["validation"] = 0.2
    if data == "series":
        data = np.random.default_rng(0).standard_normal((20, 100, 2)).cumsum(1)
    train(family, data, out=tmp_path / "run", recipe=name, cache=cache, quiet=True, **small)
    assert (tmp_path / "run" / "report.html").exists()


@pytest.mark.parametrize("name", recipe_names())
def test_recipe_holds_settings_of_its_family(name: str) -> None:
    family = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())["family"]
    classes, found = section_classes(family), read_recipe(name, family)
    for section, values in found.items():
        validate(classes[section], values, section=section)


def test_every_recipe_says_what_it_is_for() -> None:
    assert all(recipe_names().values())


def test_recipe_with_an_unknown_section_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("format: 1\nfamily: cpc\nmodle: {}\n")
    with pytest.raises(ValueError, match="did you mean 'model'"):
        read_recipe(path, "cpc")


def test_recipe_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("format: 2\nfamily: cpc\n")
    with pytest.raises(ValueError, match="format 2"):
        read_recipe(path, "cpc")
