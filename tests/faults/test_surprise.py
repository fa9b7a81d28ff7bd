"""Surprise tells of the sound, not of where the recording ends."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ensue
from ensue.evaluation.surprise import surprise_by_frame
from ensue.models.cpc import CPC, CPCConfig
from ensue.runs.loaded import Loaded

RATE = 8000


def sirens(num: int, seconds: float, seed: int) -> list[tuple[np.ndarray, int]]:
    """Stationary sound: a siren of random phase in noise, over and over from 300 to 3000 Hz."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    found = []
    for _ in range(num):
        place = (time / 0.13 + rng.random()) % 1
        tone = np.sin(2 * np.pi * np.cumsum(300 * 10**place) / RATE)
        found.append((0.3 * tone + 0.02 * rng.standard_normal(len(time)), RATE))
    return found


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """With anchors whose whole horizon exists: the last frames aren't often a future."""
    out = tmp_path_factory.mktemp("runs") / "sirens"
    settings = {"max_steps": 100, "learning_rate": 0.003, "warmup_steps": 5, "batch_size": 16}
    sizes = {"channels": 32, "context_size": 32, "num_negatives": 16}
    ahead = {"nearest": 5, "horizon": 12, "num_anchors": 12, "window_seconds": 0.64}
    data = sirens(64, 1.04, seed=0)
    ensue.train("cpc", data, out=out, sample_rate=RATE, quiet=True, **settings, **sizes, **ahead)
    return ensue.load(out)


def surprises(run: Loaded, recordings: list[Any], *, cut: bool) -> np.ndarray:
    """Of each frame beyond chance: (N, T)."""
    found = []
    for raw in recordings:
        x = run.codec.encode(raw)
        with torch.inference_mode():
            terms = run.model.score(x[None]).terms[0].numpy()
        whole = run.model.num_whole_frames(len(x)) if cut else None
        chance, nearest = math.log(len(terms)), run.model.config.nearest
        found.append(surprise_by_frame(terms, nearest=nearest, chance=chance, whole=whole) - chance)
    return np.stack(found)


def test_stationary_sound_surprises_no_more_at_its_end_than_in_its_middle(learned: Loaded) -> None:
    """Within four standard errors, over whole periods: each place in one has as many candidates."""
    recordings = sirens(60, 1.04, seed=1)

    def end_and_excess(found: np.ndarray) -> tuple[np.ndarray, float, float]:
        known = found[:, np.isfinite(found).all(0)]
        excess = known[:, -13:].mean(1) - known[:, 26:78].mean(1)
        return known[:, -1], excess.mean(), excess.std(ddof=1) / math.sqrt(len(excess))

    last, mean, error = end_and_excess(surprises(learned, recordings, cut=True))
    assert abs(mean) < 4 * error
    assert last.mean() < -1
    last, mean, error = end_and_excess(surprises(learned, recordings, cut=False))
    assert mean > 4 * error
    assert last.mean() > 0, "above chance"


@pytest.mark.parametrize(
    ("encoder", "extra"), [("log_mel", {}), ("waveform", {}), ("log_mel", {"num_conv_layers": 4})]
)
def test_frames_seen_whole_are_those_that_more_sound_leaves_alone(
    encoder: str, extra: dict[str, Any], seed: int
) -> None:
    model = CPC(CPCConfig(encoder=encoder, sample_rate=RATE, channels=8, context_size=4, **extra))
    model.eval()
    for num in (4000, 4001, 4079, 4123):
        x = torch.randn(1, num + 4000)
        with torch.inference_mode():
            alone, more = (model.encode(x[:, :n]).local for n in (num, num + 4000))
        assert alone is not None
        assert more is not None
        same = (alone - more[:, : alone.shape[1]]).abs().amax((0, 2)) < 1e-5
        assert int(same.sum()) == int(same.int().cumprod(0).sum()), "from the beginning on"
        assert model.num_whole_frames(num) == int(same.sum())


def test_report_shows_no_surprise_where_a_frame_sees_beyond_the_end(cpc_run: Path) -> None:
    run = ensue.load(cpc_run)
    clips = ensue.training.run_folder.RunFolder(cpc_run).exhibits.read("clips")["clips"]
    for clip in clips:
        num = round(clip["seconds"] * 8000)
        whole, surprise = run.model.num_whole_frames(num), clip["surprise"]
        assert whole < len(surprise)
        assert all(u is None for u in surprise[whole:])
        assert all(u is not None for u in surprise[1:whole])
