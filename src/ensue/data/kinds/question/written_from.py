"""The sources of questions from files: of all in a store, or of a few that are in none."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ensue.data.batches import Source
from ensue.data.items import Items, Picture, Question
from ensue.data.kinds.image.codec import ImageCodec
from ensue.data.kinds.question.questions import ReadsQuestions, Sources
from ensue.data.kinds.question.regions import Features, Patches, read_regions
from ensue.data.store import open_store
from ensue.errors import DataError, unknown


class ReadsRegions(ReadsQuestions, Protocol):
    """A codec of questions that knows how regions are read: of pictures, or as features."""

    @property
    def picture(self) -> ImageCodec | None: ...
    @property
    def patch_size(self) -> int: ...
    @property
    def patch_stride(self) -> int: ...
    @property
    def region_size(self) -> int: ...
    def regions_of(self, source: Picture | np.ndarray) -> Tensor: ...


def sources_of(
    items: Items, ids: Sequence[str], codec: ReadsRegions, cache: Path, regions: str | None
) -> Sources:
    """The sources of the questions with these names.

    Args:
        items: The questions.
        ids: Which of them, in their order.
        codec: Reads them.
        cache: Folder for encoded pictures.
        regions: The file that they point into, or None where each has a picture.

    Raises:
        DataError: The file can't be read or doesn't fit the codec, or a question points beyond it.
    """
    where = {name: i for i, name in enumerate(items.ids)}
    raw = [items.raw[where[name]] for name in ids]
    if regions is not None:
        found = _of_file(Path(regions), codec)
        return Sources(codec, raw, found, _rows(raw, found))
    assert codec.picture is not None
    paths = sorted({r.source.path for r in raw if isinstance(r.source, Picture)})
    names = [str(path) for path in paths]
    pictures = Items(
        kind="image",
        ids=names,
        raw=[Picture(path) for path in paths],
        fingerprint=items.fingerprint,
    )
    store = open_store(pictures, codec.picture, cache, max_skipped=0)
    place = {name: i for i, name in enumerate(store.ids)}
    row = np.array([place[str(r.source.path)] for r in raw])
    return Sources(codec, raw, _patches(store.values, codec), row)


def source_of(raws: Sequence[Question], codec: ReadsRegions, regions: str | None) -> Source:
    """The source of a few questions that are in no store.

    Args:
        raws: The questions, their texts aside.
        codec: Reads them.
        regions: The file that they point into, if they do.

    Raises:
        DataError: A picture can't be read, or an answer or concept isn't known.
    """
    file = None if regions is None else _of_file(Path(regions), codec)
    found = []
    for raw in raws:
        if isinstance(raw.source, Picture) and codec.picture is None and file is not None:
            raw = replace(raw, source=str(raw.source.path))
        if not isinstance(raw.source, int | str):
            found.append(codec.regions_of(raw.source))
        elif file is None:
            raise DataError(
                f"the question is of row {raw.source}, and no file of regions is named by the "
                "setting regions"
            )
        else:
            values, num = file.take(_rows([raw], file))
            found.append(values[0] if num is None else values[0, : int(num)])
    num = torch.tensor([len(one) for one in found])
    return codec.source(raws, pad_sequence(found, batch_first=True), num)


def _of_file(path: Path, codec: ReadsRegions) -> Features | Patches:
    found = read_regions(path)
    if isinstance(found, Features):
        if found.size != codec.region_size or codec.picture is not None:
            raise DataError(
                f"{str(path)!r} has regions of {found.size} features, and the run was trained with "
                f"{codec.region_size}"
            )
        return found
    images, names = found
    if codec.picture is None:
        raise DataError(f"{str(path)!r} holds images, and the run was trained with features")
    if names and len(names) != len(images):
        raise DataError(f"there are {len(names)} names for {len(images)} images in {str(path)!r}")
    pictures = np.stack([codec.picture.encode(image).numpy() for image in images])
    return _patches(pictures, codec, names)


def _patches(pictures: np.ndarray, codec: ReadsRegions, names: Sequence[str] = ()) -> Patches:
    return Patches(pictures, codec.patch_size, codec.patch_stride, names)


def _rows(raw: Sequence[Question], regions: Features | Patches) -> np.ndarray:
    """Where in a file the source of each question is, by number or by name.

    Raises:
        DataError: One isn't there.
    """
    place = {name: i for i, name in enumerate(regions.names)}
    found = []
    for question in raw:
        source = question.source
        if isinstance(source, str):
            if not place:
                raise DataError(
                    f"the file of regions has no names, such as {source!r}; give it names, or give "
                    "the number of the row"
                )
            if source not in place:
                raise DataError(unknown("name in the file of regions", source, place))
            found.append(place[source])
        elif isinstance(source, int) and 0 <= source < len(regions):
            found.append(source)
        else:
            raise DataError(
                f"a question is of row {source}, and there are {len(regions)} rows: 0 to "
                f"{len(regions) - 1}"
            )
    return np.array(found)
