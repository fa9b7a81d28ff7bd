"""The compressed file: a header with the model and the machine, the words, and a checksum.

.. code-block:: text

    8 bytes   ENSUEZIP
    4 bytes   length of the header, little-endian
    header    JSON, compressed by LZMA
    words     uint32, little-endian, of the range coder
    32 bytes  SHA-256 of all before
"""

import hashlib
import json
import lzma
import platform
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field

from ensue.configuration import STRICT, Format, check_format, to_plain, validate
from ensue.errors import ConfigError, DataError, EnsueError
from ensue.files import read_bytes

MAGIC, MOST_THREADS = b"ENSUEZIP", 1024
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9}]


@dataclass(frozen=True, kw_only=True)
class Header:
    """The facts that decoding needs.

    Attributes:
        model: Hash of the model: its settings, weights and codec.
        machine: The kind of machine; other kinds may round differently.
        batch_size: Sequences coded together.
        num_threads: Threads of the CPU.
        items: A name for each item.
        longest: Tokens of the longest one.
        content: SHA-256 of all sequences.
        lengths: Tokens of each, where neither the model nor a last token says so; else None.
    """

    __pydantic_config__ = STRICT

    format: Format = 1
    model: str
    machine: str
    batch_size: Annotated[int, Field(gt=0)]
    num_threads: Annotated[int, Field(gt=0, le=MOST_THREADS)]
    items: tuple[str, ...]
    longest: Annotated[int, Field(gt=0)]
    content: str
    lengths: tuple[Annotated[int, Field(gt=1)], ...] | None = None

    def __post_init__(self) -> None:
        if self.lengths is not None and len(self.lengths) != len(self.items):
            raise ConfigError(f"there are {len(self.lengths)} lengths of {len(self.items)} items")


def machine_class(device: torch.device) -> str:
    """Return the kind of this machine; machines of the same kind round alike."""
    if device.type == "cuda":
        where = torch.cuda.get_device_name(device)
    else:
        where = f"{platform.machine()} {_processor()} {torch.backends.cpu.get_cpu_capability()}"
    return f"torch {torch.__version__.partition('+')[0]}, {where}"


def content_of(sequences: Any) -> str:
    """Return the hash of sequences of tokens."""
    found = hashlib.sha256()
    for tokens in sequences:
        found.update(struct.pack("<q", len(tokens)) + tokens.numpy().astype("<i4").tobytes())
    return found.hexdigest()


def to_bytes(header: Header, words: np.ndarray) -> bytes:
    """Return the bytes of the file."""
    facts = {name: value for name, value in to_plain(header).items() if value is not None}
    packed = lzma.compress(json.dumps(facts).encode(), lzma.FORMAT_RAW, filters=FILTERS)
    whole = MAGIC + struct.pack("<I", len(packed)) + packed + words.astype("<u4").tobytes()
    return whole + hashlib.sha256(whole).digest()


def read(path: Path) -> tuple[Header, np.ndarray]:
    """Read the header and the words of a file.

    Raises:
        DataError: It can't be read, is foreign, damaged, or of a newer format.
    """
    whole = read_bytes(path, most=None)
    if not whole.startswith(MAGIC):
        raise DataError(f"{str(path)!r} is no file that `ensue compress` wrote")
    if hashlib.sha256(whole[:-32]).digest() != whole[-32:]:
        raise DataError(f"{str(path)!r} is damaged: its checksum is wrong; copy it again")
    begin = len(MAGIC) + 4
    (length,) = struct.unpack_from("<I", whole, len(MAGIC))
    try:
        packed = whole[begin : begin + length]
        values = json.loads(lzma.decompress(packed, lzma.FORMAT_RAW, filters=FILTERS))
        check_format(values, str(path))
        header = validate(Header, values, section="header")
        words = np.frombuffer(whole[begin + length : -32], dtype="<u4").astype(np.uint32)
    except (lzma.LZMAError, ValueError, EnsueError) as error:
        raise DataError(f"can't read the header of {str(path)!r}: {error}") from error
    return header, words


def require_same(header: Header, model: str, machine: str) -> None:
    """Refuse a model or a machine that would give other probabilities.

    Raises:
        ConfigError: It is another model or machine.
    """
    if header.model != model:
        raise ConfigError(
            f"the file was compressed by the model {header.model[:12]}, and this run's is "
            f"{model[:12]}; give the run that compressed it, unchanged"
        )
    if header.machine != machine:
        raise ConfigError(
            f"the file was compressed on {header.machine!r}, and this is {machine!r}, where sums "
            "may be rounded otherwise; decompress it on a machine of the same kind"
        )


def _processor() -> str:
    """Return the maker of the processor, which libraries of matrix products depend on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((x.split(":")[1].strip() for x in lines if x.startswith("vendor_id")), "")
