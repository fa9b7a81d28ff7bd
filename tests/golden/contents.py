"""The contents of files as texts: equal where the numbers in two files are, whatever the layout.

A text of a few lines stays as it is, so that a difference can be read; the rest is hashed.
"""

import csv
import hashlib
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
from PIL import Image
from safetensors import safe_open

import ensue

PLAIN = {".json", ".jsonl", ".yaml", ".md", ".csv"}
LONGEST = 20_000
"""Characters of a text that stays as it is."""


def contents(path: Path, *, here: Path) -> str:
    """The contents of a file; ``here`` is taken out of its texts.

    Example:
        >>> contents(Path(__file__), here=Path.cwd()).startswith("sha256 ")
        True
    """
    if path.suffix == ".csv":
        return "\n".join([_columns_of_csv(path), _text(path, here)])
    if path.suffix == ".html":
        return _sections(without(path.read_text(), here))
    if path.suffix in PLAIN:
        return _text(path, here)
    if path.suffix in READERS:
        return READERS[path.suffix](path)
    return f"sha256 {digest(path.read_bytes())}"


def digest(content: bytes | str) -> str:
    """A hash of 16 letters."""
    whole = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(whole).hexdigest()[:16]


def without(text: str, here: Path) -> str:
    """A text without the names of the folder that it was made in and of the source tree."""
    package = str(Path(ensue.__file__).parent)
    text = text.replace(str(here), "HERE").replace(package, "ENSUE")
    # The fingerprint of data with such a path in their settings changes with the path.
    return (
        re.sub("fingerprint: .*", "fingerprint: of HERE", text) if "regions: HERE" in text else text
    )


def array(values: Any) -> str:
    """The type, shape and hash of an array."""
    values = np.ascontiguousarray(values)
    if values.dtype.hasobject or values.dtype.kind in "US":
        return f"{values.shape} {digest(repr(values.tolist()))}"
    return f"{values.dtype} {values.shape} {digest(values.tobytes())}"


def _text(path: Path, here: Path) -> str:
    text = without(path.read_text(), here)
    return text if len(text) < LONGEST else f"{len(text)} characters, sha256 {digest(text)}"


def _sections(page: str) -> str:
    """The sections of a report, but for the one that tells of the machine."""
    head, *rest = re.split(r'(?=<section id=")', page)
    names = [section.split('"')[1] for section in rest]
    told = zip(["head", *names], [head, *rest], strict=True)
    return "\n".join(
        f"{name}: " + ("is there" if name == "environment" else digest(text)) for name, text in told
    )


def _columns_of_csv(path: Path) -> str:
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    return f"{len(rows)} rows of {', '.join(rows[0])}" if rows else "no rows"


def _parquet(path: Path) -> str:
    table = pyarrow.parquet.read_table(path)
    columns = zip(table.schema, table.columns, strict=True)
    return "\n".join(
        f"{field.name}: {field.type}, {len(column)} rows, {digest(repr(column.to_pylist()))}"
        for field, column in columns
    )


def _arrays(path: Path) -> str:
    with np.load(path, allow_pickle=False) as arrays:
        return "\n".join(f"{name}: {array(arrays[name])}" for name in arrays.files)


def _weights(path: Path) -> str:
    with safe_open(path, framework="pt") as file:
        return "\n".join(f"{n}: {tensor(file.get_tensor(n))}" for n in sorted(file.keys()))


def tensor(values: Any) -> str:
    """The type, shape and hash of a tensor."""
    return array(values.cpu().numpy())


def _image(path: Path) -> str:
    with Image.open(path) as image:
        return f"{image.mode} {image.size} {digest(image.tobytes())}"


def _archive(path: Path) -> str:
    """Of all of it, and of the words alone: the header names the model by its settings too."""
    whole = path.read_bytes()
    (length,) = struct.unpack_from("<I", whole, 8)
    words = whole[12 + length : -32]
    return f"{len(whole)} bytes, {digest(whole)}\n{len(words)} bytes of words, {digest(words)}"


READERS = {
    ".parquet": _parquet,
    ".npz": _arrays,
    ".safetensors": _weights,
    ".png": _image,
    ".ensue": _archive,
}
