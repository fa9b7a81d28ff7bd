"""Files: what lies in folders, the folder that several share, and items that are nothing more."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ensue.data.config import DataConfig
from ensue.data.items import Items, fingerprint, group_of
from ensue.errors import ConfigError, DataError


def walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder, links to folders aside, so that a loop of links ends.

    Raises:
        DataError: A folder can't be read.
    """
    for root, _, names in os.walk(folder, onerror=_refuse):
        yield from (Path(root) / n for n in names)


def has_ending(path: Path, endings: Collection[str]) -> bool:
    """Return whether a name ends in one of some endings, in letters of any case.

    Example:
        >>> has_ending(Path("a.PNG"), (".png",))
        True
    """
    return path.suffix.lower() in endings


def without_gz(path: Path) -> Path:
    """The path without gzip's ending.

    Example:
        >>> without_gz(Path("a.txt.gz")).name
        'a.txt'
    """
    return path.with_name(path.name.removesuffix(".gz")) if path.name.endswith(".gz") else path


def shared_folder(paths: Sequence[Path]) -> Path:
    """The deepest folder that holds all of some absolute paths."""
    return Path(os.path.commonpath([p.parent for p in paths]))


def require_different(paths: Sequence[Path]) -> None:
    """Refuse a list of files in which one comes twice.

    Raises:
        DataError: One does.
    """
    if len(set(paths)) < len(paths):
        twice = next(p for p in paths if paths.count(p) > 1)
        raise DataError(f"the file {str(twice)!r} is listed twice; leave it out once")


def plain_items(
    kind: str,
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
