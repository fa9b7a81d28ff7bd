"""The panel of steps ahead says in which direction they lie, and of what they are."""

import json
from pathlib import Path
from typing import Any

import pytest

from ensue.report.charts import theme
from ensue.report.panels import horizon
from ensue.training.run_folder import RunFolder


def run_of(folder: Path, metrics: dict[str, Any], model: dict[str, Any]) -> RunFolder:
    run = RunFolder(folder)
    run.create()
    sections = {"model": {}, "data": {}, "training": {}}
    run.write_config({"family": "cpc", "source": "s", **sections})
    run.append_metrics(metrics)
    (run.checkpoints / "config.json").write_text(json.dumps({"nearest": 2, **model}))
    return run


def told(name: str, accuracy: list[float]) -> dict[str, Any]:
    return {
        f"val_{name}accuracy_by_horizon": accuracy,
        f"val_{name}information_by_horizon": [2 * a for a in accuracy],
    }


def drawn(run: RunFolder) -> str:
    with theme():
        return horizon.draw(run)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({}, "steps ahead k"),
        ({"directions": ["forward"]}, "steps ahead k"),
        ({"directions": ["down"]}, "rows below k"),
        ({"directions": ["left"]}, "columns to the left k"),
    ],
)
def test_one_direction_is_named_by_what_it_counts(
    model: dict[str, Any], words: str, tmp_path: Path
) -> None:
    page = drawn(run_of(tmp_path, told("", [0.5, 0.25]), model))
    assert f">{words}</text>" in page
    assert f"the frame {words.removesuffix(' k')}" in page.replace("frame k ", "frame ")
    assert '<td>3</td><td class="n">25.0%</td><td class="n">0.50</td>' in page


@pytest.mark.parametrize(
    ("directions", "words"),
    [
        (("down", "up"), "rows away k"),
        (("right", "left"), "columns away k"),
        (("down", "left"), "rows or columns away k"),
        (("forward", "backward"), "steps away k"),
    ],
)
def test_several_directions_have_a_line_each(
    directions: tuple[str, str], words: str, tmp_path: Path
) -> None:
    one, other = directions
    metrics = told("", [0.9, 0.9]) | told(f"{one}_", [0.5, 0.25]) | told(f"{other}_", [0.4, 0.1])
    page = drawn(run_of(tmp_path, metrics, {"directions": list(directions)}))
    assert f">{words}</text>" in page
    for name, accuracy in ((one, "25.0%"), (other, "10.0%")):
        assert f">{name}</text>" in page
        assert f'<td>{name}, 3</td><td class="n">{accuracy}</td>' in page
    assert "90.0%" not in page


def test_a_family_without_a_horizon_has_no_panel(tmp_path: Path) -> None:
    assert drawn(run_of(tmp_path, {"val_loss": 1.0}, {})) == ""
