"""A sound to listen to, under its waveform and spectrogram, with one cursor over both."""

import html
from collections.abc import Sequence

from ensue.report.saved import File

PLAYER = """\
<article class="clip" data-clip>
<h3>{title}</h3>
<p class="note">{facts}</p>
<div class="stack" tabindex="0" role="slider" aria-label="position in {title}" aria-valuemin="0"
 aria-valuemax="{seconds:.2f}" aria-valuenow="0" aria-valuetext="0 seconds">
<svg class="wave" viewBox="0 -1 {num_stretches} 2" preserveAspectRatio="none" role="img"
 aria-label="waveform"><path d="{wave}"/></svg>
<img alt="log-mel spectrogram" src="data:image/png;base64,{picture}">
{more}<i class="cursor"></i>
</div>
<audio controls preload="metadata" src="data:audio/mpeg;base64,{sound}"></audio>
</article>"""


def player(
    *,
    title: str,
    facts: str,
    seconds: float,
    waveform: Sequence[tuple[float, float]],
    sound: File,
    spectrogram: File,
    more: str = "",
) -> str:
    """The HTML of a sound.

    Args:
        title: Of the sound.
        facts: Said below.
        seconds: Its length.
        waveform: Smallest and largest sample of each stretch.
        sound: The MP3.
        spectrogram: The PNG.
        more: HTML under the same cursor.
    """
    return PLAYER.format(
        title=html.escape(title),
        facts=html.escape(facts),
        seconds=seconds,
        num_stretches=len(waveform),
        wave="".join(f"M{i} {-hi}V{-lo}" for i, (lo, hi) in enumerate(waveform)),
        picture=spectrogram.base64,
        more=more,
        sound=sound.base64,
    )
