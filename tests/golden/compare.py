"""Compare two source trees: ``python -m tests.golden.compare OLD_TREE NEW_TREE``.

Each is recorded by this tree's script in a process of its own. Every difference is printed by name,
and the exit status is 1 if there is one.
"""

import argparse
import difflib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_LINES = 12
"""Lines of one difference that are printed."""


def recorded(tree: Path, only: str = "") -> dict[str, str]:
    """What the golden runs give by the source of a tree.

    Raises:
        SystemExit: The tree can't be recorded.
    """
    source = (tree / "src").resolve()
    if not (source / "ensue").is_dir():
        raise SystemExit(f"{tree} has no src/ensue; give the root of a source checkout")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "recorded.json"
        command = [sys.executable, "-m", "tests.golden.record", str(file), "--only", only]
        command += ["--source", str(source)]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        paths = {"PYTHONPATH": f"{source}{os.pathsep}{ROOT}", "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(command, env={**os.environ, **threads, **paths}, cwd=folder)
        if done.returncode:
            raise SystemExit(f"{tree} could not be recorded")
        return json.loads(file.read_text())


def differences(
    old: Mapping[str, str], new: Mapping[str, str], skip: str = ""
) -> Iterator[tuple[str, list[str]]]:
    """Names of what differs, each with the lines that do.

    Example:
        >>> list(differences({"a": "1", "b": "2"}, {"a": "1", "b": "3"}))
        [('b', ['-2', '+3'])]
    """
    for name in dict.fromkeys([*old, *new]):
        if fnmatch(name, skip) or old.get(name) == new.get(name):
            continue
        if name not in old or name not in new:
            yield name, ["only in the old tree" if name in old else "only in the new tree"]
            continue
        pair = (old[name].splitlines(), new[name].splitlines())
        lines = list(difflib.unified_diff(*pair, lineterm="", n=0))[2:]
        yield name, [line for line in lines if not line.startswith("@@")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--only", default="", help="cases with this in their name")
    parser.add_argument("--skip", default="", help="names to leave out, as a pattern with *")
    given = parser.parse_args()
    old, new = (recorded(tree, given.only) for tree in (given.old, given.new))
    found = list(differences(old, new, given.skip))
    for name, lines in found:
        print(f"\n{name}")
        for line in lines[:MOST_LINES]:
            print(f"  {line[:200]}")
        if len(lines) > MOST_LINES:
            print(f"  and {len(lines) - MOST_LINES} more lines")
    print(f"\n{len(found)} differences in {len(old.keys() | new.keys())} texts of two trees")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
