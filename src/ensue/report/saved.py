"""Figures in a run's folder ``exhibits``: ``NAME.json``, with the files that it mentions.

In a figure a picture or a sound is a :class:`File`; in JSON it is the name of one. Reading checks
every value against the figure's types.
"""

import base64
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import (
    PlainSerializer,
    PlainValidator,
    SerializationInfo,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
)

from ensue.errors import CheckpointError
from ensue.training.exhibits import Exhibits, to_json

F = TypeVar("F")


@dataclass(frozen=True)
class File:
    """A picture or a sound, and its name below ``exhibits``."""

    name: str
    content: bytes = field(repr=False)

    @property
    def base64(self) -> str:
        """The content, as a page holds it."""
        return base64.b64encode(self.content).decode()


def _read(name: Any, info: ValidationInfo[Exhibits]) -> File:
    """The file of a name, read from the exhibits that are the context."""
    if not isinstance(name, str):
        raise ValueError("it must be the name of a file")
    return File(name, info.context.file(name))


def _name(file: File, info: SerializationInfo[dict[str, bytes]]) -> str:
    """The name of a file, whose content is added to the context."""
    info.context[file.name] = file.content
    return file.name


Attached = Annotated[File, PlainValidator(_read), PlainSerializer(_name)]
"""The type of a field that holds a file."""


@dataclass(frozen=True)
class Saved:
    """A figure as the text of its JSON, and the files that it mentions, by name."""

    text: str
    files: dict[str, bytes]


def saved(figure: Any) -> Saved:
    """A figure as it is kept; a field at its default is left out.

    Raises:
        ValueError: A number isn't finite.
    """
    files: dict[str, bytes] = {}
    values = _adapter(type(figure)).dump_python(figure, exclude_defaults=True, context=files)
    return Saved(to_json(values), files)


def read_figure(exhibits: Exhibits, name: str, figure: type[F]) -> F:
    """A figure by name.

    Raises:
        CheckpointError: It is missing, damaged, or of a newer format.
    """
    values = exhibits.read(name)
    try:
        return _adapter(figure).validate_python(values, context=exhibits)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise exhibits.damaged(name, f"{place}: {first['msg']}") from error
    except CheckpointError as error:
        raise exhibits.damaged(name, str(error)) from error


@cache
def _adapter(figure: type[F]) -> TypeAdapter[F]:
    return TypeAdapter(figure)
