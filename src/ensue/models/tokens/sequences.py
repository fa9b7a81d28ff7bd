"""Scores, losses and lengths of sequences of tokens.

A sequence holds the token before its first one; what follows is predicted. Nothing else shifts.
Dims: B batch, T tokens, V vocabulary.
"""

from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ensue.errors import ConfigError
from ensue.models.protocols import Loss, Score
from ensue.nn.streaming import Steps


@runtime_checkable
class TellsFollowing(Steps, Protocol):
    """Of a decoder: tells the nats of tokens that follow without the scores of all others."""

    def log_prob(self, x: Tensor, following: Tensor, state: Any) -> tuple[Tensor, Any]: ...


TOKENS_A_PIECE = 1024
"""Tokens that run at a time, which bounds the memory that a long sequence takes."""


def score(decoder: Steps, x: Tensor, lengths: Tensor | None, state: Any = None) -> Score:
    """The log-probability of each sequence, token by token.

    Args:
        decoder: Tokens (B, T) to scores (B, T, V) of what follows each, with a state.
        x: (B, T) tokens, padded at the end.
        lengths: (B,) valid tokens, or None where all are.
        state: Before the first token; by default the decoder's own.

    Returns:
        ``total`` (B,) nats; ``terms`` (B, T - 1), 0 beyond the end.

    Memory: B V numbers for each of 1024 tokens at a time.

    Raises:
        ConfigError: There is no token to predict.
    """
    if x.shape[1] < 2:
        raise ConfigError(f"a sequence has {x.shape[1]} tokens; bos and one more are needed")
    state, terms = decoder.init_state(len(x)) if state is None else state, []
    for start in range(0, x.shape[1] - 1, TOKENS_A_PIECE):
        piece = x[:, start : start + TOKENS_A_PIECE + 1].long()
        some, state = log_prob(decoder, piece[:, :-1], piece[:, 1:], state)
        terms.append(some)
    found = torch.cat(terms, dim=1)
    if lengths is not None:
        valid = torch.arange(1, x.shape[1], device=x.device) < lengths[:, None]
        found = found.masked_fill(~valid, 0)
    return Score(found.double().sum(-1).to(found.dtype), found, "exact")


def log_prob(decoder: Steps, x: Tensor, following: Tensor, state: Any) -> tuple[Tensor, Any]:
    """Nats (B, T) of what follows each of the tokens (B, T), and the decoder's state after them."""
    if isinstance(decoder, TellsFollowing):
        return decoder.log_prob(x, following, state)
    scores, state = decoder.step(x, state)
    return -cross_entropy(scores.transpose(1, 2), following, reduction="none"), state


def loss(terms: Tensor | None, lengths: Tensor | None, num_tokens: int) -> Loss:
    """Nats of all tokens after the first, summed, with bits a token, and what chance would give.

    Args:
        terms: The log-probability of each of these tokens; 0 where there is none, or left out.
        lengths: (B,) valid tokens of each sequence, or None where all are.
        num_tokens: V.
    """
    assert terms is not None
    everywhere = torch.tensor(terms.numel(), device=terms.device)
    count = everywhere if lengths is None else (lengths - 1).clamp(min=0).sum()
    total = -terms.sum()
    chance = torch.tensor(float(num_tokens), device=total.device).log()
    bits = total.detach() / count / torch.tensor(2.0).log()
    return Loss(total, count, {"chance_loss": chance, "bits_per_token": bits})


def lengths_of(x: Tensor, lengths: Tensor | None) -> Tensor:
    """(B,) valid tokens of each sequence (B, T): all, where nobody says."""
    if lengths is None:
        return torch.full((len(x),), x.shape[1], device=x.device)
    return lengths


def lengths_before(x: Tensor, pad: int) -> Tensor:
    """(B,) tokens of each sequence (B, T) before its padding; the first token is always one.

    Example:
        >>> lengths_before(torch.tensor([[0, 3, 0, 4], [0, 3, 0, 0], [0, 0, 0, 0]]), pad=0)
        tensor([4, 2, 1])
    """
    place = torch.arange(1, x.shape[1] + 1, device=x.device)
    return (place * (x != pad)).amax(1).clamp(min=1)


def marked(x: Tensor, lengths: Tensor) -> Tensor:
    """Tokens (B, T), and -1 where there are none."""
    return x.masked_fill(torch.arange(x.shape[1], device=x.device) >= lengths[:, None], -1)


def first_tokens(x: Tensor, known: Tensor) -> list[Tensor]:
    """The tokens that are known of each row (B, T), which must be its first ones.

    Raises:
        ConfigError: A token is known after one that isn't.
    """
    lengths = known.sum(-1)
    first = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
    if not torch.equal(first, known):
        raise ConfigError(
            "this family goes on from the first tokens only: known must be true up to some token "
            "of each text and false after it"
        )
    return [row[:n].cpu() for row, n in zip(x, lengths.tolist(), strict=True)]


def require_no_condition(condition: Tensor | None, family: str) -> None:
    """Refuse a condition where there is no place for one."""
    if condition is not None:
        raise ConfigError(f"{family} has no place for a condition; leave it out")
