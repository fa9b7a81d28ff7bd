"""``sample``: draw new items."""

from pathlib import Path
from typing import Unpack

from ensue.configuration import require_at_least
from ensue.data.kinds import KINDS
from ensue.errors import ConfigError
from ensue.models.registry import require_contract
from ensue.runs.drawing import Drawing, place_of, settings_of, write_drawn
from ensue.runs.loaded import load
from ensue.runs.results import Written
from ensue.runs.writers import Output


def sample(
    run: str | Path,
    *,
    num: int = 100,
    out: str | Path | None = None,
    condition: str | None = None,
    **drawing: Unpack[Drawing],
) -> Written:
    """Draw new items from a trained model.

    Parameters
    ----------
    run
        A run folder.
    num
        Number of items.
    out
        File to write: .csv, .parquet or .npz; for images .npz, or .png for a sheet; for sounds a
        folder of .wav files. By default samples/samples.csv (or .png, or a folder) in the run.
    condition
        Class of the items, for a run that was trained with classes; by default any.
    drawing
        Options of the draw.
    """
    settings = settings_of(drawing)
    loaded = load(run).on_best_device()
    require_contract(loaded.family, "samples")
    if KINDS[loaded.codec.kind].has_sources:
        raise ConfigError(
            "questions are written from what they ask about; use `ensue ask`, with a manifest or a "
            "picture"
        )
    path = place_of(out, loaded, "samples")
    require_at_least(1, num=num)
    drawn = loaded.sample(num, condition=condition, **settings)
    write_drawn(loaded, Output(items=drawn, codec=loaded.codec, columns={}), path)
    return Written(what="samples", num_rows=num, num_items=num, files=(path,))
