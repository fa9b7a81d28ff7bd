"""Options that are written once for several verbs: known names only, and shown by each verb."""

from pathlib import Path
from typing import Any

import pytest

import ensue
from ensue.cli import main
from ensue.runs.drawing import Drawing
from ensue.runs.reading import LabeledReading, Reading


@pytest.mark.parametrize("verb", ["sample", "complete", "ask"])
def test_python_refuses_an_option_of_drawing_that_there_isnt(verb: str) -> None:
    options: dict[str, Any] = {"temprature": 0.5}
    with pytest.raises(ensue.EnsueError, match="did you mean 'temperature'"):
        getattr(ensue, verb)("runs/any", **options)


@pytest.mark.parametrize("verb", ["embed", "score", "probe"])
def test_python_refuses_an_option_of_reading_that_there_isnt(
    verb: str, cpc_run: Path, recordings: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"max_skiped": 0.5}
    options |= {"label": "label"} if verb == "probe" else {"out": tmp_path / "a.parquet"}
    with pytest.raises(ensue.EnsueError, match="did you mean 'max_skipped'"):
        getattr(ensue, verb)(cpc_run, recordings, **options)


def test_report_refuses_it_even_where_no_data_are_read(cpc_run: Path) -> None:
    options: dict[str, Any] = {"max_skiped": 0.5}
    with pytest.raises(ensue.EnsueError, match="did you mean 'max_skipped'"):
        ensue.make_report(cpc_run, **options)


def test_evaluate_names_all_options_that_no_section_reads(cpc_run: Path, recordings: Path) -> None:
    with pytest.raises(ensue.EnsueError, match=r"num: .*no molecules.*num_draws: .*no z"):
        ensue.evaluate(cpc_run, recordings, num=3, num_draws=2)


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("embed", Reading),
        ("score", Reading),
        ("evaluate", Reading),
        ("probe", LabeledReading),
        ("report", LabeledReading),
        ("sample", Drawing),
        ("complete", Drawing),
        ("ask", Drawing),
    ],
)
def test_help_shows_the_options_of_several_verbs(
    verb: str, options: type, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert [n for n in options.__annotations__ if f"--{n.replace('_', '-')}" not in shown] == []
