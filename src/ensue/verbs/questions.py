"""What ``sample`` does of a run of questions: it writes them from pictures and answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ensue.data.sources.kinds import Data
from ensue.errors import ConfigError, DataError
from ensue.verbs.apply import Written
from ensue.verbs.loaded import Loaded
from ensue.verbs.tables import write_table

if TYPE_CHECKING:
    from ensue.data.items import Items, Question

SOURCES_AT_A_TIME = 64


def ask(
    loaded: Loaded,
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
    import torch

    given = {name: value for name, value in given.items() if value is not None}
    if "condition" in given:
        raise ConfigError(
            "condition is a class; what questions are written from is path and answer"
        )
    if (data is None) == (not given):
        raise ConfigError(
            "questions are written from what they ask about: give DATA, a manifest with the column "
            "path or row, or a picture as --path, and its --answer"
        )
    if data is None:
        named = {"": loaded.codec.of_user(given)}
    else:
        items = _manifest(loaded, data, regions)
        named = dict(zip(items.ids, items.raw, strict=True))
    generator = torch.Generator().manual_seed(seed)
    written = []
    for start in range(0, len(named), SOURCES_AT_A_TIME):
        some = list(named.items())[start : start + SOURCES_AT_A_TIME]
        written += _written(loaded, some, num, regions, generator, temperature, settings)
    columns = {name: [row[name] for row in written] for name in ("item", "answer", "question")}
    columns["nats"] = [row["nats"] for row in written]
    write_table(columns, path)
    return Written(
        what="questions",
        num_rows=len(written),
        num_items=len(named),
        skipped=0,
        files=(path,),
    )


def _written(
    loaded: Loaded,
    some: Sequence[tuple[str, Question]],
    num: int,
    regions: str | None,
    generator: Any,
    temperature: float,
    settings: dict[str, Any],
) -> list[dict[str, Any]]:
    """What the model writes of some sources."""
    import torch

    from ensue.data.codecs import decoded
    from ensue.data.questions import source_of

    own = regions or loaded.config["data"].get("regions")
    source = source_of([question for _, question in some], loaded.codec, own)
    with torch.inference_mode():
        drawn = loaded.model.sample(
            num,
            condition=source.to(loaded.device),
            temperature=temperature,
            generator=generator,
            **settings,
        )
    texts = decoded(loaded.codec, drawn.values, drawn.lengths)
    rows = zip(drawn.item.tolist(), texts, drawn.log_prob.tolist(), strict=True)
    return [
        {"item": some[i][0], "answer": some[i][1].answer or "", "question": text, "nats": nats}
        for i, text, nats in rows
    ]


def _manifest(loaded: Loaded, data: Data, regions: str | None) -> Items:
    """A manifest, with or without questions."""
    from ensue.configuration import validate
    from ensue.data.config import DataConfig
    from ensue.data.sources.question import read_questions
    from ensue.data.sources.table import TABLE_SUFFIXES, read_columns

    if not isinstance(data, str | Path) or Path(data).suffix.lower() not in TABLE_SUFFIXES:
        raise DataError(
            f"{data!r:.60} is no manifest; give a table ({', '.join(sorted(TABLE_SUFFIXES))}) with "
            "the column path or row"
        )
    mine = {"group": None} if regions is None else {"group": None, "regions": regions}
    config = validate(DataConfig, {**loaded.config["data"], **mine}, section="data")
    return read_questions(Path(data), read_columns(Path(data)), config)
