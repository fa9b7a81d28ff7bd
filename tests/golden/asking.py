"""What ``ensue.load`` says of a run about a few items, as texts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import ensue
from tests.golden.contents import array

ROWS = ({"height": 4.5, "share": 0.25, "tail": 1.5, "rings": 2, "color": "red"},)
COLORED = (np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5,)
GRAY = (np.arange(16, dtype=np.uint8).reshape(4, 4) * 15,)
QUESTION = {"path": "data/pictures/2.png", "answer": "blue"}
Asked = dict[str, Callable[[Any], Any]]


def of_items(raws: Any) -> Asked:
    """A vector, a score and a draw; what a family can't do is an error, and is told as one."""
    return {
        "embed": lambda run: run.embed(raws),
        "frames": lambda run: run.frames(raws[0]),
        "score": lambda run: run.score(raws),
        "sample": lambda run: run.sample(2, seed=5),
    }


def of_latents(first: str, second: str) -> Asked:
    """And what comes back of a vector, between two, and by search."""
    few = {"max_length": 20}
    return {
        **of_items([first, second]),
        "reconstruct": lambda run: run.reconstruct([first, second], **few),
        "interpolate": lambda run: run.interpolate(first, second, 3, **few),
        "optimize": lambda run: [
            run.optimize(lambda raws: [len(raw) for raw in raws], 4, num_rounds=1, num=2, **few)
        ],
    }


KINDS: dict[str, Asked] = {
    "audio": of_items([Path("data/sounds/ann/1.wav"), Path("data/sounds/eve/0.wav")]),
    "colored image": of_items(list(COLORED)),
    "gray image": of_items(list(GRAY)),
    "table": of_items(list(ROWS)),
    "text": {
        **of_items(["an apple fell", "so it ends"]),
        "sample": lambda run: run.sample(2, seed=5, max_length=20),
        "complete": lambda run: run.complete(["an ap"], num=2, seed=5, max_length=9),
    },
    "latent text": of_latents("an apple fell", "so it ends"),
    "latent smiles": of_latents("CCO", "c1ccccc1"),
    "question": {
        "sample": lambda run: run.sample(2, condition=QUESTION, seed=5, max_length=8),
    },
}


def asked_of(run: str, kind: str) -> dict[str, str]:
    """The answers of a run about items of a kind."""
    return {name: _told(ask, run) for name, ask in KINDS[kind].items()}


def _told(ask: Callable[[Any], Any], run: str) -> str:
    try:
        found = ask(ensue.load(run))
    except ensue.EnsueError as error:
        return f"{type(error).__name__}: {error}"
    if isinstance(found, np.ndarray):
        return array(found)
    return "\n".join(array(x) if isinstance(x, np.ndarray) else repr(x) for x in found)
