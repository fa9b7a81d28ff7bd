"""The laws of the configuration: strict at the boundary, and all problems at once."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from ensue.configuration import (
    FORMAT,
    STRICT,
    Format,
    check_format,
    fill,
    from_data,
    settings,
    split_sections,
    to_plain,
    type_name,
    validate,
    validate_all,
)
from ensue.data.config import DataConfig
from ensue.errors import CheckpointError, ConfigError


@dataclass(frozen=True, kw_only=True)
class Boat:
    """A configuration with every kind of field."""

    __pydantic_config__ = STRICT

    format: Format = 1
    masts: Annotated[int, Field(gt=0, description="how many")] = 2
    rig: Annotated[Literal["sloop", "yawl"], Field(description="which")] = "sloop"
    names: tuple[str, ...] = ()
    draft: float | None = None
    length: int | None = from_data()

    def __post_init__(self) -> None:
        if self.rig == "yawl" and self.masts < 2:
            raise ValueError("a yawl has two masts")


def test_all_problems_of_all_sections_are_listed_at_once() -> None:
    sections = {
        "boat": (Boat, {"masts": 0, "rig": "brig", "mast": 3}),
        "data": (DataConfig, {"window_seconds": "long", "validation": 1}),
    }
    with pytest.raises(ConfigError) as caught:
        validate_all(sections)
    problems = str(caught.value).split("; ")
    assert len(problems) == 5
    for expected in (
        "boat.masts is 0: input should be greater than 0",
        "boat.rig is 'brig': input should be 'sloop' or 'yawl'",
        "boat: unknown setting 'mast': did you mean 'masts'? There are: draft, masts, names, rig",
        "data.window_seconds is 'long': input should be a valid number",
        "data.validation is 1: input should be less than 1",
    ):
        assert any(p.startswith(expected) for p in problems), expected


def test_what_the_class_itself_refuses_is_said_in_its_words() -> None:
    with pytest.raises(ConfigError, match=r"^boat: a yawl has two masts$"):
        validate(Boat, {"rig": "yawl", "masts": 1}, section="boat")


def test_setting_that_is_needed_is_called_missing() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Needs:
        __pydantic_config__ = STRICT
        depth: int

    with pytest.raises(ConfigError, match=r"^boat\.depth is missing$"):
        validate(Needs, {}, section="boat")


def test_instance_is_checked_again() -> None:
    wrong = DataConfig(sample_rate=-1, max_skipped=2.0)
    with pytest.raises(ConfigError, match=r"data\.sample_rate is -1.*; data\.max_skipped is 2\.0"):
        validate(DataConfig, wrong, section="data")
    right = DataConfig(sample_rate=8000)
    assert validate(DataConfig, right, section="data") == right


def test_plain_values_make_the_same_configuration() -> None:
    boat = Boat(names=("a", "b"), draft=1.5, length=9)
    plain = to_plain(boat)
    assert plain["names"] == ["a", "b"]
    assert validate(Boat, plain, section="boat") == boat


def test_text_of_a_setting_of_several_values_is_split_at_commas() -> None:
    assert validate(Boat, {"names": "a,b"}, section="boat").names == ("a", "b")
    assert validate(Boat, {"names": ""}, section="boat").names == ()
    assert validate(Boat, {"names": ["a,b"]}, section="boat").names == ("a,b",)


@pytest.mark.parametrize("side", [28, "28", [28], "28,28", (28, 28)])
def test_one_number_stands_for_both_sides_of_an_image(side: Any) -> None:
    assert validate(DataConfig, {"image_size": side}, section="data").image_size == (28, 28)


@pytest.mark.parametrize("side", [0, 2.5, True, "28,28,28", "wide"])
def test_what_is_no_size_is_refused_by_name(side: Any) -> None:
    with pytest.raises(ConfigError, match=r"data\.image_size is "):
        validate(DataConfig, {"image_size": side}, section="data")


def test_settings_are_the_fields_that_a_user_can_set() -> None:
    found = {s.name: s for s in settings(Boat)}
    assert list(found) == ["masts", "rig", "names", "draft"]
    assert (found["masts"].type, found["masts"].default, found["masts"].help) == (
        int,
        2,
        "how many",
    )


def test_every_setting_of_the_data_is_described() -> None:
    assert [s.name for s in settings(DataConfig) if not s.help] == []


def test_settings_are_sorted_into_their_sections() -> None:
    classes = {"boat": Boat, "data": DataConfig}
    found = split_sections({"rig": "yawl", "sample_rate": 8000}, classes)
    assert found == {"boat": {"rig": "yawl"}, "data": {"sample_rate": 8000}}


def test_strangers_among_settings_are_all_named() -> None:
    with pytest.raises(
        ConfigError, match=r"'rigg': did you mean 'rig'.*; .*'cachee': did .*'cache'"
    ):
        split_sections({"rigg": "yawl", "cachee": "."}, {"boat": Boat}, also=("cache",))


def test_facts_of_the_data_fill_the_configuration() -> None:
    assert fill(Boat(), {"length": 7, "other": 1}) == Boat(length=7)
    assert fill(Boat(length=7), {"length": 7}) == Boat(length=7)
    with pytest.raises(ConfigError, match="made for length 9 but the data have length 7"):
        fill(Boat(length=9), {"length": 7})


def test_newer_format_is_refused() -> None:
    check_format({"format": FORMAT}, "the file")
    with pytest.raises(CheckpointError, match=r"the file has format 2 and .* up to 1; upgrade"):
        check_format({"format": FORMAT + 1}, "the file")
    with pytest.raises(CheckpointError, match="the file carries no format number"):
        check_format({}, "the file")
    with pytest.raises(ConfigError, match=r"data\.format is 2"):
        validate(DataConfig, {"format": FORMAT + 1}, section="data")


@pytest.mark.parametrize(
    ("hint", "name"),
    [
        (int, "int"),
        (str | None, "str|none"),
        (Literal["a", "b"], "a|b"),
        (Literal["a"] | None, "a|none"),
        (tuple[str, ...], "str,..."),
    ],
)
def test_type_has_a_short_name(hint: Any, name: str) -> None:
    assert type_name(hint) == name
