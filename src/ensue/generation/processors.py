"""Score processors: pure functions that forbid tokens before one is chosen.

A processor takes ``tokens`` (B, T), what each row holds so far, the last token at the right and
-1 before the first, and ``scores`` (B, V), and gives new scores; -inf forbids a token. Functions
of the scores alone are below: ``top_k``, ``top_p``, ``min_p``.

Dims: B rows, T tokens so far, V vocabulary.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ensue.errors import ConfigError
from ensue.generation.config import GenerationConfig

Processor = Callable[[Tensor, Tensor], Tensor]


def no_repeat_ngram(n: int) -> Processor:
    """Forbid each token that would make the last n tokens a repetition of earlier ones.

    Example:
        >>> scores = no_repeat_ngram(2)(torch.tensor([[0, 1, 0]]), torch.zeros(1, 3))
        >>> scores  # 0 was followed by 1
        tensor([[0., -inf, 0.]])
    """

    def process(tokens: Tensor, scores: Tensor) -> Tensor:
        if tokens.shape[1] < n:
            return scores
        windows_BWn = tokens.unfold(1, n, 1)
        last = tokens[:, tokens.shape[1] - n + 1 :]
        repeated = (windows_BWn[..., :-1] == last[:, None]).all(-1) & (windows_BWn >= 0).all(-1)
        row, window = repeated.nonzero(as_tuple=True)
        banned, scores = windows_BWn[row, window, -1], scores.clone()
        can_follow = banned < scores.shape[1]  # the token before the first may have no score
        scores[row[can_follow], banned[can_follow]] = -torch.inf
        return scores

    return process


def forbid(*banned: int) -> Processor:
    """Forbid tokens everywhere.

    Example:
        >>> forbid(1)(torch.tensor([[0]]), torch.zeros(1, 3))
        tensor([[0., -inf, 0.]])
    """

    def process(tokens: Tensor, scores: Tensor) -> Tensor:
        return scores.index_fill(1, torch.tensor(banned, device=scores.device), -torch.inf)

    return process


def forbid_end(scores: Tensor, eos: int, rows: Tensor) -> Tensor:
    """Forbid the token ``eos`` in the rows (B,) that aren't long enough yet.

    Example:
        >>> forbid_end(torch.zeros(2, 2), 0, torch.tensor([True, False]))
        tensor([[-inf, 0.],
                [0., 0.]])
    """
    scores = scores.clone()
    scores[:, eos].masked_fill_(rows, -torch.inf)
    return scores


def processors_of(config: GenerationConfig, more: Sequence[Processor] = ()) -> list[Processor]:
    """The processors that the settings ask for, and more."""
    found = [no_repeat_ngram(config.no_repeat_ngram)] if config.no_repeat_ngram else []
    return [*found, *more]


def process(
    processors: Sequence[Processor], tokens: Tensor, length: Tensor, scores: Tensor
) -> Tensor:
    """Apply all processors to rows of different lengths.

    Args:
        processors: In their order.
        tokens: (B, L), what each row holds from the left, and anything after.
        length: (B,) how many tokens each row holds.
        scores: (B, V).

    """
    if processors:
        T = int(length.max())
        index = torch.arange(T, device=tokens.device) - (T - length)[:, None]
        held = tokens.gather(1, index.clamp_min(0)).masked_fill(index < 0, -1)
        for processor in processors:
            scores = processor(held, scores)
    return scores


def require_numbers(scores: Tensor) -> Tensor:
    """The best score (B,) of each row, -inf where every token is forbidden.

    Raises:
        ConfigError: Scores are no numbers.
    """
    best = scores.amax(-1)
    if bool(best.isnan().any()):
        raise ConfigError("the model's scores are NaN; look at the loss of its training")
    return best


def require_choice(best: Tensor) -> None:
    """Refuse to go on where every token is forbidden.

    Args:
        best: (...) the best score of each row.

    Raises:
        ConfigError: A row has no token left, or scores are no numbers.
    """
    if not bool(best.isfinite().all()):
        require_numbers(best[..., None])
        raise ConfigError(
            "a sequence has no allowed next token; forbid less (no_repeat_ngram, min_length, "
            "processors)"
        )


def top_k(scores: Tensor, k: int) -> Tensor:
    """Keep the k largest scores of each row; of equal ones at the edge those that come first.

    Example:
        >>> top_k(torch.tensor([[1.0, 3.0, 2.0, 2.0]]), 2)
        tensor([[-inf, 3., 2., -inf]])
    """
    order = scores.argsort(dim=-1, descending=True, stable=True)
    return scores.scatter(-1, order[:, k:], -torch.inf)


def top_p(scores: Tensor, p: float) -> Tensor:
    """Keep the fewest likeliest tokens whose probability reaches p (Holtzman et al. 2020, eq. 2).

    Example:
        >>> top_p(torch.tensor([[0.5, 0.3, 0.2]]).log(), 0.6).exp()
        tensor([[0.5000, 0.3000, 0.0000]])
    """
    ordered, order = scores.sort(dim=-1, descending=True, stable=True)
    probability = ordered.double().softmax(-1)
    reached = probability.cumsum(-1) - probability >= p
    return ordered.masked_fill(reached, -torch.inf).gather(-1, order.argsort(-1))


def min_p(scores: Tensor, p: float) -> Tensor:
    """Keep tokens of at least p times the likeliest one's probability (Nguyen et al. 2024).

    Example:
        >>> min_p(torch.tensor([[0.5, 0.3, 0.2]]).log(), 0.5).exp()
        tensor([[0.5000, 0.3000, 0.0000]])
    """
    if not p:
        return scores
    least = scores.max(-1, keepdim=True).values + math.log(p)
    return scores.masked_fill(scores < least, -torch.inf)
