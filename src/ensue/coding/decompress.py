"""``decompress``: restore compressed items exactly."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

import numpy as np
import torch
from torch import Tensor

from ensue.coding.coder import decode, equal_threads
from ensue.coding.container import Header, content_of, machine_class, read, require_same
from ensue.coding.restoring import (
    coding_model,
    files_of,
    load_coder,
    prompts_of,
    require_place,
    restoring,
)
from ensue.errors import ConfigError, DataError
from ensue.files import written_whole
from ensue.runs.loaded import Loaded
from ensue.runs.progress import listener
from ensue.runs.results import Written
from ensue.runs.writers import Output, writer_of
from ensue.training.progress import Progress


def decompress(
    run: str | Path, file: str | Path, *, out: str | Path, quiet: bool = False
) -> Written:
    """Restore the items that ``compress`` wrote.

    Parameters
    ----------
    run
        The run that compressed it.
    file
        The compressed file.
    out
        A new folder for one file per item (images as PNG, series as CSV), or an .npz file for
        images.
    quiet
        Show no progress.
    """
    loaded, path = load_coder(run), Path(out)
    header, words = read(Path(file))
    require_same(header, loaded.hash, machine_class(loaded.device))
    _require_new(path, loaded)
    codec = restoring(loaded.codec)
    names = files_of(header.items, codec)
    try:
        sequences = _decoded(loaded, header, words, listener(quiet))
    except DataError as error:
        raise DataError(
            f"{str(file)!r} differs from the items that were compressed ({error}): this machine "
            "rounds sums differently; decompress it where it was compressed"
        ) from error
    values = (_value(loaded, tokens) for tokens in sequences)
    if path.suffix:
        restored = [codec.decode(value) for value in values]
        columns = {"item": list(header.items)}
        writer_of(codec).write(Output(items=restored, codec=codec, columns=columns), path)
    else:
        _write(names, map(codec.written, values), path)
    return Written(
        what="items",
        num_rows=len(sequences),
        num_items=len(sequences),
        files=(path,),
        next=None if path.suffix else shlex.join(["ensue", "check", str(path)]),
    )


def _decoded(loaded: Loaded, header: Header, words: np.ndarray, progress: Progress) -> list[Tensor]:
    """Decode the sequences, with progress.

    Raises:
        DataError: They aren't those that were compressed.
    """
    progress.start("decompressing", len(header.items) * (header.longest - 1))
    try:
        with equal_threads(header.num_threads):
            sequences = decode(
                prompts_of(coding_model(loaded), len(header.items), header.lengths),
                words,
                longest=header.longest,
                batch_size=header.batch_size,
                on_step=lambda num: progress.advance(num, {}),
            )
    finally:
        progress.stop()
    if content_of(sequences) != header.content:
        raise DataError("its checksum is wrong")
    return sequences


def _require_new(path: Path, loaded: Loaded) -> None:
    require_place(path)
    if path.suffix in writer_of(loaded.codec).exact:
        return
    if path.suffix:
        raise ConfigError(f"out is {str(path)!r}; give a new folder, or of images an .npz")
    if path.is_file():
        raise ConfigError(f"{str(path)!r} is a file; give a new folder as out")
    here = path.resolve() == Path.cwd()
    if here or (path.exists() and any(path.iterdir())):
        what = "you are" if here else "there is something"
        raise ConfigError(f"{what} in {str(path)!r}; give a new folder as out")


def _value(loaded: Loaded, tokens: Tensor) -> Tensor:
    """Return the encoded item that a model's tokens are made of."""
    with torch.inference_mode():
        return coding_model(loaded).from_tokens(tokens[None])[0]


def _write(names: Sequence[PurePath], contents: Iterable[bytes], path: Path) -> None:
    """Write a file for each item, all of them or none."""
    with written_whole(path) as draft:
        for name, content in zip(names, contents, strict=True):
            file = draft / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
