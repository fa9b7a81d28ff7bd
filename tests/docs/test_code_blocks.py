"""The pages: every block of Python and of commands in them and in the README runs."""

import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from ensue.cli import main
from ensue.data.kinds import KINDS
from ensue.models.registry import FAMILIES
from ensue.verbs import VERBS
from tests.docs.blocks import Block, begins_with, blocks_of, commands
from tests.questions import write_questions

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WITH_CODE = [p for p in PAGES if any(b.language in ("python", "sh") for b in blocks_of(p))]
IN_EARNEST = [p for p in PAGES if "prints in earnest" in p.read_text()]
TINY = "--max-steps 2 --batch-size 4 --channels 16 --horizon 3 --validation 0.5 --num-mels 20"
SHAPE = re.compile(r"^(\w+) = .*# (\([\d, ]+\))$", flags=re.MULTILINE)
NUMBER = re.compile(r"(\d+\.\d+)")


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader has: recordings of two speakers, a run trained on them, and much else."""
    folder = tmp_path_factory.mktemp("reader")
    recordings = folder / "my_recordings"
    rng = np.random.default_rng(0)
    time = np.arange(16000) / 16000
    for speaker, pitch in (("ann", 200), ("bob", 500)):
        (recordings / speaker).mkdir(parents=True)
        for i in range(4):
            sound = 0.3 * np.sin(2 * np.pi * pitch * time * (1 + 0.1 * i * time))
            noise = 0.01 * rng.standard_normal(len(time))
            soundfile.write(recordings / speaker / f"{i}.wav", sound + noise, 16000)
    shutil.copy(recordings / "ann" / "0.wav", recordings / "a.wav")
    (folder / "my_texts").mkdir()
    for i in range(3):
        (folder / "my_texts" / f"{i}.txt").write_text(
            f"Once upon a time there were {i} texts. " * 4
        )
    write_pictures(folder / "my_pictures")
    for name in ("my_molecules.smi", "unseen.smi"):
        (folder / name).write_text("".join(f"{'C' * i}O\nC{'N' * (i % 3)}C\n" for i in range(1, 9)))
    write_questions(folder)
    words = f"train cpc {recordings} --out {folder / 'runs' / 'mine'} {TINY} --quiet"
    assert main(words.split()) == 0
    return folder


def write_pictures(folder: Path) -> None:
    """Eight pictures in color of two classes, each in a folder of its name."""
    rng = np.random.default_rng(0)
    for label in ("day", "night"):
        (folder / label).mkdir(parents=True)
        for i in range(4):
            light = 128 if label == "day" else 0
            pixels = light + rng.integers(0, 128, (32, 32, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{i}.png")


@pytest.fixture
def reader(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Path], None]]:
    """Puts a reader of a page into a folder of his own, with what the page begins with."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = set(sys.modules)
    verbs, kinds = dict(VERBS), dict(KINDS)
    codecs = {name: dict(row.codecs) for name, row in FAMILIES.items()}

    def begin(page: Path) -> None:
        for given in begins_with(page):
            copy = shutil.copytree if (world / given).is_dir() else shutil.copy
            copy(world / given, tmp_path / given)

    yield begin
    replace(VERBS, verbs)  # a page may add a verb, or a kind
    replace(KINDS, kinds)
    for family, names in codecs.items():
        replace(FAMILIES[family].codecs, names)
    for module in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[module], "__file__", None)):
            del sys.modules[module]


def replace(table: dict[str, Any], before: dict[str, Any]) -> None:
    table.clear()
    table.update(before)


@pytest.mark.parametrize("page", WITH_CODE, ids=name)
def test_every_block_runs(
    page: Path, reader: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    reader(page)
    read(page, [b.smaller() for b in blocks_of(page)], "prints", capsys)


@pytest.mark.slow
@pytest.mark.parametrize("page", IN_EARNEST, ids=name)
def test_every_block_prints_what_the_page_says(
    page: Path, reader: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    reader(page)
    read(page, blocks_of(page), "prints in earnest", capsys)


def read(page: Path, blocks: list[Block], prints: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Do what the page says, in one Python session."""
    session: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks:
        where = f"{page}, line {block.line}"
        if block.mark("skip") is not None:
            assert block.mark("skip"), f"{where}: a block is skipped for a reason"
        elif (file := block.mark("file")) is not None:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            Path(file).write_text(block.text)
        elif said := [m.removeprefix("said by ") for m in block.marks if m.startswith("said by ")]:
            capsys.readouterr()
            assert [main(shlex.split(command)) for command in said] == [2] * len(said), where
            assert capsys.readouterr().err == block.text, where
        elif block.mark("install") is not None:
            install(tomllib.loads(block.text)["project"])
        elif "prints" in block.marks or prints in block.marks:
            printed = capsys.readouterr().out
            wrong = f"{where}: it says\n{block.text}\nand what was printed is\n{printed}"
            assert alike(block.text, printed), wrong
        elif block.language == "python":
            capsys.readouterr()
            program = compile("\n" * block.line + block.text, str(page), "exec")
            with pytest.warns() if "warns" in block.marks else nullcontext():
                exec(program, session)
            for variable, shape in SHAPE.findall(block.text):
                assert str(tuple(session[variable].shape)) == shape, f"{where}: {variable}"
        elif block.language == "sh":
            capsys.readouterr()
            for command in commands(block):
                verb, *words = shlex.split(command, comments=True)
                assert verb == "ensue", f"{where}: {command!r} can't be run here; say why"
                status = main(words)
                assert status == 0, f"{where}: {command!r}: {capsys.readouterr().err}"


def alike(said: str, printed: str) -> bool:
    """The same words; decimal numbers to a quarter, since each machine adds up in its own order."""
    (*said_words,), (*words,) = (NUMBER.split(squeezed(t)) for t in (said, printed))
    return said_words[::2] == words[::2] and all(
        abs(float(a) - float(b)) <= max(0.25 * float(a), 0.1)
        for a, b in zip(said_words[1::2], words[1::2], strict=True)
    )


def squeezed(text: str) -> str:
    """Without what the width of a number changes in a table: runs of spaces and of lines."""
    return re.sub(r"\s+", " ", re.sub(r"[━─]+", "━", text)).strip()


def install(project: dict[str, Any]) -> None:
    """What pip leaves in the folder of a package, as far as Python's entry points go."""
    folder = Path(f"{project['name'].replace('-', '_')}-{project['version']}.dist-info")
    folder.mkdir()
    (folder / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    lines = [
        line
        for group, points in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in points.items()))
    ]
    (folder / "entry_points.txt").write_text("\n".join(lines) + "\n")


def test_a_page_that_goes_wrong_is_found(
    tmp_path: Path, reader: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    for wrong in (
        "```python\nassert False\n```",
        "```sh\nensue train cpd nothing --out run\n```",
        "```sh\nrm something\n```",
        "<!-- test: skip -->\n```sh\nensue list families\n```",
        "```python\nprint(1)\n```\n<!-- test: prints -->\n```text\n2\n```",
        "```python\nimport numpy\nx = numpy.zeros(3)  # (2,)\n```",
        '<!-- test: reads "a" as "b" -->\n```python\n1\n```',
    ):
        page = tmp_path / "page.md"
        page.write_text(f"{wrong}\n")
        with pytest.raises(AssertionError):
            read(page, [b.smaller() for b in blocks_of(page)], "prints", capsys)


def test_no_code_hides_in_another_language() -> None:
    """A block of commands or of Python under another name wouldn't be run."""
    known = {"python", "sh", "text", "toml", "yaml", ""}
    for page in PAGES:
        for block in blocks_of(page):
            plain = not block.language.startswith("{")
            assert block.language in known or not plain, (
                f"{page}, line {block.line}: {block.language!r}"
            )
            program = block.language == "" and ("ensue " in block.text or "import " in block.text)
            assert not program or page.name == "README.md", f"{page}, line {block.line}"
