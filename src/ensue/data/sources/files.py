"""Folders of files: what lies in them, the label that sub-folders give, and plain items."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ensue.data.config import DataConfig
from ensue.data.items import Items, Kind, fingerprint, group_of
from ensue.errors import ConfigError, DataError


def walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder, links to folders aside, so that a loop of links ends.

    Raises:
        DataError: A folder can't be read.
    """
    for root, _, names in os.walk(folder, onerror=_refuse):
        yield from (Path(root) / n for n in names)


def folder_label(inside: Sequence[Path]) -> dict[str, list[str]]:
    """The column ``label``: the sub-folders of paths, if any lies in one, else no column.

    Example:
        >>> folder_label([Path("ann/0.wav"), Path("1.wav")])
        {'label': ['ann', '']}
    """
    if not any(len(p.parts) > 1 for p in inside):
        return {}
    return {"label": ["" if len(p.parts) == 1 else p.parent.as_posix() for p in inside]}


def plain_items(
    kind: Kind,
    raw: Sequence[Any],
    ids: Sequence[str],
    labels: Mapping[str, Sequence[str]],
    config: DataConfig,
    facts: Sequence[object],
) -> Items:
    """Items that have no stretches of time, such as texts and images.

    Args:
        kind: What they are.
        raw: What a codec encodes.
        ids: A name for each.
        labels: Columns of labels.
        config: Settings of the data.
        facts: What changes when the items do.

    Raises:
        ConfigError: Labels of stretches are asked for.
        DataError: The column that groups isn't there.
    """
    if config.intervals:
        raise ConfigError(f"intervals label stretches of sound, and the data are of kind {kind}")
    return Items(
        kind=kind,
        ids=ids,
        raw=raw,
        labels=labels,
        group=group_of(labels, config.group),
        fingerprint=fingerprint(facts),
    )


def _refuse(error: OSError) -> None:
    raise DataError(f"can't read the folder {error.filename!r}: {error.strerror}") from error
