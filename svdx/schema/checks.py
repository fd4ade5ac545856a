"""Checks of values against the annotations of the constructor or function that takes them, by pydantic.

Checks are strict: "3" is no number, 2.0 no whole number, true neither; NaN and infinity are refused.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

from svdx.errors import ConfigError

STRICT = ConfigDict(strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)
WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a word",
    NoneType: "null",
    Path: "a path",
}
LIMITS = ("ge", "gt", "le", "lt", "multiple_of")  # of a number, as pydantic calls them
OBJECT = "a section"  # how a configuration writes an object
Target = TypeVar("Target", bound=Callable[..., Any])


class Option:
    """A parameter of a constructor or function, or a field of a model.

    annotation: its type; default: its value where none is given, `inspect.Parameter.empty` where one must be
    """

    def __init__(self, annotation: Any, default: Any = inspect.Parameter.empty) -> None:
        self.annotation, self.default = annotation, default

    @functools.cached_property
    def _adapter(self) -> TypeAdapter:
        try:
            return TypeAdapter(self.annotation, config=STRICT)
        except (PydanticSchemaGenerationError, PydanticUserError):  # of another library, for type checkers only
            return TypeAdapter(Any)

    @property
    def takes_objects(self) -> bool:
        """Whether the annotation allows anything but plain values."""
        return self.annotation is Any or OBJECT in describe(self.annotation)

    def problem(self, value: Any) -> str | None:
        """What is expected instead of a value; None for a value that fits. A list and a tuple are the same."""
        versions = [value, tuple(value), list(value)] if isinstance(value, list | tuple) else [value]
        for version in versions:
            try:
                self._adapter.validate_python(version)
                return None
            except ValidationError as error:
                errors = error.errors()
        return expected(self.annotation, errors)


@functools.cache
def options_of(target: Callable[..., Any]) -> dict[str, Option]:
    """The options of a class or function by name, those of the base classes that `**options` go to among them."""
    found: dict[str, Option] = {}
    for call in _calls(target):
        try:
            hints = get_type_hints(call, include_extras=True)
        except (NameError, TypeError):  # of another library: names that exist for type checkers only
            hints = {}
        for name, parameter in inspect.signature(call).parameters.items():
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY) and name != "self":
                found.setdefault(name, Option(hints.get(name, Any), parameter.default))
        if not _takes_more(call):
            break
    return found


def takes_any_option(target: Callable[..., Any]) -> bool:
    """Whether a class or function accepts options that `options_of` does not name."""
    return all(_takes_more(call) for call in _calls(target))


def _calls(target: Callable[..., Any]) -> list[Callable[..., Any]]:
    """A function, or the constructors of a class and of its base classes."""
    if not inspect.isclass(target):
        return [target]
    return [owner.__dict__["__init__"] for owner in target.__mro__[:-1] if "__init__" in owner.__dict__]


def _takes_more(call: Callable[..., Any]) -> bool:
    return any(parameter.kind == parameter.VAR_KEYWORD for parameter in inspect.signature(call).parameters.values())


def check_together(target: Callable[..., Any], values: Mapping[str, Any]) -> None:
    """Call every `check_options` of a class and its base classes with options, defaults filled in.

    A class defines this static or class method where one of its options limits another.

    Raises: ConfigError.
    """
    defaults = {name: option.default for name, option in options_of(target).items()}
    for owner in getattr(target, "__mro__", ()):
        if "check_options" in vars(owner):
            vars(owner)["check_options"].__get__(None, target)(**{**defaults, **values})


def checked(target: Target) -> Target:
    """Decorate a class or a function: calls raise ConfigError for options that their annotations do not allow.

    Arguments that take objects alone, such as networks, are not checked.
    """
    if inspect.isclass(target):
        target.__init__ = _checked(target.__init__, target)  # type: ignore[method-assign]
        return target
    return _checked(target, target)


def _checked(call: Any, target: Any) -> Any:
    signature = inspect.signature(call)

    @functools.wraps(call)
    def checked_call(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        for name, value in bound.arguments.items():
            option = options_of(call).get(name)
            problem = None if option is None or describe(option.annotation) == OBJECT else option.problem(value)
            if problem:
                raise ConfigError(f"{target.__name__}: {name}={as_typed(value)}: expected {problem}")
        if "check_options" in vars(target):
            bound.apply_defaults()
            vars(target)["check_options"].__get__(None, type(args[0]))(**bound.arguments)
        return call(*args, **kwargs)

    return checked_call


def expected(annotation: Any, errors: list[Any]) -> str:
    """What an annotation allows, in words: the range for a value outside it, the type for a value of another.

    errors: pydantic's, all of the same value
    """
    for error in errors:
        if error["type"] == "value_error":  # raised by a validator of svdx
            return str(error["ctx"]["error"])
    ranges = list(dict.fromkeys(filter(None, map(_range, _parts(annotation)))))
    limits = {"greater_than", "greater_than_equal", "less_than", "less_than_equal", "multiple_of"}
    if ranges and any(error["type"] in limits for error in errors):
        return " or ".join(ranges)
    return describe(annotation)


def describe(annotation: Any) -> str:
    """An annotation's type in words.

    >>> describe(float | None), describe(list[float]), describe(Literal["mean", "zero", "floor"])
    ('a number or null', '[a number, …]', 'mean, zero or floor')
    """
    kind, parts = get_origin(annotation), get_args(annotation)
    if kind is Annotated:
        return next((part for part in parts if isinstance(part, str)), None) or describe(parts[0])
    if kind is list:
        return f"[{describe(parts[0])}, …]"
    if kind is Literal:
        *most, last = map(str, parts)
        return f"{', '.join(most)} or {last}" if most else last
    if kind in (Union, UnionType):
        words = dict.fromkeys(map(describe, parts))
        return " or ".join(word for word in words if word != WORDS[int] or WORDS[float] not in words)
    return WORDS.get(annotation, OBJECT)


def _parts(annotation: Any) -> Iterator[Any]:
    """The `Annotated` types within unions and lists."""
    if get_origin(annotation) is Annotated:
        yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _range(annotation: Any) -> str:
    """The numbers that an `Annotated` type allows, in words; nothing without limits.

    >>> from svdx.schema.types import PositiveInt, ProperShare, Share
    >>> _range(PositiveInt), _range(Share), _range(ProperShare)
    ('1 or more', '0 to 1', 'more than 0, less than 1')
    """
    kind, *metadata = get_args(annotation)
    constraints = [limit for data in metadata for limit in getattr(data, "metadata", [data])]
    limits = {key: getattr(limit, key) for limit in constraints for key in LIMITS if hasattr(limit, key)}
    if kind is int and "gt" in limits:
        limits["ge"] = limits.pop("gt") + 1
    low = f"more than {limits['gt']}" if "gt" in limits else str(limits.get("ge", ""))
    high = f"less than {limits['lt']}" if "lt" in limits else str(limits.get("le", ""))
    words = [f"a multiple of {limits['multiple_of']}"] if "multiple_of" in limits else []
    if low and high:
        words.append(f"{low} to {high}" if "ge" in limits else f"{low}, {high if 'lt' in limits else f'up to {high}'}")
    elif low or high:
        words.append(f"{low} or more" if "ge" in limits else f"{high} or less" if "le" in limits else low or high)
    return ", ".join(words)


def as_typed(value: Any) -> str:
    """A value as it is typed on a command line.

    >>> as_typed([True, None, 0.5])
    '[true,null,0.5]'
    """
    if isinstance(value, list | tuple):
        return f"[{','.join(map(as_typed, value))}]"
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)
