"""A few recordings: waveform, spectrogram and surprise under one cursor, with a player."""

import html
from collections.abc import Sequence
from typing import Any

from ensue.report.panels.player import player
from ensue.training.run_folder import RunFolder

SURPRISE = """\
<svg class="surprise" viewBox="0 0 {num_frames} 1" preserveAspectRatio="none" role="img"
 aria-label="surprise by frame"><line x1="0" x2="{num_frames}" y1="{chance}" y2="{chance}"/>
<path d="{path}"/></svg>
<span class="chance" style="top: calc(100% - {above} * 90px)">chance, {nats:.1f} nats</span>
"""

CAPTION = (
    "From the best predicted to the worst of the recordings looked at. Below the spectrogram: "
    "surprise, the mean InfoNCE loss of the predictions of each frame in nats, smoothed over five "
    "frames; the dashed line is chance. Click in a picture, or use the arrow keys, to listen from "
    "there."
)
SMOOTHED = 5


def listening_panel(run: RunFolder) -> str:
    """Recordings to listen to, with what surprised the model in them."""
    found = run.exhibits.read("clips")
    if found is None:
        return ""
    clips = "\n".join(_clip(run, clip) for clip in found["clips"])
    return f'<p class="note">{html.escape(CAPTION)}</p>\n{clips}'


def _clip(run: RunFolder, clip: dict[str, Any]) -> str:
    smooth = _smoothed(clip["surprise"])
    highest = 1.1 * max([clip["chance"], *(u for u in smooth if u is not None)])
    labels = "".join(f", {n} {v}" for n, v in clip["labels"].items() if v)
    facts = f"{clip['seconds']:.1f} s{labels}; {clip['information']:.2f} nats of information"
    surprise = SURPRISE.format(
        num_frames=len(smooth),
        nats=clip["chance"],
        above=round(clip["chance"] / highest, 3),
        chance=round(1 - clip["chance"] / highest, 3),
        path=_path([None if u is None else 1 - u / highest for u in smooth]),
    )
    return player(
        run,
        title=clip["item"],
        facts=facts,
        seconds=clip["seconds"],
        waveform=clip["waveform"],
        sound=clip["sound"],
        spectrogram=clip["spectrogram"],
        more=surprise,
    )


def _smoothed(values: Sequence[float | None]) -> list[float | None]:
    """Means over five frames; empty where the frame itself is."""
    half = SMOOTHED // 2
    windows = (values[max(0, i - half) : i + half + 1] for i in range(len(values)))
    known = ([v for v in window if v is not None] for window in windows)
    return [
        None if value is None else sum(near) / len(near)
        for value, near in zip(values, known, strict=True)
    ]


def _path(heights: Sequence[float | None]) -> str:
    path, pen_is_up = "", True
    for i, y in enumerate(heights):
        if y is not None:
            path += f"{'M' if pen_is_up else 'L'}{i + 0.5} {y:.3f}"
        pen_is_up = y is None
    return path
