"""Options are checked against annotations, in configurations and in calls from Python."""

from typing import Annotated, Literal

import numpy as np
import pytest
from pydantic import Field

from svdx.errors import ConfigError
from svdx.schema.checks import Option, check_together, checked, options_of, takes_any_option
from svdx.schema.types import AnyPath, PositiveInt, Share

Even = Annotated[int, Field(ge=2, multiple_of=2)]

FITTING = [
    *[(int, 3), (float, 3), (float, np.float32(0.5)), (int | None, None), (Literal["all"] | float, "all")],
    *[(list[Share], [0, 1.0]), (list[float], (0.1,)), (tuple[float, float], [0.1, 0.2])],
    *[(AnyPath, "a"), (AnyPath, 2024), (PositiveInt, 1), (Even, 4), (object | None, None)],
]
REFUSED = [
    *[(int, "3", "a whole number"), (int, 2.0, "a whole number"), (int, True, "a whole number")],
    *[(float, float("nan"), "a number"), (float, float("inf"), "a number"), (float, False, "a number")],
    *[(bool, 1, "true or false"), (str, 3, "a word"), (int | None, "x", "a whole number or null")],
    *[(Literal["a", "b", "c"], "d", "a, b or c"), (list[int], 3, "[a whole number, …]")],
    *[(PositiveInt, 0, "1 or more"), (PositiveInt | None, 0, "1 or more"), (Share, 1.5, "0 to 1")],
    *[(list[Share], [0.5, 2], "0 to 1"), (list[Share] | None, ["x"], "[a number, …] or null")],
    *[(Even, 3, "a multiple of 2, 2 or more"), (np.ndarray, "x", "a section"), (AnyPath, None, "a path")],
]


@pytest.mark.parametrize("annotation, value", FITTING)
def test_values_that_fit(annotation, value):
    assert Option(annotation).problem(value) is None


@pytest.mark.parametrize("annotation, value, expected", REFUSED)
def test_what_is_expected_instead_of_values_that_do_not_fit(annotation, value, expected):
    assert Option(annotation).problem(value) == expected


@checked
class Base:
    def __init__(self, size: PositiveInt = 1, other: np.ndarray | None = None) -> None:
        self.size = size


@checked
class Child(Base):
    def __init__(self, network: np.ndarray, low: Share = 0.0, high: Share = 1.0, **options: object) -> None:
        super().__init__(**options)

    @staticmethod
    def check_options(*, low: float, high: float, **_: object) -> None:
        if low > high:
            raise ConfigError(f"low={low} is above high={high}")


def test_options_include_those_of_base_classes_that_kwargs_reach():
    assert list(options_of(Child)) == ["network", "low", "high", "size", "other"]
    assert not takes_any_option(Child) and takes_any_option(lambda **options: options)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"low": 2.0}, "Child: low=2.0: expected 0 to 1"),
        ({"size": 0}, "Base: size=0: expected 1 or more"),
        ({"low": 0.5, "high": 0.2}, "low=0.5 is above high=0.2"),
    ],
)
def test_a_constructor_refuses_its_options_when_called(options, message):
    with pytest.raises(ConfigError) as error:
        Child(None, **options)
    assert str(error.value) == message


def test_objects_are_passed_on_unchecked_and_values_unchanged():
    assert Child("a stand-in", size=3).size == 3


def test_options_are_checked_together_with_their_defaults():
    check_together(Child, {"low": 0.2})
    with pytest.raises(ConfigError, match=r"above high=0\.1"):
        check_together(Child, {"low": 0.2, "high": 0.1})


def test_functions_are_checked_too():
    @checked
    def repeat(text: str, times: PositiveInt = 2) -> str:
        return text * times

    assert repeat("a") == "aa"
    with pytest.raises(ConfigError, match=r"^repeat: times=0: expected 1 or more$"):
        repeat("a", times=0)
