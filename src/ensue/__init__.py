"""Ensue learns what follows: representation, likelihood and generation from unlabelled sequences.

Public names are imported when they are asked for, so that ``import ensue`` costs nothing.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "CPC": "ensue.models.cpc",
    "CPCConfig": "ensue.models.cpc",
    "Causal": "ensue.models.causal",
    "CausalConfig": "ensue.models.causal",
    "CharRNN": "ensue.models.charrnn",
    "CharRNNConfig": "ensue.models.charrnn",
    "MAF": "ensue.models.maf",
    "MAFConfig": "ensue.models.maf",
    "Masked": "ensue.models.masked",
    "MaskedConfig": "ensue.models.masked",
    "PixelCNN": "ensue.models.pixelcnn",
    "PixelCNNConfig": "ensue.models.pixelcnn",
    "RealNVP": "ensue.models.realnvp",
    "RealNVPConfig": "ensue.models.realnvp",
    "Seq2Seq": "ensue.models.seq2seq",
    "Seq2SeqConfig": "ensue.models.seq2seq",
    "SequenceVAE": "ensue.models.sequence_vae",
    "SequenceVAEConfig": "ensue.models.sequence_vae",
    "Batch": "ensue.data.batches",
    "Question": "ensue.data.items",
    "Source": "ensue.data.batches",
    "EnsueError": "ensue.errors",
    "load": "ensue.verbs.loaded",
    "demo": "ensue.verbs.demo",
    "check": "ensue.verbs.check",
    "train": "ensue.verbs.train",
    "embed": "ensue.verbs.embed",
    "score": "ensue.verbs.apply",
    "sample": "ensue.verbs.generate",
    "complete": "ensue.verbs.generate",
    "compress": "ensue.coding.verbs",
    "decompress": "ensue.coding.verbs",
    "probe": "ensue.verbs.probe",
    "evaluate": "ensue.verbs.evaluate",
    "make_report": "ensue.verbs.report",
    "list_names": "ensue.verbs.list",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'ensue' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(["__version__", *_PUBLIC])
