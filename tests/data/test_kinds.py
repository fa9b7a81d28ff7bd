"""Every row of the table of kinds keeps the same rules, and shared code compares no kind's name."""

import ast
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

import ensue
from ensue.data.codecs.protocols import Codec
from ensue.data.config import DataConfig
from ensue.data.kinds import KINDS, codec_class, codec_names, imported, source_of, usual_codec
from ensue.data.sources.protocols import ReadsColumns, ReadsFiles, ReadsManifests
from ensue.models.registry import FAMILIES
from ensue.runs.writers import WRITERS

SOURCE = Path(ensue.__file__).parent
SHARED = ("cli", "coding", "training", "verbs")
NAMES = {*KINDS, *codec_names()}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_row_names_is_there(kind: str) -> None:
    row = KINDS[kind]
    assert callable(imported(row.survey))
    assert row.writer in WRITERS
    assert {*row.settings} <= {f.name for f in dataclasses.fields(DataConfig)}
    assert row.usual_family is None or kind in FAMILIES[row.usual_family].kinds
    assert any(kind in family.kinds for family in FAMILIES.values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_codec_has_all_that_codecs_have(kind: str) -> None:
    members = {name for name in vars(Codec) if not name.startswith("_")}
    members |= {"decode", "kind", "name", "sequence"}
    for name, path in KINDS[kind].codecs.items():
        codec = imported(path)
        assert codec is codec_class(name)
        assert codec.name == name
        assert not {member for member in members if not hasattr(codec, member)}
    assert usual_codec(kind) in KINDS[kind].codecs


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_taken_by_the_source_of_their_kind_alone(kind: str) -> None:
    source = source_of(kind)
    assert isinstance(source, ReadsFiles) == bool(KINDS[kind].endings) == bool(KINDS[kind].files)
    for ending in KINDS[kind].endings:
        takers = [
            other
            for other, row in KINDS.items()
            if row.endings and source_of(other).takes_file(Path(f"a{ending.upper()}"))
        ]
        assert takers == [kind]


def test_every_table_is_taken() -> None:
    """The last kind takes any columns, so that a table is always of some kind."""
    *_, last = KINDS
    sources = {kind: source_of(kind) for kind in KINDS}
    assert isinstance(sources[last], ReadsColumns)
    assert all(isinstance(s, ReadsColumns | ReadsManifests) for s in sources.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_names_kinds_and_their_codecs(family: str) -> None:
    for kind, codec in FAMILIES[family].codecs.items():
        assert codec in KINDS[kind].codecs


def comparisons() -> Iterator[tuple[str, str]]:
    """Comparisons with the name of a kind or of a codec, and tables keyed by one, by file."""
    for room in SHARED:
        for path in (SOURCE / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                compared = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
                keys = node.keys if isinstance(node, ast.Dict) else []
                names = {
                    constant.value
                    for part in (*compared, *keys)
                    if part is not None
                    for constant in ast.walk(part)
                    if isinstance(constant, ast.Constant) and constant.value in NAMES
                }
                if names:
                    yield str(path.relative_to(SOURCE)), ast.unparse(node)


def test_shared_code_compares_no_kind_or_codec() -> None:
    assert not list(comparisons())
