"""Recorded digits (FSDD): 100 labels, speakers left out, all labels; and the waveform encoder.

The folder holds ``recordings_flac.tar`` and ``index.csv`` (file, digit, speaker, rep, samples,
split). The test part is the official one, repetitions 0 to 4 of each speaker and digit, which
pretraining doesn't hear. With a speaker left out, the labels of that speaker are not seen; its
recordings of the training part are heard in pretraining, without labels.
"""

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.labelled import folder_of, index_of, train_and_ask, unpack, write_manifest
from benchmarks.measure import save

FEW = {"label": "digit", "num_labels": 100, "draws": 10}
QUESTIONS: dict[str, dict[str, Any]] = {
    "100 labels": FEW,
    "speaker left out": {"label": "digit", "leave_one_group_out": True, "group": "speaker"},
    "digit": {"label": "digit"},
    "speaker": {"label": "speaker"},
}
SEEDS = ("0", "1", "2")


def run(
    recipe: str, questions: dict[str, dict[str, Any]], source: Path, seeds: tuple[str, ...]
) -> dict[str, Any]:
    """The figures of a recipe with several seeds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = unpack(source / "recordings_flac.tar", folder)
        manifest = write_manifest(
            folder / "digits.csv",
            ("path", "digit", "speaker", "split"),
            (
                (found[Path(r["file"]).name], f"d{r['digit']}", r["speaker"], r["split"])
                for r in index_of(source)
            ),
        )
        asked = {name: (manifest, question) for name, question in questions.items()}
        runs = [train_and_ask(recipe, manifest, asked, folder, int(s)) for s in seeds]
    return {"recipe": recipe, "runs": runs}


def main(source: str = "", *seeds: str) -> None:
    folder = folder_of(source, "ENSUE_FSDD", "recordings_flac.tar and index.csv of FSDD")
    save("fsdd", run("fsdd", QUESTIONS, folder, seeds or SEEDS))
