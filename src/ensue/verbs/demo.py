"""``demo``: run the main job, from unlabeled speech to a table that compares features."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ensue.runs.results import Next
from ensue.verbs.embed import embed
from ensue.verbs.probe import Probed, probe
from ensue.verbs.train import Trained, train


@dataclass(frozen=True, kw_only=True)
class Demo:
    """The result of the demo.

    Attributes:
        trained: The result of the training.
        probes: Probes of phones across new voices, and of speakers, frame by frame.
        seconds: Time of the whole demo.
        files: The files to look at.
    """

    trained: Trained
    probes: tuple[Probed, ...]
    seconds: float
    files: tuple[Path, ...]

    def show(self, console: Console) -> None:
        self.trained.show(console)
        for probed in self.probes:
            console.print()
            probed.show(console)
        console.print(f"\nall in {self.seconds:.0f} s")

    def suggest(self) -> Next:
        return Next("train", ("cpc", "MY_RECORDINGS/"), {"out": "runs/mine"})


def demo(
    *,
    out: str | Path = "runs/demo",
    seed: int = 0,
    cache: str | Path | None = None,
    quiet: bool = False,
    **settings: Any,
) -> Demo:
    """Run the main job on built-in speech: train CPC, embed, probe, report.

    Parameters
    ----------
    out
        The run folder to make.
    seed
        Seed of everything.
    cache
        Folder for prepared data; by default "cache" next to the run.
    quiet
        Show no progress.
    settings
        Settings of the recipe to override, as `--name value`.
    """
    begun = time.monotonic()
    common: dict[str, Any] = {"cache": cache, "quiet": quiet}
    data, run = "builtin:speech", Path(out)
    trained = train("cpc", data, out=run, recipe="speech", seed=seed, **common, **settings)
    embeddings = embed(run, data, out=run / "embeddings.parquet", **common)
    probes = tuple(
        probe(run, data, label=label, level="frame", seed=seed, report=True, **common)
        for label in ("phone", "speaker")
    )
    return Demo(
        trained=trained,
        probes=probes,
        seconds=time.monotonic() - begun,
        files=(*trained.files, *embeddings.files, *probes[-1].files[:1]),
    )
