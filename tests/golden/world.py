"""Tiny data of every kind, the same on every machine: what golden runs are trained on.

All names are relative and all times of change are one: what a run says of its data holds both.
"""

import csv
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

RATE = 8000
TIME_OF_CHANGE = 1_000_000_000
SPEAKERS = {"ann": 200.0, "bob": 500.0, "eve": 350.0}
COLORS = {"red": (250, 10, 10), "green": (10, 250, 10), "blue": (10, 10, 250)}
SENTENCES = ("an apple é fell. ", "what follows is told. ", "so it ends, or not! ")
MOLECULES = (
    *("CCO", "c1ccccc1", "CC(=O)O", "C[C@H](N)C(=O)O", "ClCCl", "CC(C)Cc1ccccc1", "O=C=O"),
    *("CCN(CC)CC", "c1ccncc1", "CC#N", "BrCCBr", "[nH]1cccc1", "OCC(O)CO", "C1CCCCC1", "CCS"),
)


def make_world(folder: Path) -> None:
    """Write all data below a folder."""
    folder.mkdir(parents=True)
    make_sounds(folder)
    make_images(folder)
    make_texts(folder)
    make_molecules(folder)
    make_table(folder)
    make_questions(folder)
    make_series(folder)
    for path in sorted(folder.rglob("*")):
        os.utime(path, (TIME_OF_CHANGE, TIME_OF_CHANGE))


def make_sounds(folder: Path) -> None:
    """Tones of three speakers, a manifest of them with splits, and stretches that have labels."""
    rng = np.random.default_rng(0)
    rows, phones = [], []
    for speaker, pitch in SPEAKERS.items():
        (folder / "sounds" / speaker).mkdir(parents=True)
        for i in range(5):
            time = np.arange(5000 + 300 * i) / RATE
            tone = np.sin(2 * np.pi * pitch * (1 + i % 2) * time)
            samples = np.round(9000 * tone + 300 * rng.standard_normal(len(time)))
            name = f"{speaker}/{i}.wav"
            soundfile.write(folder / "sounds" / name, samples.astype(np.int16), RATE)
            split = ("train", "train", "validation", "test", "test")[i]
            rows.append((f"sounds/{name}", speaker, "lowhigh"[3 * (i % 2) :][:4], split))
            phones += [(name, 0.05, 0.3, "ab"[i % 2]), (name, 0.3, 0.6, "ba"[i % 2])]
    write_table(folder / "sounds.csv", ("path", "speaker", "word", "split"), rows)
    write_table(folder / "phones.csv", ("item", "start", "end", "label"), phones)
    (folder / "clicks").mkdir()
    for i in range(6):
        samples = (4000 * np.sin(np.arange(60 + 9 * i) / (2 + i % 3))).round().astype(np.int16)
        soundfile.write(folder / "clicks" / f"{i}.wav", samples, RATE)


def make_images(folder: Path) -> None:
    """Small squares, colored and gray, and a manifest of the gray ones with their shade."""
    rng = np.random.default_rng(1)
    rows = []
    for name in ("colored", "gray"):
        (folder / name).mkdir()
    for i in range(12):
        colored = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(colored).save(folder / "colored" / f"{i:02}.png")
        gray = np.clip(rng.integers(-40, 40, (4, 4)) + (60, 190)[i % 2], 0, 255)
        Image.fromarray(gray.astype(np.uint8)).save(folder / "gray" / f"{i:02}.png")
        split = "validation" if i in (3, 6, 9) else "train"
        rows.append((f"gray/{i:02}.png", ("dark", "light")[i % 2], split))
    write_table(folder / "gray.csv", ("path", "shade", "split"), rows)


def make_texts(folder: Path) -> None:
    """Files of a few sentences, and one file that is an item a line."""
    (folder / "texts").mkdir()
    lines = [SENTENCES[i % 3] * (1 + i % 2) + SENTENCES[(i + 1) % 3] for i in range(8)]
    for i, line in enumerate(lines):
        (folder / "texts" / f"{i}.txt").write_bytes(line.encode())
    (folder / "lines.txt").write_bytes("\n".join(lines).encode())


def make_molecules(folder: Path) -> None:
    (folder / "molecules.smi").write_text(
        "".join(f"{s} m{i}\n" for i, s in enumerate(MOLECULES * 3))
    )


def make_table(folder: Path) -> None:
    """Rows with measurements, a share, a heavy tail, whole numbers, categories and a class."""
    rng = np.random.default_rng(2)
    rows = []
    for i in range(60):
        height, share, tail = rng.normal(5, 3), rng.uniform(), np.exp(rng.normal(0, 2))
        rings, color = rng.integers(0, 6), ("red", "green", "blue")[rng.integers(3)]
        numbers = f"{height:.3f}", f"{share:.3f}", f"{tail:.3f}", int(rings)
        rows.append((*numbers, color, ("oak", "fir")[i % 2]))
    write_table(folder / "trees.csv", ("height", "share", "tail", "rings", "color", "tree"), rows)


def make_series(folder: Path) -> None:
    """Logs of two channels at 4 Hz, with a gap and missing values, of a fast and a slow machine."""
    rng = np.random.default_rng(3)
    for i in range(10):
        label = ("fast", "slow")[i % 2]
        (folder / "logs" / label).mkdir(parents=True, exist_ok=True)
        rows = []
        for k in range(60 + 2 * i):
            wave = np.sin(k / (2 if label == "fast" else 5) + i) + 0.1 * rng.normal()
            heat = 20 + 0.1 * k + rng.normal()
            if k not in (20, 21):
                rows.append((k / 4, f"{wave:.4f}", "" if k % 11 == 5 else f"{heat:.3f}"))
        write_table(folder / "logs" / label / f"{i}.csv", ("time", "wave", "heat"), rows)


def make_questions(folder: Path) -> None:
    """Questions about squares of a color, whose pictures are files and rows of an array too."""
    (folder / "pictures").mkdir()
    images, rows = [], []
    for i, (color, value) in enumerate([*COLORS.items()] * 3):
        image = np.full((16, 16, 3), 240, np.uint8)
        image[i % 5 : 8 + i % 5, i % 7 : 8 + i % 7] = value
        images.append(image)
        path = f"pictures/{i}.png"
        Image.fromarray(image).save(folder / path)
        rows.append(("what color is it?", color, path, i))
        rows.append((f"is there a {color} shape?", "yes indeed", path, i))
    np.savez(folder / "pictures.npz", images=np.stack(images))
    write_table(folder / "questions.csv", ("question", "answer", "path", "row"), rows)
    by_row = [(question, answer.split()[0], row) for question, answer, _, row in rows]
    write_table(folder / "by_row.csv", ("question", "answer", "row"), by_row)


def write_table(path: Path, names: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([names, *rows])
