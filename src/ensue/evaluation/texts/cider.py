r"""CIDEr-D: n-grams in common, of which rare ones count more (Vedantam et al. 2015).

.. math::
    \mathrm{CIDEr\text{-}D}_n(c, S) = \frac{10}{|S|} \sum_{s \in S}
    e^{-(l(c) - l(s))^2 / 2 \sigma^2} \,
    \frac{\min(g_n(c), g_n(s)) \cdot g_n(s)}{\|g_n(c)\| \, \|g_n(s)\|}

(1411.5726, section 5, eq. 4 and 5), in the mean over n from 1 to 4. An n-gram's weight in g_n is
its count times :math:`\log(N / d)`, where d of the N sets of references hold it.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ensue.evaluation.texts.overlap import ngrams, words

ORDER, SIGMA, SCALE = 4, 6.0, 10.0
Grams = Counter[tuple[str, ...]]
Weights = Mapping[tuple[str, ...], float]


def cider_d(texts: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """Return the (N,) CIDEr-D of each text, 0 to 10.

    Args:
        texts: The texts to judge.
        references: For each text those that would have been right. The rarity of n-grams is
            counted over them, so that a single set of references gives 0.

    Example:
        >>> cider_d(["a red cat", "no"], [["a red cat"], ["yes"]]).round(2)
        array([7.5, 0. ])
    """
    held = Counter(
        gram for refs in references for gram in {g for r in refs for g in _counted(words(r))}
    )
    log_num = math.log(len(references))

    def weighted(text: str) -> Weights:
        counts = _counted(words(text))
        return {g: n * (log_num - math.log(max(1, held[g]))) for g, n in counts.items()}

    return np.array(
        [
            SCALE * np.mean([_likeness(text, r, weighted) for r in refs])
            for text, refs in zip(texts, references, strict=True)
        ]
    )


def _likeness(text: str, reference: str, weighted: Callable[[str], Weights]) -> float:
    """Return the mean over n of the clipped cosine, times the penalty for another length."""
    text_grams, reference_grams = weighted(text), weighted(reference)
    dot, own_square, other_square = np.zeros((3, ORDER))
    for gram, weight in text_grams.items():
        reference_weight = reference_grams.get(gram, 0.0)
        dot[len(gram) - 1] += min(weight, reference_weight) * reference_weight
        own_square[len(gram) - 1] += weight**2
    for gram, weight in reference_grams.items():
        other_square[len(gram) - 1] += weight**2
    norms = np.sqrt(own_square * other_square)
    cosines = np.divide(dot, norms, out=np.zeros(ORDER), where=norms > 0)
    longer = len(words(text)) - len(words(reference))
    return float(cosines.mean()) * math.exp(-(longer**2) / (2 * SIGMA**2))


def _counted(of: Sequence[str]) -> Grams:
    return Counter(gram for n in range(1, ORDER + 1) for gram in ngrams(of, n))
