"""The README: what it shows exists; that its blocks run is tested with the pages of docs."""

import re
from pathlib import Path

from ensue.verbs import VERBS

README = Path(__file__).parent.parent / "README.md"


def test_every_command_stands_in_the_table() -> None:
    text = README.read_text()
    assert [verb for verb in VERBS if f"`ensue {verb}" not in text] == []


def test_what_it_links_to_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README.read_text()):
        if "://" not in target:
            assert (README.parent / target).exists(), target


def test_what_was_measured_is_that_of_the_results() -> None:
    from benchmarks.table import ALL, BEGIN, END, all_figures, headlines

    assert README.read_text().split(BEGIN)[1].split(END)[0] == headlines()
    assert ALL.read_text() == all_figures()
