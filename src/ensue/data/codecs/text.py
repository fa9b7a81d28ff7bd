"""Text: bytes, characters or words as tokens, with one before the first and one after the last."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from ensue.configuration import STRICT, Format
from ensue.data.codecs.beginnings import side_by_side
from ensue.data.config import DataConfig
from ensue.data.items import Document, Items, Positions
from ensue.errors import ConfigError, DataError

NUM_BYTES = 256


@dataclass(frozen=True, kw_only=True)
class TextCodec:
    """A text to (T,) int32 tokens: bos, its bytes, characters or words, eos.

    Bytes are their own tokens. Characters and words have theirs by how often they came in
    training, the most frequent first, and all others are ``unk``. The tokens bos, eos and (with a
    vocabulary) unk come last.

    Args:
        tokens: What a text is made of; words are what stands between white space.
        vocabulary: The characters or words that have a token, or none for bytes.

    Example:
        >>> codec = TextCodec(tokens="bytes")
        >>> codec.encode("Hi")
        tensor([256,  72, 105, 257], dtype=torch.int32)
        >>> codec.decode(torch.tensor([72, 105]))
        'Hi'
    """

    __pydantic_config__ = STRICT
    kind: ClassVar[str] = "text"
    name: ClassVar[str] = "text"
    sequence: ClassVar[bool] = True

    format: Format = 1
    tokens: Literal["bytes", "characters", "words"]
    vocabulary: tuple[str, ...] = ()

    @classmethod
    def fit(cls, items: Items, config: DataConfig, rows: Positions) -> "TextCodec":
        """Count the characters or words of the training texts.

        Raises:
            DataError: No text can be read, or all are empty.
        """
        if config.tokens == "bytes":
            return cls(tokens="bytes")
        counts: Counter[str] = Counter()
        plain, reason = cls(tokens=config.tokens), "they are empty"
        for row in rows:
            try:
                counts.update(plain.split(items.raw[row]))
            except DataError as error:
                reason = str(error)
        if not counts:
            raise DataError(f"no training text can be used: {reason}")
        # By count, and by name where counts are equal, so that the order of files doesn't matter.
        ordered = sorted(counts, key=lambda token: (-counts[token], token))
        return cls(tokens=config.tokens, vocabulary=tuple(ordered[: config.max_vocabulary]))

    @property
    def num_tokens(self) -> int:
        """V, the special ones counted."""
        return NUM_BYTES + 2 if self.tokens == "bytes" else len(self.vocabulary) + 3

    @property
    def bos(self) -> int:
        """The token before the first."""
        return NUM_BYTES if self.tokens == "bytes" else len(self.vocabulary)

    @property
    def eos(self) -> int:
        """The token after the last."""
        return self.bos + 1

    @cached_property
    def _number(self) -> dict[str, int]:
        return {token: i for i, token in enumerate(self.vocabulary)}

    def split(self, raw: str | Document) -> list[str]:
        """The characters or words of a text.

        Raises:
            DataError: It can't be read, or isn't UTF-8.
        """
        try:
            text = raw if isinstance(raw, str) else raw.read().decode()
        except UnicodeDecodeError as error:
            raise DataError(f"it isn't UTF-8: {error}; use tokens bytes") from error
        return list(text) if self.tokens == "characters" else text.split()

    def begun(self, encoded: Sequence[Tensor], known: float | None) -> tuple[Tensor, Tensor]:
        """Encoded texts as beginnings: (B, T) tokens without the end, and which are given.

        Raises:
            ConfigError: A part is asked for; texts are given as far as they go.
        """
        if known is not None:
            raise ConfigError("known is the part of an image; a text is given as far as it goes")
        return side_by_side([x[:-1] for x in encoded])

    def encode(self, raw: str | Document) -> Tensor:
        """A text to (T,) int32, bos and eos included.

        Raises:
            DataError: It can't be read, or isn't UTF-8.
        """
        if self.tokens == "bytes":
            found = list(raw.encode() if isinstance(raw, str) else raw.read())
        else:
            unk = self.eos + 1
            found = [self._number.get(token, unk) for token in self.split(raw)]
        return torch.tensor([self.bos, *found, self.eos], dtype=torch.int32)

    def pieces(self, raw: str | Document) -> Iterator[Tensor]:
        """A text is one piece."""
        yield self.encode(raw)

    def decode(self, x: Tensor) -> str:
        """(T,) tokens to a text; bytes that are no UTF-8 become the replacement character."""
        numbers = [int(i) for i in x.tolist()]
        if self.tokens == "bytes":
            return bytes(i for i in numbers if i < NUM_BYTES).decode(errors="replace")
        known = [
            self.vocabulary[i] if i < self.bos else "\ufffd"
            for i in numbers
            if i not in (self.bos, self.eos)
        ]
        return ("" if self.tokens == "characters" else " ").join(known)

    def written(self, x: Tensor) -> bytes:
        """(T,) tokens to the bytes of a file."""
        if self.tokens == "bytes":
            return bytes(i for i in map(int, x.tolist()) if i < NUM_BYTES)
        return self.decode(x).encode()

    def lost(self, raw: str | Document) -> str:
        """What of a text its tokens don't tell; the empty text where they tell all."""
        text = raw.encode() if isinstance(raw, str) else raw.read()
        if self.written(self.encode(raw)) == text:
            return ""
        return f"the run's {self.tokens} don't tell all of it; train on tokens bytes"

    def log_det(self, raw: Any) -> float:
        """0: tokens have probabilities, no densities."""
        return 0.0

    def num_bytes(self, raw: str | Document) -> int:
        """Bytes of the text, for bits per byte."""
        return len(raw.encode() if isinstance(raw, str) else raw.read())

    def window(self, config: DataConfig) -> int:
        """Tokens of a training window, and the one that its last predicts."""
        return config.window_tokens + 1

    def facts(self) -> dict[str, Any]:
        """The number of tokens, and the special ones."""
        return {"num_tokens": self.num_tokens, "bos": self.bos, "eos": self.eos}

    @staticmethod
    def of_user(raw: Any) -> str | Document:
        """A text itself, or the path of one."""
        return Document(raw) if isinstance(raw, Path) else raw
