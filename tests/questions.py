"""A small manifest of questions about colored squares, with its pictures."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
NUM_PICTURES = 12


def picture(number: int) -> tuple[str, np.ndarray]:
    """A color, and a picture with a square of it."""
    color = list(COLORS)[number % 3]
    image = np.full((32, 32, 3), 240, np.uint8)
    y, x = 2 + number % 5, 3 + number % 7
    image[y : y + 16, x : x + 16] = COLORS[color]
    return color, image


def asked() -> list[tuple[str, str, int]]:
    """Question, answer and picture."""
    found = []
    for number in range(NUM_PICTURES):
        color, _ = picture(number)
        other = next(name for name in COLORS if name != color)
        found += [
            ("what color is the shape?", color, number),
            (f"is there a {color} shape?", "yes", number),
            (f"is there a {other} shape?", "no", number),
        ]
    return found


def write_questions(folder: Path) -> Path:
    """``my_questions.csv`` with its ``pictures``; ``images.npz`` holds the same pictures by row."""
    (folder / "pictures").mkdir()
    images = []
    for number in range(NUM_PICTURES):
        _, image = picture(number)
        Image.fromarray(image).save(folder / "pictures" / f"{number}.png")
        images.append(image)
    np.savez(folder / "images.npz", images=np.stack(images))
    rows = [(q, a, f"pictures/{n}.png", n) for q, a, n in asked()]
    path = folder / "my_questions.csv"
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([("question", "answer", "path", "row"), *rows])
    return path
