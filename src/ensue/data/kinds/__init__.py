"""The kinds of data: one literal table, the twin of the table of model families.

All that a kind is has its place in the folder ``kinds/NAME/`` and in a row here. Shared code never
asks a kind for its name: it asks the row, or a codec by a protocol of ``data/codecs/protocols.py``.
"""

import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ensue.data.config import DataConfig
from ensue.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A row of the table. What is named as ``module:object`` is imported when it is used.

    Attributes:
        noun: Its items in messages, in the plural.
        variable: Its items as a name in a line of Python.
        source: Reads them; see :mod:`ensue.data.sources.protocols`.
        codecs: Make tensors of them and back, by name; the first is the usual one.
        survey: Looks at all of them, for ``check``.
        settings: Fields of ``DataConfig`` that mean something for it.
        files: Its files in a message, with a place for ``endings``; empty where it has none.
        endings: Of the names of its files.
        writer: The form of drawn items in files: ``tables``, ``images``, ``series`` or ``sounds``.
        is_mapping: Whether an item is a mapping, so that a list of mappings is no table.
        takes_prompt: Whether a text on the command line can be an item that has begun.
        has_closed_vocabulary: Whether a token that training never had is worth a warning.
        has_sources: Whether an item is written from something else, as a question from a picture.
        measures: Names of what ``evaluate`` measures of drawn items.
        usual_family: The family to begin with; None is the first one that models it.
        hint: Said where a family doesn't model it.
        limits: For the model card, with places for settings of the data.
    """

    noun: str
    variable: str
    source: str
    codecs: Mapping[str, str]
    survey: str
    settings: tuple[str, ...] = ()
    files: str = ""
    endings: tuple[str, ...] = ()
    writer: str = "tables"
    is_mapping: bool = False
    takes_prompt: bool = False
    has_closed_vocabulary: bool = False
    has_sources: bool = False
    measures: tuple[str, ...] = ()
    usual_family: str | None = None
    hint: str = ""
    limits: tuple[str, ...] = ()


KINDS: dict[str, Kind] = {
    "question": Kind(
        noun="questions",
        variable="questions",
        source="ensue.data.kinds.question.source:QuestionSource",
        codecs={"question": "ensue.data.kinds.question.codec:QuestionCodec"},
        survey="ensue.data.kinds.question.survey:survey_question",
        settings=(
            "answers",
            "regions",
            "patch_size",
            "patch_stride",
            "image_size",
            "grayscale",
            "white",
            "tokens",
            "window_tokens",
            "max_vocabulary",
        ),
        is_mapping=True,
        has_sources=True,
    ),
    "audio": Kind(
        noun="recordings",
        variable="sounds",
        source="ensue.data.kinds.audio.source:AudioSource",
        codecs={
            "audio": "ensue.data.kinds.audio.codec:AudioCodec",
            "mu_law": "ensue.data.kinds.audio.mu_law:MuLawCodec",
        },
        survey="ensue.data.kinds.audio.survey:survey_sound",
        settings=("window_seconds", "sample_rate", "speed_perturbation", "intervals"),
        files="sound is {endings}",
        endings=(".flac", ".mp3", ".ogg", ".wav"),
        writer="sounds",
        limits=("Sound is mixed to one channel and resampled to {sample_rate:,} Hz.",),
    ),
    "image": Kind(
        noun="images",
        variable="images",
        source="ensue.data.kinds.image.source:ImageSource",
        codecs={"image": "ensue.data.kinds.image.codec:ImageCodec"},
        survey="ensue.data.kinds.image.survey:survey_image",
        settings=("levels", "image_size", "grayscale", "white", "crop", "flip"),
        files="images are {endings} (or IDX, .npz or .parquet with many)",
        endings=(
            ".bmp",
            ".gif",
            ".jpeg",
            ".jpg",
            ".pgm",
            ".png",
            ".ppm",
            ".tif",
            ".tiff",
            ".webp",
        ),
        writer="images",
    ),
    "series": Kind(
        noun="series",
        variable="series",
        source="ensue.data.kinds.series.source:SeriesSource",
        codecs={
            "series": "ensue.data.kinds.series.codec:SeriesCodec",
            "levels": "ensue.data.kinds.series.levels:LevelsCodec",
            "windows": "ensue.data.kinds.series.windows_codec:WindowsCodec",
        },
        survey="ensue.data.kinds.series.survey:survey_series",
        settings=(
            "columns",
            "time",
            "item",
            "step_labels",
            "rate",
            "stamps",
            "decimal",
            "scaling",
            "levels",
            "window_steps",
            "window",
            "window_stride",
        ),
        files="series are {endings} (or folders of tables with a row a step)",
        endings=(".hea", ".npy", ".ts"),
        writer="series",
        hint="an array of images is of uint8: (255 * x).round().astype('uint8') where x is 0 to 1",
    ),
    "smiles": Kind(
        noun="molecules",
        variable="molecules",
        source="ensue.data.kinds.smiles.source:SmilesSource",
        codecs={"text": "ensue.data.kinds.text.codec:TextCodec"},
        survey="ensue.data.kinds.smiles.survey:survey_smiles",
        settings=("tokens", "window_tokens", "max_vocabulary"),
        files="molecules are {endings} (or .gz of one)",
        endings=(".smi", ".smiles"),
        takes_prompt=True,
        has_closed_vocabulary=True,
        measures=("molecules",),
        usual_family="vae",
    ),
    "text": Kind(
        noun="texts",
        variable="texts",
        source="ensue.data.kinds.text.source:TextSource",
        codecs={"text": "ensue.data.kinds.text.codec:TextCodec"},
        survey="ensue.data.kinds.text.survey:survey_text",
        settings=("tokens", "text_items", "window_tokens", "max_vocabulary"),
        files="text is {endings} (or .gz of one)",
        endings=(".text", ".txt"),
        takes_prompt=True,
    ),
    "table": Kind(
        noun="rows",
        variable="rows",
        source="ensue.data.kinds.table.source:TableSource",
        codecs={"table": "ensue.data.kinds.table.codec:TableCodec"},
        survey="ensue.data.kinds.table.survey:survey_table",
        settings=("columns", "continuous", "bounds", "log", "rank"),
        is_mapping=True,
        hint="a manifest of recordings has a column 'path', a series in one table a column of "
        "times, or it is named by rate or by stamps ignore, and an array of series the axes "
        "(series, steps, channels)",
    ),
}
"""The kinds, the most special first: data are of the first kind whose source takes them."""


def source_of(kind: str) -> Any:
    """The source of a kind, imported now, which knows the endings of its files."""
    return imported(KINDS[kind].source)(KINDS[kind].endings)


def sources_of_kinds(kinds: Iterable[str] = KINDS) -> Iterator[Any]:
    """The sources of kinds in the order of the table, each imported when it is its turn."""
    return (source_of(name) for name in KINDS if name in kinds)


def kinds_with_files() -> list[str]:
    """The kinds that have files of their own, in the order of the table."""
    return [kind for kind, row in KINDS.items() if row.endings]


def codec_names() -> list[str]:
    """The names of all codecs, in alphabetical order."""
    return sorted({name for kind in KINDS.values() for name in kind.codecs})


def codec_class(name: str) -> Any:
    """The class of the codec of that name, imported now."""
    return imported(next(row.codecs[name] for row in KINDS.values() if name in row.codecs))


def usual_codec(kind: str) -> str:
    """The name of the codec of a kind where no family says which."""
    return next(iter(KINDS[kind].codecs))


def imported(path: str) -> Any:
    """The object that ``module:object`` names."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def require_settings_of(config: DataConfig, kind: str) -> None:
    """Refuse settings of other kinds of data that aren't at their defaults.

    Raises:
        ConfigError: A setting would be ignored.
    """
    for name in dict.fromkeys(name for row in KINDS.values() for name in row.settings):
        is_set = getattr(config, name) != getattr(DataConfig, name)
        if is_set and name not in KINDS[kind].settings:
            # From the plainest kind up: tokens are a setting of texts before one of questions.
            others = [other for other, row in reversed(KINDS.items()) if name in row.settings]
            named = " or ".join(filter(None, [", ".join(others[:-1]), others[-1]]))
            hint = f"; {KINDS[kind].hint}" if KINDS[kind].hint else ""
            raise ConfigError(f"{name} is for data of kind {named}, not {kind}; leave it out{hint}")
