"""A binding to the few calls of espeak-ng that turn text into samples and phoneme times.

espeak-ng is GPL-3; it comes as the wheel `espeakng-loader` by the extra `demo`, not with Ensue.
No playback, no markup, no choice among its own voices: the caller describes each voice.
"""

import ctypes
import functools
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ensue.errors import DataError, MissingExtraError
from ensue.files import read_text

SAMPLE_RATE = 22_050
"""Hz; what espeak-ng's own voices are made at, whatever the caller needs."""

# The names and numbers of espeak-ng's speak_lib.h.
_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_PHONEME_EVENTS, _INITIALIZE_DONT_EXIT = 0x0001, 0x8000
_RATE, _VOLUME = 1, 2
_POSITION_CHARACTER, _CHARS_UTF8 = 1, 1
_EVENT_LIST_TERMINATED, _EVENT_PHONEME = 0, 7


class _EventValue(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_void_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventValue),
    )


_SynthCallback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event)
)


class Phoneme(NamedTuple):
    """A phoneme in espeak-ng's notation and where it starts, in samples at 22.05 kHz."""

    start: int
    name: str


class Speech(NamedTuple):
    """One spoken text: int16 `samples` (T,) at 22.05 kHz and its `phonemes` in order."""

    samples: np.ndarray
    phonemes: list[Phoneme]


class Espeak:
    """The synthesizer of this process; `espeak()` gives it, since the C library is one global.

    Raises:
        MissingExtraError: The wheel `espeakng-loader` isn't installed.
        DataError: The library doesn't start.
    """

    def __init__(self) -> None:
        library, data = _find_library()
        self._lock = threading.Lock()
        self._pcm: list[bytes] = []
        self._phonemes: list[Phoneme] = []
        self._library = ctypes.CDLL(library)
        # The library holds a bare pointer to it, which keeps nothing alive.
        self._callback = _SynthCallback(self._receive)
        self._language_folder = Path(data) / "lang"
        self._start(data)

    def _start(self, data: str) -> None:
        options = _INITIALIZE_PHONEME_EVENTS | _INITIALIZE_DONT_EXIT
        rate = self._library.espeak_Initialize(_OUTPUT_SYNCHRONOUS, 0, data.encode(), options)
        if rate != SAMPLE_RATE:
            raise DataError(f"espeak-ng doesn't start: espeak_Initialize gave {rate} for {data!r}")
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(self, wave: int | None, num_samples: int, events) -> int:
        if wave and num_samples > 0:
            self._pcm.append(ctypes.string_at(wave, 2 * num_samples))
        index = 0
        while events[index].type != _EVENT_LIST_TERMINATED:
            event = events[index]
            if event.type == _EVENT_PHONEME:
                # `sample` counts from the start of the text, over all callbacks.
                self._phonemes.append(
                    Phoneme(event.sample, event.id.string.decode(errors="replace"))
                )
            index += 1
        return 0

    @property
    def version(self) -> str:
        """The library's version, such as `1.52.0`: another one may say the same text otherwise."""
        self._library.espeak_Info.restype = ctypes.c_char_p
        return self._library.espeak_Info(None).decode().split()[0]

    def speak(self, text: str, language: str, voice: str, *, rate: int, volume: int) -> Speech:
        """Say `text` in a voice that is described, not named.

        The result is a function of the arguments, whatever was said before, if `voice` has the
        lines `flutter 0` and `roughness 0`: flutter's place in its table and the count of glottal
        cycles are what the library carries from one text to the next and can't be told to reset.
        A gain that it lowers on overflow carries over too, so `volume` has to avoid overflow.

        Args:
            text: Plain text.
            language: A language file of espeak-ng, such as `gmw/en-US`.
            voice: Lines of an espeak-ng voice file, which follow those of the language.
            rate: Words per minute, 80 to 450.
            volume: 0 to 200, where 100 is espeak-ng's own.

        Raises:
            DataError: espeak-ng refuses the voice or the text.

        Example:
            >>> voice = "flutter 0\\nroughness 0\\npitch 90 130\\n"
            >>> speech = espeak().speak("Yes.", "gmw/en-US", voice, rate=160, volume=40)
            >>> [phoneme.name for phoneme in speech.phonemes]
            ['j', "'E", 's', '_:', '_']
        """
        with self._lock:
            self._pcm, self._phonemes = [], []
            self._set_voice(language, voice)
            self._library.espeak_SetParameter(_RATE, rate, 0)
            self._library.espeak_SetParameter(_VOLUME, volume, 0)
            self._synthesize(text.encode())
            return Speech(np.frombuffer(b"".join(self._pcm), dtype=np.int16), self._phonemes)

    def _set_voice(self, language: str, voice: str) -> None:
        lines = read_text(self._language_folder / language)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "voice"
            path.write_text(f"{lines}\n{voice}\n", encoding="utf-8")
            status = self._library.espeak_SetVoiceByFile(str(path).encode())
        if status != 0:
            raise DataError(f"espeak-ng refuses a voice with status {status}: {voice!r}")

    def _synthesize(self, text: bytes) -> None:
        size, start, end = ctypes.c_size_t(len(text) + 1), ctypes.c_uint(0), ctypes.c_uint(0)
        kind, flags = _POSITION_CHARACTER, ctypes.c_uint(_CHARS_UTF8)
        status = self._library.espeak_Synth(text, size, start, kind, end, flags, None, None)
        if status != 0:
            raise DataError(f"espeak-ng refuses a text with status {status}: {text.decode()!r}")


def _find_library() -> tuple[str, str]:
    try:
        import espeakng_loader
    except ImportError as error:
        message = 'builtin:speech needs espeak-ng: pip install "ensue[demo]"'
        raise MissingExtraError(message) from error
    return espeakng_loader.get_library_path(), espeakng_loader.get_data_path()


@functools.cache
def espeak() -> Espeak:
    """The synthesizer, started at the first call.

    Raises:
        MissingExtraError: The wheel `espeakng-loader` isn't installed.
        DataError: The library doesn't start.
    """
    return Espeak()
