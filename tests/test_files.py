"""Files are written whole or not at all, and only files are opened."""

import ast
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import ensue
from ensue.cli import main
from ensue.coding import container
from ensue.data.codecs import load_codec
from ensue.data.columns import read_columns
from ensue.data.items import Clip, Document, Picture
from ensue.data.kinds.audio.recordings import open_blocks
from ensue.data.kinds.image.pixels import opened
from ensue.data.kinds.question.regions import read_regions
from ensue.data.vectors import read_vectors
from ensue.errors import CheckpointError, ConfigError, DataError, EnsueError
from ensue.files import (
    MOST,
    discard_folder,
    drafted,
    read_bytes,
    read_json,
    read_text,
    write_text,
    written_whole,
)
from ensue.models.foreign import read_state_dict
from ensue.models.loading import build_model, load_weights
from ensue.runs.recipes import read_recipe
from ensue.training.checkpoint import read_state
from ensue.training.exhibits import Exhibits
from ensue.training.kept import read_kept, step_of
from ensue.training.run_folder import RunFolder

pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
SOURCE = Path(ensue.__file__).parent


# Writing


def write_half(path: Path, problem: BaseException, **options: Any) -> None:
    """A draft, a folder or not as its place is, that goes wrong."""
    with written_whole(path, **options) as draft:
        if path.is_dir():
            draft.mkdir()
        (draft / "a" if path.is_dir() else draft).write_text("half of")
        raise problem


@pytest.mark.parametrize("problem", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_failed_write_leaves_the_old_file_alone(problem: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")
    with pytest.raises((DataError, KeyboardInterrupt)):
        write_half(path, problem)
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]
    assert path.read_text() == "old"


def test_failed_write_leaves_the_old_folder_alone(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.mkdir()
    (path / "a").write_text("old")
    with pytest.raises(DataError):
        write_half(path, OSError("the disk is full"), replaces_folder=True)
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    assert (path / "a").read_text() == "old"


def test_what_can_not_be_written_is_told_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "out.json"
    told = f"can't write {str(path)!r}: Not a directory; "
    with pytest.raises(DataError) as of_data:
        write_text(path, "new")
    assert str(of_data.value) == told + "make room or give rights, and do it again"
    with pytest.raises(CheckpointError, match="--resume"):
        write_text(path, "new", error=CheckpointError)
    with pytest.raises(ConfigError) as of_config:
        write_text(path, "new", error=ConfigError, remedy="name another")
    assert str(of_config.value) == told + "name another"


def test_a_file_does_not_take_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "out.npz").mkdir()
    (tmp_path / "out.npz" / "kept").touch()
    with pytest.raises(DataError, match="can't write"):
        write_text(tmp_path / "out.npz", "new")
    assert (tmp_path / "out.npz" / "kept").exists()


def test_a_discarded_folder_is_gone(tmp_path: Path) -> None:
    (tmp_path / "model" / "inside").mkdir(parents=True)
    discard_folder(tmp_path / "model")
    discard_folder(tmp_path / "model")
    assert not list(tmp_path.iterdir())


KILLED = """
import os, sys
from pathlib import Path
from ensue.files import drafted
with drafted(Path(sys.argv[1])) as draft:
    draft.write_text("half")
    os._exit(1)
"""


@pytest.mark.skipif(os.name != "posix", reason="whether a process runs isn't asked there")
def test_what_a_killed_process_left_is_deleted_and_what_a_running_one_writes_is_not(
    tmp_path: Path,
) -> None:
    (tmp_path / "notes.1.tmp").touch()  # another program's
    subprocess.run([sys.executable, "-c", KILLED, tmp_path / "last.ckpt"], check=False)
    assert len(list(tmp_path.iterdir())) == 2
    with drafted(tmp_path / "other") as draft:
        draft.touch()
        program = KILLED.replace("os._exit(1)", "pass")
        subprocess.run([sys.executable, "-c", program, tmp_path / "a"], check=True)
    assert {p.name for p in tmp_path.iterdir()} == {"notes.1.tmp", "other", "a"}


WRITER = """
import sys
from pathlib import Path
from ensue.files import write_text, written_whole
folder, letter = Path(sys.argv[1]), sys.argv[2]
for _ in range(100):
    write_text(folder / "file", letter * 100_000)
    with written_whole(folder / "folder", replaces_folder=True) as draft:
        draft.mkdir()
        for name in "abc":
            (draft / name).write_text(letter)
"""


def test_what_several_processes_write_at_once_is_whole(tmp_path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, tmp_path, n]) for n in "xyz"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if (tmp_path / "file").exists():
            text = (tmp_path / "file").read_text()
            assert text == text[0] * 100_000
            seen.add(text[0])
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert len(seen) > 1
    assert len({(tmp_path / "folder" / name).read_text() for name in "abc"}) == 1
    assert {p.name for p in tmp_path.iterdir()} == {"file", "folder"}


# Reading


def at_once(function: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a function, or the error that it raises; it fails where it takes long."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(function(*arguments))
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(10)
    assert found, "it waits for ever"
    return found[0]


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.mkdir()


STRANGE = {"a pipe": pipe, "a device": device, "a folder": folder}
READERS: dict[str, Callable[[Path], Any]] = {
    "t.csv": read_columns,
    "t.jsonl": read_columns,
    "t.parquet": read_columns,
    "r.npz": read_regions,
    "r.npy": read_regions,
    "r.parquet": read_regions,
    "v.npy": read_vectors,
    "v.txt": read_vectors,
    "v.txt.gz": read_vectors,
    "x.wav": lambda path: open_blocks(Clip(path)),
    "x.png": lambda path: opened(Picture(path)),
    "x.txt": lambda path: Document(path).read(),
    "codec.json": load_codec,
    "config.json": build_model,
    "w.safetensors": read_state_dict,
    "w.pt": read_state_dict,
    "model.safetensors": lambda path: load_weights(nn.Linear(1, 1), path),  # type: ignore[arg-type]
    "c.ensue": container.read,
    "r.yaml": lambda path: read_recipe(path, "cpc"),
    "config.yaml": lambda path: RunFolder(path.parent).read_config(),
    "data.json": lambda path: RunFolder(path.parent).read_data(),
    "evaluation.json": lambda path: RunFolder(path.parent).read_evaluation(),
    "probes.json": lambda path: RunFolder(path.parent).read_probes(),
    "metrics.jsonl": lambda path: RunFolder(path.parent).read_metrics(),
    "checkpoints/kept.json": lambda path: read_kept(RunFolder(path.parent.parent)),
    "checkpoints/last.ckpt": lambda path: read_state(path.parent),
    "map.json": lambda path: Exhibits(path.parent).read("map"),
}


@pipes
@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_is_refused_by_every_reader(
    name: str, strange: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    STRANGE[strange](path)
    error = at_once(READERS[name], path)
    assert isinstance(error, EnsueError), repr(error)
    assert f"it is no file, but {strange}" in str(error)


@pipes
def test_weights_that_are_a_pipe_tell_no_step(tmp_path: Path) -> None:
    pipe(tmp_path / "best.safetensors")
    assert at_once(step_of, tmp_path / "best.safetensors") is None


@pipes
def test_a_pipe_among_the_exhibits_is_refused(tmp_path: Path) -> None:
    pipe(tmp_path / "sound.wav")
    error = at_once(Exhibits(tmp_path).file, "sound.wav")
    assert isinstance(error, CheckpointError)
    assert "it is no file, but a pipe" in str(error)


@pipes
@pytest.mark.parametrize(
    "words",
    [
        "embed {run} {pipe}.csv --out {out}.npz",
        "score {run} {pipe}.parquet --out {out}.npz",
        "check {pipe}.wav",
        "train realnvp {pipe}.npy --out {out}",
        "train realnvp {data} --out {out} --recipe {pipe}.yaml",
        "embed {pipe_run} {data} --out {out}.npz",
    ],
)
def test_a_pipe_is_refused_by_every_verb(
    words: str, nvp_run: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for ending in ("csv", "parquet", "wav", "npy", "yaml"):
        pipe(tmp_path / f"x.{ending}")
    (tmp_path / "run").mkdir()
    pipe(tmp_path / "run" / "config.yaml")
    places = {"run": nvp_run, "data": table, "pipe": tmp_path / "x", "pipe_run": tmp_path / "run"}
    asked = words.format(**places, out=tmp_path / "out").split()
    assert at_once(main, asked) == 2
    assert "it is no file, but a pipe" in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("name", ["config.json", "r.yaml", "config.yaml", "probes.json"])
def test_settings_above_the_bound_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with open(path, "wb") as file:
        file.truncate(MOST + 1)
    error = at_once(READERS[name], path)
    assert isinstance(error, EnsueError)
    assert f"it has {MOST + 1:,} bytes" in str(error)


def test_a_file_up_to_the_bound_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b'"1234"')
    assert read_bytes(path, most=6) == b'"1234"'
    assert read_text(path, most=None) == '"1234"'
    assert read_json(path) == "1234"
    with pytest.raises(ConfigError, match=r"it has 6 bytes, .* at most 5; shorten it"):
        read_text(path, most=5, error=ConfigError, remedy="shorten it")


def test_text_of_another_encoding_and_broken_json_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"can't read .*x': 'utf-8' codec"):
        read_text(tmp_path / "x")
    (tmp_path / "x").write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match=r"x' is damaged: .*; make it again"):
        read_json(tmp_path / "x", error=CheckpointError, remedy="make it again")


# Both in one place

GUARDS = {"open_file", "problem_of", "require_file", "reading_table", "_file"}
LIBRARIES = {
    *(
        "Image.open",
        "np.load",
        "np.memmap",
        "torch.load",
        "load_file",
        "safe_open",
        "soundfile.read",
    ),
    *("pyarrow.parquet.ParquetFile", "pyarrow.parquet.read_table", "_Forward", "gzip.open"),
}
ELSEWHERE = {
    "report/page.py": "a file of the package",
    "coding/container.py": "what the processor is",
    "runs/tables.py": "the parts of a table, just written",
    "data/columns.py:_read_parquet": "what read_columns has looked at",
    "data/store.py:read_once": "the file that the store has opened",
    "data/npz.py:shapes_of": "a part of the file that it has opened",
}


def calls(node: ast.AST) -> list[ast.Call]:
    return [n for n in ast.walk(node) if isinstance(n, ast.Call)]


def opens(call: ast.Call) -> bool:
    """Return whether it opens a file to read it, past the guard."""
    name = ast.unparse(call.func)
    if name == "open":
        mode = call.args[1] if len(call.args) > 1 else None
        return not (isinstance(mode, ast.Constant) and set(str(mode.value)) & set("wax"))
    return name.endswith((".read_text", ".read_bytes", ".open")) and name not in LIBRARIES


def test_files_are_opened_and_drafts_are_named_in_one_place() -> None:
    wrong = []
    for path in SOURCE.rglob("*.py"):
        place = path.relative_to(SOURCE).as_posix()
        if place == "files.py" or place in ELSEWHERE:
            continue
        text = path.read_text()
        tree = ast.parse(text)
        functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
        known = [f for f in functions if f"{place}:{f.name}" in ELSEWHERE]
        allowed = {call for function in known for call in calls(function)}
        wrong += [
            f"{place}: {ast.unparse(c)}" for c in calls(tree) if opens(c) and c not in allowed
        ]
        wrong += [f"{place} names a draft"] if ".tmp" in text else []
        if not any(name.rpartition(".")[2] in text for name in LIBRARIES):
            continue
        for function in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)):
            names = {ast.unparse(call.func) for call in calls(function)}
            if f"{place}:{function.name}" not in ELSEWHERE and not names & GUARDS:
                wrong += [f"{place}: {function.name} calls {n}" for n in names & LIBRARIES]
    assert not wrong
