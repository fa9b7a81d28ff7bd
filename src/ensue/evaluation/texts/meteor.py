r"""METEOR by exact words and by their stems (Lavie and Agarwal 2007).

.. math::
    F = \frac{P R}{\alpha P + (1 - \alpha) R}, \qquad
    \mathrm{METEOR} = F \left(1 - \gamma \left(\frac{ch}{m}\right)^\beta\right)

with P and R the shares of the words of the text and of the reference that match, and m matches in
ch chunks: stretches of words that follow each other in both. Not here: synonyms and paraphrases,
which need resources for each language. Stems are Porter's, for English.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ensue.errors import MissingExtraError
from ensue.evaluation.texts.overlap import words

ALPHA, BETA, GAMMA = 0.9, 3.0, 0.5
BEAM = 40
"""Alignments that the search keeps."""


def meteor(texts: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """Return the (N,) METEOR of each text with its best reference, 0 to 1.

    Raises:
        MissingExtraError: snowballstemmer isn't installed.

    Example:
        >>> meteor(["the cat sat"], [["the cats sat"]]).round(3)
        array([0.981])
    """
    return np.array(
        [
            max((_meteor(words(text), words(r)) for r in refs), default=0.0)
            for text, refs in zip(texts, references, strict=True)
        ]
    )


def _meteor(own: list[str], other: list[str]) -> float:
    matches, chunks = align(own, other)
    if not matches:
        return 0.0
    precision, recall = matches / len(own), matches / len(other)
    mean = precision * recall / (ALPHA * precision + (1 - ALPHA) * recall)
    return mean * (1 - GAMMA * (chunks / matches) ** BETA)


class _Alignment(NamedTuple):
    """An alignment of a text up to some word.

    ``exact`` and ``matches`` count the words that match; ``chunks`` counts the stretches they make,
    as a negative number so that more is better; ``last`` is the place of the last word's match, -2
    where it has none; ``taken`` are the places used in the reference.
    """

    exact: int
    matches: int
    chunks: int
    last: int
    taken: frozenset[int]

    def matched(self, place: int, *, exact: bool) -> "_Alignment":
        return _Alignment(
            self.exact + exact,
            self.matches + 1,
            self.chunks - (place != self.last + 1),
            place,
            self.taken | {place},
        )


def align(own: Sequence[str], other: Sequence[str]) -> tuple[int, int]:
    """Count the matches between the words of two texts, and the chunks that they make.

    As many words as possible match exactly, then as many others as possible by their stems, in as
    few chunks as the search finds.

    Example:
        >>> align(["a", "b", "a"], ["a", "a", "b"])
        (3, 2)
    """
    stems = [_stem(word) for word in other]
    alignments = [_Alignment(0, 0, 0, -2, frozenset())]
    for word in own:
        places = [j for j, stem in enumerate(stems) if stem == _stem(word)]
        going_on = {a._replace(last=-2) for a in alignments}
        for a in alignments:
            going_on |= {a.matched(j, exact=other[j] == word) for j in places if j not in a.taken}
        alignments = sorted(going_on, key=lambda a: a[:4], reverse=True)[:BEAM]
    best = alignments[0]
    return best.matches, -best.chunks


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    return _stemmer().stemWord(word)


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    try:
        import snowballstemmer
    except ImportError as error:
        raise MissingExtraError(
            "METEOR needs snowballstemmer; install it by: pip install 'ensue[text]'"
        ) from error
    return snowballstemmer.stemmer("porter")
