"""Sounds that the model drew, and recordings beside how it would go on from their first half."""

from typing import Any

from ensue.report.panels.player import player
from ensue.training.run_folder import RunFolder


def sounding_panel(run: RunFolder) -> str:
    """Sounds with their waveform, spectrogram and player."""
    found = run.exhibits.read("sounds")
    if found is None:
        return ""
    return "\n".join(_sound(run, number, of) for number, of in enumerate(found["sounds"]))


def _sound(run: RunFolder, number: int, of: dict[str, Any]) -> str:
    sound, spectrogram = of["files"]
    return player(
        run,
        title=f"{of['item'] or f'sample {number + 1}'}: {of['what']}",
        facts=f"{of['seconds']:.2f} s, {of['bits']:.2f} bits a sample",
        seconds=of["seconds"],
        waveform=of["waveform"],
        sound=sound,
        spectrogram=spectrogram,
    )
