"""The words of commands, from which the golden runs are put together.

In a command ``{run}`` is the run of its case and ``{out}`` the folder for what it writes.
"""

from dataclasses import dataclass

QUICK = (
    "--max-steps 4 --batch-size 4 --warmup-steps 1 --log-every 2 --validate-every 2 "
    "--validation 0.3 --quiet"
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A run and what is asked of it.

    Attributes:
        name: Of the case.
        commands: What is done, in order; one may fail, and its message is then what is recorded.
        loads: The kind of the items that ``ensue.load`` is asked about, or None.
        restores: The folder that ``{out}/restored`` must equal, or None.
        mistaken: Whether its commands are there to fail.
        quick: Whether the fast tests take it.
    """

    name: str
    commands: tuple[str, ...]
    loads: str | None = None
    restores: str | None = None
    mistaken: bool = False
    quick: bool = False


def case(name: str, trained: str, *asked: str, **facts: object) -> Case:
    """A case of one run, which is trained for a few steps."""
    return Case(name=name, commands=(train(trained), *asked), **facts)  # type: ignore[arg-type]


def train(words: str, more: str = "") -> str:
    return f"train {words} --out {{run}} {QUICK} {more}".strip()


def embed(data: str, file: str = "embedding.parquet", more: str = "") -> str:
    return f"embed {{run}} {data} --out {{out}}/{file} --quiet {more}".strip()


def score(data: str, file: str = "scores.csv", more: str = "") -> str:
    return f"score {{run}} {data} --out {{out}}/{file} --quiet {more}".strip()


def sample(file: str = "samples.csv", more: str = "") -> str:
    return f"sample {{run}} --num 3 --seed 3 --out {{out}}/{file} {more}".strip()


def ask(file: str = "samples.csv", more: str = "") -> str:
    return f"ask {{run}} --num 3 --seed 3 --out {{out}}/{file} {more}".strip()


def complete(data: str, file: str = "completed.csv", more: str = "") -> str:
    return f"complete {{run}} {data} --num 2 --seed 4 --out {{out}}/{file} {more}".strip()


def packed(data: str) -> tuple[str, str]:
    """There and back again."""
    return (
        f"compress {{run}} {data} --out {{out}}/packed.ensue --batch-size 5 --quiet",
        "decompress {run} {out}/packed.ensue --out {out}/restored --quiet",
    )
