"""Runs of an earlier version load, and give the numbers that they gave when they were made."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.golden.old_runs import FOLDER, RUNS, numbers, read_numbers
from tests.golden.record import said, world

TOLERANCE = 1e-6
"""Of float32, whose sums another machine takes in another order."""
DATA = {"cpc": "data/sounds", "charrnn": "data/texts", "realnvp": "builtin:moons"}


@pytest.fixture(scope="module", autouse=True)
def here() -> Iterator[Path]:
    with world() as folder:
        yield folder


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Numbers and texts by where they stand.

    Example:
        >>> flat({"a": [1.5, "b"]})
        {'.a.0': 1.5, '.a.1': 'b'}
    """
    if not isinstance(value, dict | list):
        return {name: value}
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    return {k: v for i, part in parts for k, v in flat(part, f"{name}.{i}").items()}


@pytest.mark.parametrize("name", RUNS)
def test_an_earlier_run_gives_the_same_numbers(name: str) -> None:
    now, before = flat(numbers(name)), flat(read_numbers()[name])
    assert now.keys() == before.keys()
    for place, value in before.items():
        same = (
            value if isinstance(value, str) else pytest.approx(value, rel=TOLERANCE, abs=TOLERANCE)
        )
        assert now[place] == same, place


@pytest.mark.parametrize("name", RUNS)
def test_commands_take_an_earlier_run(name: str) -> None:
    run = shutil.copytree(FOLDER / name, Path(name))
    for command in (
        f"embed {run} {DATA[name]} --out {run}/embedding.parquet --quiet",
        f"score {run} {DATA[name]} --out {run}/scores.csv --quiet",
        f"report {run} --quiet",
    ):
        assert said(command).startswith("exit 0")


@pytest.mark.parametrize("name", RUNS)
def test_an_earlier_run_tells_nothing_of_the_machine_that_made_it(name: str) -> None:
    texts = [path.read_bytes() for path in (FOLDER / name).rglob("*") if path.is_file()]
    assert not any(word in text for text in texts for word in (b"/tmp", b"/home", b"/root"))
