"""The waveform encoder on recorded digits (FSDD) with 100 labels; see ``benchmarks.fsdd``."""

from benchmarks.fsdd import FEW, SEEDS, run
from benchmarks.labelled import folder_of
from benchmarks.measure import save


def main(source: str = "", *seeds: str) -> None:
    folder = folder_of(source, "ENSUE_FSDD", "recordings_flac.tar and index.csv of FSDD")
    save("fsdd_waveform", run("fsdd-waveform", {"100 labels": FEW}, folder, seeds or SEEDS))
