"""Text: bytes, characters or words as tokens, with one before the first and one after the last.

Molecules as SMILES are texts too, whose tokens may be the marks of that notation.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from ensue.configuration import STRICT, Format
from ensue.data.beginnings import padded_beginnings
from ensue.data.config import DataConfig, Tokens
from ensue.data.items import Document, Items, Positions
from ensue.errors import ConfigError, DataError

NUM_BYTES = 256
SMILES_TOKEN = re.compile(r"\[[^\[\]]*\]|Br|Cl|%\d\d|.", re.DOTALL)
"""An atom in brackets, one of the two letters that atoms without brackets may have, the number of a
ring above 9, or a single character."""


@dataclass(frozen=True, kw_only=True)
class Special:
    """Numbers of the tokens that stand for no part of a text.

    ``bos`` comes before the first, ``eos`` after the last, ``unk`` for what has no token, ``pad``
    where there is nothing.
    """

    __pydantic_config__ = STRICT

    bos: int
    eos: int
    unk: int | None = None
    pad: int | None = None


@dataclass(frozen=True, kw_only=True)
class TextCodec:
    """A text to (T,) int32 tokens: bos, its bytes, characters, words or SMILES marks, eos.

    Bytes are their own tokens, a byte-order mark included: nothing of a file is lost. Others have
    theirs by how often they came in training, the most frequent first, and what never came is
    ``unk``.

    Args:
        tokens: What a text is made of; words are the text between white space; smiles keeps
            ``Cl``, ``Br``, ``[...]`` and ``%nn`` whole.
        vocabulary: The characters, words or marks that have a token, by number, or none for bytes.
            Names at the numbers of special tokens mean nothing.
        special: Numbers of special tokens; by default bos, eos and (with a vocabulary) unk come
            after all others.
        items: The kind of the items.
        longest: Tokens of the longest molecule in training, bos and eos included; None of texts.

    Example:
        >>> codec = TextCodec(tokens="bytes")
        >>> codec.encode("Hi")
        tensor([256,  72, 105, 257], dtype=torch.int32)
        >>> codec.decode(torch.tensor([72, 105]))
        'Hi'
        >>> codec = TextCodec(tokens="smiles", vocabulary=("C", "Cl", "[nH]"))
        >>> codec.split("CCl[nH]")
        ['C', 'Cl', '[nH]']
    """

    __pydantic_config__ = STRICT
    name: ClassVar[str] = "text"
    sequence: ClassVar[bool] = True
    unit: ClassVar[str] = "bits_per_byte"
    value_name: ClassVar[str] = "token"

    format: Format = 1
    tokens: Tokens
    vocabulary: tuple[str, ...] = ()
    special: Special | None = None
    items: Literal["text", "smiles"] = "text"
    longest: int | None = None

    @classmethod
    def fit(cls, items: Items, config: DataConfig, rows: Positions) -> "TextCodec":
        """Count the characters, words or marks of the training texts.

        Raises:
            DataError: No text can be read, or all are empty.
        """
        kind = "smiles" if items.kind == "smiles" else "text"
        tokens = config.tokens or ("smiles" if kind == "smiles" else "bytes")
        if tokens == "bytes":
            sizes = [len(items.raw[row].encode()) for row in rows] if kind == "smiles" else []
            return cls(tokens="bytes", items=kind, longest=max(sizes) + 2 if sizes else None)
        counts: Counter[str] = Counter()
        plain, reason, longest = cls(tokens=tokens), "they are empty", 0
        for row in rows:
            try:
                found = plain.split(items.raw[row])
                counts.update(found)
                longest = max(longest, len(found) + 2)
            except DataError as error:
                reason = str(error)
        if not counts:
            raise DataError(f"no training text can be used: {reason}")
        # By count, and by name where counts are equal, so that the order of files doesn't matter.
        ordered = sorted(counts, key=lambda token: (-counts[token], token))
        vocabulary = tuple(ordered[: config.max_vocabulary])
        V = len(vocabulary)
        special = Special(bos=V, eos=V + 1, unk=V + 2, pad=V + 3)
        return cls(
            tokens=tokens,
            vocabulary=vocabulary,
            special=special,
            items=kind,
            longest=longest if kind == "smiles" else None,
        )

    @property
    def kind(self) -> str:
        """Of the items."""
        return self.items

    @property
    def is_smiles(self) -> bool:
        """Return whether the texts are molecules."""
        return self.items == "smiles"

    @property
    def num_tokens(self) -> int:
        """V, the special ones counted."""
        return max(len(self.vocabulary), 1 + max(self._marks))

    @property
    def bos(self) -> int:
        """The token before the first."""
        return self._special.bos

    @property
    def eos(self) -> int:
        """The token after the last."""
        return self._special.eos

    @property
    def unk(self) -> int | None:
        """The token of what has none, or None where all have."""
        return self._special.unk

    @property
    def pad(self) -> int | None:
        """The token of nothing, where there is one."""
        return self._special.pad

    @cached_property
    def _special(self) -> Special:
        if self.special is not None:
            return self.special
        if self.tokens == "bytes":
            return Special(bos=NUM_BYTES, eos=NUM_BYTES + 1)
        V = len(self.vocabulary)
        return Special(bos=V, eos=V + 1, unk=V + 2)

    @cached_property
    def _marks(self) -> frozenset[int]:
        special = self._special
        found = (special.bos, special.eos, special.unk, special.pad)
        return frozenset(i for i in found if i is not None)

    @cached_property
    def _number(self) -> dict[str, int]:
        return {t: i for i, t in enumerate(self.vocabulary) if i not in self._marks}

    def split(self, raw: str | Document) -> list[str]:
        """The characters, words or marks of a text; the byte-order mark of a file is none of them.

        Raises:
            DataError: It can't be read, or isn't UTF-8.
        """
        try:
            text = raw if isinstance(raw, str) else raw.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"it isn't UTF-8: {error}; use tokens bytes") from error
        if self.tokens == "words":
            return text.split()
        return SMILES_TOKEN.findall(text) if self.tokens == "smiles" else list(text)

    def begun(self, encoded: Sequence[Tensor], known: float | None) -> tuple[Tensor, Tensor]:
        """Encoded texts as beginnings: (B, T) tokens without the end, and which are given.

        Raises:
            ConfigError: A part is asked for; texts are given as far as they go.
        """
        if known is not None:
            raise ConfigError("known is the part of an image; a text is given as far as it goes")
        return padded_beginnings([x[:-1] for x in encoded])

    def encode(self, raw: str | Document) -> Tensor:
        """A text to (T,) int32, bos and eos included.

        Raises:
            DataError: It can't be read, isn't UTF-8, or is a SMILES with white space in it.
        """
        if self.items == "smiles":
            raw = _one_word(raw)
        if self.tokens == "bytes":
            found = list(raw.encode() if isinstance(raw, str) else raw.read())
        else:
            found = [self._number.get(token, self.unk) for token in self.split(raw)]
        return torch.tensor([self.bos, *found, self.eos], dtype=torch.int32)

    def pieces(self, raw: str | Document) -> Iterator[Tensor]:
        """A text is one piece."""
        yield self.encode(raw)

    def decode(self, x: Tensor) -> str:
        """(T,) tokens to a text; bytes that are no UTF-8 become the replacement character."""
        numbers = [int(i) for i in x.tolist()]
        if self.tokens == "bytes":
            return bytes(i for i in numbers if i < NUM_BYTES).decode(errors="replace")
        silent = (self.bos, self.eos, self.pad)
        known = [
            "\ufffd" if i == self.unk else self.vocabulary[i] for i in numbers if i not in silent
        ]
        return (" " if self.tokens == "words" else "").join(known)

    def written(self, x: Tensor) -> bytes:
        """(T,) tokens to the bytes of a file."""
        if self.tokens == "bytes":
            return bytes(i for i in map(int, x.tolist()) if i < NUM_BYTES)
        return self.decode(x).encode()

    def lost(self, raw: str | Document) -> str:
        """Say what of a text its tokens don't keep; the empty text where they keep all."""
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

    def bits_per_unit(
        self, nats: np.ndarray, raws: Sequence[Any], lengths: np.ndarray
    ) -> np.ndarray:
        """Bits that a byte costs, whatever the tokens are; the end is counted as one byte more."""
        sizes = np.array([self.num_bytes(raw) for raw in raws])
        return -nats / np.log(2) / (sizes + 1)

    def restored_name(self, file: PurePath, endings: Sequence[str]) -> PurePath:
        """The file without gzip's ending, and with ``.txt`` where it has no ending of its kind."""
        plain = file.with_name(file.name.removesuffix(".gz"))
        return plain if plain.suffix.lower() in endings else plain.with_name(f"{plain.name}.txt")

    def window(self, config: DataConfig) -> int:
        """Tokens of a training window, and the one that its last predicts."""
        return config.window_tokens + 1

    def facts(self) -> dict[str, Any]:
        """The number of tokens, the special ones, and the codec itself without ``longest``.

        A model doesn't depend on how long its training data happened to be.
        """
        return {
            "num_tokens": self.num_tokens,
            "bos": self.bos,
            "eos": self.eos,
            "codec": replace(self, longest=None),
        }

    @staticmethod
    def of_user(raw: Any) -> str | Document:
        """A text itself, or the path of one.

        Raises:
            DataError: It is neither.
        """
        if not isinstance(raw, str | Path | Document):
            raise DataError(f"an item is {raw!r:.60}; give a text, or the path of one")
        return Document(raw) if isinstance(raw, Path) else raw


def _one_word(raw: str | Document) -> str:
    """A SMILES without the white space around it."""
    smiles = (
        raw if isinstance(raw, str) else raw.read().decode("utf-8-sig", errors="replace")
    ).strip()
    if len(smiles.split()) > 1:
        raise DataError(f"there is white space in the SMILES {smiles!r:.60}; give it alone")
    return smiles


def codec_of_tokens(vocabulary: Sequence[str]) -> TextCodec:
    """The codec of characters whose numbers are their places in a list with special tokens.

    Args:
        vocabulary: Single characters, and ``<bos>``, ``<eos>``, ``<pad>``, ``<unk>``.

    Raises:
        ConfigError: A special token is missing, or another is no single character, or comes twice.

    Example:
        >>> codec_of_tokens(["C", "<bos>", "<eos>", "<pad>", "<unk>"]).encode("CN")
        tensor([1, 0, 4, 2], dtype=torch.int32)
    """
    marks = ("bos", "eos", "unk", "pad")
    names = {f"<{mark}>": mark for mark in marks}
    missing = [name for name in names if name not in vocabulary]
    odd = [token for token in vocabulary if token not in names and len(token) != 1]
    twice = [token for token, count in Counter(vocabulary).items() if count > 1]
    if missing or odd or twice:
        raise ConfigError(
            "a vocabulary holds single characters and "
            f"{', '.join(names)}, each once; missing {missing}, no characters {odd}, twice {twice}"
        )
    special = Special(**{mark: vocabulary.index(name) for name, mark in names.items()})
    return TextCodec(tokens="characters", vocabulary=tuple(vocabulary), special=special)
