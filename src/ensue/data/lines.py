r"""Text in files: its encoding, and its lines, which end at ``\n``, ``\r\n`` or ``\r`` alone.

Python's ``splitlines`` also ends lines at form feeds, U+0085, U+2028 and others.
"""

import codecs
from pathlib import Path

from ensue.data.items import Document
from ensue.errors import DataError

OTHER_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
"""Beginnings of files in other encodings; the longer marks first, as one begins with another."""


def lines(text: str) -> list[str]:
    r"""The lines of a text, without their ends.

    Example:
        >>> lines("one\r\ntwo\u2028still two\rthree\n")
        ['one', 'two\u2028still two', 'three']
    """
    found = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return found if found[-1] else found[:-1]


def decoded(path: Path) -> str:
    """A file of text as a whole, without the byte-order mark that some editors begin it with.

    Raises:
        DataError: It can't be read, or isn't UTF-8.
    """
    content = Document(path).read()
    require_utf8(content, path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{str(path)!r} isn't UTF-8, so its lines can't be told: {error}; save it as UTF-8"
        ) from error


def require_utf8(beginning: bytes, path: Path) -> None:
    """Refuse a file whose first bytes say that it is in another encoding.

    Raises:
        DataError: They do.
    """
    for mark, name in OTHER_MARKS.items():
        if beginning.startswith(mark):
            raise DataError(f"{str(path)!r} is {name}, not UTF-8; save it as UTF-8")
