"""What a user may name as data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

Data = str | Path | np.ndarray | Sequence[Any]
"""A folder, manifest, table or file; ``builtin:NAME``; an array; a list of recordings."""
