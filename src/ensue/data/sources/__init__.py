"""Sources: from what a user names (a folder, a manifest, a file, arrays, a corpus) to items."""

from ensue.data.sources.builtin import BUILTIN
from ensue.data.sources.open import Data, open_items

__all__ = ["BUILTIN", "Data", "open_items"]
