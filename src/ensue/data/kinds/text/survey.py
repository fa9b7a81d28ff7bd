"""The survey of texts: how many bytes, empty ones, ones that come twice, ones that aren't UTF-8."""

from collections.abc import Callable

import numpy as np

from ensue.data.config import DataConfig
from ensue.data.items import Document, Items
from ensue.data.surveyed import Surveyed, repeated
from ensue.errors import DataError


def survey_text(items: Items, config: DataConfig, on_item: Callable[[], None]) -> Surveyed:
    """Every text, read once."""
    sizes, unreadable, empty, seen, twice = [], [], [], {}, []
    for name, raw in zip(items.ids, items.raw, strict=True):
        try:
            content = raw.read() if isinstance(raw, Document) else raw.encode()
            if config.tokens not in (None, "bytes"):
                content.decode()
        except (DataError, UnicodeDecodeError) as error:
            unreadable.append((name, f"{error}"))
            continue
        finally:
            on_item()
        sizes.append(len(content))
        if not content.strip():
            empty.append(name)
        elif (first := seen.setdefault(hash(content), name)) != name:
            twice.append((first, name))
    facts = []
    if sizes:
        middle = int(np.median(sizes))
        facts = [
            ("bytes", f"{sum(sizes):,}"),
            ("bytes of a text", f"{min(sizes):,} to {max(sizes):,}, half of them up to {middle:,}"),
        ]
    return Surveyed(
        facts=facts, unreadable=unreadable, findings=[*_empty(empty), *repeated("texts", twice)]
    )


def _empty(names: list[str]) -> list[str]:
    if not names:
        return []
    return [f"{len(names)} texts are empty, such as {names[0]!r}; leave them out"]
