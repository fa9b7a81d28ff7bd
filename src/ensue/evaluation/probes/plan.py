"""The plan of a probe: its options, checked against each other before anything is read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from ensue.errors import ConfigError

N = TypeVar("N", int, float)
OPTIONS = {
    "label_curve": "num-labels or label-fractions",
    "leave_one_group_out": "leave-one-group-out",
    "verification": "verify",
    "numeric": "numeric",
    "multi_label": "separator",
}
"""The options that ask the questions, by kind."""


@dataclass(frozen=True, kw_only=True)
class ProbePlan:
    """The options of ``probe`` that define the question, as values that fit each other."""

    kind: str
    label: str
    level: Literal["frame", "item"] | None
    knn: int | None
    num_labels: tuple[int, ...]
    label_fractions: tuple[float, ...]
    draws: int
    finetune: bool
    finetune_steps: int
    finetune_rate: float
    separator: str | None
    num_train: int
    num_test: int
    seed: int


def make_plan(
    *,
    level: Literal["frame", "item"] | None,
    knn: int | None,
    num_labels: str | int | Sequence[int],
    label_fractions: str | float | Sequence[float],
    draws: int | None,
    leave_one_group_out: bool,
    finetune: bool,
    finetune_steps: int | None,
    finetune_rate: float | None,
    verify: bool,
    numeric: bool,
    separator: str | None,
    **others: Any,
) -> ProbePlan:
    """Make the plan, if all the options can be honored.

    Raises:
        ConfigError: Two of them exclude each other, one needs another, or a value is wrong.
    """
    sizes = numbers("num-labels", num_labels, int)
    fractions = numbers("label-fractions", label_fractions, float)
    asked = {
        "label_curve": bool(sizes or fractions),
        "leave_one_group_out": leave_one_group_out,
        "verification": verify,
        "numeric": numeric,
        "multi_label": separator is not None,
    }
    kind = _only([name for name, wanted in asked.items() if wanted])
    if kind in ("verification", "multi_label"):
        _refuse(
            kind, knn=knn, finetune=finetune or None, level="frame" if level == "frame" else None
        )
        level = "item"
    if kind == "numeric":
        _refuse(kind, knn=knn, finetune=finetune or None)
    if kind != "label_curve" and draws is not None:
        raise ConfigError("draws are of few labels; give num-labels or label-fractions too")
    if not finetune and (finetune_steps is not None or finetune_rate is not None):
        raise ConfigError("finetune-steps and finetune-rate are of --finetune; give that too")
    if knn is not None and knn < 1:
        raise ConfigError(f"knn is {knn}; it must be 1 or more neighbors")
    if separator == "":
        raise ConfigError('separator is empty; give the text between values, such as ";"')
    return ProbePlan(
        kind=kind,
        level=level,
        knn=knn,
        num_labels=sizes,
        label_fractions=fractions,
        draws=10 if draws is None else draws,
        finetune=finetune,
        finetune_steps=400 if finetune_steps is None else finetune_steps,
        finetune_rate=1e-3 if finetune_rate is None else finetune_rate,
        separator=separator,
        **others,
    )


def numbers(name: str, given: str | N | Sequence[N], number: Callable[[Any], N]) -> tuple[N, ...]:
    """Return numbers given as one, as a sequence, or as text separated by commas.

    Raises:
        ConfigError: A part of the text is no number.

    Example:
        >>> numbers("label-fractions", "0.01,0.1,1", float)
        (0.01, 0.1, 1.0)
    """
    parts = given.split(",") if isinstance(given, str) else given
    try:
        return tuple(number(p) for p in (parts if isinstance(parts, Sequence) else [parts]))
    except ValueError as error:
        raise ConfigError(f"{name} is {given!r}; give numbers with commas between") from error


def _only(kinds: list[str]) -> str:
    if len(kinds) > 1:
        both = " and ".join(OPTIONS[k] for k in kinds)
        raise ConfigError(f"{both} are different questions; ask one at a time")
    return kinds[0] if kinds else "accuracy"


def _refuse(kind: str, **options: Any) -> None:
    for name, value in options.items():
        if value is not None:
            what = OPTIONS[kind]
            asks = "for a number" if kind == "numeric" else "whole frozen items"
            raise ConfigError(f"{what} asks {asks}; leave out {name}")
