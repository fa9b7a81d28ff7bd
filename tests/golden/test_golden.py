"""A change that should not alter numbers alters none.

Losses are compared to a tolerance; all else by hashes, on machines of the class that wrote them.
Where numbers were meant to change, ``python -m tests.golden.record --write`` rewrites them.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.golden.cases import CASES
from tests.golden.commands import Case
from tests.golden.compare import differences
from tests.golden.kept import hashes, losses, machine, read_kept, refused
from tests.golden.record import record, said, world

TOLERANCE = 3e-5
"""Sums are taken in another order on another machine; a few steps don't make more of it.

Seen between two machines of one name: 1.04e-5, of a flow whose columns are ranks.
"""
KEPT = read_kept()
SLOW = [pytest.param(case, marks=() if case.quick else pytest.mark.slow) for case in CASES]


@pytest.fixture(scope="module")
def here() -> Iterator[Path]:
    with world() as folder:
        yield folder


def kept(part: str, case: Case) -> dict:
    return {n: v for n, v in KEPT[part].items() if n.partition("/")[0] == case.name}


@pytest.mark.parametrize("case", SLOW, ids=lambda case: case.name.replace(" ", "-"))
def test_numbers_are_those_that_were_kept(case: Case, here: Path) -> None:
    recorded = record(case, here)
    assert case.mistaken or not refused(recorded)
    now, before = losses(recorded), kept("losses", case)
    assert now.keys() == before.keys()
    for name in now:
        for line, old in zip(now[name], before[name], strict=True):
            assert line == pytest.approx(old, rel=TOLERANCE, abs=TOLERANCE)
    if machine() == KEPT["machine"]:
        changed = [name for name, _ in differences(kept("hashes", case), hashes(recorded))]
        assert not changed, "python -m tests.golden.compare OLD_TREE NEW_TREE shows more"


def test_every_family_is_trained_on_every_kind_of_data() -> None:
    pairs = []
    for line in said("list families").splitlines()[1:]:
        kinds = re.search(r"data: ([\w, ]+)\)$", line)
        assert kinds is not None
        pairs += [[line.split()[0], kind] for kind in kinds[1].split(", ")]
    assert KEPT["trained"] == sorted(pairs)


def test_no_case_that_was_kept_is_gone() -> None:
    names = [case.name for case in CASES]
    assert sorted(names) == sorted({name.partition("/")[0] for name in KEPT["hashes"]})
