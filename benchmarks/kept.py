"""Last weights and best-validation weights compared: features of CPC, samples of the sequence VAE.

The loss of either is a bound, so that the best bound need not give the best features or samples.
Each run is trained once and ended both ways. ``python -m benchmarks.kept FSDD MOLECULES``: the
folders of recorded digits and of molecules. Pretraining hears the training part of the digits but
one speaker, who is the validation; probes are asked on that training part too (repetitions 5 to 29
teach, later ones answer), so that no test part is read. Of the molecules 2,000 strings are learned,
or 40,000; others of the 90 % that are trained on elsewhere are the unseen ones.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.labelled import ask, index_of, unpack, write_manifest
from benchmarks.measure import save
from benchmarks.molecules import split

SEEDS = (0, 1, 2)
DIGITS = {"recipe": "fsdd", "validation": 0.1, "group": "speaker", "validate_every": 50}
MOLECULES = {
    "recipe": "molecules",
    "precision": "float32",
    "max_steps": 1000,
    "batch_size": 128,
    "validation": 0.1,
    "validate_every": 10,
    "num_threads": 1,
}
NUM_UNSEEN, NUM_DRAWN = 500, 2_000
WAYS = ("last", "best")


def both_ways(
    family: str, data: Path, out: Path, measure: Callable[[Path], dict[str, Any]], **settings: Any
) -> dict[str, Any]:
    """The step of the weights that a run ends with, and what is measured of them, by each way."""
    from ensue import train
    from ensue.training.kept import read_kept
    from ensue.training.run_folder import RunFolder

    found = {}
    train(family, data, out=out, keep="last", quiet=True, **settings)
    for way in WAYS:
        run = out.with_name(f"{out.name}-{way}")
        shutil.copytree(out, run)
        train(family, data, out=run, keep=way, quiet=True, resume=True, cache=out.parent / "cache")
        kept = read_kept(RunFolder(run))
        assert kept is not None
        found[way] = {"step": kept.step, **measure(run)}
    return found


def digits(source: Path, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = unpack(source / "recordings_flac.tar", folder)
        rows = [r for r in index_of(source) if r["split"] == "train"]
        part = lambda r: "train" if int(r["rep"]) < 30 else "test"  # noqa: E731
        manifest = write_manifest(
            folder / "digits.csv",
            ("path", "digit", "speaker", "split"),
            ((paths[Path(r["file"]).name], f"d{r['digit']}", r["speaker"], part(r)) for r in rows),
        )

        def probes(run: Path) -> dict[str, Any]:
            cache = folder / "cache"
            few = {"label": "digit", "num_labels": 100, "draws": 10}
            digit = ask(run, manifest, cache, seed, few).figures
            speaker = ask(run, manifest, cache, seed, {"label": "speaker"}).figures
            ours = "cpc (this run)"
            return {"digits, 100 labels": digit[ours], "speakers": speaker[ours]}

        cache = {"cache": folder / "cache"}
        return both_ways("cpc", manifest, folder / "run", probes, seed=seed, **cache, **DIGITS)


def molecules(source: Path, seed: int, num: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = split(source / "zinc_qed_train.smi.gz", folder)["train"].read_text().split("\n")
        (folder / "learned.smi").write_text("\n".join(lines[:num]) + "\n")
        (folder / "unseen.smi").write_text("\n".join(lines[50_000 : 50_000 + NUM_UNSEEN]) + "\n")

        def samples(run: Path) -> dict[str, Any]:
            from ensue import evaluate

            unseen = folder / "unseen.smi"
            settings = {"num": NUM_DRAWN, "num_draws": 32, "num_items": NUM_UNSEEN}
            evaluated = evaluate(run, unseen, seed=seed, quiet=True, **settings)
            return {
                section.name: {row[0]: row[1][0] for row in section.rows}
                for section in evaluated.sections
            }

        data, cache = folder / "learned.smi", folder / "cache"
        given = {"seed": seed, "cache": cache, **MOLECULES}
        return both_ways("vae", data, folder / "run", samples, **given)


def main(digits_folder: str = "", molecules_folder: str = "", *seeds: str) -> None:
    if not molecules_folder:
        sys.exit("give the folders of recorded digits and of molecules")
    torch.set_num_threads(1)
    found: dict[str, Any] = {"cpc": {}, "vae, 2,000 strings": {}, "vae, 40,000 strings": {}}
    for seed in map(int, seeds or SEEDS):
        found["cpc"][seed] = digits(Path(digits_folder), seed)
        for num in (2_000, 40_000):
            name = f"vae, {num:,} strings"
            found[name][seed] = molecules(Path(molecules_folder), seed, num)
        save("kept", found)


if __name__ == "__main__":
    main(*sys.argv[1:])
