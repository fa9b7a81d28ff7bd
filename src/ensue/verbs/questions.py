"""``sample`` of a run of questions: it writes them from pictures and answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ensue.data.sources.data import Data
from ensue.errors import ConfigError, DataError
from ensue.runs.loaded import Loaded
from ensue.runs.prepare import cache_of
from ensue.runs.tables import write_table
from ensue.verbs.apply import Written

if TYPE_CHECKING:
    from ensue.data.codecs.protocols import HasSources
    from ensue.data.items import Items, Question

SOURCES_AT_A_TIME = 64


def ask(
    loaded: Loaded,
    codec: HasSources,
    data: Data | None,
    given: dict[str, Any],
    *,
    num: int,
    path: Path,
    temperature: float,
    seed: int,
    regions: str | None,
    settings: dict[str, Any],
) -> Written:
    """Write questions: ``num`` from each row of a manifest, or from one picture and answer.

    Args:
        loaded: The run.
        codec: The run's.
        data: A manifest with the column path or row, and answer where the run has answers; or None.
        given: One question's parts instead.
        num: Questions of each; with the method beam the likeliest, as many as it finds.
        path: The table to write.
        temperature: 1 draws from the model, less is closer to the likeliest.
        seed: Of the draw.
        regions: The file that rows point into, or None for the run's own.
        settings: Of generation.

    Raises:
        ConfigError: Neither a manifest nor a picture is given, or both.
        DataError: A picture can't be read, or an answer isn't known.
    """
    import numpy as np
    import torch

    from ensue.data.codecs import decoded
    from ensue.models.traits import WritesFromSources

    given = {name: value for name, value in given.items() if value is not None}
    if "condition" in given:
        raise ConfigError(
            "condition is a class; what questions are written from is path and answer"
        )
    if data is not None and given:
        raise ConfigError(
            f"DATA says what questions are written from, and so does {', '.join(given)}; leave one "
            "out"
        )
    if data is None and not given:
        raise ConfigError(
            "questions are written from what they ask about: give DATA, a manifest with the column "
            "path or row, or a picture as --path, and its --answer"
        )
    regions = regions or loaded.config["data"].get("regions")
    if data is None:
        ids, raw = [""], [codec.of_user(given)]
        batches = [(0, codec.source_of(raw, regions))]
    else:
        items = _manifest(loaded, data, regions)
        ids, raw = items.ids, items.raw
        for name, question in zip(ids, raw, strict=True):
            _require_known(codec, name, question)
        found = codec.sources(items, ids, cache_of(None, loaded.path), regions)
        batches = (
            (start, found[np.arange(start, min(start + SOURCES_AT_A_TIME, len(ids)))])
            for start in range(0, len(ids), SOURCES_AT_A_TIME)
        )
    settings = {"temperature": temperature, **settings}
    settings["generator"] = torch.Generator().manual_seed(seed)
    model = loaded.model_as(WritesFromSources, "samples")
    columns: dict[str, list[Any]] = {n: [] for n in ("item", "answer", "question", "nats")}
    for start, source in batches:
        with torch.inference_mode():
            drawn = model.sample(num, condition=source.to(loaded.device), **settings)
        assert drawn.item is not None
        assert drawn.log_prob is not None
        of = [start + i for i in drawn.item.tolist()]
        columns["item"] += [ids[i] for i in of]
        columns["answer"] += [raw[i].answer or "" for i in of]
        columns["question"] += decoded(codec, drawn.values, drawn.lengths)
        columns["nats"] += drawn.log_prob.tolist()
    write_table(columns, path)
    return Written(
        what="questions",
        num_rows=len(columns["item"]),
        num_items=len(ids),
        files=(path,),
    )


def _require_known(codec: HasSources, name: str, question: Question) -> None:
    """Refuse an answer or a concept that the run doesn't know, with the item's name.

    Raises:
        DataError: It doesn't.
    """
    try:
        codec.require_known(question)
    except DataError as error:
        raise DataError(f"item {name!r}: {error}") from error


def _manifest(loaded: Loaded, data: Data, regions: str | None) -> Items:
    """A manifest, with or without questions."""
    from ensue.data.columns import TABLE_SUFFIXES, read_columns
    from ensue.data.config import for_other_data
    from ensue.data.kinds.question.source import read_questions
    from ensue.data.manifest import with_path
    from ensue.data.origin import Origin
    from ensue.data.sources.memory import columns_in
    from ensue.data.values import in_memory, plain
    from ensue.data.wanted import Wanted

    config = for_other_data(loaded.config["data"], regions=regions)
    if isinstance(data, str | Path) and Path(data).suffix.lower() in TABLE_SUFFIXES:
        path = Path(data)
        return read_questions(Origin.of_file(path), with_path(read_columns(path)), config)
    columns = None
    if not isinstance(data, str | Path):
        columns = columns_in(plain(data), config, Wanted((loaded.codec.kind,)))
    columns = None if columns is None else with_path(columns)
    if columns is None or not {"path", "row"} & set(columns.column_names):
        raise DataError(
            f"{data!r:.60} is no manifest; give a table ({', '.join(sorted(TABLE_SUFFIXES))}, a "
            "DataFrame, or a list of rows) with the column path or row"
        )
    return read_questions(in_memory(columns), columns, config)
