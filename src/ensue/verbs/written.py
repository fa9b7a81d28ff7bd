"""Raw items into files: tables of rows or texts, images as arrays or a sheet, sounds as WAV."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from ensue.data.png import png, sheet
from ensue.errors import DataError
from ensue.verbs.tables import drafted, write_table


def write_items(
    items: Sequence[Any],
    columns: Mapping[str, Any],
    path: Path,
    *,
    across: int | None = None,
    name: str = "text",
) -> None:
    """Write raw items as the path says, with further columns where it is a table.

    Args:
        items: Rows, texts, or images (H, W) or (H, W, 3) of 8 bits.
        columns: Values beside each item.
        path: A table; of images .npz, with the array ``image``, or .png.
        across: Images in a row of a sheet; by default as many as there are rows.
        name: Of the column of texts.

    Raises:
        DataError: The file can't be written.
    """
    if not isinstance(items[0], np.ndarray):
        write_table({**columns, **_columns(items, name)}, path)
        return
    with drafted(path) as draft:
        if path.suffix == ".png":
            draft.write_bytes(png(sheet(items, across or math.ceil(math.sqrt(len(items))))))
        else:
            values: dict[str, Any] = {name: np.asarray(of) for name, of in columns.items()}
            np.savez(draft, image=np.stack(items), **values)


def file_inside(name: str) -> PurePath:
    """The file of an item below a folder: a name that leads out of it is kept inside.

    Raises:
        DataError: The name is none that a file could have.

    Example:
        >>> file_inside("../gray/0.png").as_posix()
        'gray/0.png'
    """
    parts = [part for part in PurePath(name).parts if part not in ("..", PurePath(name).anchor)]
    if not parts or "\0" in name:
        raise DataError(f"the item {name!r} can't be a file in a folder; rename it")
    return PurePath(*parts)


def write_sounds(
    sounds: Sequence[np.ndarray], sample_rate: int, files: Sequence[PurePath], path: Path
) -> None:
    """Write sounds (S,) as WAV files of 16 bits into a folder.

    Args:
        sounds: Samples, at most 1 in magnitude; louder ones are cut there.
        sample_rate: Hz.
        files: Of each, below the folder.
        path: The folder, which is made.

    Raises:
        DataError: A file can't be written.
    """
    import soundfile

    for x, file in zip(sounds, files, strict=True):
        with drafted(path / file) as draft:
            soundfile.write(draft, x, sample_rate, subtype="PCM_16", format="WAV")


def _columns(items: Sequence[Any], text: str) -> dict[str, list[Any]]:
    """Rows of a table by column; texts as the column ``text``."""
    if not isinstance(items[0], dict):
        return {text: list(items)}
    return {name: [row[name] for row in items] for name in items[0]}
