"""Configuration: frozen dataclasses, validated at the boundary with all problems listed at once.

This module checks a configuration, describes it and turns it into plain values. The fields are
defined with the things they configure (a model family, the data, the training). Layers never see
a configuration.

A field may hold one of several classes of settings, each with a ``name`` of its own, such as the
encoder of a CPC. Where people read and write settings (the command line, recipes, saved files)
these are flat: the name in the field, and the settings of that class next to it.
"""

import dataclasses
import math
import types
import typing
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, wraps
from numbers import Real
from typing import Any, Literal, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ensue.errors import CheckpointError, ConfigError, unknown
from ensue.hints import bare, choices, help_of, is_tuple, options_of

FORMAT = 1
STRICT = ConfigDict(extra="forbid", revalidate_instances="always")
Format = Literal[1]

C = TypeVar("C")


@dataclass(frozen=True)
class StepsOfTraining:
    """Mark of a setting that counts optimizer steps and so has to fit into ``max_steps``.

    Attributes:
        unless: Another setting, and the value of it that leaves this one unread; None if this one
            is always read.
        most: Largest share of the run that the setting may take; below it, its number of steps
            doesn't change with the run. None if it grows and shrinks with the run.
    """

    unless: tuple[str, Any] | None = None
    most: float | None = None

    def is_read(self, config: Any) -> bool:
        """Return whether a configuration reads the setting."""
        return self.unless is None or getattr(config, self.unless[0]) != self.unless[1]

    def fit(self, length: int, num_steps: int, of: int, *, is_default: bool = False) -> int:
        """Return the steps of ``num_steps`` for a ``length`` that was meant for ``of`` steps.

        Args:
            length: Steps of the setting, at least 1.
            num_steps: Steps of the run.
            of: Steps of the run that the length was meant for.
            is_default: Whether nobody chose the length, so that it changes only if it is too long.

        Example:
            >>> StepsOfTraining().fit(200, 100, of=1000)
            20
            >>> warmup = StepsOfTraining(most=0.5)
            >>> warmup.fit(20, 100, of=1000), warmup.fit(200, 100, of=1000)
            (20, 50)
        """
        if of == num_steps:
            return length
        if self.most is not None:
            return max(1, min(length, int(self.most * num_steps)))
        if is_default and length <= num_steps:
            return length
        return max(1, length * num_steps // of)


def from_data(default: Any = None) -> Any:
    """Make a field that the codec fills in (e.g. a sample rate), and that is no option."""
    return field(default=default, metadata={"from_data": True})


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One option a user can set: its name, type, default and meaning."""

    name: str
    type: Any
    default: Any
    help: str


def validate(cls: type[C], values: Mapping[str, Any] | C, *, section: str) -> C:
    """Return an instance of the configuration ``cls``, or raise one error that lists all problems.

    Args:
        cls: A frozen dataclass with ``__pydantic_config__ = STRICT``.
        values: Plain values by field name, or an instance (its values are checked again).
        section: Section of the values, for the message: ``model``, ``data`` or ``training``.

    Raises:
        ConfigError: Unknown names, wrong types, values out of range: all of them, one a line.
    """
    return validate_all({section: (cls, values)})[section]


def validate_all(sections: Mapping[str, tuple[type, Any]]) -> dict[str, Any]:
    """Validate several sections together: ``{section: (class, values)}`` to ``{section: config}``.

    Raises:
        ConfigError: With the problems of all sections in one message.
    """
    configs, problems = {}, []
    for section, (cls, values) in sections.items():
        plain = to_plain(values) if dataclasses.is_dataclass(values) else _listed(cls, values)
        plain, wrong = _with_choices(section, cls, plain)
        problems += wrong
        try:
            configs[section] = TypeAdapter(cls).validate_python(plain)
        except ValidationError as error:
            problems += [_problem(section, cls, e) for e in error.errors()]
    if problems:
        raise ConfigError("; ".join(problems))
    return configs


def to_plain(config: Any) -> dict[str, Any]:
    """Return the configuration as plain values that JSON and YAML can hold."""
    plain = {}
    for name, value in dataclasses.asdict(config).items():
        if name in choices(type(config)) and isinstance(value, dict):
            plain |= {name: value.pop("name"), **value}
        else:
            plain[name] = value
    return {name: list(v) if isinstance(v, tuple) else v for name, v in plain.items()}


@cache
def settings(cls: type) -> tuple[Setting, ...]:
    """Return the options that a configuration class offers, in the order of its fields.

    After a field that holds one of several classes come the options of each of these.
    """
    hints = typing.get_type_hints(cls, include_extras=True)
    options: list[Setting] = []
    for f in dataclasses.fields(cls):
        if f.metadata.get("from_data") or f.name in ("format", "family", "name"):
            continue
        classes, hint = choices(cls).get(f.name, {}), hints[f.name]
        kind = Literal[tuple(classes)] if classes else bare(hint)
        options.append(Setting(name=f.name, type=kind, default=f.default, help=help_of(hint)))
        options += [option for one in classes.values() for option in settings(one)]
    return tuple({option.name: option for option in options}.values())


def takes_flat(cls: type[C]) -> type[C]:
    """Let the constructor of a configuration class take the settings of a chosen class, too.

    Example:
        >>> from ensue.models.cpc import CPCConfig
        >>> CPCConfig(encoder="log_mel", num_mels=40).encoder.num_mels
        40
    """
    make = cls.__init__

    @wraps(make)
    def __init__(self: C, **values: Any) -> None:
        nested, problems = _with_choices("settings", cls, values)
        if problems:
            raise ConfigError("; ".join(problems))
        make(self, **nested)

    cls.__init__ = __init__
    return cls


def _with_choices(
    section: str, cls: type, values: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return the values with those of each chosen class as an instance of it, and the problems.

    A setting of a class that isn't chosen may be there, as in older files, with its default, or
    with any value where it is among the ``unread`` of its class.
    """
    values, problems = dict(values), []
    for place, classes in choices(cls).items():
        owners = _owners(classes)
        given = {name: values.pop(name) for name in owners if name in values}
        if values.get(place) is None and given:
            able = set.intersection(*(set(owners[name]) for name in given))
            values[place] = next((name for name in classes if name in able), None)
            if not able:
                several = " and ".join(given)
                problems.append(f"{section}: {several} are of different {place}s; choose one")
                continue
        chosen = values.get(place)
        own = {name: value for name, value in given.items() if chosen in owners[name]}
        problems += [
            f"{section}: {name} is for the {place} {' or '.join(owners[name])}, not {chosen!r}; "
            "leave it out"
            for name, value in given.items()
            if name not in own and not _is_unread(classes[owners[name][0]], name, value)
        ]
        if isinstance(chosen, str) and chosen in classes:
            try:
                values[place] = TypeAdapter(classes[chosen]).validate_python(own)
            except ValidationError as error:
                problems += [_problem(section, cls, e) for e in error.errors()]
                del values[place]
    return values, problems


def _is_unread(cls: Any, name: str, value: Any) -> bool:
    return value == getattr(cls, name) or name in getattr(cls, "unread", ())


def warn_of_unread(config: Any, names: Iterable[str]) -> None:
    """Warn of settings of a class that isn't the chosen one, such as of another encoder.

    Args:
        config: The configuration that was made of them.
        names: The settings that a user gave.
    """
    for place, classes in choices(type(config)).items():
        chosen = getattr(getattr(config, place), "name", getattr(config, place))
        owners = _owners(classes)
        for name in names:
            if chosen is not None and chosen not in owners.get(name, [chosen]):
                able = " or ".join(owners[name])
                warnings.warn(
                    f"{name} is for the {place} {able}, and {chosen} doesn't read it; leave it out"
                )


def _owners(classes: Mapping[str, type]) -> dict[str, list[str]]:
    """Return the settings of several classes, each with the names of those that have it."""
    owners: dict[str, list[str]] = {}
    for name, cls in classes.items():
        for option in settings(cls):
            owners.setdefault(option.name, []).append(name)
    return owners


def lengths(cls: type) -> dict[str, StepsOfTraining]:
    """Return the settings of a configuration class that count optimizer steps within a run."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {
        name: mark
        for name, hint in hints.items()
        for mark in getattr(hint, "__metadata__", ())
        if isinstance(mark, StepsOfTraining)
    }


def fill(config: C, facts: Mapping[str, Any]) -> C:
    """Return the configuration with its ``from_data`` fields set to the facts of the data.

    Raises:
        ConfigError: A field is already set, to another value than that of the data.
    """
    wanted = {
        f.name: f.default
        for f in dataclasses.fields(config)  # type: ignore[arg-type]
        if f.metadata.get("from_data")
    }
    for name in wanted.keys() & facts.keys():
        given = getattr(config, name)
        if given != wanted[name] and given != facts[name]:
            raise ConfigError(
                f"the model was made for {name} {given} but the data have {name} {facts[name]}; "
                "use data of the same kind, or train a new model"
            )
    return dataclasses.replace(config, **{n: facts[n] for n in wanted.keys() & facts.keys()})  # type: ignore[type-var]


def require_at_least(least: float, **values: float) -> None:
    """Refuse numbers below ``least``, and values that aren't numbers.

    Raises:
        ConfigError: One is refused; the message names the first.

    Example:
        >>> require_at_least(1, num=0)
        Traceback (most recent call last):
        ensue.errors.ConfigError: num is 0; it must be at least 1
    """
    for name, value in values.items():
        if not isinstance(value, Real):
            raise ConfigError(f"{name} is {value!r}; it must be a number")
        if not least <= value < math.inf:
            raise ConfigError(f"{name} is {value}; it must be at least {least:g}")


def refuse_unread(config: Any, unread: Mapping[str, str]) -> None:
    """Refuse settings that differ from their defaults and that nothing would read.

    Args:
        config: The configuration.
        unread: Names of settings, each with the purpose that it has instead.

    Raises:
        ConfigError: One of them is set.
    """
    for name, of in unread.items():
        value = getattr(config, name)
        value = tuple(value) if isinstance(value, list) else value
        if value != getattr(type(config), name):
            raise ConfigError(f"{name} is {value}, and is for {of}; leave it out")


def check_format(values: Any, what: str) -> None:
    """Refuse a saved file whose format is newer than this version can read."""
    found = values.get("format") if isinstance(values, Mapping) else None
    if not isinstance(found, int):
        raise CheckpointError(f"{what} carries no format number; it isn't one of Ensue's files")
    if found > FORMAT:
        raise CheckpointError(
            f"{what} has format {found} and this version reads up to {FORMAT}; upgrade ensue"
        )


def split_sections(
    values: Mapping[str, Any], classes: Mapping[str, type], also: tuple[str, ...] = ()
) -> dict[str, dict[str, Any]]:
    """Sort flat settings into the sections whose configuration has a field of that name.

    Raises:
        ConfigError: No section has a setting; the message gives the nearest name.
    """
    home = {s.name: section for section, cls in classes.items() for s in settings(cls)}
    strangers = [n for n in values if n not in home]
    if strangers:
        raise ConfigError("; ".join(unknown("setting", n, [*home, *also]) for n in strangers))
    sections: dict[str, dict[str, Any]] = {section: {} for section in classes}
    for name, value in values.items():
        sections[home[name]][name] = value
    return sections


def _problem(section: str, cls: type, error: Any) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"{section}: {unknown('setting', name, [s.name for s in settings(cls)])}"
    if error["type"] == "value_error":
        return f"{section}: {error['ctx']['error']}"
    where = f"{section}.{name}" if name else section
    if error["type"] == "missing" and len(error["loc"]) == 1:
        return f"{where} is missing"
    if error["type"] == "tuple_type":
        return f"{where} is {error['input']!r}: it takes values with commas between them"
    return f"{where} is {error['input']!r}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _listed(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with those of settings that take several as lists; see `_several`."""
    takes = _how_many(cls)
    return {
        name: _several(takes[name], value) if name in takes else value
        for name, value in values.items()
    }


@cache
def _how_many(cls: type) -> dict[str, int | None]:
    """Return the settings that take several values, and how many; None for any number."""
    kinds = {
        s.name: typing.get_args(bare(hint))
        for s in settings(cls)
        for hint in options_of(s.type)
        if is_tuple(hint)
    }
    return {name: None if ... in of else len(of) for name, of in kinds.items()}


def _several(how_many: int | None, value: Any) -> Any:
    """Split a text at its commas; one value alone stands for as many as the setting takes."""
    if isinstance(value, str):
        value = [part for part in value.split(",") if part]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        value = [value]
    return value * how_many if how_many and isinstance(value, list) and len(value) == 1 else value


def type_name(hint: Any) -> str:
    """Return a type as the help shows it: ``int``, ``waveform|log_mel``, ``float|none``."""
    hint = bare(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return "|".join(str(a) for a in arguments)
    if origin in (typing.Union, types.UnionType):
        return "|".join(type_name(a) for a in arguments)
    if origin is tuple and ... not in arguments:
        return ",".join(type_name(a) for a in arguments)
    if origin is tuple:
        return f"{type_name(arguments[0])},..."
    if hint is type(None):
        return "none"
    named: Callable[[Any], str] = lambda h: getattr(h, "__name__", str(h))  # noqa: E731
    return named(hint)
