"""Type hints of configuration classes: what a field may hold, and what it means."""

import dataclasses
import types
import typing
from functools import cache
from typing import Annotated, Any

from pydantic.fields import FieldInfo


@cache
def choices(cls: type) -> dict[str, dict[str, type]]:
    """Return the fields that hold one of several classes of settings, and these by their names."""
    hints = typing.get_type_hints(cls, include_extras=True)
    named = {
        f.name: {_own_name(c): c for c in options_of(bare(hints[f.name])) if _own_name(c)}
        for f in dataclasses.fields(cls)
    }
    return {name: classes for name, classes in named.items() if classes}


def _own_name(cls: Any) -> str:
    """Return the default of a field ``name``, or the empty text."""
    fields = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
    return next((str(f.default) for f in fields if f.name == "name"), "")


def is_tuple(hint: Any) -> bool:
    return typing.get_origin(bare(hint)) is tuple


def options_of(hint: Any) -> tuple[Any, ...]:
    """Return the types that a union offers, or the type itself."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if union else (hint,)


def bare(hint: Any) -> Any:
    return typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint


def help_of(hint: Any) -> str:
    found = [m.description for m in getattr(hint, "__metadata__", ()) if isinstance(m, FieldInfo)]
    return next((d for d in found if d), "")
