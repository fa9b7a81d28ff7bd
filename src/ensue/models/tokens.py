"""What families of tokens share: scores, losses and features of sequences, drawing and searching.

A sequence holds the token before its first one; what follows is predicted. Nothing else shifts.
Dims: B batch, T tokens, V vocabulary.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypedDict

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils._pytree import tree_leaves

from ensue.configuration import require_at_least, validate
from ensue.errors import ConfigError
from ensue.generation import BeamSearch, Drawing, GenerationConfig, Prompts, collect
from ensue.generation.config import OF_BEAMS, OF_DRAWS, OF_LENGTH
from ensue.models.protocols import Features, Loss, Samples, Score
from ensue.nn.pooling import Moments, add_frames, no_moments, pool
from ensue.nn.streaming import Steps

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
        scores, state = decoder.step(piece[:, :-1], state)
        terms.append(-cross_entropy(scores.transpose(1, 2), piece[:, 1:], reduction="none"))
    found = torch.cat(terms, dim=1)
    if lengths is not None:
        valid = torch.arange(1, x.shape[1], device=x.device) < lengths[:, None]
        found = found.masked_fill(~valid, 0)
    return Score(found.double().sum(-1).to(found.dtype), found, "exact")


def loss(terms: Tensor | None, lengths: Tensor | None, num_tokens: int) -> Loss:
    """Nats of all tokens after the first, summed, with bits a token and chance beside.

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


class TokenState(TypedDict):
    """What a stream carries from chunk to chunk; the batch stands first in every tensor."""

    decoder: dict[str, Any]
    moments: Moments


class Decoder(Steps, Protocol):
    """What steps from tokens to scores, and tells the features on the way."""

    num_features: int

    def features(self, x: Tensor, state: dict[str, Any]) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """Local features (B, T, E), those of all so far (B, T, H), and the state."""
        ...


def encode(decoder: Decoder, x: Tensor, lengths: Tensor | None, state: Any = None) -> Features:
    """Features of tokens (B, T), those of all up to each, and their mean and deviation."""
    state, found = decoder.init_state(len(x)) if state is None else state, []
    for piece in x.split(TOKENS_A_PIECE, dim=1):
        *features, state = decoder.features(piece, state)
        found.append(features)
    z, c = (torch.cat(parts, dim=1) for parts in zip(*found, strict=True))
    moments = add_frames(no_moments(len(c), c.shape[-1], c), c, lengths)
    return Features(z, c, pool(moments, "statistics"), lengths)


def init_state(decoder: Decoder, like: Tensor, state: dict[str, Any]) -> TokenState:
    """The state of streams whose decoder's state is ``state``, on the device of ``like``."""
    moments = no_moments(len(tree_leaves(state)[0]), decoder.num_features, like)
    return TokenState(decoder=state, moments=moments)


def step(decoder: Decoder, x: Tensor, state: TokenState) -> tuple[Features, TokenState]:
    """The features of a chunk (B, T) of tokens; ``embedding`` is of all so far."""
    z, c, after = decoder.features(x, state["decoder"])
    moments = add_frames(state["moments"], c)
    lengths = torch.full((len(x),), x.shape[1], device=x.device)
    features = Features(z, c, pool(moments, "statistics"), lengths)
    return features, TokenState(decoder=after, moments=moments)


def finish(decoder: Decoder, state: TokenState) -> tuple[Features, TokenState]:
    """No more features; the embedding of all."""
    count = state["moments"]["count"]
    none = torch.zeros(len(count), 0, dtype=torch.long, device=count.device)
    return step(decoder, none, state)


def require_no_condition(condition: Tensor | None, family: str) -> None:
    """Refuse a condition where there is no place for one."""
    if condition is not None:
        raise ConfigError(f"{family} has no place for a condition; leave it out")


def sample(
    prompts: Prompts,
    own: GenerationConfig,
    settings: dict[str, Any],
    *,
    generator: torch.Generator | None,
) -> Samples:
    """Draw one sequence for each prompt.

    Args:
        prompts: What the sequences begin with.
        own: The settings that the model was saved with.
        settings: Over these.
        generator: Of the draw.
    """
    require_at_least(1, num=len(prompts))
    return _draw(
        prompts,
        over(dataclasses.asdict(own), settings, fixed=prompts.limits is not None),
        1,
        generator,
    )


def complete(
    prompts_of: Callable[[list[Tensor], Tensor], Prompts],
    given: list[Tensor],
    own: GenerationConfig,
    settings: dict[str, Any],
    *,
    num: int,
    generator: torch.Generator | None,
) -> Samples:
    """Draw ``num`` sequences for each of the given tokens, or search as many of the likeliest.

    Args:
        prompts_of: Tokens as prompts, and which of the items each of them is of.
        given: The first tokens of each item.
        own: The settings that the model was saved with.
        settings: Over these.
        num: Sequences of an item.
        generator: Of the draw.
    """
    require_at_least(1, num=num, items=len(given))
    item = torch.arange(len(given))
    if settings.get("method", own.method) == "beam":
        return _search(prompts_of(given, item), own, settings, num)
    prompts = prompts_of(
        [tokens for tokens in given for _ in range(num)], item.repeat_interleave(num)
    )
    return _draw(
        prompts,
        over(dataclasses.asdict(own), settings, fixed=prompts.limits is not None),
        num,
        generator,
    )


def _draw(
    prompts: Prompts, config: GenerationConfig, num: int, generator: torch.Generator | None
) -> Samples:
    """One sequence for each prompt; ``num`` prompts in a row are of one item."""
    drawn = collect(Drawing(prompts, config, generator=generator))
    rows = [
        [*prompt.tolist(), *new[:n].tolist(), *[prompts.eos] * ended]
        for prompt, new, n, ended in zip(
            prompts.tokens, drawn.tokens, drawn.length.tolist(), drawn.ended.tolist(), strict=True
        )
    ]
    item = torch.arange(len(prompts)) // num
    return _samples(rows, drawn.log_prob, item, prompts)


def _search(prompts: Prompts, own: GenerationConfig, settings: dict[str, Any], num: int) -> Samples:
    """The ``num`` likeliest sequences for each prompt."""
    # What the model was saved with for drawing says nothing of searching.
    mine = {n: value for n, value in dataclasses.asdict(own).items() if n not in OF_DRAWS}
    fixed = prompts.limits is not None
    wide = {"num_best": num, "num_beams": max(num, own.num_beams)}
    found = BeamSearch(prompts, over({**mine, **wide}, settings, fixed=fixed)).run()
    if prompts.limits is not None:
        # Where lengths are given, a hypothesis that found nothing more to say is no item.
        limits = prompts.limits.tolist()
        found = [
            [h for h in best if len(h.tokens) == n] for best, n in zip(found, limits, strict=True)
        ]
    if not all(found):
        raise ConfigError(
            "a sequence has no allowed next token; forbid less (no_repeat_ngram, processors)"
        )
    rows = [
        [*prompt.tolist(), *hypothesis.tokens]
        for prompt, best in zip(prompts.tokens, found, strict=True)
        for hypothesis in best
    ]
    nats = torch.tensor([h.log_prob for best in found for h in best], dtype=torch.float64)
    item = torch.tensor([i for i, best in enumerate(found) for _ in best], dtype=torch.long)
    return _samples(rows, nats, item, prompts)


def over(own: dict[str, Any], settings: dict[str, Any], *, fixed: bool) -> GenerationConfig:
    """The model's own settings of generation, and others over these.

    Args:
        own: The settings that the model was saved with.
        settings: Over these.
        fixed: Whether the items have one length, of which settings say nothing.

    Raises:
        ConfigError: A setting is wrong, or would be ignored.
    """
    if fixed:
        # Where lengths are given, the model's own say nothing, and a user's would be ignored.
        unread = [name for name in OF_LENGTH if name in settings]
        if unread:
            raise ConfigError(f"{', '.join(unread)}: these items have one length; leave it out")
        own = {name: value for name, value in own.items() if name not in OF_LENGTH}
    config = validate(GenerationConfig, {**own, **settings}, section="generation")
    unread = [name for name in OF_BEAMS if name in settings]
    if unread and config.method != "beam":
        raise ConfigError(f"{', '.join(unread)}: for the method beam; leave it out, or search")
    return config


def _samples(
    rows: Sequence[Sequence[int | None]], nats: Tensor, item: Tensor, prompts: Prompts
) -> Samples:
    """Sequences side by side, padded after the last token of each."""
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.long)
    width = int(lengths.max()) if len(rows) else 0
    padded = [[*row, *[prompts.pad] * (width - len(row))] for row in rows]
    values = torch.tensor(padded, dtype=torch.long)
    values, lengths, nats, item = (t.to(prompts.device) for t in (values, lengths, nats, item))
    return Samples(values, lengths, nats, item=item)
