"""Going on: completions of encoded items that have begun, and forecasts of encoded series."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from ensue.configuration import require_at_least
from ensue.data.codecs import decoded
from ensue.data.codecs.protocols import BeginsItems, Codec, DecodesSeries
from ensue.data.config import for_other_data
from ensue.errors import ConfigError, DataError
from ensue.evaluation.forecast import draws_ahead, stretch, stretched
from ensue.models.protocols import Completes
from ensue.models.traits import Model
from ensue.runs.classes import class_condition
from ensue.runs.draws import new_generator, require_place_for, with_usual_length

P = TypeVar("P")


class Run(Protocol):
    """A trained run: what is read here of :class:`ensue.runs.loaded.Loaded`."""

    @property
    def model(self) -> Model: ...
    @property
    def codec(self) -> Codec: ...
    @property
    def config(self) -> dict[str, Any]: ...
    @property
    def device(self) -> torch.device: ...
    def model_as(self, protocol: type[P], contract: str) -> P: ...


def completions(
    run: Run,
    encoded: Sequence[Tensor],
    *,
    num: int = 1,
    condition: str | None = None,
    temperature: float = 1.0,
    seed: int = 0,
    known: float | None = None,
    **settings: Any,
) -> list[list[Any]]:
    """Complete the beginnings of items that the codec has encoded, as :meth:`Loaded.complete`."""
    model, codec = run.model_as(Completes, "completes"), run.codec
    require_place_for(settings, run.model)
    if not len(encoded):
        return []
    if not isinstance(codec, BeginsItems):
        raise ConfigError(f"items of kind {codec.kind} have no beginnings to complete")
    condition_of = class_condition(run.model, condition, len(encoded))
    x, mask = codec.begun(encoded, known)
    generator = new_generator(seed)
    with torch.inference_mode():
        drawn = model.complete(
            x.to(run.device),
            mask.to(run.device),
            num=num,
            temperature=temperature,
            generator=generator,
            **condition_of,
            **with_usual_length(settings, codec),
        )
    assert drawn.item is not None
    found: list[list[Any]] = [[] for _ in encoded]
    items = decoded(codec, drawn.values, drawn.lengths)
    for i, item in zip(drawn.item.tolist(), items, strict=True):
        found[i].append(item)
    return found


def series_codec(codec: Codec) -> DecodesSeries:
    """The codec, if it is of series.

    Raises:
        ConfigError: It isn't.
    """
    if not isinstance(codec, DecodesSeries):
        raise ConfigError(f"forecast is for series, and this run is of {codec.kind}; use complete")
    return codec


def forecasts(
    run: Run,
    encoded: Sequence[Tensor],
    num_steps: int,
    *,
    num: int = 100,
    temperature: float = 1.0,
    seed: int = 0,
    calibrate: int = 0,
) -> list[np.ndarray]:
    """Draw how series that the codec has encoded go on, as :meth:`Loaded.forecast`.

    A model sees as much of the past as a window of its training held.
    """
    model, codec = run.model_as(Completes, "completes"), series_codec(run.codec)
    require_at_least(1, num_steps=num_steps, num=num)
    require_at_least(0, calibrate=calibrate)
    if calibrate and num == 1:
        raise ConfigError("num is 1, and calibrate needs quantiles; draw more, such as 100")
    window = codec.window(for_other_data(run.config["data"]))
    generator = new_generator(seed)

    def drawn(pasts: Sequence[Tensor]) -> list[np.ndarray]:
        return draws_ahead(
            model,
            codec,
            [x[-(window or len(x)) :] for x in pasts],
            num_steps=num_steps,
            num=num,
            generator=generator,
            temperature=temperature,
            device=run.device,
        )

    # A series that is too short is told before any is drawn.
    earlier = [_earlier(x, num_steps, calibrate) for x in encoded] if calibrate else []
    ahead = drawn(encoded)
    if not calibrate:
        return ahead
    return [
        stretched(draws, _factors(drawn([x[:n] for n in ends]), codec.decode(x), ends))
        for draws, x, ends in zip(ahead, encoded, earlier, strict=True)
    ]


def _earlier(x: Tensor, num_steps: int, most: int) -> list[int]:
    """Lengths of the pasts of earlier forecasts: the last one's steps end where x does.

    Raises:
        DataError: There is no room for one.
    """
    ends = [len(x) - num_steps * i for i in range(1, most + 1)]
    ends = [end for end in ends if end > 0]
    if not ends:
        raise DataError(
            f"calibrate needs a forecast of {num_steps} steps before the end, and a series has "
            f"{len(x)}; give longer series or fewer steps, or leave calibrate out"
        )
    return ends


def _factors(draws: Sequence[np.ndarray], values: np.ndarray, ends: Sequence[int]) -> np.ndarray:
    """(C,) factors that the draws of each channel are stretched by, from earlier forecasts."""
    N, C = draws[0].shape[1:]
    return np.array(
        [
            stretch([x[:, :, c] for x in draws], [values[end : end + N, c] for end in ends])
            for c in range(C)
        ]
    )
