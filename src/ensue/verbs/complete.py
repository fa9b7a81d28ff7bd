"""``complete``: complete items from their beginnings."""

from pathlib import Path
from typing import Any, Unpack

from torch import Tensor

from ensue.configuration import require_at_least
from ensue.data.codecs.protocols import Codec
from ensue.data.items import require_few_skipped
from ensue.data.kinds import KINDS
from ensue.data.sources.data import Data
from ensue.errors import ConfigError, DataError
from ensue.models.registry import require_contract
from ensue.runs.ahead import completions
from ensue.runs.drawing import Drawing, place_of, settings_of, write_drawn
from ensue.runs.loaded import Loaded, load
from ensue.runs.reading import MAX_SKIPPED, read_items
from ensue.runs.results import Written
from ensue.runs.writers import Output


def complete(
    run: str | Path,
    data: Data | None = None,
    *,
    prompt: str | None = None,
    known: float | None = None,
    num: int = 1,
    out: str | Path | None = None,
    condition: str | None = None,
    max_skipped: float = MAX_SKIPPED,
    **drawing: Unpack[Drawing],
) -> Written:
    """Complete items from their beginnings.

    Parameters
    ----------
    run
        A run folder.
    data
        Beginnings to complete: a folder, a table or a file. Of an image the upper part is used, of
        a recording or a series the beginning.
    prompt
        One text to complete, instead of data.
    known
        Share of an image (from the top), a recording or a series that is given; by default half.
    num
        Completions of each item; with the method beam, the likeliest ones.
    out
        File to write, as for ``sample``; by default samples/completions.csv (or .png, or a folder)
        in the run.
    condition
        Class of all items, for a run that was trained with classes; by default unknown.
    max_skipped
        Share of the items that may be unreadable.
    drawing
        Options of the draw.
    """
    settings = settings_of(drawing)
    require_at_least(1, num=num)
    if (data is None) == (prompt is None):
        raise ConfigError("give DATA with beginnings of items, or one text as --prompt")
    loaded = load(run).on_best_device()
    require_contract(loaded.family, "completes")
    path = place_of(out, loaded, "completions", data)
    raws = _raws(loaded, data, prompt, max_skipped)
    encoded, skipped = _encoded(loaded.codec, raws)
    require_few_skipped(skipped, len(raws), max_skipped)
    if not encoded:
        raise DataError(f"no item can be used; the first, {skipped[0][0]!r}: {skipped[0][1]}")
    completed = completions(
        loaded, list(encoded.values()), num=num, condition=condition, known=known, **settings
    )
    named = dict(zip(encoded, completed, strict=True))
    write_drawn(loaded, _output(named, loaded.codec, num, is_sheet=path.suffix == ".png"), path)
    return Written(
        what="completions",
        num_rows=sum(map(len, completed)),
        num_items=len(encoded),
        skipped=skipped,
        files=(path,),
    )


def _raws(
    loaded: Loaded, data: Data | None, prompt: str | None, max_skipped: float
) -> dict[str, Any]:
    """Return the beginnings by name: those of the data, or the prompt."""
    if data is not None:
        items = read_items(loaded, data, max_skipped=max_skipped)
        return dict(zip(items.ids, items.raw, strict=True))
    if not KINDS[loaded.codec.kind].takes_prompt:
        raise ConfigError("prompt is a text, and this run's items aren't; give DATA")
    return {"prompt": prompt}


def _encoded(codec: Codec, raws: dict[str, Any]) -> tuple[dict[str, Tensor], list[tuple[str, str]]]:
    """Encode the beginnings; return those that can be completed, and why others can't."""
    encoded, skipped = {}, []
    for name, raw in raws.items():
        try:
            encoded[name] = codec.encode(raw)
        except DataError as error:
            skipped.append((name, str(error)))
    return encoded, skipped


def _output(named: dict[str, list[Any]], codec: Codec, num: int, *, is_sheet: bool) -> Output:
    """Return all completions, next to the names of their items.

    On a sheet each item has a row. The rest of a row is black where a search found fewer
    completions than for other items.
    """
    if is_sheet:
        num = max(map(len, named.values()))
        named = {n: [*each, *[each[0] * 0] * (num - len(each))] for n, each in named.items()}
    return Output(
        items=[item for each in named.values() for item in each],
        codec=codec,
        columns={"item": [name for name, each in named.items() for _ in each]},
        across=num,
    )
