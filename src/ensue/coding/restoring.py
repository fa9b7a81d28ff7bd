"""Restoring: the runs whose items come back exactly, and the files that these come back in."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath

from ensue.data.codecs.protocols import Codec, Restores
from ensue.data.kinds import KINDS
from ensue.errors import ConfigError, DataError
from ensue.files import writing
from ensue.models.traits import CodingModel
from ensue.runs.loaded import Loaded, load
from ensue.runs.writers import file_inside


def load_coder(run: str | Path) -> Loaded:
    """On the CPU: the sums of a GPU are taken in an order that nobody promises."""
    loaded = load(run)
    coding_model(loaded)
    return loaded


def coding_model(loaded: Loaded) -> CodingModel:
    """The model, of a family that predicts token by token.

    Raises:
        ConfigError: The family doesn't.
    """
    return loaded.model_as(CodingModel, "codes")


def restoring(codec: Codec) -> Restores:
    """The codec, if it can give files back.

    Raises:
        ConfigError: It can't.
    """
    if not isinstance(codec, Restores):
        raise ConfigError(f"items of kind {codec.kind} can't be restored from what a run encodes")
    return codec


def files_of(names: Sequence[str], codec: Codec) -> list[PurePath]:
    """The file of each item below the folder that it is restored in.

    Raises:
        DataError: A name is no file's, or another item's too.
    """
    files = [file_inside(name) for name in names]
    if isinstance(codec, Restores):
        endings = KINDS[codec.kind].endings
        files = [codec.restored_name(file, endings) for file in files]
    twice = next((file for file, num in Counter(files).items() if num > 1), None)
    if twice is not None:
        raise DataError(f"two items would be restored as {str(twice)!r}; rename one of them")
    return files


def require_place(path: Path) -> None:
    """Find out before the work, not after it, that nothing can be written there."""
    with writing(repr(str(path))):
        path.parent.mkdir(parents=True, exist_ok=True)
