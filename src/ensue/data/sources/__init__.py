"""Sources: from what a user names (a folder, a manifest, a file, arrays, a corpus) to items."""

from ensue.data.sources.data import Data
from ensue.data.sources.open import open_items
from ensue.data.wanted import Wanted

__all__ = ["Data", "Wanted", "open_items"]
