"""`builtin:speech`: synthetic speech with phone labels, made on this machine in seconds.

The speech is synthetic: espeak-ng (GPL-3, by the extra `demo`) reads sentences from a small
grammar in the 48 voices described here, and reports where it starts each phone. So the labels
are exact and nothing is downloaded, but the corpus is much easier than recorded speech: there is
no room, and a phone sounds much alike each time; only the noise differs, pink and of its own level
in each utterance. No recorded speech is here.
"""

import csv
import hashlib
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import scipy.fft
import soundfile
import soxr

from ensue.data.espeak import SAMPLE_RATE as SPOKEN_RATE
from ensue.data.espeak import espeak
from ensue.data.labels import SPLIT
from ensue.errors import ConfigError
from ensue.files import read_bytes, require_file

SAMPLE_RATE = 16_000
"""Hz, of the files."""

MAX_UTTERANCES = 100
"""Sentences of one voice; item names have two digits."""

CHECKSUM = "7ebf89ce573b5863fcbd7e7425b8b90517794e6d9d53b6d168a01c5acff73212"
"""`corpus_checksum` of the whole corpus from espeak-ng 1.52.0 and soxr 1.1.0 on Linux x86-64."""

# At espeak-ng's own volume of 100 some voices overflow 16 bits; at 40 the highest peak is 0.84.
VOLUME = 40

SIGNAL_TO_NOISE = (5.0, 20.0)
"""dB, of an utterance. Set once, before any model was trained, so that MFCC read about half of the
phone labels, as they do in recorded speech; without noise they read 62 %."""


class Voice(NamedTuple):
    """A speaker: the numbers that make one voice unlike the others.

    `tract` plays everything that many times as fast, which scales the whole spectrum as a
    shorter vocal tract does; espeak-ng itself scales vowels only, and its hiss and bursts are
    the same few recordings in every voice. `pitch` is the range in Hz and `words_per_minute` the
    rate before that. `formants` scales F1, F2, F3 and all above in percent, `tone` picks a
    spectral tilt, `consonants` is their level in percent, and `klatt` picks the cascade
    synthesizer over the harmonic one.
    """

    tract: float
    pitch: tuple[int, int]
    words_per_minute: int
    formants: tuple[int, int, int, int]
    tone: int
    consonants: int
    klatt: bool = False


# Low and high voices take turns, so that both splits get both. Drawn once by a low-discrepancy
# sequence over the range of adult and child voices; no number means more than being different.
VOICES = (
    Voice(0.86, (80, 110), 162, (103, 96, 108, 98), 1, 70),
    Voice(1.00, (141, 180), 153, (92, 101, 94, 105), 0, 100),
    Voice(0.91, (103, 152), 182, (99, 96, 105, 103), 0, 100),
    Voice(1.05, (173, 221), 171, (104, 102, 101, 102), 2, 70, klatt=True),
    Voice(0.96, (124, 196), 151, (93, 95, 106, 96), 3, 100),
    Voice(1.09, (201, 257), 144, (102, 106, 97, 106), 3, 70),
    Voice(1.00, (89, 132), 169, (105, 94, 107, 107), 0, 100, klatt=True),
    Voice(1.13, (153, 196), 161, (100, 99, 95, 105), 3, 115),
    Voice(0.89, (128, 177), 166, (102, 108, 107, 97), 2, 70),
    Voice(1.03, (207, 306), 157, (100, 98, 97, 106), 1, 100),
    Voice(0.94, (91, 144), 186, (102, 94, 95, 107), 3, 115),
    Voice(1.07, (155, 245), 174, (97, 107, 98, 108), 1, 115, klatt=True),
    Voice(0.98, (111, 175), 155, (100, 105, 93, 95), 3, 115),
    Voice(1.12, (184, 254), 148, (106, 97, 101, 107), 3, 85),
    Voice(0.87, (92, 118), 205, (101, 100, 102, 94), 1, 85, klatt=True),
    Voice(1.01, (158, 234), 142, (97, 102, 108, 102), 3, 85),
    Voice(0.92, (115, 147), 170, (94, 102, 95, 93), 1, 100),
    Voice(1.05, (188, 297), 160, (102, 106, 106, 97), 1, 115),
    Voice(0.96, (79, 101), 189, (93, 101, 96, 108), 1, 85),
    Voice(1.10, (139, 206), 134, (101, 98, 95, 105), 1, 115, klatt=True),
    Voice(1.01, (100, 128), 158, (93, 101, 97, 103), 1, 100),
    Voice(1.14, (168, 265), 152, (103, 105, 93, 96), 3, 115),
    Voice(0.90, (80, 126), 207, (98, 107, 97, 101), 0, 100, klatt=True),
    Voice(1.03, (140, 193), 146, (101, 95, 105, 97), 1, 85),
    Voice(0.94, (102, 141), 174, (107, 98, 94, 106), 3, 70),
    Voice(1.08, (171, 253), 164, (97, 102, 96, 95), 0, 115),
    Voice(0.99, (122, 193), 143, (108, 102, 105, 94), 0, 115),
    Voice(1.12, (199, 314), 138, (101, 97, 105, 92), 2, 100, klatt=True),
    Voice(0.88, (105, 145), 192, (108, 95, 105, 93), 2, 70),
    Voice(1.02, (174, 258), 178, (95, 95, 103, 100), 1, 85),
    Voice(0.92, (126, 186), 158, (96, 103, 104, 104), 1, 115, klatt=True),
    Voice(1.06, (204, 302), 150, (98, 94, 102, 106), 1, 70),
    Voice(0.97, (90, 133), 177, (100, 94, 102, 102), 0, 70),
    Voice(1.10, (154, 213), 168, (98, 108, 94, 93), 3, 70),
    Voice(1.02, (110, 141), 148, (93, 95, 99, 105), 0, 70),
    Voice(1.15, (182, 269), 142, (96, 96, 102, 95), 3, 85, klatt=True),
    Voice(0.90, (91, 126), 195, (103, 100, 106, 104), 1, 100),
    Voice(1.04, (157, 201), 135, (108, 105, 102, 101), 3, 85),
    Voice(0.95, (113, 179), 162, (107, 92, 94, 105), 2, 85, klatt=True),
    Voice(1.08, (186, 294), 154, (93, 100, 96, 97), 1, 70),
    Voice(1.00, (78, 100), 181, (106, 104, 107, 103), 0, 100),
    Voice(1.13, (138, 204), 129, (102, 99, 96, 93), 0, 70),
    Voice(0.88, (116, 183), 179, (99, 99, 95, 100), 1, 100),
    Voice(1.02, (191, 244), 167, (103, 103, 105, 99), 2, 70, klatt=True),
    Voice(0.93, (79, 117), 198, (98, 102, 107, 98), 1, 70),
    Voice(1.07, (140, 221), 140, (104, 108, 93, 103), 3, 115),
    Voice(0.98, (101, 139), 166, (97, 107, 100, 104), 3, 115, klatt=True),
    Voice(1.11, (169, 233), 158, (99, 99, 93, 104), 3, 85),
)

# Frequency in Hz and gain of 255, in pairs: flat, dark, bright, and a dip in the middle.
_TONES = (
    "",
    "tone 600 255 1500 150 3500 90",
    "tone 300 120 1200 180 3000 255",
    "tone 500 255 1400 130 3000 230",
)

# Without `flutter 0` and `roughness 0` an utterance would depend on those before it.
_VOICE_LINES = """\
flutter 0
roughness 0
pitch {pitch[0]} {pitch[1]}
{formants}
consonants {consonants} {consonants}
{tone}
{engine}"""

# espeak-ng's names, without stress, of each class. The classes are ARPAbet, and in its manner:
# schwa (ax), r-colored and l-colored schwa (axr, el), the flap (dx), a vowel and an r that
# espeak-ng says as one phone (aar, aor, ehr, ihr, uhr), and silence (sil).
_CLASSES = {
    "sil": "_ _:",
    "aa": "A: 0",
    "ae": "a aa",
    "ah": "V",
    "ao": "O: O2",
    "aw": "aU",
    "ax": "@ @2 @- a#",
    "axr": "3",
    "ay": "aI",
    "eh": "E",
    "el": "@L",
    "er": "3:",
    "ey": "eI",
    "ih": "I I2 I#",
    "iy": "i: i",
    "ow": "oU",
    "oy": "OI",
    "uh": "U",
    "uw": "u:",
    "aar": "A@",
    "aor": "O@ o@",
    "ehr": "e@",
    "ihr": "i@3",
    "uhr": "U@",
    "ch": "tS",
    "dh": "D",
    "dx": "t#",
    "hh": "h",
    "jh": "dZ",
    "ng": "N",
    "r": "r r-",
    "sh": "S",
    "t": "t t2",
    "th": "T",
    "y": "j ;",
    "zh": "Z",
}
_CLASS = {name: label for label, names in _CLASSES.items() for name in names.split()}

_TEMPLATES = (
    "The <quality> <person> <did> the <thing> <where>.",
    "<Name> <did> a <quality> <thing> and the <thing> <where>.",
    "My <person> <did> <number> <things> <when>.",
    "<When>, the <person> <did> their <quality> <thing>.",
    "Did you hear the <quality> <sound> <where> <when>?",
    "She <did> the <things>, but he <did> the <thing>.",
    "<Name> and the <person> <did> <number> <quality> <things>.",
    "I think the <thing> <where> is <quality> and <quality>.",
    "We should measure the <thing> <where> <when>.",
    "You could put your <thing> and the <things> <where>.",
    "There is a <sound> <where>, said the <quality> <person>.",
    "It was a pleasure to show <name> the <quality> <thing>.",
)

_WORDS = {
    "person": "boy girl teacher mother father brother judge king queen child neighbor cook doctor "
    "singer farmer uncle cousin chief nurse student painter driver youth lawyer pilot",
    "name": "Joyce Roy George Ruth Martha Hugh Joan Paul Kathy Young Theo Beth Jean Arthur Mark "
    "Sarah Claire Howard Floyd Mary",
    "did": "chose found took saw lost wanted brought shook washed pushed watched joined enjoyed "
    "used kept threw caught bought moved showed destroyed painted left pulled heard cared_for "
    "measured avoided thought_about looked_for asked_about paid_for laughed_at searched_for",
    "quality": "usual casual huge good thin thick wooden royal young old yellow noisy quick cheap "
    "warm smooth beautiful bright dark little pretty dirty fair poor pure strong round "
    "brown purple fresh full sour loose rare near",
    "thing": "treasure television garage measure toy coin book cheese orange boat house zebra "
    "cloth path chair cart jar fish ring string voice choice oil thumb bath table apple bottle "
    "cookie pear bear door floor vision engine jacket yacht tower flower owl ball saw bush foot",
    "things": "treasures coins toys boys books watches oranges houses mouths teeth horses years "
    "bridges matches fingers songs boxes ears chairs stars cars shoes beards jewels yards pears "
    "decisions pictures cubes clouds birds girls shirts",
    "where": "in_the_garage near_the_tower by_the_church under_the_bridge on_the_north_shore "
    "behind_the_house at_the_market in_our_town over_the_river beside_the_school "
    "around_the_corner on_the_tour out_in_the_yard in_the_woods through_the_door along_the_path "
    "with_the_others in_the_dark_hall above_the_stairs on_the_television",
    "when": "this_morning on_Thursday every_evening after_the_tour this_year before_noon "
    "last_month all_day_long in_March early_in_June an_hour_ago for_sure once_a_year "
    "as_usual on_your_birthday for_pleasure",
    "number": "two three four five six seven eight nine ten eleven thirteen thirty_four a_few "
    "both a_thousand",
    "sound": "noise voice music song thunder laughter engine whistle bird whisper church_bell "
    "television measure shouting singing",
}


class Utterance(NamedTuple):
    """int16 `samples` (T,) at 16 kHz and `phones` as (start in s, end in s, class), in order."""

    samples: np.ndarray
    phones: list[tuple[float, float, str]]


def synthesize_corpus(folder: Path, *, voices: int = 48, utterances: int = 24) -> None:
    """Write the corpus into `folder`: `audio/*.flac`, `manifest.csv` and `phones.csv`.

    The files are 16 kHz mono 16-bit FLAC of 1.8 to 3.9 s; the whole corpus has 52 minutes and
    takes 58 MB. `manifest.csv` has the columns `path,speaker,split,text`: every third speaker is
    in the split `test`, the others in `train`. `phones.csv` has `item,start,end,label`: the item
    is a path of the manifest, times are in seconds, and the intervals of an item follow one
    another without a gap from its first sample to its last. The same arguments give the same
    bytes, and a smaller corpus is a subset of a larger one.

    Args:
        folder: Exists and is empty.
        voices: How many of the 48 voices.
        utterances: How many sentences each voice says, up to 100.

    Raises:
        ConfigError: `voices` or `utterances` is out of range.
        MissingExtraError: espeak-ng isn't installed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as name:
        ...     synthesize_corpus(Path(name), voices=1, utterances=1)
        ...     print(*(Path(name) / "phones.csv").read_text().splitlines()[:3], sep="\\n")
        item,start,end,label
        audio/v00_00.flac,0.000000,0.084375,y
        audio/v00_00.flac,0.084375,0.195011,uw
    """
    _check_range("voices", voices, len(VOICES))
    _check_range("utterances", utterances, MAX_UTTERANCES)
    espeak()  # raises what it raises before anything is written
    (folder / "audio").mkdir()
    manifest, phones = [], []
    for voice, number in itertools.product(range(voices), range(utterances)):
        speaker = f"v{voice:02d}"
        item = f"audio/{speaker}_{number:02d}.flac"
        spoken = utterance(voice, number)
        soundfile.write(folder / item, spoken.samples, SAMPLE_RATE, subtype="PCM_16")
        split = "test" if voice % 3 == 2 else "train"
        manifest.append((item, speaker, split, sentence(voice, number)))
        phones += [(item, f"{start:.6f}", f"{end:.6f}", x) for start, end, x in spoken.phones]
    _write_table(folder / "manifest.csv", ("path", "speaker", SPLIT, "text"), manifest)
    _write_table(folder / "phones.csv", ("item", "start", "end", "label"), phones)


def corpus_checksum(folder: Path) -> str:
    """SHA-256 over the two tables and the decoded samples of the corpus in `folder`.

    The bytes of the FLAC files don't count: another encoder packs the same samples otherwise.
    """
    digest = hashlib.sha256()
    for name in ("manifest.csv", "phones.csv"):
        digest.update(read_bytes(folder / name))
    for path in sorted((folder / "audio").iterdir()):
        require_file(path)
        digest.update(soundfile.read(path, dtype="int16")[0].astype("<i2").tobytes())
    return digest.hexdigest()


def sentence(voice: int, number: int) -> str:
    """The text of the utterance `number` of the voice `voice`.

    Example:
        >>> sentence(0, 0)
        'You could put your cookie and the toys by the church.'
    """
    random = Random(f"ensue speech {voice} {number}")

    # `random()` is the one draw that Python promises to keep from version to version.
    def pick(options: Sequence[str]) -> str:
        return options[int(random.random() * len(options))]

    def fill(slot: re.Match[str]) -> str:
        words = pick(_WORDS[slot[1].lower()].split()).replace("_", " ")
        return words[0].upper() + words[1:] if slot[1].istitle() else words

    return re.sub(r"<(\w+)>", fill, pick(_TEMPLATES))


def utterance(voice: int, number: int) -> Utterance:
    """The utterance ``number`` of the voice ``voice`` as the corpus has it, with its noise."""
    clean, phones = say(sentence(voice, number), VOICES[voice])
    return Utterance(_in_a_room(clean, np.random.default_rng([voice, number])), phones)


def say(text: str, voice: Voice) -> Utterance:
    """Say `text`: a function of its arguments, whatever was said before.

    espeak-ng's times need no correction: with labels moved by 10, 20 or 30 ms either way, a linear
    probe finds fewer phones of the test voices in MFCC frames (63 % at 0, 60 and 61 % at -10 and
    +10 ms), and the pauses contain more sound.

    Raises:
        MissingExtraError: espeak-ng isn't installed.

    Example:
        >>> [label for _, _, label in say("A measure.", VOICES[0]).phones]
        ['ax', 'm', 'eh', 'zh', 'axr', 'sil']
    """
    rate, lines = voice.words_per_minute, _voice_lines(voice)
    spoken = espeak().speak(text, "gmw/en-US", lines, rate=rate, volume=VOLUME)
    spoken_rate = SPOKEN_RATE * voice.tract
    samples = soxr.resample(spoken.samples.astype(np.float32), spoken_rate, SAMPLE_RATE)
    samples = np.clip(np.rint(samples), -32_768, 32_767).astype(np.int16)
    starts = [(phoneme.start / spoken_rate, phoneme.name) for phoneme in spoken.phonemes]
    # Down to a whole microsecond, so that six decimals never end after the audio.
    seconds = len(samples) * 1_000_000 // SAMPLE_RATE / 1_000_000
    return Utterance(samples, list(_intervals(starts, seconds)))


def _in_a_room(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The speech with pink noise, as loud as the utterance's draw from SIGNAL_TO_NOISE says."""
    size = scipy.fft.next_fast_len(len(samples), real=True)
    spectrum = np.fft.rfft(rng.standard_normal(size))
    spectrum *= 1 / np.sqrt(np.arange(1, len(spectrum) + 1))
    noise = np.fft.irfft(spectrum, size)[: len(samples)]
    decibels = rng.uniform(*SIGNAL_TO_NOISE)
    level = np.sqrt(np.mean(samples.astype(float) ** 2) / np.mean(noise**2)) * 10 ** (
        -decibels / 20
    )
    return np.clip(np.rint(samples + level * noise), -32_768, 32_767).astype(np.int16)


def _voice_lines(voice: Voice) -> str:
    first, second, third, rest = voice.formants
    scales = (first, first, second, third, *[rest] * 5)  # F0 is the bass below F1
    return _VOICE_LINES.format(
        pitch=voice.pitch,
        formants="\n".join(f"formant {n} {scale}" for n, scale in enumerate(scales)),
        consonants=voice.consonants,
        tone=_TONES[voice.tone],
        engine="klatt 6" if voice.klatt else "",
    )


def _intervals(
    starts: list[tuple[float, str]], seconds: float
) -> Iterator[tuple[float, float, str]]:
    labeled = [(0.0, "sil")]
    for start, name in starts:
        label = _phone_class(name)
        # espeak-ng has one phoneme for a pause and another for the end of the clause.
        if not label == labeled[-1][1] == "sil":
            labeled.append((start, label))
    ends = [start for start, _ in labeled[1:]] + [seconds]
    for (start, label), end in zip(labeled, ends, strict=True):
        if start < min(end, seconds):
            yield start, min(end, seconds), label


def _phone_class(name: str) -> str:
    unstressed = name.lstrip("',")
    # "b" is in class "b", and a phone that only another espeak-ng knows is a class of its own.
    return _CLASS.get(unstressed, unstressed)


def _check_range(name: str, value: int, maximum: int) -> None:
    if not 1 <= value <= maximum:
        raise ConfigError(f"builtin:speech has {name}={value}; allowed is 1 to {maximum}")


def _write_table(path: Path, columns: Sequence[str], rows: list[tuple[str, ...]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
