"""Sound: recordings as waveforms or as levels."""
