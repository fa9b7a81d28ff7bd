"""The house: a room imports only rooms to its left, and asking for help costs nothing."""

import ast
import dataclasses
import graphlib
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ensue
from ensue.configuration import settings
from ensue.models.registry import FAMILIES
from ensue.runs.plan import section_classes
from ensue.verbs import VERBS

SOURCE = Path(ensue.__file__).parent
ROOMS = [
    {"errors"},
    {"configuration"},
    {"files"},
    {"nn"},
    {"information", "generation", "data"},
    {"models"},
    {"training"},
    {"evaluation"},
    {"report"},
    {"runs"},
    {"verbs"},
    {"cli"},
    {"coding"},
]
FLOOR = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}


def imports() -> list[tuple[Path, str, str]]:
    """(file, its room, the room it imports), imports inside functions included."""
    found = []
    for path in SOURCE.rglob("*.py"):
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module:
                assert not node.level, f"{path}: imports are absolute here"
                names = [node.module]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                parts = name.split(".")
                if parts[0] == "ensue" and len(parts) > 1:
                    found.append((path, room, parts[1]))
    return found


def test_a_room_imports_only_rooms_to_its_left() -> None:
    wrong = [
        f"{path.relative_to(SOURCE)} imports {imported}"
        for path, room, imported in imports()
        if room in FLOOR and room != imported and FLOOR[room] <= FLOOR[imported]
    ]
    assert not wrong


def test_every_room_is_known() -> None:
    rooms = {p.stem for p in SOURCE.iterdir() if p.is_dir() or p.suffix == ".py"}
    assert rooms - {"__init__", "__main__", "__pycache__", "recipes"} <= set(FLOOR)


@pytest.mark.parametrize("family", FAMILIES)
def test_settings_have_unique_names_and_a_help(family: str) -> None:
    found = [s for cls in section_classes(family).values() for s in settings(cls)]
    names = [s.name for s in found]
    assert len(names) == len(set(names))
    assert not [s.name for s in found if not s.help]
    for cls in section_classes(family).values():
        parameters = cls.__dataclass_params__
        assert parameters.frozen
        assert all(f.kw_only for f in dataclasses.fields(cls))


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["list", "families"], ["list", "data"]]
)
def test_help_answers_within_a_second_and_without_torch(words: list[str]) -> None:
    program = (
        "import sys\nfrom ensue.cli import main\n"
        f"try: status = main({words})\nexcept SystemExit as e: status = e.code\n"
        "assert not status, status\nassert 'torch' not in sys.modules\n"
    )
    seconds = []
    for _ in range(3):  # the best of three: other programs run here too
        begun = time.monotonic()
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
        seconds.append(time.monotonic() - begun)
    assert min(seconds) < 1


def test_every_verb_is_documented() -> None:
    import importlib
    import inspect

    for path in VERBS.values():
        module, _, name = path.partition(":")
        function = getattr(importlib.import_module(module), name)
        for parameter in inspect.signature(function).parameters:
            assert f"\n    {parameter}\n" in function.__doc__, (path, parameter)


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def with_packages(module: str) -> set[str]:
    """A module, and the packages whose ``__init__`` runs before it."""
    parts = module.split(".")
    return {".".join(parts[:n]) for n in range(1, len(parts) + 1)}


def imported_at_once(path: Path, modules: set[str]) -> set[str]:
    """The modules that one needs before its first line has run to the end."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= with_packages(node.module) | (names & modules)
        elif isinstance(node, ast.Import):
            found = found.union(*(with_packages(alias.name) for alias in node.names))
    return (found & modules) - with_packages(name_of(path))


def test_modules_import_each_other_in_no_circle() -> None:
    paths = {name_of(path): path for path in SOURCE.rglob("*.py")}
    graph = {name: imported_at_once(path, set(paths)) for name, path in paths.items()}
    graphlib.TopologicalSorter(graph).prepare()
