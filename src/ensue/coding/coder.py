r"""Range coding by a model: a token of probability p takes -log2 p bits, and nothing is lost.

Encoding and decoding run the same steps on the same batches, so that both see the same
probabilities; these become whole numbers first,

.. math:: q_v = \lfloor 2^{22} \, p_v \rfloor + 1

which rounding in the last places can change only at a border, and none of which is 0. A range
coder (constriction's) then spends :math:`\log_2 (\sum_u q_u / q_v)` bits on the token v.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ensue.errors import DataError, MissingExtraError
from ensue.generation import Prompts
from ensue.generation.processors import require_numbers
from ensue.nn.streaming import select

PARTS = 2**22
"""Whole numbers that a probability of 1 has; constriction's own numbers have 24 bits."""

Choose = Callable[[Tensor, Tensor, np.ndarray], Tensor]
"""Takes sequences (B,), the number of their tokens, and q (B, V); returns the next tokens (B,)."""


def encode(
    prompts: Prompts,
    sequences: Sequence[Tensor],
    *,
    longest: int,
    batch_size: int,
    on_step: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Encode sequences as the words of a range coder: (W,) uint32.

    Args:
        prompts: The beginning of each sequence.
        sequences: The tokens of each, the prompt's included.
        longest: Tokens of the longest sequence.
        batch_size: Sequences coded together; :func:`decode` needs the same ``longest`` and
            ``batch_size``.
        on_step: Called with the number of tokens that a step has coded.

    Raises:
        DataError: A sequence holds a token that the model can't have there.
    """
    coder, family = _coder("RangeEncoder"), _categorical()

    def choose(row: Tensor, at: Tensor, q: np.ndarray) -> Tensor:
        both = zip(row.tolist(), at.tolist(), strict=True)
        token = torch.tensor([int(sequences[i][n]) for i, n in both])
        if int(token.max()) >= q.shape[1]:
            raise DataError(f"the token {int(token.max())} can't follow; there are {q.shape[1]}")
        coder.encode(token.numpy().astype(np.int32), family, q)
        return token

    for _ in _run(prompts, longest, batch_size, choose, on_step):
        pass
    return coder.get_compressed()


def decode(
    prompts: Prompts,
    words: np.ndarray,
    *,
    longest: int,
    batch_size: int,
    on_step: Callable[[int], None] | None = None,
) -> list[Tensor]:
    """Decode the sequences from the words of :func:`encode`.

    Args:
        prompts: The beginning of each sequence, as for :func:`encode`.
        words: (W,) uint32.
        longest: As for :func:`encode`.
        batch_size: As for :func:`encode`.
        on_step: Called with the number of tokens that a step has decoded.

    Raises:
        DataError: The words are impossible under the model.
    """
    coder, family = _coder("RangeDecoder", words), _categorical()

    def choose(row: Tensor, at: Tensor, q: np.ndarray) -> Tensor:
        try:
            return torch.from_numpy(coder.decode(family, q)).long()
        except AssertionError as error:
            raise DataError("the words don't fit what the model expects") from error

    found = [[prompt] for prompt in prompts.tokens]
    for row, token in _run(prompts, longest, batch_size, choose, on_step):
        for i, one in zip(row.tolist(), token.split(1), strict=True):
            found[i].append(one)
    return [torch.cat(parts) for parts in found]


def _run(
    prompts: Prompts,
    longest: int,
    batch_size: int,
    choose: Choose,
    on_step: Callable[[int], None] | None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield for every step of every batch its sequences, and their next tokens."""
    length = prompts.length.cpu()
    most = longest - length if prompts.limits is None else prompts.limits.cpu()
    for rows in torch.arange(len(prompts)).split(batch_size):
        with torch.inference_mode():
            tokens, state = prompts.begin(rows, int(length[rows].max()))
            token = tokens.cpu()[torch.arange(len(rows)), length[rows] - 1]
            at, left = length[rows], most[rows]
            while len(rows):
                scores, state = prompts.scores(
                    token[:, None].to(prompts.device), torch.ones_like(rows), state
                )
                require_numbers(scores)
                token = choose(rows, at, _whole(scores))
                yield rows, token
                if on_step is not None:
                    on_step(len(rows))
                at, left = at + 1, left - 1
                going = (left > 0) & ~prompts.ends(token)
                if not bool(going.all()):
                    keep = going.nonzero()[:, 0]
                    state = select(state, keep.to(prompts.device))
                    rows, token, at, left = rows[keep], token[keep], at[keep], left[keep]


def _whole(scores: Tensor) -> np.ndarray:
    """Turn scores (B, V) into whole numbers, which float64 holds exactly."""
    p = scores.double().softmax(-1).cpu()
    return (p * PARTS).floor_().add_(1).numpy()


@contextmanager
def equal_threads(num_threads: int) -> Iterator[None]:
    """Set the number of threads: sums are equal only if the same number of threads take them."""
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _coder(name: str, *words: Any) -> Any:
    return getattr(_constriction().stream.queue, name)(*words)


def _categorical() -> Any:
    return _constriction().stream.model.Categorical(perfect=False)


def _constriction() -> Any:
    try:
        import constriction
    except ImportError as error:
        raise MissingExtraError(
            "compression needs the range coder of constriction; install it with "
            "pip install 'ensue[coding]'"
        ) from error
    return constriction
