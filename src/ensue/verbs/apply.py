"""``score``, and how a trained run reads data."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ensue.data.kinds import KINDS
from ensue.data.sources.data import Data
from ensue.errors import ConfigError
from ensue.runs.loaded import Loaded, load
from ensue.runs.prepare import cache_of, encode, require_kind, sources_in
from ensue.runs.progress import listener
from ensue.runs.tables import check_out, write_table
from ensue.training.progress import Progress, Silence

if TYPE_CHECKING:
    import numpy as np
    import torch

    from ensue.data.codecs.protocols import Codec, HasColumns
    from ensue.data.items import Items
    from ensue.data.kinds.question.questions import Sources
    from ensue.data.store import Store
    from ensue.data.windows import Conditions
    from ensue.models.traits import DensityModel


OWN_COLUMNS = {"item", "embedding", "time", "features", "nats", "score_kind"}
OWN_COLUMNS |= {"best_answer", "place_of_own"}
BITS_PER = "bits_per_"
"""The beginning of the names of columns of bits per unit, whatever the unit."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """The result of a verb: ``num_rows`` rows in ``files``, about ``num_items`` items.

    ``skipped`` are those that couldn't be used, each with the reason; ``notes`` are worth a line
    each; ``next`` is the next command, where it isn't to open the file.
    """

    what: str
    num_rows: int
    num_items: int
    files: tuple[Path, ...]
    skipped: Sequence[tuple[str, str]] = ()
    notes: tuple[str, ...] = ()
    next: str | None = None


def score(
    run: str | Path,
    data: Data,
    *,
    out: str | Path,
    given_class: bool = False,
    by_column: bool = False,
    by_answer: bool = False,
    regions: str | None = None,
    max_skipped: float = 0.05,
    cache: str | Path | None = None,
    quiet: bool = False,
) -> Written:
    """Write a score per item in nats, and say what kind of number it is.

    Texts have bits per byte beside it, their end counted as one byte; images have bits per
    dimension, a channel of a pixel being one; sounds as levels have bits per sample, their end
    counted as one.

    Information about the frames ahead is counted among the frames of the item; an item of more
    than 30 seconds (480,000 samples) is scored in pieces of 10 to 20, and has the mean of them.

    Parameters
    ----------
    run
        A run folder.
    data
        A folder of recordings, a manifest, a table, a file, or builtin:NAME.
    out
        File to write: .parquet, .csv or .npz.
    given_class
        Of a run that was trained with classes: the score of each item given its own class, which
        stands in the same column of the data; by default no class is known.
    by_column
        Of rows of a table: say too what the value of each column costs, beside its training values.
    by_answer
        Of questions: say too which of the run's answers makes each the likeliest.
    regions
        Of questions: the file that the rows of DATA point into; by default the run's own.
    max_skipped
        Part of the items that may be unreadable.
    cache
        Folder for prepared data; by default "cache" beside the run.
    quiet
        Show no progress.
    """
    from ensue.data.codecs.protocols import HasColumns, HasUnit
    from ensue.models.registry import require_contract
    from ensue.models.traits import DensityModel

    path = check_out(out, data=data)
    loaded = load(run).on_best_device()
    require_contract(loaded.family, "scores")
    if by_column and not isinstance(loaded.codec, HasColumns):
        raise ConfigError("by_column is for tables, and this run's items aren't rows; leave it out")
    require_questions(loaded, by_answer=by_answer or None, regions=regions)
    progress = listener(quiet)
    items, store = open_data(
        loaded, data, cache, max_skipped=max_skipped, regions=regions, progress=progress
    )
    classes = loaded.classes_in(store.labels) if given_class else None
    written_from = sources(loaded, items, store, cache, regions)
    totals, kind = scores_of(loaded, items, store, written_from or classes)
    columns = {
        **labelled(store, range(len(store))),
        "nats": totals,
        "score_kind": [kind] * len(store),
    }
    if by_column and isinstance(loaded.codec, HasColumns):
        model = loaded.model_as(DensityModel, "scores")
        columns |= _by_column(loaded.codec, model, store, classes)
    if by_answer and written_from is not None:
        columns |= _by_answer(loaded, store, written_from)
    if isinstance(loaded.codec, HasUnit):
        raws = _raws(items, store)
        columns[loaded.codec.unit] = loaded.codec.bits_per_unit(totals, raws, store.lengths)
    write_table(columns, path)
    return _written(f"scores ({kind})", columns, store, path)


def scores_of(
    loaded: Loaded, items: Items, store: Store, condition: Conditions | None = None
) -> tuple[np.ndarray, str]:
    """The score of each item of a store in nats, in the units of the data, and its kind."""
    import numpy as np

    from ensue.evaluation.represent import score_items
    from ensue.models.traits import ScoringModel

    model = loaded.model_as(ScoringModel, "scores")
    totals, kind = score_items(model, store, condition=condition)
    if kind in ("exact", "lower_bound"):
        units = [loaded.codec.log_det(raw) for raw in _raws(items, store)]
        totals = totals + np.array(units)
    return totals, kind


def _raws(items: Items, store: Store) -> list[Any]:
    """The raw items of a store, in its order."""
    where = {name: i for i, name in enumerate(items.ids)}
    return [items.raw[where[name]] for name in store.ids]


def open_data(
    loaded: Loaded,
    data: Data,
    cache: str | Path | None,
    *,
    max_skipped: float,
    group: str | None = None,
    intervals: Sequence[str] = (),
    regions: str | None = None,
    progress: Progress | None = None,
) -> tuple[Items, Store]:
    """Data read as the run's own were: the same settings and codec."""
    folder = cache_of(cache, loaded.path)
    items = read_items(
        loaded,
        data,
        cache=folder,
        group=group,
        intervals=intervals,
        regions=regions,
        max_skipped=max_skipped,
    )
    store = encode(
        items,
        loaded.codec,
        loaded.model,
        folder,
        max_skipped=max_skipped,
        progress=progress or Silence(),
    )
    _warn_of_unknown_tokens(loaded.codec, store)
    return items, store


def _warn_of_unknown_tokens(codec: Codec, store: Store) -> None:
    """Warn of tokens that the model never saw, of kinds whose items rarely have any."""
    import numpy as np

    from ensue.data.codecs.protocols import HasUnknownToken

    if not KINDS[codec.kind].has_closed_vocabulary or not isinstance(codec, HasUnknownToken):
        return
    unk = codec.unk
    if unk is None:
        return
    has = np.add.reduceat(np.equal(store.values, unk), store.offsets[:-1]) > 0
    if has.any():
        warnings.warn(
            f"{has.sum()} of {len(store)} items have tokens that the model never saw, such as "
            f"{store.ids[int(has.argmax())]!r}; it takes them all for one and the same"
        )


def read_items(
    loaded: Loaded,
    data: Data,
    *,
    max_skipped: float,
    cache: Path | None = None,
    group: str | None = None,
    intervals: Sequence[str] = (),
    regions: str | None = None,
) -> Items:
    """Raw items, read as the run's own were."""
    from ensue.data.codecs import require_items_of
    from ensue.data.config import for_other_data
    from ensue.data.raws import wanted_by
    from ensue.data.sources import open_items

    changes = {"group": group, "intervals": intervals, "max_skipped": max_skipped}
    config = for_other_data(loaded.config["data"], regions=regions, **changes)
    place = cache or cache_of(None, loaded.path)
    items = open_items(data, config, cache=place, wanted=wanted_by(loaded.codec))
    require_kind(loaded.family, items.kind)
    require_items_of(loaded.codec, items)
    return items


def sources(
    loaded: Loaded, items: Items, store: Store, cache: str | Path | None, regions: str | None
) -> Sources | None:
    """The sources of the items of a store; None where the items have none."""
    own = regions or loaded.config["data"].get("regions")
    return sources_in(items, store, loaded.codec, cache_of(cache, loaded.path), own)


def require_questions(loaded: Loaded, **given: Any) -> None:
    """Refuse what is for questions where the items are none.

    Raises:
        ConfigError: It is given.
    """
    names = [name for name, value in given.items() if value is not None]
    if names and not KINDS[loaded.codec.kind].has_sources:
        raise ConfigError(
            f"{', '.join(names)}: for questions, and this run's items are {loaded.codec.kind}; "
            "leave it out"
        )


def labelled(store: Store, rows: Iterable[int]) -> dict[str, list[str]]:
    """Ids and labels; a label named as one of our own columns is written as ``label.NAME``."""
    rows = list(rows)
    named = {f"label.{n}" if _is_ours(n) else n: v for n, v in store.labels.items()}
    return {name: [v[row] for row in rows] for name, v in {"item": store.ids, **named}.items()}


def _is_ours(name: str) -> bool:
    return name in OWN_COLUMNS or name.startswith(BITS_PER)


def _written(what: str, columns: dict[str, Any], store: Store, path: Path) -> Written:
    return Written(
        what=what,
        num_rows=len(columns["item"]),
        num_items=len(store),
        skipped=store.skipped,
        files=(path,),
    )


def left_out(skipped: Sequence[tuple[str, str]]) -> list[str]:
    """A sentence about what couldn't be used, if something couldn't."""
    if not skipped:
        return []
    name, reason = skipped[0]
    are = "item is" if len(skipped) == 1 else "items are"
    return [f"{len(skipped):,} {are} left out, such as {name!r}: {reason}"]


def _by_column(
    codec: HasColumns, model: DensityModel, store: Store, condition: torch.Tensor | None
) -> dict[str, np.ndarray]:
    """The cost of the value of each column, in columns ``surprise.NAME``."""
    from ensue.evaluation.column_surprise import column_surprise

    found = column_surprise(model, store, codec.encoded_examples(), condition=condition)
    return {f"surprise.{name}": found[:, j] for j, name in enumerate(codec.columns)}


def _by_answer(loaded: Loaded, store: Store, found: Sources) -> dict[str, Any]:
    """The answer that makes each question the likeliest, and in which place its own comes."""
    import numpy as np

    from ensue.evaluation.answers import nats_by_answer, place_of_own
    from ensue.models.traits import ScoringModel

    nats = nats_by_answer(loaded.model_as(ScoringModel, "scores"), store, found)
    encoded = [found.codec.encode_answer(raw) for raw in found.raw]
    own = np.array([int(answer[0]) for answer in encoded if answer is not None])
    return {
        "best_answer": [found.codec.answers[i] for i in nats.argmax(1).tolist()],
        "place_of_own": place_of_own(nats, own),
    }
