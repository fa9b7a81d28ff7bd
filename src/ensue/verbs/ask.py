"""``ask``: write questions from pictures and answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch

from ensue.configuration import require_at_least
from ensue.data.batches import Source
from ensue.data.codecs import decoded
from ensue.data.codecs.protocols import HasSources
from ensue.data.columns import TABLE_SUFFIXES, read_columns
from ensue.data.config import for_other_data
from ensue.data.items import Items, Question
from ensue.data.kinds.question.source import read_questions
from ensue.data.manifest import with_path
from ensue.data.origin import Origin
from ensue.data.sources.data import Data
from ensue.data.sources.memory import columns_in
from ensue.data.values import in_memory, plain
from ensue.data.wanted import Wanted
from ensue.errors import ConfigError, DataError
from ensue.models.registry import require_contract
from ensue.models.traits import WritesFromSources
from ensue.runs.drawing import Drawing, place_of, settings_of
from ensue.runs.draws import new_generator
from ensue.runs.loaded import Loaded, load
from ensue.runs.reading import cache_of, look_for, sources_in
from ensue.runs.regions import seen
from ensue.runs.results import Written
from ensue.runs.tables import write_table
from ensue.training.progress import Silence

SOURCES_AT_A_TIME = 64


@dataclass(frozen=True)
class Pictures:
    """The names, answers and sources that questions are written from.

    ``sources`` are pairs of a batch and the position of its first item.
    """

    ids: Sequence[str]
    answers: Sequence[str]
    sources: Iterator[tuple[int, Source]]


def ask(
    run: str | Path,
    data: Data | None = None,
    *,
    path: str | None = None,
    row: int | None = None,
    answer: str | None = None,
    concepts: Sequence[str] = (),
    num: int = 1,
    out: str | Path | None = None,
    regions: str | None = None,
    **drawing: Unpack[Drawing],
) -> Written:
    """Write questions about pictures, given the answers.

    Parameters
    ----------
    run
        A run folder of questions.
    data
        A manifest of pictures and answers, with the column path (a picture) or row (in the file of
        regions), and the column answer if the run has answers.
    path
        One picture, instead of data.
    row
        Row of one picture in the file of regions, instead of data.
    answer
        Answer of that picture.
    concepts
        Concepts in that picture.
    num
        Questions for each; with the method beam the likeliest, as many as it finds.
    out
        File to write: .csv, .parquet or .npz; by default samples/questions.csv in the run.
    regions
        The file that rows point into, or where the run that makes regions is now; by default the
        run's own.
    drawing
        Options of the draw.

    Raises
    ------
    ConfigError
        Neither a manifest nor a picture is given, or both are.
    DataError
        A picture can't be read, or an answer isn't known.
    """
    settings = settings_of(drawing)
    require_at_least(1, num=num)
    loaded = load(run).on_best_device()
    require_contract(loaded.family, "samples")
    codec = loaded.codec
    if not isinstance(codec, HasSources):
        raise ConfigError(
            f"this run's items are {codec.kind}, which aren't written from anything; use "
            "`ensue sample`"
        )
    file = place_of(out, loaded, "questions", data)
    one = {"path": path, "row": row, "answer": answer, "concepts": tuple(concepts) or None}
    one = {name: value for name, value in one.items() if value is not None}
    pictures = _pictures(loaded, codec, data, one, regions or loaded.config["data"].get("regions"))
    columns = _written(loaded, codec, pictures, num, settings)
    write_table(columns, file)
    return Written(
        what="questions",
        num_rows=len(columns["item"]),
        num_items=len(pictures.ids),
        files=(file,),
    )


def _pictures(
    loaded: Loaded,
    codec: HasSources,
    data: Data | None,
    one: dict[str, Any],
    regions: str | None,
) -> Pictures:
    """Return the rows of a manifest, or one picture."""
    if data is not None and one:
        raise ConfigError(
            f"DATA says what questions are written from, and so does {', '.join(one)}; leave one "
            "out"
        )
    if data is None and not one:
        raise ConfigError(
            "questions are written from what they ask about: give DATA, a manifest with the column "
            "path or row, or a picture as --path, and its --answer"
        )
    if data is None:
        question = codec.of_user(one)
        known = loaded.config.get("regions_hash")
        raws, file = seen([question], regions, codec, known=known)
        source = codec.source_of(raws, file)
        return Pictures([""], [question.answer or ""], iter([(0, source)]))
    items = _manifest(loaded, data, regions)
    for name, question in zip(items.ids, items.raw, strict=True):
        _require_known(codec, name, question)
    cache = cache_of(None, loaded.path)
    looked = look_for(loaded, items, cache, Silence(), regions)
    sources = sources_in(items, items.ids, codec, cache, looked or regions)
    assert sources is not None
    batches = (
        (start, sources[np.arange(start, min(start + SOURCES_AT_A_TIME, len(items)))])
        for start in range(0, len(items), SOURCES_AT_A_TIME)
    )
    return Pictures(items.ids, [question.answer or "" for question in items.raw], batches)


def _written(
    loaded: Loaded, codec: HasSources, pictures: Pictures, num: int, settings: dict[str, Any]
) -> dict[str, list[Any]]:
    """Return the columns of the table: questions next to their items and answers."""
    settings = {"temperature": 1.0, **settings}
    generator = new_generator(settings.pop("seed", 0))
    model = loaded.model_as(WritesFromSources, "samples")
    columns: dict[str, list[Any]] = {n: [] for n in ("item", "answer", "question", "nats")}
    for start, source in pictures.sources:
        with torch.inference_mode():
            drawn = model.sample(
                num, condition=source.to(loaded.device), generator=generator, **settings
            )
        assert drawn.item is not None
        assert drawn.log_prob is not None
        places = [start + i for i in drawn.item.tolist()]
        columns["item"] += [pictures.ids[i] for i in places]
        columns["answer"] += [pictures.answers[i] for i in places]
        columns["question"] += decoded(codec, drawn.values, drawn.lengths)
        columns["nats"] += drawn.log_prob.tolist()
    return columns


def _require_known(codec: HasSources, name: str, question: Question) -> None:
    """Refuse an answer or a concept that the run doesn't know, with the item's name.

    Raises:
        DataError: The run doesn't know it.
    """
    try:
        codec.require_known(question)
    except DataError as error:
        raise DataError(f"item {name!r}: {error}") from error


def _manifest(loaded: Loaded, data: Data, regions: str | None) -> Items:
    """Read a manifest, with or without questions."""
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
