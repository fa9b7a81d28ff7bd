"""Records of WFDB (PhysioNet): a header ``.hea`` next to its signals, read by the package wfdb."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ensue.data.kinds.series.record import Record, checked
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
        wfdb = _package()
        names = list(self.columns) or None
        try:
            found = wfdb.rdrecord(str(self.path.with_suffix("")), channel_names=names)
        except Exception as error:  # its own errors are of many classes
            raise DataError(f"can't read {str(self.path)!r} as a WFDB record: {error}") from error
        values = np.asarray(found.p_signal, np.float64)
        return checked(Record(values, tuple(found.sig_name), float(found.fs)))


def _package() -> Any:
    try:
        return importlib.import_module("wfdb")
    except ImportError as error:
        raise MissingExtraError(
            "records of WFDB need wfdb; install it with: pip install 'ensue[wfdb]'"
        ) from error
