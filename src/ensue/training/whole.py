"""Files written whole or not at all: to a temporary name first, then renamed."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ensue.errors import CheckpointError


def write_text(path: Path, text: str) -> None:
    """Write a file: to a temporary name first, then renamed."""
    with written_whole(path) as draft:
        draft.write_text(text)


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary name for ``path``: renamed when the block ends well, taken away when not.

    Raises:
        CheckpointError: It can't be written: the disk is full, say.
    """
    draft = path.with_name(path.name + ".tmp")
    shutil.rmtree(draft, ignore_errors=True)  # left by one that was killed
    try:
        yield draft
        discard_folder(path)
        os.replace(draft, path)
    except OSError as error:
        raise CheckpointError(
            f"can't write {str(path)!r}: {error.strerror or error}; make room or give rights, "
            "and do it again (a run that was begun, with --resume)"
        ) from error
    finally:
        if draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)
        with contextlib.suppress(OSError):
            draft.unlink()


def discard_folder(path: Path) -> None:
    """Delete a folder, if there is one: out of sight first, so that it is whole or not there."""
    if not path.is_dir():
        return
    old = path.with_name(path.name + ".old.tmp")
    shutil.rmtree(old, ignore_errors=True)
    os.replace(path, old)
    shutil.rmtree(old, ignore_errors=True)
