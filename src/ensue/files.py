"""Files: written whole or not at all, and read only where they are files, of a bounded size.

What is written goes to a draft beside its place, which takes the name once it is whole: a reader
finds the old file or the new one, never a part of one. What is read is looked at before it is
opened, since to open a pipe waits for ever and a device has no end. Folders of data are not here.
"""

import contextlib
import errno
import functools
import json
import os
import platform
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ensue.errors import CheckpointError, DataError, EnsueError

MOST = 2**26
"""Bytes of a file that is read as a whole, unless told otherwise: 64 MiB."""
AGAIN = "make room or give rights, and do it again"
AGAIN_OF_RUN = f"{AGAIN} (a run that was begun, with --resume)"
OTHERS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
MACHINE = platform.node().partition(".")[0]
LEFT = re.compile(rf"\.{re.escape(MACHINE)}-([0-9]+)\.tmp")
"""What the name of a draft of this machine has, and the number of the process that makes it."""


def write_text(
    path: Path, text: str, *, error: type[EnsueError] = DataError, remedy: str = ""
) -> None:
    """Write a text as UTF-8; the arguments are those of :func:`written_whole`."""
    with written_whole(path, error=error, remedy=remedy) as draft:
        draft.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def written_whole(
    path: Path,
    *,
    error: type[EnsueError] = DataError,
    remedy: str = "",
    what: str = "",
    also: tuple[type[Exception], ...] = (),
    replaces_folder: bool = False,
) -> Iterator[Path]:
    """A draft of a file or folder, as :func:`drafted` makes it, with words for what goes wrong.

    Args:
        path: The file or folder.
        error: What is raised if it can't be written.
        remedy: What to do then; by default to make room and do it again.
        what: What can't be written, in words; by default the path.
        also: What a library raises where the system says ``OSError``.
        replaces_folder: Whether a folder that lies there is deleted.

    Raises:
        EnsueError: It can't be written: the disk is full, say.
    """
    with (
        writing(what or repr(str(path)), error=error, remedy=remedy, also=also),
        drafted(path, replaces_folder=replaces_folder) as draft,
    ):
        yield draft


@contextlib.contextmanager
def writing(
    what: str,
    *,
    error: type[EnsueError] = DataError,
    remedy: str = "",
    also: tuple[type[Exception], ...] = (),
) -> Iterator[None]:
    """Say in words what can't be written in the block.

    Raises:
        EnsueError: The system refuses it.

    Example:
        >>> with writing("the list", remedy="make room"):
        ...     raise OSError(28, "No space left on device")
        Traceback (most recent call last):
        ensue.errors.DataError: can't write the list: No space left on device; make room
    """
    try:
        yield
    except (OSError, *also) as problem:
        remedy = remedy or (AGAIN_OF_RUN if error is CheckpointError else AGAIN)
        raise error(f"can't write {what}: {_reason(problem)}; {remedy}") from problem


@contextlib.contextmanager
def drafted(path: Path, *, replaces_folder: bool = False) -> Iterator[Path]:
    """A temporary name with the ending of ``path``: renamed when the block ends well, else gone.

    Each process has a name of its own, so that of several the last one wins. What a process that
    was killed has left in the folder is deleted.

    Raises:
        OSError: It can't be written.
    """
    if not path.parent.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
    _tidy(path.parent)
    draft = path.with_name(f"{path.stem}{_mark()}{path.suffix}")
    _remove(draft)
    try:
        yield draft
        _rename(draft, path, replaces_folder)
    finally:
        _remove(draft)


def discard_folder(path: Path) -> None:
    """Delete a folder, if there is one: out of sight first, so that it is whole or not there."""
    if not path.is_dir():
        return
    old = path.with_name(f"{path.name}.old{_mark()}")
    _remove(old)
    with contextlib.suppress(FileNotFoundError):  # another process was faster
        os.replace(path, old)
    _remove(old)


def problem_of(path: Path, most: int | None = None) -> str:
    """Say why a path can't be read as a file; the empty text where it can.

    Args:
        path: The file.
        most: Bytes that it may have; None is any number.

    Example:
        >>> problem_of(Path("/dev/null")), problem_of(Path("gone"))
        ('it is no file, but a device', 'there is no such file')
    """
    try:
        found = os.stat(path)
    except (FileNotFoundError, ValueError):  # or there is a zero byte in the name
        return "there is no such file"
    except OSError as problem:
        return _reason(problem)
    if not stat.S_ISREG(found.st_mode):
        return f"it is no file, but {OTHERS.get(stat.S_IFMT(found.st_mode), 'something else')}"
    if most is not None and found.st_size > most:
        return f"it has {found.st_size:,} bytes, and such a file has at most {most:,}"
    return ""


def require_file(
    path: Path,
    *,
    most: int | None = None,
    error: type[EnsueError] = DataError,
    remedy: str = "",
) -> None:
    """Refuse what is no file, before a library opens it by its path.

    Args:
        path: The file.
        most: Bytes that it may have; None is any number.
        error: What is raised if it can't be read.
        remedy: What to do then.

    Raises:
        EnsueError: It is missing, a folder, a pipe or a device, or too large.
    """
    if problem := problem_of(path, most):
        raise error(_unread(path, problem, remedy))


def open_file(
    path: Path,
    *,
    most: int | None = None,
    error: type[EnsueError] = DataError,
    remedy: str = "",
) -> BinaryIO:
    """Open a file to read its bytes; the arguments are those of :func:`require_file`.

    Raises:
        EnsueError: It is missing, no file, too large, or can't be opened.
    """
    require_file(path, most=most, error=error, remedy=remedy)
    try:
        return open(path, "rb")
    except OSError as problem:
        raise error(_unread(path, _reason(problem), remedy)) from problem


def read_bytes(
    path: Path,
    *,
    most: int | None = MOST,
    error: type[EnsueError] = DataError,
    remedy: str = "",
) -> bytes:
    """The bytes of a file; the arguments are those of :func:`require_file`.

    Raises:
        EnsueError: It is missing, no file, too large, or can't be read.
    """
    with open_file(path, most=most, error=error, remedy=remedy) as file:
        try:
            return file.read()
        except OSError as problem:
            raise error(_unread(path, _reason(problem), remedy)) from problem


def read_text(
    path: Path,
    *,
    most: int | None = MOST,
    error: type[EnsueError] = DataError,
    remedy: str = "",
) -> str:
    """The text of a file in UTF-8; the arguments are those of :func:`require_file`.

    Raises:
        EnsueError: It is missing, no file, too large, can't be read, or isn't UTF-8.
    """
    content = read_bytes(path, most=most, error=error, remedy=remedy)
    try:
        return content.decode()
    except UnicodeDecodeError as problem:
        raise error(_unread(path, str(problem), remedy)) from problem


def read_json(
    path: Path,
    *,
    most: int | None = MOST,
    error: type[EnsueError] = DataError,
    remedy: str = "",
) -> Any:
    """The values of a JSON file; the arguments are those of :func:`require_file`.

    Raises:
        EnsueError: It is missing, no file, too large, can't be read, or isn't JSON.
    """
    text = read_text(path, most=most, error=error, remedy=remedy)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise error(f"{str(path)!r} is damaged: {problem}{remedy and f'; {remedy}'}") from problem


def _unread(path: Path, problem: str, remedy: str) -> str:
    return f"can't read {str(path)!r}: {problem}{remedy and f'; {remedy}'}"


def _reason(problem: Exception) -> str:
    return (isinstance(problem, OSError) and problem.strerror) or str(problem)


def _mark() -> str:
    """What the name of a draft of this process has."""
    return f".{MACHINE}-{os.getpid()}.tmp"


def _rename(draft: Path, path: Path, replaces_folder: bool) -> None:
    while True:
        if replaces_folder:
            discard_folder(path)
        try:
            return os.replace(draft, path)
        except OSError as problem:
            # Another process has put its folder there since.
            if not replaces_folder or problem.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise


@functools.cache
def _tidy(folder: Path) -> None:
    """Delete the drafts of processes that were killed: once, as a folder may hold many files."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            found = LEFT.search(name)
            if found is not None and not _runs(int(found[1])):
                _remove(folder / name)


def _runs(process: int) -> bool:
    if os.name != "posix":
        return True  # to ask would end it there
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        path.unlink()
