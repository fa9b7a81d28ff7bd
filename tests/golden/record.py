"""Record golden runs: ``python -m tests.golden.record [FILE] [--only WORD] [--write]``.

Only what users have is used: commands, public names, files of a run. ``--write`` rewrites
``losses.json``; do so only where numbers were meant to change.
"""

import argparse
import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

import ensue
from ensue.cli import main as ensue_main
from ensue.verbs import VERBS
from tests.golden.asking import asked_of
from tests.golden.cases import CASES
from tests.golden.commands import Case
from tests.golden.contents import contents, without
from tests.golden.kept import write_kept
from tests.golden.world import make_world

LEFT_OUT = {"environment.json", "train.log"}
"""Files that hold the machine, or times: it is recorded that they are there."""
UNRECORDED = {"checkpoints", "cache"}
Recorded = dict[str, str]
"""Texts by name: ``CASE/PLACE``."""


@contextlib.contextmanager
def world() -> Iterator[Path]:
    """A new folder with the data of all cases, in which the process stands."""
    before, columns = Path.cwd(), os.environ.get("COLUMNS")
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder).resolve()
        make_world(here / "data")
        os.environ["COLUMNS"] = "100"
        os.chdir(here)
        try:
            yield here
        finally:
            os.chdir(before)
            os.environ.pop("COLUMNS")
            if columns is not None:
                os.environ["COLUMNS"] = columns


def record(case: Case, here: Path) -> Recorded:
    """All that a case gave: exit statuses, what was said, files, answers in Python."""
    run, out = (Path(kind) / case.name.replace(" ", "-") for kind in ("runs", "out"))
    out.mkdir(parents=True)
    found = {}
    for number, command in enumerate(case.commands):
        words = command.format(run=run, out=out)
        found[f"{number:02} {words.split()[0]}"] = without(said(words), here)
    found |= {f"run/{name}": text for name, text in files(run, here)}
    found |= {f"out/{name}": text for name, text in files(out, here)}
    if case.loads is not None:
        found |= {f"load/{name}": text for name, text in asked_of(str(run), case.loads).items()}
    if case.restores is not None:
        same = dict(files(out / "restored", here)) == dict(files(Path(case.restores), here))
        found["restored"] = "as it was" if same else "OTHERWISE"
    shutil.rmtree(out)
    return {f"{case.name}/{name}": text for name, text in found.items()}


def known(words: str) -> str:
    """A command as the tree that is imported knows it: an older one asked by ``sample``."""
    verb, _, rest = words.partition(" ")
    return f"sample {rest}" if verb == "ask" and "ask" not in VERBS else words


def said(words: str) -> str:
    """The exit status of a command, and all that it printed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), quiet():
        try:
            status = f"exit {ensue_main(known(words).split())}"
        except Exception as error:  # a fault of Ensue's: recorded as any other outcome
            status = f"raised {type(error).__name__}: {error}"
    return f"{status}\n{out.getvalue()}{err.getvalue()}".strip()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Other libraries' warnings depend on what was imported before; Ensue's own are kept."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def files(folder: Path, here: Path) -> Iterator[tuple[str, str]]:
    """The contents of the files below a folder by name, but for times and checkpoints."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not UNRECORDED & set(name.parts):
            left_out = path.name in LEFT_OUT
            yield name.as_posix(), "is there" if left_out else contents(path, here=here)


def record_all(only: str = "") -> Recorded:
    """All cases, or those with a word in their name, of the source tree that is imported."""
    torch.set_num_threads(1)
    found = {}
    with world() as here:
        for case in CASES:
            if only in case.name:
                print(case.name, file=sys.stderr, flush=True)
                found |= record(case, here)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="where to write all that was recorded")
    parser.add_argument("--only", default="", help="cases with this in their name")
    parser.add_argument("--write", action="store_true", help="rewrite losses.json")
    parser.add_argument("--source", type=Path, help="where Ensue must be imported from")
    given = parser.parse_args()
    source = Path(ensue.__file__).resolve().parents[1]
    if given.source not in (None, source):
        parser.error(f"Ensue is imported from {source}, not from {given.source}")
    if given.write and given.only:
        parser.error("--write rewrites all cases; leave --only out")
    print(f"recording {source}", file=sys.stderr)
    found = record_all(given.only)
    if given.file is not None:
        given.file.write_text(json.dumps(found, indent=1) + "\n")
    if given.write:
        write_kept(found)


if __name__ == "__main__":
    main()
