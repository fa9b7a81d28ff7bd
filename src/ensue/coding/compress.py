"""``compress``: write items into a small file, without loss."""

import math
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ensue.coding.coder import encode, equal_threads
from ensue.coding.container import MOST_THREADS, Header, content_of, machine_class, to_bytes
from ensue.coding.restoring import (
    coding_model,
    files_of,
    lengths_to_tell,
    load_coder,
    prompts_of,
    require_place,
    restoring,
)
from ensue.configuration import require_at_least
from ensue.data.codecs.protocols import LosesDetail
from ensue.data.items import Items
from ensue.data.sources.data import Data
from ensue.errors import ConfigError, DataError
from ensue.files import written_whole
from ensue.runs.loaded import Loaded
from ensue.runs.progress import listener
from ensue.runs.reading import read_items
from ensue.runs.results import Written
from ensue.runs.tables import check_out
from ensue.training.progress import Progress

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
    """Compress items with a model, without loss; ``decompress`` restores them.

    Parameters
    ----------
    run
        A run folder of a family that predicts token by token.
    data
        A folder of images, texts or series of whole numbers, a file, or builtin:NAME. All items
        must be readable, and the run's codec must encode them without loss. Of series the values of
        the channels are kept, not their times.
    out
        File to write, ending in .ensue.
    batch_size
        Items coded together.
    num_threads
        Threads of the CPU, also for `decompress`: another number may round sums differently.
    quiet
        Show no progress.
    """
    path = _place(out)
    _require_sizes(batch_size, num_threads)
    loaded = load_coder(run)
    items = read_items(loaded, data, max_skipped=0.0)
    files_of(items.ids, loaded.codec)
    sequences = [_sequence(loaded, items, i) for i in range(len(items))]
    header = Header(
        model=loaded.hash,
        machine=machine_class(loaded.device),
        batch_size=batch_size,
        num_threads=num_threads,
        items=tuple(items.ids),
        longest=max(map(len, sequences)),
        content=content_of(sequences),
        lengths=lengths_to_tell(coding_model(loaded), sequences),
    )
    with equal_threads(num_threads):
        likelihood = _bits(loaded, sequences, batch_size)
        words = _encoded(loaded, sequences, header, listener(quiet))
    whole = to_bytes(header, words)
    with written_whole(path) as draft:
        draft.write_bytes(whole)
    return Written(
        what="items",
        num_rows=len(items),
        num_items=len(items),
        files=(path,),
        notes=(_sizes(loaded, whole, words, _num_coded(sequences), likelihood),),
        next=shlex.join(["ensue", "decompress", str(run), str(path), "--out", "restored"]),
    )


def _place(out: str | Path) -> Path:
    path = check_out(out, (SUFFIX,))
    if path.is_dir():
        raise ConfigError(f"out is {str(path)!r}, a folder; give the name of a file")
    require_place(path)
    return path


def _require_sizes(batch_size: int, num_threads: int) -> None:
    require_at_least(1, batch_size=batch_size, num_threads=num_threads)
    if num_threads > MOST_THREADS:
        raise ConfigError(f"num_threads is {num_threads}; it may be up to {MOST_THREADS}")


def _encoded(
    loaded: Loaded, sequences: Sequence[Tensor], header: Header, progress: Progress
) -> np.ndarray:
    """Encode sequences as the words of the range coder, with progress."""
    progress.start("compressing", _num_coded(sequences))
    try:
        return encode(
            prompts_of(coding_model(loaded), len(sequences), header.lengths),
            sequences,
            longest=header.longest,
            batch_size=header.batch_size,
            on_step=lambda num: progress.advance(num, {}),
        )
    finally:
        progress.stop()


def _num_coded(sequences: Sequence[Tensor]) -> int:
    """Return the number of tokens that are coded: all but the first of each sequence."""
    return sum(len(tokens) - 1 for tokens in sequences)


def _sequence(loaded: Loaded, items: Items, i: int) -> Tensor:
    """Return the tokens of an item, if it can be restored from them."""
    try:
        if not isinstance(loaded.codec, LosesDetail):
            raise DataError(f"items of kind {loaded.codec.kind} can't be restored")
        if lost := loaded.codec.lost(items.raw[i]):
            raise DataError(lost)
        x = loaded.codec.encode(items.raw[i])
    except DataError as error:
        raise DataError(f"{items.ids[i]!r} can't be compressed: {error}") from error
    return coding_model(loaded).to_tokens(x[None])[0].long()


def _bits(loaded: Loaded, sequences: list[Tensor], batch_size: int) -> float:
    """Return the bits of items by their likelihood."""
    model, nats = coding_model(loaded), 0.0
    with torch.inference_mode():
        # Sequences of one length run together, so that none need be padded.
        for length in {len(tokens) for tokens in sequences}:
            alike = [tokens for tokens in sequences if len(tokens) == length]
            for some in torch.stack(alike).split(batch_size):
                x = model.from_tokens(some)
                nats -= float(model.score(x).total.double().sum())
    return nats / math.log(2)


def _sizes(loaded: Loaded, whole: bytes, words: np.ndarray, total: int, likelihood: float) -> str:
    """Describe the size of the file, compared with the likelihood of ``total`` tokens, in bits."""
    unit, bits = restoring(loaded.codec).value_name, 8 * len(whole)
    more = f" ({bits / likelihood - 1:+.2%})" if likelihood else ""
    return (
        f"{len(whole):,} bytes, {len(whole) - 4 * len(words):,} of them names and checksums: "
        f"{bits / total:.4f} bits a {unit}; the likelihood says {likelihood / total:.4f}{more}"
    )
