"""Commands that are stopped at random places, and done again: both ends must be equal to the bit.

Each place is a file that a command opens, renames or removes among its data and results, or an
optimizer step, and up to 3 ms after it, so that a write may be half done. There it gets SIGKILL,
SIGINT or SIGTERM from outside. Then every file must be whole, and the command, with ``--resume``
where a run was begun, must leave what an undisturbed one leaves, byte for byte.
"""

import contextlib
import csv
import importlib
import json
import os
import pkgutil
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import soundfile
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file
from torch.optim.optimizer import register_optimizer_step_post_hook

import ensue as package
from benchmarks.measure import save
from ensue.cli.main import main as ensue
from ensue.cli.process import prepare_process
from ensue.coding import container
from ensue.training.run_folder import RunFolder

SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
WRITES = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"}
"""Audit events of Python at which a command may be stopped."""
LONGEST_DELAY = 0.003
SHORT = (
    "--max-steps 12 --batch-size 4 --warmup-steps 2 --log-every 3 --validate-every 4 "
    "--checkpoint-every 5 --validation 0.3 --num-threads 1 --accelerator cpu"
)
NUM_PLACES = 50
RUN_ENDS = ("run/metrics.jsonl", "run/model/model.safetensors", "run/checkpoints/best.safetensors")


@dataclass(frozen=True)
class Task:
    """A command below a folder of its own, and the files by which its ends are compared.

    Attributes:
        name: Of the task.
        words: The command; ``{data}`` is the folder of data.
        ends: Files below the folder.
        run: The task whose finished run it uses, or None.
    """

    name: str
    words: str
    ends: tuple[str, ...]
    run: str | None = None

    @property
    def is_training(self) -> bool:
        return self.run is None and self.words.startswith("train")


def training(family: str, data: str, settings: str = "") -> Task:
    words = f"train {family} {{data}}/{data} --out run --cache cache --quiet {SHORT} {settings}"
    return Task(f"train {family}", words, RUN_ENDS)


SOUND = (
    "--sample-rate 8000 --window-seconds 0.3 --channels 8 --context-size 6 --horizon 2 "
    "--num-mels 10 --num-negatives 4"
)
TRAININGS = (
    training("realnvp", "table.csv", "--depth 2"),
    training("maf", "table.csv", "--depth 2"),
    training("charrnn", "texts", "--hidden-size 8 --embedding-size 4 --window-tokens 10"),
    training("causal", "texts", "--channels 8 --window-tokens 10"),
    training("vae", "texts", "--encoder-size 8 --decoder-size 8 --kl-schedule linear --kl-steps 6"),
    training("cpc", "sounds", SOUND),
    training("pixelcnn", "images", "--channels 8"),
    training("masked", "images", "--channels 8"),
    training("seq2seq", "questions.csv", "--hidden-size 8 --patch-size 8 --patch-stride 8"),
)
VERBS = (
    Task("embed", "embed run {data}/sounds --out x.parquet --cache cache --quiet", ("x.parquet",)),
    Task("score", "score run {data}/table.csv --out x.csv --cache cache --quiet", ("x.csv",)),
    Task("sample", "sample run --num 5 --out x.csv", ("x.csv",)),
    Task(
        "probe",
        "probe run {data}/sounds --label label --cache cache --quiet",
        ("run/probes.json",),
    ),
    Task(
        "evaluate", "evaluate run {data}/table.csv --cache cache --quiet", ("run/evaluation.json",)
    ),
    Task("report", "report run {data}/table.csv --cache cache --quiet", ("run/report.html",)),
    Task("compress", "compress run {data}/texts --out x.ensue --quiet", ("x.ensue",)),
    Task("check", "check {data}/sounds", ()),
)
RUNS_OF = {
    "embed": "train cpc",
    "score": "train realnvp",
    "sample": "train charrnn",
    "probe": "train cpc",
    "evaluate": "train realnvp",
    "report": "train realnvp",
    "compress": "train charrnn",
}


@dataclass(frozen=True)
class Child:
    """A command that ran in a process of its own: its status, its places, what it said."""

    status: int
    places: int
    said: str
    seconds: float


def run(words: str, folder: Path, stop: tuple[int, int, float] | None = None) -> Child:
    """Run a command below ``folder``, and stop it where ``stop`` says: place, signal, delay.

    Place 0 is the begin of the process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counted, counter = os.pipe()
    begun = time.monotonic()
    log = folder.with_name(folder.name + ".log")
    pid = os.fork()
    if pid == 0:
        os.close(counted)
        _command(words, folder, log, counter)
    os.close(counter)
    places = -1
    with os.fdopen(counted, "rb", buffering=0) as events:
        while events.read(1):
            places += 1
            if stop is not None and places == stop[0]:
                time.sleep(stop[2])
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, stop[1])
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return Child(status, places, log.read_text(), time.monotonic() - begun)


def _command(words: str, folder: Path, log: Path, counter: int) -> None:
    """The child: tells each place by a byte, and ends with the command's status."""
    status = 70
    try:
        os.chdir(folder)
        file = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        prepare_process()
        inside = str(folder.parent.parent.absolute())

        def place(event: str, arguments: Any) -> None:
            if event in WRITES and isinstance(arguments[0], str | bytes | os.PathLike):
                path = os.path.abspath(os.fsdecode(arguments[0]))
                if path.startswith(inside):
                    os.write(counter, b".")

        def step(*_: Any) -> None:
            os.write(counter, b".")

        sys.addaudithook(place)
        os.write(counter, b".")
        register_optimizer_step_post_hook(step)
        status = ensue(words.split())
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def write_data(folder: Path) -> None:
    """A small table, texts, sounds of two folders, images, and questions about them."""
    rng = np.random.default_rng(0)
    rows = [f"{a:.4f},{b:.4f},{c:.4f}" for a, b, c in rng.normal(5, 3, (60, 3))]
    (folder / "table.csv").write_text("\n".join(["height,width,depth", *rows]) + "\n")
    for name in ("texts", "images", "sounds/ann", "sounds/bob"):
        (folder / name).mkdir(parents=True)
    for i in range(8):
        (folder / "texts" / f"{i}.txt").write_text("an apple and a pear " * (i % 3 + 2))
        image = Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8))
        image.save(folder / "images" / f"{i}.png")
    for i in range(10):
        name, pitch = ("ann", 200) if i % 2 else ("bob", 500)
        seconds = np.arange(8000 + 100 * i) / 8000
        samples = 0.3 * np.sin(2 * np.pi * pitch * seconds) + 0.01 * rng.normal(size=len(seconds))
        soundfile.write(folder / "sounds" / name / f"{i}.wav", samples, 8000)
    with open(folder / "questions.csv", "w", newline="") as file:
        told = [("is it dark?", ("no", "yes")[i % 2], f"images/{i}.png") for i in range(8)]
        csv.writer(file).writerows([("question", "answer", "path"), *told])


def require_whole(folder: Path) -> None:
    """Read every file below a folder, but for those with a temporary or a hidden name."""
    for path in folder.rglob("*"):
        names = path.relative_to(folder).parts
        if path.is_dir() or any(".tmp" in name or name.startswith(".") for name in names):
            continue
        if "cache" in names and not (path.parent / "meta.json").exists():
            continue
        _read(path)


def _read(path: Path) -> None:
    readers = {
        ".json": lambda: json.loads(path.read_text()),
        ".jsonl": lambda: [json.loads(line) for line in path.read_text().splitlines()],
        ".yaml": lambda: RunFolder(path.parent).read_config() and yaml.safe_load(path.read_text()),
        ".parquet": lambda: pyarrow.parquet.read_table(path),
        ".safetensors": lambda: load_file(path),
        ".ckpt": lambda: torch.load(path, weights_only=True),
        ".npz": lambda: dict(np.load(path)),
        ".npy": lambda: np.load(path),
        ".png": lambda: Image.open(path).load(),
        ".html": lambda: path.read_text().rstrip().endswith("</html>") or 1 / 0,
        ".csv": lambda: path.read_text().endswith("\n") or 1 / 0,
        ".ensue": lambda: container.read(path),
    }
    try:
        readers.get(path.suffix, path.read_bytes)()
    except Exception as error:
        raise AssertionError(f"{path} is half written: {error!r}") from error


def leftovers(folder: Path) -> list[str]:
    """Temporary files below a folder."""
    return [str(path) for path in folder.rglob("*") if ".tmp" in path.name]


def load_modules() -> None:
    """Import once what each command would import again: two thirds of the time of a small one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in pkgutil.walk_packages(package.__path__, "ensue."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
        for name in ("lightning.pytorch", "sklearn.linear_model", "sklearn.manifold"):
            importlib.import_module(name)


class Trial:
    """Tasks below a folder: each once undisturbed, then stopped at places and done again."""

    def __init__(self, folder: Path) -> None:
        load_modules()
        self.folder: Path = folder
        self.whole: dict[str, tuple[Child, dict[str, bytes]]] = {}
        (folder / "data").mkdir(parents=True)
        write_data(folder / "data")

    def undisturbed(self, task: Task) -> Child:
        """What the task does when nothing stops it, once for all."""
        if task.name not in self.whole:
            place = self._place(task, "whole")
            found = run(self._words(task), place)
            assert found.status == 0, found.said
            self.whole[task.name] = found, self._ends(task, place)
        return self.whole[task.name][0]

    def stopped(self, task: Task, number: int, rng: random.Random) -> dict[str, Any]:
        """Stop a task at a place drawn from ``rng`` with a signal, and do it again."""
        whole = self.undisturbed(task)
        # A command that only reads may be stopped at any time.
        longest = LONGEST_DELAY if whole.places else whole.seconds
        stop = (rng.randint(min(1, whole.places), whole.places), number, rng.uniform(0, longest))
        folder = self._place(task, f"{stop[0]}-{number}-{rng.random():.6f}")
        found = run(self._words(task), folder, stop)
        dead = -signal.SIGKILL if number == signal.SIGKILL else 130
        assert found.status in (dead, 0), f"{task.name} {stop}: {found.status}\n{found.said}"
        require_whole(folder)
        if number != signal.SIGKILL:
            assert not leftovers(folder), (task.name, stop, leftovers(folder))
        begun = task.is_training and (folder / "run" / "config.yaml").exists()
        again = run(self._words(task) + " --resume" * begun, folder)
        assert again.status == 0, f"{task.name} {stop}: {again.said}"
        require_whole(folder)
        assert self._ends(task, folder) == self.whole[task.name][1], (task.name, stop)
        shutil.rmtree(folder)
        return {
            "task": task.name,
            "signal": signal.Signals(number).name,
            "place": stop[0],
            "places": whole.places,
            "ended_before": found.status == 0,
            "resumed": begun,
        }

    def _words(self, task: Task) -> str:
        return task.words.format(data=self.folder / "data")

    def _place(self, task: Task, name: str) -> Path:
        folder = self.folder / task.name.replace(" ", "-") / name
        if task.name in RUNS_OF:
            of = next(t for t in TRAININGS if t.name == RUNS_OF[task.name])
            self.undisturbed(of)
            trained = self.folder / of.name.replace(" ", "-") / "whole" / "run"
            shutil.copytree(trained, folder / "run")
        return folder

    def _ends(self, task: Task, folder: Path) -> dict[str, bytes]:
        return {name: (folder / name).read_bytes() for name in task.ends}


def places(num: int, seed: int) -> Iterator[tuple[Task, int]]:
    """Tasks and signals in turn, three trainings to one other verb."""
    for i in range(num):
        tasks = VERBS if i % 4 == 3 else TRAININGS
        turn = i // 4 if i % 4 == 3 else i - i // 4
        yield tasks[(turn + seed) % len(tasks)], SIGNALS[(i + turn // len(tasks)) % len(SIGNALS)]


def main() -> None:
    torch.set_num_threads(1)
    rng, found = random.Random(0), []
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(Path(folder) / "trial")
        for task, number in places(NUM_PLACES, 0):
            found.append(trial.stopped(task, number, rng))
            print(len(found), found[-1], flush=True)
    counts = {s.name: sum(f["signal"] == s.name for f in found) for s in SIGNALS}
    save("interrupted", {"places": len(found), "equal": len(found), **counts, "each": found})


if __name__ == "__main__":
    main()
