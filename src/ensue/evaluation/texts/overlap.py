"""Words in common: BLEU, ROUGE-L and exact match; and the variety of a set of texts."""

import re
from collections.abc import Sequence

import numpy as np

from ensue.errors import MissingExtraError

WORD = re.compile(r"\w+(?:['\u2019./-]\w+)*")
BETA = 1.2
"""Weight of recall compared with precision in ROUGE-L, as in the evaluation of COCO captions."""


def words(text: str) -> list[str]:
    """Return the words of a text in lowercase, without punctuation.

    Example:
        >>> words("What's in the X-ray?")
        ["what's", 'in', 'the', 'x-ray']
    """
    return WORD.findall(text.lower())


def bleu(texts: Sequence[str], references: Sequence[Sequence[str]], order: int = 4) -> float:
    """Return the BLEU of all texts together, by sacrebleu in lowercase: 0 to 100.

    Args:
        texts: The texts to judge.
        references: For each text one or several that would have been right.
        order: Length of the longest n-grams.

    Raises:
        MissingExtraError: sacrebleu isn't installed.

    Example:
        >>> round(bleu(["is there a red shape?"], [["is there a red shape?"]]))
        100
    """
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError as error:
        raise MissingExtraError(
            "BLEU needs sacrebleu; install it by: pip install 'ensue[text]'"
        ) from error
    most = max(map(len, references))
    # sacrebleu takes the first references of all texts, then the second ones. Where there are
    # fewer, one is repeated, which changes nothing: an n-gram counts as often as in any reference.
    streams = [[r[min(i, len(r) - 1)] for r in references] for i in range(most)]
    return BLEU(lowercase=True, max_ngram_order=order).corpus_score(list(texts), streams).score


def rouge_l(texts: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    r"""Return the (N,) ROUGE-L of each text, by the longest common subsequence of words, 0 to 1.

    .. math:: F = \frac{(1 + \beta^2) R P}{R + \beta^2 P}, \qquad
              R = \frac{\mathrm{LCS}}{|r|}, \quad P = \frac{\mathrm{LCS}}{|c|}

    (Lin 2004, eq. 2 to 4), R and P the best of all references.

    Example:
        >>> rouge_l(["police killed the gunman"], [["police kill the gunman"]]).round(2)
        array([0.75])
    """
    return np.array([_rouge(text, refs) for text, refs in zip(texts, references, strict=True)])


def _rouge(text: str, references: Sequence[str]) -> float:
    text_words, reference_words = words(text), [words(r) for r in references]
    if not text_words or not any(reference_words):
        return 0.0
    common = [_longest_common(text_words, other) for other in reference_words]
    precision = max(common) / len(text_words)
    recall = max(n / len(other) for n, other in zip(common, reference_words, strict=True) if other)
    if not precision:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def _longest_common(a: Sequence[str], b: Sequence[str]) -> int:
    """Return the number of words of the longest common subsequence."""
    best = [0] * (len(b) + 1)
    for word in a:
        before = 0
        for j, other in enumerate(b, 1):
            here = best[j]
            best[j] = before + 1 if word == other else max(here, best[j - 1])
            before = here
    return best[-1]


def exact_match(texts: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """Return (N,) true where a text has the same words as one of its references.

    Example:
        >>> exact_match(["Is it red?"], [["is it blue?", "is it red"]])
        array([ True])
    """
    return np.array(
        [
            words(text) in [words(r) for r in refs]
            for text, refs in zip(texts, references, strict=True)
        ]
    )


def distinct(texts: Sequence[str], n: int) -> float:
    """Return different n-grams as a share of all n-grams (Li et al. 2016, 1510.03055, sec. 5.3).

    Example:
        >>> distinct(["is it red", "is it blue"], 1)
        0.6666666666666666
    """
    grams = [gram for text in texts for gram in ngrams(words(text), n)]
    return len(set(grams)) / len(grams) if grams else 0.0


def ngrams(of: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """Return the stretches of n words, in order.

    Example:
        >>> ngrams(["a", "b", "c"], 2)
        [('a', 'b'), ('b', 'c')]
    """
    return [tuple(of[i : i + n]) for i in range(len(of) - n + 1)]
