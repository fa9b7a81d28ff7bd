"""Files: written whole or not at all, and read only if they are files of a bounded size.

A file is written as a draft next to its final path and renamed once it is complete: a reader finds
the old file or the new one, never a part of one. A path is checked before it is opened, since
opening a pipe waits forever and a device has no end. Folders of data are not here.
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
"""Bytes of a file that is read as a whole, at most, unless a caller sets its own limit: 64 MiB."""
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
"""Mark in the name of a draft that this machine made, with the number of the process."""


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
    """Give a draft of a file or folder, as :func:`drafted` does, with readable errors.

    Args:
        path: The file or folder.
        error: Class of the error if it can't be written.
        remedy: Advice for that error; by default to make room and do it again.
        what: Name of the thing in the error; by default the path.
        also: Exceptions that a library raises instead of ``OSError``.
        replaces_folder: Whether an existing folder is deleted.

    Raises:
        EnsueError: It can't be written, e.g. because the disk is full.
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
    """Turn the system's refusal to write, in the block, into a readable error.

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
    """Give a temporary name with the ending of ``path``, renamed if the block ends without error.

    Otherwise the draft is deleted. Each process has its own name, so that of several the last one
    wins. Drafts that killed processes left in the folder are deleted.

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
    """Delete a folder, if it exists: renamed first, so that readers find it whole or not at all."""
    if not path.is_dir():
        return
    old = path.with_name(f"{path.name}.old{_mark()}")
    _remove(old)
    with contextlib.suppress(FileNotFoundError):  # another process was faster
        os.replace(path, old)
    _remove(old)


def problem_of(path: Path, most: int | None = None) -> str:
    """Return the reason why a path can't be read as a file; an empty text where it can.

    Args:
        path: The file.
        most: Largest size in bytes; None is any size.

    Example:
        >>> problem_of(Path("/dev/null")), problem_of(Path("gone"))
        ('it is no file, but a device', 'there is no such file')
    """
    try:
        found = os.stat(path)
    except (FileNotFoundError, ValueError):  # ValueError: a zero byte in the name
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
    """Refuse a path that is no file, before a library opens it.

    Args:
        path: The file.
        most: Largest size in bytes; None is any size.
        error: Class of the error if it can't be read.
        remedy: Advice for that error.

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
    """Return the bytes of a file; the arguments are those of :func:`require_file`.

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
    """Return the text of a file in UTF-8; the arguments are those of :func:`require_file`.

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
    """Return the values of a JSON file; the arguments are those of :func:`require_file`.

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
    """Return the mark in the name of a draft of this process."""
    return f".{MACHINE}-{os.getpid()}.tmp"


def _rename(draft: Path, path: Path, replaces_folder: bool) -> None:
    while True:
        if replaces_folder:
            discard_folder(path)
        try:
            return os.replace(draft, path)
        except OSError as problem:
            # Another process has put its folder there in the meantime.
            if not replaces_folder or problem.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise


@functools.cache
def _tidy(folder: Path) -> None:
    """Delete the drafts of killed processes; only once, since a folder may hold many files."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            found = LEFT.search(name)
            if found is not None and not _runs(int(found[1])):
                _remove(folder / name)


def _runs(process: int) -> bool:
    if os.name != "posix":
        return True  # on Windows os.kill(process, 0) would end it
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
