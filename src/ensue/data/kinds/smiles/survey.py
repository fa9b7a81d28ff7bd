"""The survey of molecules: how long they are, which are none, which come twice."""

from collections.abc import Callable

import numpy as np

from ensue.data.config import DataConfig
from ensue.data.items import Items
from ensue.data.kinds.smiles.molecules import canonical_of, has_rdkit
from ensue.data.kinds.text.codec import TextCodec
from ensue.data.surveyed import Surveyed, repeated


def survey_smiles(items: Items, config: DataConfig, on_item: Callable[[], None]) -> Surveyed:
    """Every molecule, read once; without rdkit, and where they are too long, they are texts."""
    codec, known = TextCodec(tokens=config.tokens or "smiles"), has_rdkit()
    sizes, vocabulary, invalid, longest = [], set(), [], config.window_tokens - 1
    seen: dict[str, str] = {}
    twice: list[tuple[str, str]] = []
    for name, raw in zip(items.ids, items.raw, strict=True):
        tokens = list(raw.encode()) if codec.tokens == "bytes" else codec.split(raw)
        sizes.append(len(tokens))
        vocabulary.update(tokens)
        canonical = canonical_of(raw) if known and len(tokens) <= longest else raw
        if canonical is None:
            invalid.append((name, raw))
        elif (first := seen.setdefault(canonical, name)) != name:
            twice.append((first, name))
        on_item()
    middle = int(np.median(sizes))
    facts = [
        ("different molecules", f"{len(seen):,}"),
        ("tokens", f"{sum(sizes):,}, {len(vocabulary)} different"),
        ("tokens of a molecule", f"{min(sizes)} to {max(sizes)}, half of them up to {middle}"),
    ]
    findings = []
    if not known:
        findings.append("rdkit isn't installed, so that molecules are texts; install it to look")
    if invalid:
        name, raw = invalid[0]
        findings.append(
            f"{len(invalid)} are no molecules, such as {raw!r} ({name}); a model would learn to "
            "write such, so remove them"
        )
    if long := sum(size > longest for size in sizes):
        findings.append(
            f"{long} have more than {longest} tokens and would be left out by a family that takes "
            "them whole; set window_tokens higher to keep them"
        )
    findings += repeated("molecules", twice)
    return Surveyed(facts=facts, unreadable=[], findings=findings)
