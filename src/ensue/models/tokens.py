"""What families that write token by token share: drawing and searching, given as samples."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ensue.configuration import validate
from ensue.errors import ConfigError
from ensue.generation import BeamSearch, Drawing, GenerationConfig, Prompts, collect
from ensue.generation.config import OF_DRAWS
from ensue.models.protocols import Samples


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


def draw(
    prompts: Prompts,
    own: GenerationConfig,
    settings: dict[str, Any],
    *,
    num: int = 1,
    generator: torch.Generator | None = None,
) -> Samples:
    """Draw one sequence for each prompt; ``num`` prompts in a row are of one item.

    Args:
        prompts: What the sequences begin with.
        own: The settings that the model was saved with.
        settings: Over these.
        num: Sequences of an item.
        generator: Of the draw.
    """
    config = _over(dataclasses.asdict(own), settings)
    drawn = collect(Drawing(prompts, config, generator=generator))
    rows = [
        [*prompt.tolist(), *new[:n].tolist(), *[prompts.eos] * ended]
        for prompt, new, n, ended in zip(
            prompts.tokens, drawn.tokens, drawn.length.tolist(), drawn.ended.tolist(), strict=True
        )
    ]
    item = torch.arange(len(prompts)) // num
    return _samples(rows, drawn.log_prob, item, prompts)


def search(
    prompts: Prompts, own: GenerationConfig, settings: dict[str, Any], *, num: int
) -> Samples:
    """The ``num`` likeliest sequences for each prompt; arguments as those of :func:`draw`."""
    # What the model was saved with for drawing says nothing of searching.
    mine = {n: value for n, value in dataclasses.asdict(own).items() if n not in OF_DRAWS}
    wide = {"num_best": num, "num_beams": max(num, own.num_beams)}
    found = BeamSearch(prompts, _over({**mine, **wide}, settings)).run()
    rows = [
        [*prompt.tolist(), *hypothesis.tokens]
        for prompt, best in zip(prompts.tokens, found, strict=True)
        for hypothesis in best
    ]
    nats = torch.tensor([h.log_prob for best in found for h in best], dtype=torch.float64)
    item = torch.tensor([i for i, best in enumerate(found) for _ in best], dtype=torch.long)
    return _samples(rows, nats, item, prompts)


def _over(own: dict[str, Any], settings: dict[str, Any]) -> GenerationConfig:
    return validate(GenerationConfig, {**own, **settings}, section="generation")


def _samples(
    rows: Sequence[Sequence[int | None]], nats: Tensor, item: Tensor, prompts: Prompts
) -> Samples:
    """Sequences side by side, the end token, or 0 where there is none, after the last of each."""
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.long)
    width = int(lengths.max()) if len(rows) else 0
    pad = 0 if prompts.eos is None else prompts.eos
    values = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows], dtype=torch.long)
    values, lengths, nats, item = (t.to(prompts.device) for t in (values, lengths, nats, item))
    return Samples(values, lengths, nats, item=item)
