"""The house: a room imports only rooms to its left, and asking for help costs nothing."""

import ast
import dataclasses
import graphlib
import inspect
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Unpack, get_args, get_origin, get_type_hints

import pytest

import ensue
from ensue.cli.messages import function_of
from ensue.configuration import settings
from ensue.models.registry import FAMILIES
from ensue.runs.plan import section_classes
from ensue.verbs import VERBS

SOURCE = Path(ensue.__file__).parent
ROOMS = [
    {"errors"},
    {"hints"},
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


MODULE = re.compile(r"(ensue(?:\.\w+)+)(?::\w+)?")
"""A module in a string, as tables name what is imported when it is needed."""


def named_in(node: ast.AST) -> list[str]:
    """The modules that a piece of code imports, or names in a string."""
    if isinstance(node, ast.ImportFrom) and node.module:
        assert not node.level, "imports are absolute here"
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        match = MODULE.fullmatch(node.value)
        return [match[1]] if match else []
    return []


def imports() -> list[tuple[Path, str, str]]:
    """(file, its room, the room it imports), inside functions and by string, too."""
    pairs = []
    for path in SOURCE.rglob("*.py"):
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            rooms = {name.split(".")[1] for name in named_in(node) if name.startswith("ensue.")}
            pairs += [(path, room, imported) for imported in rooms & set(FLOOR)]
    return pairs


def test_a_room_imports_only_rooms_to_its_left() -> None:
    """But for the table of verbs, which names those of the leaf ``coding``, too."""
    wrong = [
        f"{path.relative_to(SOURCE)} imports {imported}"
        for path, room, imported in imports()
        if room in FLOOR and room != imported and FLOOR[room] <= FLOOR[imported]
    ]
    assert set(wrong) == {"verbs/__init__.py imports coding"}


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


def seconds_of(program: str) -> float:
    """The time of the processor that a Python program takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["list", "families"], ["list", "data"]]
)
def test_help_answers_within_a_second_without_torch_and_numpy(words: list[str]) -> None:
    program = (
        "import sys\nfrom ensue.cli import main\n"
        f"try: status = main({words})\nexcept SystemExit as e: status = e.code\n"
        "assert not status, status\nassert not {'torch', 'numpy'} & set(sys.modules)\n"
    )
    # Of the processor, the best of three: other programs run here too.
    assert min(seconds_of(program) for _ in range(3)) < 1


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_documented_once(verb: str) -> None:
    """Its options in its docstring, or in the class of options that it shares with others."""
    function = function_of(verb)
    lines = (function.__doc__ or "").splitlines()
    assert VERBS[verb].summary == lines[0]
    takes_any = False
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        assert f"    {parameter.name}" in lines
        is_rest = parameter.kind is parameter.VAR_KEYWORD
        if is_rest and get_origin(parameter.annotation) is Unpack:
            options = get_type_hints(get_args(parameter.annotation)[0], include_extras=True)
            helps = [get_args(hint)[-1].help for hint in options.values()]
            assert all(text.endswith(".") for text in helps)
        elif is_rest:
            takes_any = True
    assert VERBS[verb].takes_settings == takes_any


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_in_a_file_of_its_name(verb: str) -> None:
    module = VERBS[verb].function.partition(":")[0]
    assert module.rpartition(".")[2] == verb


def test_files_of_verbs_are_verbs() -> None:
    files = {path.stem for path in (SOURCE / "verbs").glob("*.py")} - {"__init__"}
    assert files <= set(VERBS)


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


def named_anywhere(path: Path, modules: set[str]) -> set[str]:
    """The modules that one names: at its top, inside functions or in strings."""
    name, names = name_of(path), set[str]()
    for node in ast.walk(ast.parse(path.read_text())):
        names.update(named_in(node))
    return {n for n in names & modules if n != name and not name.startswith(f"{n}.")}


def test_modules_name_each_other_in_no_circle() -> None:
    """Neither by imports inside functions nor by strings."""
    paths = {name_of(path): path for path in SOURCE.rglob("*.py")}
    del paths["ensue"]  # its public names are of every room
    graph = {name: named_anywhere(path, set(paths)) for name, path in paths.items()}
    graphlib.TopologicalSorter(graph).prepare()
