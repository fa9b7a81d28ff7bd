"""Writers: raw items into files, as tables, arrays, sheets of images or WAV files.

``KINDS[kind].writer`` names the writer of a kind; the writers are in ``WRITERS``.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Protocol

import numpy as np
import soundfile

from ensue.data.codecs.protocols import Codec, DecodesSeries, DecodesSound
from ensue.data.kinds import KINDS
from ensue.data.png import png, sheet
from ensue.errors import ConfigError, DataError
from ensue.files import written_whole
from ensue.runs.tables import SUFFIXES, write_table


@dataclass(frozen=True, kw_only=True)
class Output:
    """Raw items to be written.

    Attributes:
        items: Raw items that the codec decoded.
        codec: The codec of the run.
        columns: Values next to each item; ``item`` is the name of the item that it completes.
        across: Images in a row of a sheet; by default the number of rows.
    """

    items: Sequence[Any]
    codec: Codec
    columns: Mapping[str, Any]
    across: int | None = None


class Writer(Protocol):
    """Writes items in one form of file.

    Attributes:
        suffixes: Endings of the files; an empty one for a folder.
        usual: The default ending.
        exact: Endings of files that hold all items without loss.
        is_folder: Whether the items are written into a folder.
    """

    @property
    def suffixes(self) -> tuple[str, ...]: ...
    @property
    def usual(self) -> str: ...
    @property
    def exact(self) -> tuple[str, ...]: ...
    @property
    def is_folder(self) -> bool: ...

    def write(self, output: Output, path: Path) -> None:
        """Write items; raises DataError where the file can't be written."""
        ...


class Tables:
    """Writes rows, or texts as a column with the name of their kind."""

    suffixes, usual, exact, is_folder = SUFFIXES, ".csv", (), False

    def write(self, output: Output, path: Path) -> None:
        write_table({**output.columns, **self._columns(output)}, path)

    @staticmethod
    def _columns(output: Output) -> dict[str, list[Any]]:
        items = output.items
        if not isinstance(items[0], dict):
            return {output.codec.kind: list(items)}
        return {name: [row[name] for row in items] for name in items[0]}


class Series:
    """Writes series (T, C) as a table with a row for each step: a column for each channel."""

    suffixes, usual, exact, is_folder = SUFFIXES, ".csv", (), False

    def write(self, output: Output, path: Path) -> None:
        assert isinstance(output.codec, DecodesSeries)
        lengths = [len(x) for x in output.items]
        names = output.columns.get("item", [""] * len(lengths))
        columns = {**output.columns, "draw": numbered(names)}
        each = {name: np.repeat(np.asarray(column), lengths) for name, column in columns.items()}
        each["step"] = np.concatenate([np.arange(n) for n in lengths])
        values = np.concatenate(output.items)
        for c, name in enumerate(output.codec.channels):
            each[f"channel.{name}" if name in each else name] = values[:, c]
        write_table(each, path)


class Images:
    """Writes 8-bit images (H, W) or (H, W, 3): .npz with the array ``image``, or a .png sheet."""

    suffixes, usual, exact, is_folder = (".png", ".npz"), ".png", (".npz",), False

    def write(self, output: Output, path: Path) -> None:
        images = output.items
        with written_whole(path) as draft:
            if path.suffix == ".png":
                across = output.across or math.ceil(math.sqrt(len(images)))
                draft.write_bytes(png(sheet(images, across)))
            else:
                columns: dict[str, Any] = {n: np.asarray(v) for n, v in output.columns.items()}
                np.savez(draft, image=np.stack(images), **columns)


class Sounds:
    """Writes sounds (S,) as 16-bit WAV files in a folder; samples beyond 1 are clipped."""

    suffixes, usual, exact, is_folder = ("",), "", (), True

    def write(self, output: Output, path: Path) -> None:
        assert isinstance(output.codec, DecodesSound)
        rate = output.codec.sample_rate
        for x, file in zip(output.items, self._files(output), strict=True):
            with written_whole(path / file) as draft:
                soundfile.write(draft, x, rate, subtype="PCM_16", format="WAV")

    @staticmethod
    def _files(output: Output) -> list[PurePath]:
        """Return file names: a number, after the name of the sound completed, if there is one."""
        names = output.columns.get("item")
        if names is None:
            return [PurePath(f"{i:04d}.wav") for i in range(len(output.items))]
        both = zip(names, numbered(names), strict=True)
        return [file_inside(f"{PurePath(name).with_suffix('')}.{n}.wav") for name, n in both]


WRITERS: dict[str, Writer] = {
    "tables": Tables(),
    "images": Images(),
    "series": Series(),
    "sounds": Sounds(),
}


def numbered(names: Sequence[str]) -> list[int]:
    """Of each name how often it came before.

    Example:
        >>> numbered(["a", "a", "b"])
        [0, 1, 0]
    """
    num, numbers = Counter[str](), []
    for name in names:
        numbers.append(num[name])
        num[name] += 1
    return numbers


def writer_of(codec: Codec) -> Writer:
    """Return the writer for the items of a codec."""
    return WRITERS[KINDS[codec.kind].writer]


def check_form(writer: Writer, out: str | Path | None, path: Path) -> None:
    """Refuse a file where items are written into a folder, and a folder that isn't empty.

    Raises:
        ConfigError: It is one of these.
    """
    if not writer.is_folder:
        return
    if path.suffix:
        raise ConfigError(f"out is {str(out)!r}; of sounds it is a folder")
    is_taken = path.is_file() or (path.is_dir() and any(path.iterdir()))
    if out and is_taken:
        raise ConfigError(f"there is something in {str(out)!r}; give a new folder as out")


def file_inside(name: str) -> PurePath:
    """Return the file of an item below a folder; a name that leads out of it is kept inside.

    Raises:
        DataError: No file could have the name.

    Example:
        >>> file_inside("../gray/0.png").as_posix()
        'gray/0.png'
    """
    parts = [part for part in PurePath(name).parts if part not in ("..", PurePath(name).anchor)]
    if not parts or "\0" in name:
        raise DataError(f"the item {name!r} can't be a file in a folder; rename it")
    return PurePath(*parts)
