"""Restoring: the runs whose items can be restored exactly, and the files that hold them."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath

import torch
from torch import Tensor

from ensue.data.codecs.protocols import Codec, Restores
from ensue.data.kinds import KINDS
from ensue.errors import ConfigError, DataError
from ensue.files import writing
from ensue.generation import Prompts
from ensue.models.traits import CodingModel
from ensue.runs.loaded import Loaded, load
from ensue.runs.writers import file_inside


def load_coder(run: str | Path) -> Loaded:
    """Load a run on the CPU: a GPU doesn't guarantee the order of its sums."""
    loaded = load(run)
    coding_model(loaded)
    return loaded


def coding_model(loaded: Loaded) -> CodingModel:
    """Return the model, if its family predicts token by token.

    Raises:
        ConfigError: The family doesn't predict token by token.
    """
    return loaded.model_as(CodingModel, "codes")


def lengths_to_tell(model: CodingModel, sequences: Sequence[Tensor]) -> tuple[int, ...] | None:
    """Return the lengths of sequences, if no last token and no form of the items says them."""
    prompts = model.prompts(len(sequences))
    lengths = torch.tensor([len(tokens) for tokens in sequences])
    if prompts.eos is not None:
        return None
    if prompts.limits is not None and torch.equal(prompts.length.cpu() + prompts.limits, lengths):
        return None
    return tuple(lengths.tolist())


def prompts_of(model: CodingModel, num: int, lengths: Sequence[int] | None) -> Prompts:
    """Return the beginnings of sequences, of these lengths where they are given."""
    prompts = model.prompts(num)
    if lengths is not None:
        prompts.limits = torch.tensor(lengths) - prompts.length.cpu()
    return prompts


def restoring(codec: Codec) -> Restores:
    """Return the codec, if it can restore files.

    Raises:
        ConfigError: It can't restore them.
    """
    if not isinstance(codec, Restores):
        raise ConfigError(f"items of kind {codec.kind} can't be restored from what a run encodes")
    return codec


def files_of(names: Sequence[str], codec: Codec) -> list[PurePath]:
    """Return the file of each item below the folder that it is restored in.

    Raises:
        DataError: A name can't be a file's, or two items have the same.
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
    """Refuse a place that can't be written to, before the work rather than after it."""
    with writing(repr(str(path))):
        path.parent.mkdir(parents=True, exist_ok=True)
