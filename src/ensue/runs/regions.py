"""Regions by a run: the features of each patch of a picture, by a model that encodes images.

The setting ``regions`` of questions names a file, which the data room reads, or a run folder. Here
the run looks at the pictures, once: its local features and contexts, side by side, are written to a
file of regions in the cache.

Dims: N pictures, K patches, F features.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from ensue.configuration import FORMAT
from ensue.data.codecs.protocols import Codec, HasSources
from ensue.data.items import Items, Picture, Question, file_facts, fingerprint
from ensue.data.kinds.image.codec import ImageCodec
from ensue.data.kinds.question.questions import Sources
from ensue.data.kinds.question.regions import Features
from ensue.data.store import Store, open_store
from ensue.errors import ConfigError, DataError, EnsueError
from ensue.evaluation.represent import by_model
from ensue.files import require_file, writing, written_whole
from ensue.models.traits import EncodingModel
from ensue.runs.hashing import hash_of, hash_of_weights
from ensue.training.machine import best_device
from ensue.training.progress import Progress
from ensue.training.run_folder import RunFolder

FILES = (".npz", ".npy", ".parquet")
"""Endings of the files of regions that the data room reads."""
REMEDY = "give the run folder of a CPC of images (`ensue train cpc IMAGES --out RUN`), or a file"


@dataclass(frozen=True)
class Looker:
    """A model that encodes images by patch, with its codec.

    Attributes:
        path: Its run folder.
        model: On the fastest device, in eval mode.
        codec: Of its images; those of another size are resized.
        shape: (K, F) of a picture.
        hash: Of its weights.
    """

    path: Path
    model: EncodingModel
    codec: ImageCodec
    shape: tuple[int, int]
    hash: str

    def features(self, picture: Picture | np.ndarray) -> np.ndarray:
        """The regions (K, F) of one picture.

        Raises:
            DataError: It can't be read.
        """
        x = self.codec.encode(picture)[None].to(next(self.model.parameters()).device)
        return _side_by_side(*_frames(self.model, x))[0].cpu().numpy()


@dataclass(frozen=True)
class Looked:
    """The regions of the pictures of some questions, by a run.

    Attributes:
        file: Holds them, (N, K, F) float32.
        row: Of each picture in it, by path.
        problems: Why the other pictures have no regions, by path.
        hash: Of the weights of the run.
        key: Of all of these.
    """

    file: Path
    row: Mapping[str, int]
    problems: Mapping[str, str]
    hash: str
    key: str

    def marked(self, items: Items) -> Items:
        """The same questions, and why some of them can't be used."""
        problems = [self.problems.get(str(_path_of(raw))) for raw in items.raw]
        raw = [
            raw if problem is None else replace(raw, problem=problem)
            for raw, problem in zip(items.raw, problems, strict=True)
        ]
        return replace(items, raw=raw, fingerprint=fingerprint([items.fingerprint, self.key]))

    def sources(self, codec: HasSources, items: Items, ids: Sequence[str]) -> Sources:
        """The sources of the questions with these names.

        Raises:
            DataError: The codec's regions are others, or a picture has none.
        """
        require_file(self.file)
        values = np.load(self.file, mmap_mode="r")
        _require_size(codec, values.shape[2])
        where = {name: i for i, name in enumerate(items.ids)}
        raw = [items.raw[where[name]] for name in ids]
        paths = [str(_path_of(one)) for one in raw]
        if (bad := next((path for path in paths if path in self.problems), None)) is not None:
            raise DataError(f"the picture {bad!r} can't be used: {self.problems[bad]}")
        return Sources(codec, raw, Features(values), np.array([self.row[path] for path in paths]))


def look(
    items: Items, regions: str | None, cache: Path, progress: Progress, *, known: str | None = None
) -> Looked | None:
    """Let the run that ``regions`` names look at the pictures of questions, each once.

    Args:
        items: The questions, each with a picture.
        regions: A run folder, or a file of regions, or None.
        cache: Folder for what is seen, and for the pictures.
        progress: Notified of long work.
        known: The hash of the weights that made the regions before, if any.

    Returns:
        Where their regions are; or None if ``regions`` is no run.

    Raises:
        ConfigError: The run has moved or changed, or doesn't encode images by patch.
        DataError: No picture can be read, or the cache can't be written.
    """
    looker = looker_at(regions, known)
    if looker is None:
        return None
    paths = sorted({str(_path_of(raw)) for raw in items.raw})
    pictures = Items(
        kind="image",
        ids=paths,
        raw=[Picture(Path(path)) for path in paths],
        fingerprint=fingerprint([file_facts(Path(path)) for path in paths]),
    )
    store = open_store(pictures, looker.codec, cache, max_skipped=1.0)
    key = fingerprint([FORMAT, hash_of(looker.model, looker.codec), store.folder.name])
    file = cache / f"{key}.npy"
    with writing(f"regions in {str(cache)!r}"), FileLock(cache / f"{key}.lock"):
        if not file.exists():
            _write(looker, store, file, progress)
    row = {path: i for i, path in enumerate(store.ids)}
    return Looked(file, row, dict(store.skipped), looker.hash, key)


def seen(
    raws: Sequence[Question], regions: str | None, codec: HasSources, *, known: str | None = None
) -> tuple[Sequence[Question], str | None]:
    """A few questions with the features of their pictures, and the file that others point into.

    Args:
        raws: The questions.
        regions: A run folder, or a file of regions, or None.
        codec: Of the questions.
        known: The hash of the weights that made the regions before, if any.

    Raises:
        ConfigError: The run has moved or changed, or doesn't encode images by patch.
        DataError: A picture can't be read, or the codec's regions are others.
    """
    looker = looker_at(regions, known)
    if looker is None:
        return raws, regions
    _require_size(codec, looker.shape[1])
    return [replace(raw, source=_seen(looker, raw.source)) for raw in raws], None


def looker_at(regions: str | None, known: str | None) -> Looker | None:
    """Open the run that ``regions`` names; None if it names a file, or nothing.

    Raises:
        ConfigError: The run has moved or changed, or doesn't encode images by patch.
    """
    if regions is None or (not Path(regions).is_dir() and Path(regions).suffix in FILES):
        return None
    path = Path(regions)
    if not path.exists():
        raise ConfigError(
            f"regions is {regions!r}, and there is no such run folder or file; if it has moved, "
            "say where it is now by --regions"
        )
    if not path.is_dir():
        return None
    looker = _opened(path, file_facts(RunFolder(path).model / "model.safetensors"))
    if known is not None and looker.hash != known:
        raise ConfigError(
            f"regions is {regions!r}, whose weights aren't those that this run was trained with; "
            "give the folder of that run by --regions, or train again"
        )
    return looker


@functools.lru_cache(maxsize=1)
def _opened(path: Path, facts: Any) -> Looker:
    """Open a run; ``facts`` are those of its weights, after a change of which it is read again."""
    try:
        model, codec = RunFolder(path).load()
    except EnsueError as error:
        raise ConfigError(f"regions is {str(path)!r}: {error}; {REMEDY}") from error
    shape = _shape_of(model, codec)
    if shape is None:
        raise ConfigError(
            f"regions is {str(path)!r}, a run of {model.config.family} on {codec.kind}, which has "
            f"no features of patches of images; {REMEDY}"
        )
    assert isinstance(model, EncodingModel)
    assert isinstance(codec, ImageCodec)
    of_any_size = replace(codec, resize=True)
    return Looker(path, model.to(best_device()), of_any_size, shape, hash_of_weights(model))


def _shape_of(model: object, codec: Codec) -> tuple[int, int] | None:
    """K and F of the patches of an image, or None where a model has no such features."""
    if not isinstance(codec, ImageCodec) or not isinstance(model, EncodingModel):
        return None
    local, context = _frames(model, torch.zeros(1, *codec.shape, dtype=torch.uint8))
    if local is None or context is None:
        return None
    return context.shape[1], local.shape[2] + context.shape[2]


def _frames(model: EncodingModel, x: Tensor) -> tuple[Any, Any]:
    """The local features and contexts of images, or None where these have no patches."""
    with torch.inference_mode():
        f = model.encode(x)
    return (None, None) if f.grid is None else (f.local, f.context)


def _side_by_side(local: Tensor, context: Tensor) -> Tensor:
    return torch.cat([local, context], dim=-1).float()


def _write(looker: Looker, store: Store, file: Path, progress: Progress) -> None:
    """Write the regions of all pictures of a store; a batch of them is in memory."""
    progress.start("looking at pictures", len(store))
    try:
        with written_whole(file) as draft:
            shape = (len(store), *looker.shape)
            values = np.lib.format.open_memmap(draft, "w+", np.float32, shape)
            for r in by_model(looker.model)(store, np.arange(len(store))):
                assert r.local is not None
                assert r.frames is not None
                values[r.row] = np.concatenate([r.local, r.frames], axis=-1)
                progress.advance(1, {})
            values.flush()
    finally:
        progress.stop()


def _seen(looker: Looker, source: Picture | int | str | np.ndarray) -> np.ndarray:
    if isinstance(source, Picture) or (isinstance(source, np.ndarray) and source.dtype == np.uint8):
        return looker.features(source)
    if isinstance(source, np.ndarray):
        return source
    raise DataError(_no_row(source))


def _path_of(raw: Question) -> Path:
    if isinstance(raw.source, Picture):
        return raw.source.path
    raise DataError(_no_row(raw.source))


def _no_row(source: object) -> str:
    return (
        f"the question is of row {source}, and regions is a run, which looks at pictures; give "
        "a path"
    )


def _require_size(codec: HasSources, size: int) -> None:
    facts = codec.facts()
    if facts["source_size"] != size:
        raise DataError(
            f"regions is a run with {size} features a patch, and this run was trained with regions "
            f"of {facts['source_size']}; give its own regions"
        )
