"""Commands that are stopped at random places leave nothing half written, and end the same later."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from benchmarks.interrupted import TRAININGS, VERBS, Trial, leftovers, places, require_whole


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return Trial(tmp_path_factory.mktemp("interrupted") / "trial")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_training_that_is_stopped_anywhere_ends_equal_to_the_bit(
    number: int, trial: Trial, seed: int
) -> None:
    trial.stopped(TRAININGS[0], number, random.Random(seed))


def test_verb_that_is_stopped_anywhere_writes_the_same_when_it_is_done_again(
    trial: Trial, seed: int
) -> None:
    score = next(task for task in VERBS if task.name == "score")
    trial.stopped(score, signal.SIGTERM, random.Random(seed))


@pytest.mark.slow
@pytest.mark.parametrize("turn", range(25))
def test_every_family_and_verb_ends_equal_wherever_it_is_stopped(
    turn: int, trial: Trial, seed: int
) -> None:
    task, number = list(places(25, seed))[turn]
    trial.stopped(task, number, random.Random(seed))


@pytest.mark.slow
def test_command_of_its_own_process_is_stopped_by_sigterm_before_it_began(trial: Trial) -> None:
    """Whatever it was doing, it goes quietly: no traceback, and no half of a file."""
    folder = trial.folder / "process"
    folder.mkdir()
    words = TRAININGS[0].words.format(data=trial.folder / "data").split()
    command = [sys.executable, "-m", "ensue", *words]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    while not (folder / "run" / "train.log").exists() and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode in (130, 0), told
    assert "Traceback" not in told
    require_whole(Path(folder))
    assert not leftovers(Path(folder))
