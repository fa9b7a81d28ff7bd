"""``sample`` and ``complete``: new items, and how items that have only begun go on."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ensue.configuration import require_at_least
from ensue.data.kinds import KINDS
from ensue.data.sources.data import Data
from ensue.errors import ConfigError, DataError
from ensue.runs.loaded import Loaded, load
from ensue.runs.tables import check_out
from ensue.runs.writers import Drawn, check_form, writer_of
from ensue.verbs.apply import Written, require_questions

if TYPE_CHECKING:
    from ensue.data.codecs.protocols import Codec

Draw = Literal["random", "gumbel", "greedy"]
NUM = 100


def sample(
    run: str | Path,
    data: Data | None = None,
    *,
    num: int | None = None,
    out: str | Path | None = None,
    condition: str | None = None,
    temperature: float = 1.0,
    seed: int = 0,
    method: Draw | Literal["beam"] | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    no_repeat_ngram: int | None = None,
    num_beams: int | None = None,
    length_penalty: float | None = None,
    path: str | None = None,
    row: int | None = None,
    answer: str | None = None,
    concepts: Sequence[str] = (),
    regions: str | None = None,
) -> Written:
    """Draw new items from a trained model.

    Parameters
    ----------
    run
        A run folder.
    data
        Of a run of questions: a manifest of what they are written from, with the column path (of
        pictures) or row, and answer where the run has answers.
    num
        How many; by default 100, and of questions 1 of each row.
    out
        File to write: .csv, .parquet or .npz, of images .npz or a sheet as .png, of sounds a folder
        for .wav files; by default samples/samples.csv in the run, .png, or the folder.
    condition
        The class of all, of a run that was trained with classes; by default any.
    temperature
        1 draws from the model, less is closer to the likeliest.
    seed
        Of the draw.
    method
        Of families that generate token by token, as all that follows: random, gumbel or greedy;
        of questions beam too.
    top_k
        Only so many likeliest tokens.
    top_p
        Only the likeliest tokens of this probability in all.
    min_p
        Only tokens of at least this part of the likeliest one's probability.
    min_length
        New tokens before the end at least.
    max_length
        New tokens at most; of sounds, by default as many as the longest training recording has.
    no_repeat_ngram
        No so many tokens in a row come twice.
    num_beams
        Hypotheses that beam keeps.
    length_penalty
        Above 0, beam favors longer sequences.
    path
        Of a run of questions, instead of data, as all that follows: one picture.
    row
        Or its row in the file of regions.
    answer
        Its answer.
    concepts
        What there is in it.
    regions
        The file that rows point into; by default the run's own.
    """
    from ensue.data.codecs.protocols import HasSources
    from ensue.models.registry import require_contract
    from ensue.verbs.questions import ask

    require_at_least(0, temperature=temperature)
    settings = _given(
        method=method,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        min_length=min_length,
        max_length=max_length,
        no_repeat_ngram=no_repeat_ngram,
        num_beams=num_beams,
        length_penalty=length_penalty,
    )
    loaded = load(run).on_best_device()
    require_contract(loaded.family, "samples")
    file = _path(out, loaded, "samples", data)
    asked = {"path": path, "row": row, "answer": answer, "concepts": tuple(concepts) or None}
    require_questions(loaded, data=data, regions=regions, **asked)
    codec = loaded.codec
    num = (1 if isinstance(codec, HasSources) else NUM) if num is None else num
    require_at_least(1, num=num)
    if isinstance(codec, HasSources):
        return ask(
            loaded,
            codec,
            data,
            {**asked, "condition": condition},
            num=num,
            path=file,
            temperature=temperature,
            seed=seed,
            regions=regions,
            settings=settings,
        )
    drawn = loaded.sample(num, condition=condition, temperature=temperature, seed=seed, **settings)
    _write(loaded, Drawn(items=drawn, codec=codec, columns={}), file)
    return Written(what="samples", num_rows=num, num_items=num, files=(file,))


def complete(
    run: str | Path,
    data: Data | None = None,
    *,
    prompt: str | None = None,
    known: float | None = None,
    num: int = 1,
    out: str | Path | None = None,
    condition: str | None = None,
    temperature: float = 1.0,
    seed: int = 0,
    method: Draw | Literal["beam"] | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    no_repeat_ngram: int | None = None,
    num_beams: int | None = None,
    length_penalty: float | None = None,
    max_skipped: float = 0.05,
) -> Written:
    """Write how items that have only begun go on.

    Parameters
    ----------
    run
        A run folder.
    data
        Items that have begun: a folder, a table, a file; of images the upper part is taken, of
        recordings the beginning.
    prompt
        Or one text.
    known
        The part of an image, from its upper edge, or of a recording that is given; by default half.
    num
        Completions of each item; with the method beam, the likeliest ones.
    out
        File to write, as by ``sample``; by default samples/completions.csv in the run, .png, or the
        folder.
    condition
        The class of all items, of a run that was trained with classes; by default not known.
    temperature
        1 draws from the model, less is closer to the likeliest.
    seed
        Of the draw.
    method
        random, gumbel, greedy or beam.
    top_k
        Only so many likeliest tokens.
    top_p
        Only the likeliest tokens of this probability in all.
    min_p
        Only tokens of at least this part of the likeliest one's probability.
    min_length
        New tokens before the end at least.
    max_length
        New tokens at most; of sounds, by default as many as the longest training recording has.
    no_repeat_ngram
        No so many tokens in a row come twice.
    num_beams
        Hypotheses that beam keeps.
    length_penalty
        Above 0, beam favors longer sequences.
    max_skipped
        Part of the items that may be unreadable.
    """
    from ensue.data.items import require_few_skipped
    from ensue.models.registry import require_contract
    from ensue.verbs.apply import read_items

    require_at_least(1, num=num)
    require_at_least(0, temperature=temperature)
    if (data is None) == (prompt is None):
        raise ConfigError("give DATA with items that have begun, or one text as --prompt")
    loaded = load(run).on_best_device()
    require_contract(loaded.family, "completes")
    path = _path(out, loaded, "completions", data)
    if prompt is not None and not KINDS[loaded.codec.kind].takes_prompt:
        raise ConfigError("prompt is a text, and this run's items aren't; give DATA")
    settings = _given(
        method=method,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        min_length=min_length,
        max_length=max_length,
        no_repeat_ngram=no_repeat_ngram,
        num_beams=num_beams,
        length_penalty=length_penalty,
    )
    named: dict[str, Any] = {"prompt": prompt}
    if data is not None:
        items = read_items(loaded, data, max_skipped=max_skipped)
        named = dict(zip(items.ids, items.raw, strict=True))
    encoded, skipped = _encoded(loaded.codec, named)
    require_few_skipped(skipped, len(named), max_skipped)
    if not encoded:
        raise DataError(f"no item can be used; the first, {skipped[0][0]!r}: {skipped[0][1]}")
    found = loaded.complete_encoded(
        list(encoded.values()),
        num=num,
        condition=condition,
        temperature=temperature,
        seed=seed,
        known=known,
        **settings,
    )
    num_found = sum(map(len, found))
    if path.suffix == ".png":
        # A search may find fewer of some; each image has a row of the sheet.
        most = max(map(len, found))
        found = [[*each, *[each[0] * 0] * (most - len(each))] for each in found]
        num = most
    rows = [(name, item) for name, each in zip(encoded, found, strict=True) for item in each]
    drawn = Drawn(
        items=[item for _, item in rows],
        codec=loaded.codec,
        columns={"item": [name for name, _ in rows]},
        across=num,
    )
    _write(loaded, drawn, path)
    return Written(
        what="completions",
        num_rows=num_found,
        num_items=len(encoded),
        skipped=skipped,
        files=(path,),
    )


def _encoded(codec: Codec, named: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The items that can be begun with, and why others can't."""
    encoded, skipped = {}, []
    for name, raw in named.items():
        try:
            encoded[name] = codec.encode(raw)
        except DataError as error:
            skipped.append((name, str(error)))
    return encoded, skipped


def _given(**settings: Any) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


def _write(loaded: Loaded, drawn: Drawn, path: Path) -> None:
    from ensue.training.run_folder import RunFolder

    writer = writer_of(drawn.codec)
    if writer.is_folder and RunFolder(loaded.path).samples in path.parents:
        shutil.rmtree(path, ignore_errors=True)  # what was drawn there before
    writer.write(drawn, path)


def _path(out: str | Path | None, loaded: Loaded, name: str, data: Data | None) -> Path:
    """The file asked for, or the usual one in the run, if the items can be written so."""
    from ensue.training.run_folder import RunFolder

    writer = writer_of(loaded.codec)
    path = Path(out or RunFolder(loaded.path).samples / f"{name}{writer.usual}")
    check_form(writer, out, path)
    return check_out(path, writer.suffixes, data=data)
