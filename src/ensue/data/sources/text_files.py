"""Sources of items in text files: found by their endings, plain or compressed by gzip."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ensue.data.config import DataConfig
from ensue.data.files import has_ending, require_different, shared_folder, walk, without_gz
from ensue.data.items import Items


@dataclass(frozen=True)
class TextFiles(ABC):
    """Abstract: a source of items in text files; a final class reads them.

    Attributes:
        endings: Of the names of files, gzip's ending aside.
    """

    endings: Collection[str]

    @abstractmethod
    def read_paths(self, paths: Sequence[Path], config: DataConfig, base: Path) -> Items:
        """Return the items of files, named by their paths below ``base``.

        Raises:
            DataError: There is no item, or a file can't be read.
        """

    def takes_file(self, path: Path) -> bool:
        """Return whether the name of a file has one of the endings, gzip's ending aside."""
        return has_ending(without_gz(path), self.endings)

    def read_file(self, path: Path, config: DataConfig) -> Items:
        """Return the items of one file."""
        return self.read_paths([path], config, path.parent)

    def read_folder(self, folder: Path, config: DataConfig) -> Items:
        """Return the items of all files below a folder that have one of the endings."""
        return self.read_paths(sorted(filter(self.takes_file, walk(folder))), config, folder)

    def read_files(self, paths: Sequence[Path], names: Sequence[str], config: DataConfig) -> Items:
        """Return the items of several files, named by paths below the folder that holds them all.

        Raises:
            DataError: A file is listed twice.
        """
        require_different(paths)
        whole = [p.absolute() for p in paths]
        return self.read_paths(whole, config, shared_folder(whole))
