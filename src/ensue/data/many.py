"""Files that hold many items each: the names of the items, and which are for the test.

Files of a data set say by their names what they are for, as in ``t10k-images-idx3-ubyte`` or
``test-00000-of-00001.parquet``.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from ensue.data.labels import SPLIT

SIDES = {
    "t10k": "test",
    "test": "test",
    "dev": "validation",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
}
"""Words in the names of files, and the side of the column ``split`` that each stands for."""
WORD_ENDS = re.compile(r"[-_./ ]")


def numbered(part: str, num: int) -> list[str]:
    """The names of the items of a file.

    Example:
        >>> numbered("train", 2)
        ['train/00000', 'train/00001']
    """
    return [f"{part}/{i:05d}" for i in range(num)]


def split_by_name(sizes: Mapping[PurePath, int]) -> dict[str, list[str]]:
    """The column ``split`` of the items of several files; no column for one file, or one side.

    Args:
        sizes: How many items each file holds, by its path below the folder.

    Example:
        >>> split_by_name({PurePath("train-0.parquet"): 2, PurePath("test-0.parquet"): 1})
        {'split': ['train', 'train', 'test']}
    """
    sides = [side for path, num in sizes.items() for side in [_side(path)] * num]
    return {SPLIT: sides} if len(sizes) > 1 and set(sides) != {"train"} else {}


def joined(columns: Sequence[tuple[Mapping[str, Sequence[str]], int]]) -> dict[str, list[str]]:
    """The labels of several files end to end; a file that lacks a column has empty cells there.

    Args:
        columns: Of each file its labels, and how many items it holds.

    Example:
        >>> joined([({"a": ["x"]}, 1), ({"b": ["y", "z"]}, 2)])
        {'a': ['x', '', ''], 'b': ['', 'y', 'z']}
    """
    names = dict.fromkeys(name for labels, _ in columns for name in labels)
    return {n: [v for labels, num in columns for v in labels.get(n, [""] * num)] for n in names}


def _side(path: PurePath) -> str:
    words = WORD_ENDS.split(path.as_posix().lower())
    return next((SIDES[word] for word in reversed(words) if word in SIDES), "train")
