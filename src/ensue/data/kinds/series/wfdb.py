"""Records of WFDB (PhysioNet): a header ``.hea`` next to its signals, read by the package wfdb."""

import importlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ensue.data.kinds.series.record import Record, checked, chosen
from ensue.errors import DataError, MissingExtraError
from ensue.files import require_file

WFDB = ".hea"


@dataclass(frozen=True)
class WFDBRecord:
    """A record, in physical units, read when it is asked for.

    Attributes:
        path: Its header.
        columns: The signals to read; empty for all.
    """

    path: Path
    columns: tuple[str, ...]

    def read(self) -> Record:
        """Its values.

        Raises:
            DataError: It can't be read, or has no such signal.
            MissingExtraError: The package isn't installed.
        """
        require_file(self.path)
        wfdb = package()
        try:
            found = wfdb.rdrecord(str(self.path.with_suffix("")))
        except Exception as error:  # its own errors are of many classes
            raise DataError(f"can't read {str(self.path)!r} as a WFDB record: {error}") from error
        if found.p_signal is None:
            raise DataError(f"the WFDB record {str(self.path)!r} has no signals")
        values = np.asarray(found.p_signal, np.float64)
        record = checked(Record(values, different(found.sig_name), float(found.fs)))
        return chosen(record, self.columns) if self.columns else record


def different(names: Sequence[str]) -> tuple[str, ...]:
    """Names of which some may be the same, with numbers from the second of a name on.

    Example:
        >>> different(["ECG", "ECG", "RESP"])
        ('ECG', 'ECG 2', 'RESP')
    """
    counts: Counter[str] = Counter()
    found = []
    for name in names:
        counts[name] += 1
        found.append(name if counts[name] == 1 else f"{name} {counts[name]}")
    return tuple(found)


def package() -> Any:
    """The package wfdb.

    Raises:
        MissingExtraError: It isn't installed.
    """
    try:
        return importlib.import_module("wfdb")
    except ImportError as error:
        raise MissingExtraError(
            "records of WFDB need wfdb; install it with: pip install 'ensue[wfdb]'"
        ) from error
