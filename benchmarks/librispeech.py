"""Speakers of LibriSpeech: pretrain on 251 of them, then tell ten others apart and verify them.

The folder holds ``train_clean_251spk_4s.tar`` (four seconds of each of 251 speakers),
``test_other_10spk.tar`` (ten utterances of each of ten others) and ``index.csv`` (archive, file,
speaker, split). Identification reads frames: seven utterances of each of the ten to train on, three
to test. Verification compares all pairs of the hundred utterances; all that it takes from the 251
is the mean and deviation of each feature.
"""

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.labelled import folder_of, index_of, train_and_ask, unpack, write_manifest
from benchmarks.measure import save

HEARD, OTHERS = "train_clean_251spk_4s", "test_other_10spk"
HEADER = ("path", "speaker", "split")
SEEDS = ("0", "1", "2")


def main(source: str = "", *seeds: str) -> None:
    place = folder_of(source, "ENSUE_LIBRISPEECH", "librispeech_small")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        heard, others = (_recordings(place, archive, folder) for archive in (HEARD, OTHERS))
        pretrain_on = write_manifest(folder / "heard.csv", HEADER, heard)
        ten = write_manifest(folder / "others.csv", HEADER, others)
        both = [(*row[:2], "train") for row in heard] + [(*row[:2], "test") for row in others]
        pairs = write_manifest(folder / "pairs.csv", HEADER, both)
        questions: dict[str, tuple[Path, dict[str, Any]]] = {
            "speaker": (ten, {"label": "speaker", "level": "frame"}),
            "verification": (pairs, {"label": "speaker", "verify": True}),
        }
        runs = [
            train_and_ask("librispeech-speakers", pretrain_on, questions, folder, int(s))
            for s in seeds or SEEDS
        ]
    save("librispeech", {"recipe": "librispeech-speakers", "runs": runs})


def _recordings(source: Path, archive: str, folder: Path) -> list[tuple[str, str, str]]:
    """Path, speaker and split of the recordings of an archive."""
    found = unpack(source / f"{archive}.tar", folder)
    return [
        (str(found[Path(r["file"]).name]), f"s{r['speaker']}", r["split"])
        for r in index_of(source)
        if r["archive"].removesuffix(".tar") == archive
    ]
