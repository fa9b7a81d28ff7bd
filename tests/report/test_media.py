"""Sounds of a page can be heard."""

import io

import numpy as np
import soundfile

from ensue.report.media import mp3


def test_a_sound_can_be_heard_again_at_its_pitch() -> None:
    time = np.arange(20000) / 10000  # a rate that MP3 doesn't have
    samples, rate = soundfile.read(io.BytesIO(mp3(np.sin(2 * np.pi * 440 * time), 10000)))
    assert abs(len(samples) / rate - 2) < 0.2  # the encoder pads
    middle = samples[rate // 2 : rate // 2 + rate]
    assert abs(np.abs(np.fft.rfft(middle)).argmax() - 440) <= 1
