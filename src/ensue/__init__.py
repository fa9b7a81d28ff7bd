"""Ensue learns what follows: representation, likelihood and generation from unlabeled sequences.

Public names are imported when they are asked for, so that ``import ensue`` costs nothing.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "CPC": "ensue.models.cpc",
    "CPCConfig": "ensue.models.cpc",
    "Causal": "ensue.models.tokens.causal",
    "CausalConfig": "ensue.models.tokens.causal",
    "CharRNN": "ensue.models.tokens.charrnn",
    "CharRNNConfig": "ensue.models.tokens.charrnn",
    "MAF": "ensue.models.flows.maf",
    "MAFConfig": "ensue.models.flows.maf",
    "Masked": "ensue.models.tokens.masked",
    "MaskedConfig": "ensue.models.tokens.masked",
    "PixelCNN": "ensue.models.tokens.pixelcnn",
    "PixelCNNConfig": "ensue.models.tokens.pixelcnn",
    "RealNVP": "ensue.models.flows.realnvp",
    "RealNVPConfig": "ensue.models.flows.realnvp",
    "Seq2Seq": "ensue.models.tokens.seq2seq",
    "Seq2SeqConfig": "ensue.models.tokens.seq2seq",
    "SequenceVAE": "ensue.models.tokens.vae",
    "SequenceVAEConfig": "ensue.models.tokens.vae",
    "Flow": "ensue.models.flows.flow",
    "StandardNormal": "ensue.models.flows.flow",
    "Batch": "ensue.data.batches",
    "Question": "ensue.data.items",
    "Source": "ensue.data.batches",
    "EnsueError": "ensue.errors",
    "load": "ensue.runs.loaded",
    "demo": "ensue.verbs.demo",
    "check": "ensue.verbs.check",
    "train": "ensue.verbs.train",
    "embed": "ensue.verbs.embed",
    "score": "ensue.verbs.score",
    "stream": "ensue.verbs.stream",
    "sample": "ensue.verbs.sample",
    "ask": "ensue.verbs.ask",
    "complete": "ensue.verbs.complete",
    "forecast": "ensue.verbs.forecast",
    "compress": "ensue.coding.compress",
    "decompress": "ensue.coding.decompress",
    "probe": "ensue.verbs.probe",
    "estimate_information": "ensue.verbs.information",
    "evaluate": "ensue.verbs.evaluate",
    "make_report": "ensue.verbs.report",
    "list_names": "ensue.verbs.list",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'ensue' has no attribute {name!r}")
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(["__version__", *_PUBLIC])
