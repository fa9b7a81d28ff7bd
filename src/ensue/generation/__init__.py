"""One decoding core for every family that generates token by token.

``draw.py`` draws sequences and ``beam.py`` searches the likeliest, in the slots of ``slots.py``;
both know of a model only that it runs step by step (``ensue.nn.streaming.Steps``) and gives scores
of tokens; ``prefix.py`` is for a network that doesn't, and ``recorded.py`` replays steps on a GPU.
``config.py`` holds their settings, ``prompts.py`` what sequences begin with, ``processors.py`` what
forbids tokens, ``choose.py`` the choice of one and ``random.py`` its luck.
"""

from ensue.generation.beam import BeamSearch, Hypothesis
from ensue.generation.choose import sample_categorical
from ensue.generation.config import GenerationConfig
from ensue.generation.draw import Drawing, Drawn, Emission, collect
from ensue.generation.prefix import Prefix
from ensue.generation.processors import Processor, forbid, no_repeat_ngram
from ensue.generation.prompts import Prompts

__all__ = [
    "BeamSearch",
    "Drawing",
    "Drawn",
    "Emission",
    "GenerationConfig",
    "Hypothesis",
    "Prefix",
    "Processor",
    "Prompts",
    "collect",
    "forbid",
    "no_repeat_ngram",
    "sample_categorical",
]
