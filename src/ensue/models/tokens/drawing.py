"""Sequences drawn by prompts, or searched: the model's own settings, and the user's over these."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ensue.configuration import require_at_least, validate
from ensue.errors import ConfigError
from ensue.generation import BeamSearch, Drawing, GenerationConfig, Prompts, collect
from ensue.generation.config import OF_BEAMS, OF_DRAWS, OF_LENGTH
from ensue.models.protocols import Samples


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
