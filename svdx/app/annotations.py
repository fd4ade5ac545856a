"""What functions and constructors are annotated to take: whether a plain value fits, and in words for who chose it."""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a word",
    NoneType: "null",
    Path: "a path",
}


def annotations(target: Any) -> dict[str, Any]:
    """What a function or a constructor is annotated to take; what a child does not name, its parents take."""
    hints: dict[str, Any] = {}
    for maker in [kind.__init__ for kind in reversed(target.__mro__)] if inspect.isclass(target) else [target]:
        try:
            hints |= get_type_hints(maker)
        except NameError:  # of another library: a name that is there for type checkers only
            continue
    return hints


def fits(value: Any, hint: Any) -> bool:
    """Is a value of a configuration what an annotation says? NaN and infinity are no numbers.

    >>> fits(3, float), fits(True, int), fits(None, int | None), fits("all", Literal["all"]), fits([0.1], list[float])
    (True, False, True, True, True)
    """
    kind, parts = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        return any(fits(value, part) for part in parts)
    if kind is Literal:
        return value in parts
    if kind is list:
        return isinstance(value, list) and all(fits(item, parts[0]) for item in value)
    if hint in (int, float):
        number = isinstance(value, int | hint) and not isinstance(value, bool)
        return number and math.isfinite(value)
    if hint in (bool, str, NoneType):
        return isinstance(value, hint)
    return hint is Path or not isinstance(value, bool | int | float | str | NoneType)


def describe(hint: Any) -> str:
    """An annotation in words.

    >>> describe(float | None), describe(list[float]), describe(Literal["mean", "zero", "floor"])
    ('a number or null', '[a number, …]', 'mean, zero or floor')
    """
    kind, parts = get_origin(hint), get_args(hint)
    if kind is list:
        return f"[{describe(parts[0])}, …]"
    if kind is Literal:
        *most, last = map(str, parts)
        return f"{', '.join(most)} or {last}" if most else last
    if kind in (Union, UnionType):
        words = [describe(part) for part in parts if part is not int or float not in parts]
        return " or ".join(dict.fromkeys(words))
    return WORDS.get(hint, "a section")
