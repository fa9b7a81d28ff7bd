"""``compress`` and ``decompress``: items to a file of few bytes and back, exactly."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from ensue.configuration import require_at_least
from ensue.data.kinds import KINDS
from ensue.data.sources.data import Data
from ensue.errors import ConfigError, DataError
from ensue.files import writing, written_whole
from ensue.runs.loaded import Loaded, load
from ensue.runs.progress import listener
from ensue.runs.tables import check_out
from ensue.runs.writers import Drawn, file_inside, writer_of
from ensue.verbs.apply import Written, read_items

if TYPE_CHECKING:
    from torch import Tensor

    from ensue.data.codecs.protocols import Codec, Restores
    from ensue.data.items import Items

SUFFIX = ".ensue"


def compress(
    run: str | Path,
    data: Data,
    *,
    out: str | Path,
    batch_size: int = 256,
    num_threads: int = 1,
    quiet: bool = False,
) -> Written:
    """Write items as few bytes as a model finds them likely; ``decompress`` gives them back.

    Parameters
    ----------
    run
        A run folder of a family that predicts token by token.
    data
        A folder of images or texts, a file, or builtin:NAME: all of them must be readable, and what
        the codec makes of them must tell all.
    out
        File to write, ending in .ensue.
    batch_size
        Items side by side.
    num_threads
        Of the CPU, in both directions: more of them may round sums otherwise.
    quiet
        Show no progress.
    """
    from ensue.coding.coder import encode, equal_threads
    from ensue.coding.container import (
        MOST_THREADS,
        Header,
        content_of,
        machine_class,
        to_bytes,
    )

    path = check_out(out, (SUFFIX,))
    require_at_least(1, batch_size=batch_size, num_threads=num_threads)
    if num_threads > MOST_THREADS:
        raise ConfigError(f"num_threads is {num_threads}; it may be up to {MOST_THREADS}")
    if path.is_dir():
        raise ConfigError(f"out is {str(path)!r}, a folder; give the name of a file")
    _require_place(path)
    loaded = _loaded(run)
    items = read_items(loaded, data, max_skipped=0.0)
    files_of(items.ids, loaded.codec)
    sequences = [_sequence(loaded, items, i) for i in range(len(items))]
    total = sum(len(tokens) - 1 for tokens in sequences)
    progress = listener(quiet)
    with equal_threads(num_threads):
        likelihood = _bits(loaded, sequences, batch_size)
        progress.start("compressing", total)
        try:
            words = encode(
                loaded.model.prompts(len(items)),
                sequences,
                longest=max(map(len, sequences)),
                batch_size=batch_size,
                on_step=lambda num: progress.advance(num, {}),
            )
        finally:
            progress.stop()
    header = Header(
        model=loaded.hash,
        machine=machine_class(loaded.device),
        batch_size=batch_size,
        num_threads=num_threads,
        items=tuple(items.ids),
        longest=max(map(len, sequences)),
        content=content_of(sequences),
    )
    whole = to_bytes(header, words)
    with written_whole(path) as draft:
        draft.write_bytes(whole)
    return Written(
        what="items",
        num_rows=len(items),
        num_items=len(items),
        files=(path,),
        notes=(_sizes(loaded, whole, words, total, likelihood),),
        next=shlex.join(["ensue", "decompress", str(run), str(path), "--out", "restored"]),
    )


def decompress(
    run: str | Path, file: str | Path, *, out: str | Path, quiet: bool = False
) -> Written:
    """Give back what ``compress`` wrote.

    Parameters
    ----------
    run
        The run that compressed it.
    file
        The compressed file.
    out
        A new folder, for a file an item (images as PNG); or of images an .npz.
    quiet
        Show no progress.
    """
    from ensue.coding.coder import decode, equal_threads
    from ensue.coding.container import content_of, machine_class, read, require_same

    loaded, path = _loaded(run), Path(out)
    header, words = read(Path(file))
    require_same(header, loaded.hash, machine_class(loaded.device))
    _require_new(path, loaded)
    codec = _restoring(loaded.codec)
    names = files_of(header.items, codec)
    progress = listener(quiet)
    progress.start("decompressing", len(header.items) * (header.longest - 1))
    try:
        with equal_threads(header.num_threads):
            sequences = decode(
                loaded.model.prompts(len(header.items)),
                words,
                longest=header.longest,
                batch_size=header.batch_size,
                on_step=lambda num: progress.advance(num, {}),
            )
        if content_of(sequences) != header.content:
            raise DataError("its checksum is wrong")
    except DataError as error:
        raise DataError(
            f"{str(file)!r} came out otherwise than it went in ({error}): this machine rounds sums "
            "otherwise; decompress it where it was compressed"
        ) from error
    finally:
        progress.stop()
    if path.suffix:
        restored = [codec.decode(_value(loaded, tokens)) for tokens in sequences]
        columns = {"item": list(header.items)}
        writer_of(codec).write(Drawn(items=restored, codec=codec, columns=columns), path)
    else:
        contents = (codec.written(_value(loaded, tokens)) for tokens in sequences)
        _write(names, contents, path)
    return Written(
        what="items",
        num_rows=len(sequences),
        num_items=len(sequences),
        files=(path,),
        next=None if path.suffix else shlex.join(["ensue", "check", str(path)]),
    )


def _loaded(run: str | Path) -> Loaded:
    """On the CPU: the sums of a GPU are taken in an order that nobody promises."""
    from ensue.models.registry import require_contract

    loaded = load(run)
    require_contract(loaded.family, "codes")
    return loaded


def _sequence(loaded: Loaded, items: Items, i: int) -> Tensor:
    """The tokens of an item, if they tell all of it."""
    from ensue.data.codecs.protocols import LosesDetail

    try:
        if not isinstance(loaded.codec, LosesDetail):
            raise DataError(f"items of kind {loaded.codec.kind} can't be restored")
        if lost := loaded.codec.lost(items.raw[i]):
            raise DataError(lost)
        x = loaded.codec.encode(items.raw[i])
    except DataError as error:
        raise DataError(f"{items.ids[i]!r} can't be compressed: {error}") from error
    return loaded.model.to_tokens(x[None])[0].long()


def _bits(loaded: Loaded, sequences: list[Tensor], batch_size: int) -> float:
    """The bits that the likelihood says items take."""
    import math

    import torch

    nats = 0.0
    with torch.inference_mode():
        # Those of a length run side by side, so that none need be padded.
        for length in {len(tokens) for tokens in sequences}:
            alike = [tokens for tokens in sequences if len(tokens) == length]
            for some in torch.stack(alike).split(batch_size):
                x = loaded.model.from_tokens(some)
                nats -= float(loaded.model.score(x).total.double().sum())
    return nats / math.log(2)


def files_of(names: Sequence[str], codec: Codec) -> list[PurePath]:
    """The file of each item below the folder that it is restored in.

    Raises:
        DataError: A name is no file's, or another item's too.
    """
    from ensue.data.codecs.protocols import Restores

    files = [file_inside(name) for name in names]
    if isinstance(codec, Restores):
        endings = KINDS[codec.kind].endings
        files = [codec.restored_name(file, endings) for file in files]
    twice = next((file for file, num in Counter(files).items() if num > 1), None)
    if twice is not None:
        raise DataError(f"two items would be restored as {str(twice)!r}; rename one of them")
    return files


def _restoring(codec: Codec) -> Restores:
    """The codec, if it can give files back.

    Raises:
        ConfigError: It can't.
    """
    from ensue.data.codecs.protocols import Restores

    if not isinstance(codec, Restores):
        raise ConfigError(f"items of kind {codec.kind} can't be restored from what a run encodes")
    return codec


def _sizes(loaded: Loaded, whole: bytes, words: Any, total: int, likelihood: float) -> str:
    """The size of the file, compared with the likelihood of ``total`` tokens, in bits."""
    unit, bits = _restoring(loaded.codec).value_name, 8 * len(whole)
    more = f" ({bits / likelihood - 1:+.2%})" if likelihood else ""
    return (
        f"{len(whole):,} bytes, {len(whole) - 4 * len(words):,} of them names and checksums: "
        f"{bits / total:.4f} bits a {unit}; the likelihood says {likelihood / total:.4f}{more}"
    )


def _require_new(path: Path, loaded: Loaded) -> None:
    _require_place(path)
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


def _require_place(path: Path) -> None:
    """Find out before the work, not after it, that nothing can be written there."""
    with writing(repr(str(path))):
        path.parent.mkdir(parents=True, exist_ok=True)


def _value(loaded: Loaded, tokens: Tensor) -> Tensor:
    """An item as the codec encoded it, of the tokens that the model makes of it."""
    import torch

    with torch.inference_mode():
        return loaded.model.from_tokens(tokens[None])[0]


def _write(names: Sequence[PurePath], contents: Iterable[bytes], path: Path) -> None:
    """A file for each item, all of them or none."""
    with written_whole(path) as draft:
        for name, content in zip(names, contents, strict=True):
            file = draft / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
