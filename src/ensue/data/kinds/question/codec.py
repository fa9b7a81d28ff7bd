"""Questions: words as tokens, and what each is written from as a :class:`Source`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ensue.configuration import STRICT, Format
from ensue.data.batches import Source
from ensue.data.config import DataConfig, Tokens
from ensue.data.items import Items, Picture, Positions, Question, listed, plain
from ensue.data.kinds.image.codec import ImageCodec
from ensue.data.kinds.image.pixels import opened
from ensue.data.kinds.question.questions import Sources
from ensue.data.kinds.question.regions import Features, patches, read_regions
from ensue.data.kinds.question.written_from import source_of, sources_of
from ensue.data.kinds.text.codec import TextCodec
from ensue.errors import DataError, unknown

WORD = re.compile(r"\w+(?:['\u2019./-]\w+)*|[^\w\s]")
"""A word, with what joins its parts, or a single mark."""
BEFORE_MARK = re.compile(r" (?=[?!.,;:)\]])|(?<=[(\[]) ")


@dataclass(frozen=True, kw_only=True)
class QuestionCodec:
    """A question to (T,) int32 tokens, and its picture, answer and concepts to a source.

    Words are those of the text in small letters, and marks are apart from them; other tokens are
    those of the text as it is.

    Args:
        text: The codec of questions.
        answers: The answers that have a number, where an answer is one token; else none.
        phrase: The codec of answers, where they are as many tokens as they have words.
        concepts: The concepts that have a place.
        picture: The codec of pictures, or None where regions are features.
        patch_size: Pixels on a side of a patch.
        patch_stride: Pixels from patch to patch.
        region_size: F, features of a region.

    Example:
        >>> text = TextCodec(tokens="words", vocabulary=("?", "is", "it", "red"))
        >>> codec = QuestionCodec(text=text, answers=("no", "yes"), region_size=5)
        >>> codec.encode(Question(0, "Is it red?", "yes"))
        tensor([4, 1, 2, 3, 0, 5], dtype=torch.int32)
        >>> codec.decode(torch.tensor([1, 2, 3, 0]))
        'is it red?'
    """

    __pydantic_config__ = STRICT
    kind: ClassVar[str] = "question"
    name: ClassVar[str] = "question"
    sequence: ClassVar[bool] = True

    format: Format = 1
    text: TextCodec
    answers: tuple[str, ...] = ()
    phrase: TextCodec | None = None
    concepts: tuple[str, ...] = ()
    picture: ImageCodec | None = None
    patch_size: int = 16
    patch_stride: int = 16
    region_size: int

    @classmethod
    def fit(cls, items: Items, config: DataConfig, rows: Positions) -> "QuestionCodec":
        """Count words and answers of the training questions, and look at the first picture.

        Raises:
            DataError: No question or no picture can be used.
        """
        chosen = [items.raw[row] for row in rows]
        tokens = config.tokens or "words"
        given = [raw.answer for raw in chosen if raw.answer]
        if given and len(given) < len(chosen):
            raise DataError(
                f"{len(chosen) - len(given)} of {len(chosen)} questions have no answer, such as "
                f"{chosen[[raw.answer for raw in chosen].index(None)].text!r}; give all or none"
            )
        answers, phrase = (), None
        if given and config.answers == "phrase":
            phrase = _fitted(given, "words", config)
        elif given:
            answers = tuple(sorted(set(map(plain_answer, chosen))))
        picture, region_size = _picture(chosen, config)
        return cls(
            text=_fitted([raw.text for raw in chosen], tokens, config),
            answers=answers,
            phrase=phrase,
            concepts=tuple(sorted({c for raw in chosen for c in raw.concepts})),
            picture=picture,
            patch_size=config.patch_size,
            patch_stride=config.patch_stride or config.patch_size,
            region_size=region_size,
        )

    @property
    def num_tokens(self) -> int:
        """V, the special ones counted."""
        return self.text.num_tokens

    def encode(self, raw: Question) -> Tensor:
        """A question to (T,) int32, bos and eos included.

        Raises:
            DataError: It is empty, its picture can't be read, or its answer isn't known.
        """
        text = _spaced(raw.text) if self.text.tokens == "words" else raw.text
        if not text.strip():
            raise DataError("the question is empty")
        if raw.problem is not None:
            raise DataError(raw.problem)
        if isinstance(raw.source, Picture):
            require_picture(raw.source, self.picture.white if self.picture else None)
        self.encode_answer(raw)
        self.encode_concepts(raw)
        return self.text.encode(text)

    def pieces(self, raw: Question) -> Iterator[Tensor]:
        """A question is one piece."""
        yield self.encode(raw)

    def decode(self, x: Tensor) -> str:
        """(T,) tokens to a text."""
        text = self.text.decode(x)
        return BEFORE_MARK.sub("", text) if self.text.tokens == "words" else text

    def encode_answer(self, raw: Question) -> Tensor | None:
        """The tokens (A,) of an answer; None where the run has no answers.

        Raises:
            DataError: There is none, or it isn't one of those that the run was trained with, or
                this was trained without answers.
        """
        if not self.answers and self.phrase is None:
            if raw.answer:
                raise DataError("it has an answer, and this run was trained without; leave it out")
            return None
        if not raw.answer:
            raise DataError("there is no answer, and this run was trained with answers")
        if self.phrase is not None:
            return self.phrase.encode(_spaced(raw.answer)).long()
        answer = plain_answer(raw)
        if answer not in self._number:
            known = unknown("answer", answer, self.answers)
            raise DataError(f"{known}; a run with answers phrase takes any words")
        return torch.tensor([self._number[answer]])

    @cached_property
    def _number(self) -> dict[str, int]:
        return {answer: i for i, answer in enumerate(self.answers)}

    def source(self, raws: Sequence[Question], regions: Tensor, num: Tensor | None) -> Source:
        """The sources of some questions, given the regions (B, K, F) of their pictures.

        Raises:
            DataError: An answer isn't known, or a concept.
        """
        found = [self.encode_answer(raw) for raw in raws]
        answers = [answer for answer in found if answer is not None]
        concepts = torch.stack([self.encode_concepts(raw) for raw in raws])
        return Source(
            regions=regions,
            num_regions=num,
            answer=pad_sequence(answers, batch_first=True) if answers else None,
            answer_lengths=torch.tensor(list(map(len, answers))) if self.phrase else None,
            concepts=concepts if self.concepts else None,
        )

    def sources(
        self, items: Items, ids: Sequence[str], cache: Path, regions: str | None
    ) -> Sources:
        """The sources of the questions with these names; see ``sources_of``."""
        return sources_of(items, ids, self, cache, regions)

    def source_of(self, raws: Sequence[Question], regions: str | None) -> Source:
        """The source of a few questions that are in no store."""
        return source_of(raws, self, regions)

    def require_known(self, raw: Question) -> None:
        """Refuse an answer or a concept that the run wasn't trained with.

        Raises:
            DataError: There is one.
        """
        self.encode_answer(raw)
        self.encode_concepts(raw)

    def encode_concepts(self, raw: Question) -> Tensor:
        """(C,) 1 for each concept that there is.

        Raises:
            DataError: One isn't of those that the run was trained with.
        """
        stranger = next((c for c in raw.concepts if c not in self.concepts), None)
        if stranger is not None and not self.concepts:
            raise DataError("it has concepts, and this run was trained without; leave them out")
        if stranger is not None:
            raise DataError(unknown("concept", stranger, self.concepts))
        return torch.tensor([float(name in raw.concepts) for name in self.concepts])

    def regions_of(self, source: Picture | np.ndarray) -> Tensor:
        """The regions (K, F) of one picture, image or array of features.

        Raises:
            DataError: It can't be read, or has another size.
        """
        if self.picture is not None:
            found = self.picture.encode(source)[None]
            return patches(found, self.patch_size, self.patch_stride)[0]
        values = np.asarray(source)
        values = values[None] if values.ndim == 1 else values
        if values.ndim != 2 or not len(values) or values.shape[1] != self.region_size:
            raise DataError(
                f"features are {values.shape}; give (K, {self.region_size}), a region at least"
            )
        return torch.from_numpy(values.astype(np.float32))

    def log_det(self, raw: Any) -> float:
        """0: tokens have probabilities, no densities."""
        return 0.0

    def window(self, config: DataConfig) -> int:
        """Tokens of the longest question that is learned."""
        return config.window_tokens + 1

    def facts(self) -> dict[str, Any]:
        """The numbers of tokens, of answers and of concepts, and the features of a region."""
        answers: Literal["token", "phrase"] | None = "token" if self.answers else None
        num_answer_tokens = len(self.answers) or None
        if self.phrase is not None:
            answers, num_answer_tokens = "phrase", self.phrase.num_tokens
        return {
            "num_tokens": self.num_tokens,
            "bos": self.text.bos,
            "eos": self.text.eos,
            "source_size": self.region_size,
            "answers": answers,
            "num_answer_tokens": num_answer_tokens,
            "concept_size": len(self.concepts) or None,
            "codec": replace(self, text=replace(self.text, longest=None)),
        }

    @staticmethod
    def of_user(raw: Any) -> Question:
        """A :class:`ensue.data.items.Question`, or its parts by name: path, answer, question.

        Raises:
            DataError: It is neither, or names something else.
        """
        if isinstance(raw, Question):
            return raw
        if not isinstance(raw, Mapping):
            raise DataError(
                f"an item is {raw!r:.60}; give a mapping with a path (or row, or an array as "
                "source), and the answer and question that there are"
            )
        known = ("path", "row", "source", "question", "answer", "concepts")
        stranger = next((name for name in raw if name not in known), None)
        if stranger is not None:
            raise DataError(unknown("part of a question", str(stranger), known))
        given = [name for name in ("path", "row", "source") if raw.get(name) is not None]
        if len(given) != 1:
            raise DataError("a question has one of path, row and source")
        question, answer = raw.get("question"), raw.get("answer")
        for name, value in (("question", question), ("answer", answer)):
            if not isinstance(value, str | None):
                raise DataError(f"the {name} is {value!r:.60} and must be text")
        concepts = () if raw.get("concepts") is None else raw["concepts"]
        concepts = [concepts] if isinstance(concepts, str) else concepts
        if not isinstance(concepts, list | tuple) or not all(isinstance(c, str) for c in concepts):
            raise DataError(f"concepts are {concepts!r:.60} and must be texts")
        return Question(
            _source_of_user(given[0], raw[given[0]]),
            question or "",
            answer or None,
            tuple(part for concept in concepts for part in listed(concept)),
        )


def _source_of_user(name: str, value: Any) -> Picture | int | str | np.ndarray:
    """A picture by its path, a row by number or name, or an array.

    Raises:
        DataError: It is something else.
    """
    if name == "path":
        if isinstance(value, str | Path):
            return Picture(Path(value))
    elif isinstance(value, str | Picture):
        return value
    elif isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    elif isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
        if np.isfinite(value).all():
            return value
        raise DataError("the source has values that aren't finite numbers")
    raise DataError(
        f"the {name} is {value!r:.60}; give a path, the number or name of a row, or a numpy array "
        "of numbers as source"
    )


def _picture(chosen: Sequence[Question], config: DataConfig) -> tuple[ImageCodec | None, int]:
    """The codec of pictures, where there are any, and the features of a region."""
    found = read_regions(Path(config.regions)) if config.regions else None
    if isinstance(found, Features):
        return None, found.size
    if found is not None:
        sources = list(found[0][:1])
    else:
        sources = [raw.source for raw in chosen if isinstance(raw.source, Picture)]
    pictures = Items(kind="image", ids=["0"] * len(sources), raw=sources, fingerprint="")
    plain = replace(ImageCodec.fit(pictures, config, range(len(sources))), resize=True)
    return plain, plain.shape[0] * config.patch_size**2


def _fitted(texts: Sequence[str], tokens: Tokens, config: DataConfig) -> TextCodec:
    """The codec of texts, the most frequent tokens first."""
    raw = [_spaced(text) if tokens == "words" else text for text in texts]
    items = Items(kind="text", ids=[""] * len(raw), raw=raw, fingerprint="")
    return TextCodec.fit(items, replace(config, tokens=tokens), range(len(raw)))


def words_of(text: str) -> list[str]:
    """Words in small letters, and marks.

    Example:
        >>> words_of("What's in the X-ray?")
        ["what's", 'in', 'the', 'x-ray', '?']
    """
    return WORD.findall(text.lower())


def _spaced(text: str) -> str:
    return " ".join(words_of(text))


def plain_answer(raw: Question) -> str:
    """An answer without capitals and without white space around it; empty where there is none."""
    return plain(raw.answer or "")


@lru_cache(maxsize=100_000)
def _reason(picture: Picture, white: int | None) -> str | None:
    try:
        opened(picture, white)
    except DataError as error:
        return str(error)
    return None


def require_picture(picture: Picture, white: int | None = None) -> None:
    """Refuse a picture that can't be read; each file is looked at once.

    Raises:
        DataError: It can't.
    """
    if (reason := _reason(picture, white)) is not None:
        raise DataError(reason)
