"""``score``: give each item a score in nats, and say what kind of number it is."""

from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np

from ensue.data.codecs.protocols import Codec, HasColumns, HasUnit
from ensue.data.kinds.question.questions import Sources
from ensue.data.sources.data import Data
from ensue.errors import ConfigError
from ensue.evaluation.answers import nats_by_answer, place_of_own
from ensue.evaluation.column_surprise import column_surprise
from ensue.models.registry import require_contract
from ensue.models.traits import DensityModel, ScoringModel
from ensue.runs.loaded import Loaded, load
from ensue.runs.reading import Opened, open_data, require_questions
from ensue.runs.results import Written
from ensue.runs.scores import LIKELIHOODS, scores_of
from ensue.runs.step_scores import StepReading, without_step_options, write_step_scores
from ensue.runs.tables import check_out, labeled, write_table


def score(
    run: str | Path,
    data: Data,
    *,
    out: str | Path,
    given_class: bool = False,
    by_column: bool = False,
    by_answer: bool = False,
    regions: str | None = None,
    level: Literal["item", "step"] = "item",
    **reading: Unpack[StepReading],
) -> Written:
    """Write a score per item in nats, and say what kind of number it is.

    The table also has bits per byte for texts (the end counts as one byte), bits per dimension for
    images (each channel of a pixel is one), and bits per sample for sounds as levels (the end
    counts as one sample).

    Information about the frames ahead (of images, the patches below) is measured among the frames
    of the same item. A recording of more than 30 seconds (480,000 samples) is scored in pieces of
    10 to 20 seconds, and its score is their mean.

    Parameters
    ----------
    run
        A run folder.
    data
        A folder of recordings, a manifest, a table, a file, or builtin:NAME.
    out
        File to write: .parquet, .csv or .npz.
    given_class
        For a run that was trained with classes: score each item given its own class, which is in
        the same column of the data as in training; by default no class is given.
    by_column
        For rows of a table: also the cost of the value in each column, compared with training
        values.
    by_answer
        For questions: also the answer of the run that makes each question the likeliest.
    regions
        For questions: the file that the rows of DATA point into, or where the run that makes
        regions is now; by default the run's own.
    level
        One score per item, or measures of each step of a series.
    reading
        Options for reading the data.
    """
    path = check_out(out, data=data)
    loaded = load(run).on_best_device()
    require_contract(loaded.family, "scores")
    if level == "step":
        _require_items(given_class=given_class, by_column=by_column, by_answer=by_answer)
        return write_step_scores(loaded, data, path, dict(reading))
    _require_columns(loaded.codec, by_column)
    require_questions(loaded, by_answer=by_answer or None, regions=regions)
    plain = without_step_options(reading)
    opened = open_data(loaded, data, regions=regions, **plain)
    store = opened.store
    classes = loaded.classes_in(store.labels) if given_class else None
    totals, kind = scores_of(loaded, opened, opened.sources or classes)
    columns = {
        **labeled(store, range(len(store))),
        "nats": totals,
        "score_kind": [kind] * len(store),
    }
    if by_column:
        columns |= _by_column(loaded, opened, classes)
    if by_answer and opened.sources is not None:
        columns |= _by_answer(loaded, opened, opened.sources)
    if isinstance(loaded.codec, HasUnit) and kind in LIKELIHOODS:
        bits = loaded.codec.bits_per_unit(totals, opened.raws, store.lengths)
        columns[loaded.codec.unit] = bits
    write_table(columns, path)
    return Written(
        what=f"scores ({kind})",
        num_rows=len(store),
        num_items=len(store),
        skipped=store.skipped,
        files=(path,),
    )


def _require_items(**options: bool) -> None:
    """Refuse options of scores by item where steps are scored."""
    names = [name for name, is_set in options.items() if is_set]
    if names:
        raise ConfigError(f"{', '.join(names)}: of scores by item; leave out, or leave level out")


def _require_columns(codec: Codec, by_column: bool) -> None:
    if by_column and not isinstance(codec, HasColumns):
        raise ConfigError("by_column is for tables, and this run's items aren't rows; leave it out")


def _by_column(loaded: Loaded, opened: Opened, classes: Any) -> dict[str, np.ndarray]:
    """Return the cost of the value of each column, in columns ``surprise.NAME``."""
    codec = loaded.codec
    assert isinstance(codec, HasColumns)
    model, examples = loaded.model_as(DensityModel, "scores"), codec.encoded_examples()
    nats = column_surprise(model, opened.store, examples, condition=classes)
    return {f"surprise.{name}": nats[:, j] for j, name in enumerate(codec.columns)}


def _by_answer(loaded: Loaded, opened: Opened, sources: Sources) -> dict[str, Any]:
    """Return the answer that makes each question the likeliest, and the rank of its own answer."""
    nats = nats_by_answer(loaded.model_as(ScoringModel, "scores"), opened.store, sources)
    encoded = [sources.codec.encode_answer(raw) for raw in sources.raw]
    true_answers = np.array([int(answer[0]) for answer in encoded if answer is not None])
    return {
        "best_answer": [sources.codec.answers[i] for i in nats.argmax(1).tolist()],
        "place_of_own": place_of_own(nats, true_answers),
    }
