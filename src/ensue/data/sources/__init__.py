"""Sources: from what a user names (a folder, a manifest, a file, arrays, a corpus) to items."""

from ensue.data.sources.builtin import BUILTIN
from ensue.data.sources.kinds import Data
from ensue.data.sources.memory import Wanted
from ensue.data.sources.open import open_items

__all__ = ["BUILTIN", "Data", "Wanted", "open_items"]
