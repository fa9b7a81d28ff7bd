"""Reading: data for a trained run, with the settings and codec of its training data."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypedDict, Unpack

import numpy as np
from cyclopts import Parameter

from ensue.configuration import validate
from ensue.data.codecs import require_items_of
from ensue.data.codecs.protocols import Codec, CutsItems, HasSources, HasUnknownToken
from ensue.data.config import DataConfig, for_other_data
from ensue.data.items import Items
from ensue.data.kinds import KINDS
from ensue.data.kinds.question.questions import Sources
from ensue.data.raws import wanted_by
from ensue.data.sources import open_items
from ensue.data.sources.data import Data
from ensue.data.splits import train_validation, with_held_out_part
from ensue.data.store import Store, open_store
from ensue.errors import ConfigError, unknown
from ensue.models.registry import FAMILIES, family_row
from ensue.models.traits import HasShortestItem, Model
from ensue.runs.loaded import Loaded
from ensue.runs.progress import listener
from ensue.runs.regions import Looked, look
from ensue.training.progress import Progress

MAX_SKIPPED = 0.05


class Reading(TypedDict, total=False):
    """Options of all commands that apply a run to data."""

    max_skipped: Annotated[
        float, Parameter(help="Share of the items that may be unreadable, by default 0.05.")
    ]
    cache: Annotated[
        str | Path | None,
        Parameter(help='Folder for prepared data; by default "cache" next to the run.'),
    ]
    quiet: Annotated[bool, Parameter(help="Show no progress.")]


class LabeledReading(Reading, total=False):
    """Options of commands that also use labels."""

    group: Annotated[
        str | None,
        Parameter(
            help='Label column of groups that a split keeps whole; by default "group" or "speaker".'
        ),
    ]
    intervals: Annotated[
        Sequence[str],
        Parameter(
            help="Frame labels as NAME=FILE: tables with the columns item, start, end, label."
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Data that a run is applied to.

    Attributes:
        items: The items as they were read.
        store: The items as the codec encoded them, without the unusable ones.
        sources: The sources that items are written from, or None for kinds without sources.
        progress: Notified of long work.
    """

    items: Items
    store: Store
    sources: Sources | None
    progress: Progress

    @property
    def raws(self) -> list[Any]:
        """Return the raw items of the store, in its order."""
        where = {name: i for i, name in enumerate(self.items.ids)}
        return [self.items.raw[where[name]] for name in self.store.ids]


def open_data(
    loaded: Loaded, data: Data, *, regions: str | None = None, **options: Unpack[LabeledReading]
) -> Opened:
    """Open data with the settings and codec of the run's own data.

    Raises:
        EnsueError: They can't be read, or are of another kind than the run's.
    """
    require_options(LabeledReading, options)
    progress = listener(options.get("quiet", False))
    max_skipped = options.get("max_skipped", MAX_SKIPPED)
    cache = cache_of(options.get("cache"), loaded.path)
    items = read_items(
        loaded,
        data,
        cache=cache,
        group=options.get("group"),
        intervals=options.get("intervals", ()),
        regions=regions,
        max_skipped=max_skipped,
    )
    codec = loaded.codec
    regions = regions or loaded.config["data"].get("regions")
    looked = look_for(loaded, items, cache, progress, regions)
    items = looked.marked(items) if looked else items
    store = encode(items, codec, loaded.model, cache, max_skipped=max_skipped, progress=progress)
    _warn_of_unknown_tokens(codec, store)
    sources = sources_in(items, store.ids, codec, cache, looked or regions)
    return Opened(items=items, store=store, sources=sources, progress=progress)


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
    """Read raw items with the settings of the run's own data."""
    changes = {"group": group, "intervals": intervals, "max_skipped": max_skipped}
    config = for_other_data(loaded.config["data"], regions=regions, **changes)
    place = cache or cache_of(None, loaded.path)
    items = open_items(data, config, cache=place, wanted=wanted_by(loaded.codec))
    require_kind(loaded.family, items.kind)
    require_items_of(loaded.codec, items)
    return loaded.codec.cut(items) if isinstance(loaded.codec, CutsItems) else items


def trained_on(loaded: Loaded) -> tuple[Items, list[int]]:
    """Return the items of the run's own data, and the positions of those that weren't held out.

    Raises:
        EnsueError: They can't be read, or have changed.
    """
    config = loaded.config
    group = config["data"].get("group")
    items = read_items(loaded, config["source"], max_skipped=1.0, group=group)
    data = validate(DataConfig, config["data"], section="data")
    items = with_held_out_part(
        items, data.validation, data.window_tokens, trained_on=config["fingerprint"]
    )
    if items.fingerprint != config["fingerprint"]:
        raise ConfigError(f"{config['source']!r} has changed since")
    chosen, _ = train_validation(items, data.validation)
    return items, chosen.tolist()


def require_options(cls: type, options: object) -> None:
    """Refuse names that are no options of a command, as in a call from Python.

    Raises:
        ConfigError: There is such a name.
    """
    assert isinstance(options, dict)
    names = list(cls.__annotations__)
    strangers = [name for name in options if name not in names]
    if strangers:
        raise ConfigError(unknown("option", strangers[0], names))


def require_questions(loaded: Loaded, **given: Any) -> None:
    """Refuse options for questions where the items aren't questions.

    Raises:
        ConfigError: Such an option is given.
    """
    names = [name for name, value in given.items() if value is not None]
    if names and not KINDS[loaded.codec.kind].has_sources:
        raise ConfigError(
            f"{', '.join(names)}: for questions, and this run's items are {loaded.codec.kind}; "
            "leave it out"
        )


def _warn_of_unknown_tokens(codec: Codec, store: Store) -> None:
    """Warn of tokens that the model never saw, of kinds whose items rarely have any."""
    if not KINDS[codec.kind].has_closed_vocabulary or not isinstance(codec, HasUnknownToken):
        return
    unk = codec.unk
    if unk is None:
        return
    has = np.add.reduceat(np.equal(store.values, unk), store.offsets[:-1]) > 0
    if has.any():
        warnings.warn(
            f"{has.sum()} of {len(store)} items have tokens that the model never saw, such as "
            f"{store.ids[int(has.argmax())]!r}; it treats all of them as one unknown token"
        )


def require_kind(family: str, kind: str) -> None:
    """Refuse data of a kind that the family doesn't model, and name the families that do."""
    if kind not in family_row(family).kinds:
        hint = f"; {KINDS[kind].hint}" if KINDS[kind].hint else ""
        able = ", ".join(n for n, row in FAMILIES.items() if kind in row.kinds)
        raise ConfigError(
            f"the family {family!r} models {', '.join(family_row(family).kinds)}, and the data are "
            f"{kind}; families for {kind}: {able}{hint}"
        )


def cache_of(cache: str | Path | None, run: Path) -> Path:
    """Return the folder for prepared data: the one given, or ``cache`` next to the run."""
    return Path(cache) if cache is not None else run.absolute().parent / "cache"


def look_for(
    loaded: Loaded, items: Items, cache: Path, progress: Progress, regions: str | None
) -> Looked | None:
    """Return the regions of questions for a trained run, where another run makes them.

    Raises:
        ConfigError: That run has moved or changed, or doesn't encode images by patch.
    """
    if not KINDS[items.kind].has_sources:
        return None
    return look(items, regions, cache, progress, known=loaded.config.get("regions_hash"))


def sources_in(
    items: Items, ids: Sequence[str], codec: Codec, cache: Path, regions: Looked | str | None
) -> Sources | None:
    """Return the sources of the items with these names, or None where the items have none."""
    if not isinstance(codec, HasSources):
        return None
    if isinstance(regions, Looked):
        return regions.sources(codec, items, ids)
    return codec.sources(items, ids, cache, regions)


def encode(
    items: Items,
    codec: Codec,
    model: Model,
    cache: Path,
    *,
    max_skipped: float,
    progress: Progress,
) -> Store:
    """Return the store of the items, with progress if it must be built."""

    def on_item(done: int, total: int) -> None:
        if done == 1:
            progress.start("reading", total)
        progress.advance(1, {})

    try:
        return open_store(
            items,
            codec,
            cache,
            max_skipped=max_skipped,
            shortest=model.shortest_item if isinstance(model, HasShortestItem) else 1,
            on_item=on_item,
        )
    finally:
        progress.stop()
