"""Which values a setting may have: its type hint says the kind, the range and the choices, and one function checks them all.

``epochs: Annotated[int, Range(1, 1000)]`` is a whole number from 1 to 1000, ``Literal["all", "one"]`` is one of two words.
"""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin, get_type_hints

from .errors import RaterbenchError, nearest, shown


@dataclass(frozen=True)
class Range:
    """The finite numbers from ``low`` to ``high``; ``without`` says which of the two ends do not belong to it.

    A whole number may also have to be a multiple of ``step``.
    """

    low: float = -math.inf
    high: float = math.inf
    without: Literal["neither", "low", "high", "both"] = "neither"
    step: int = 1

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.without in ("low", "both") else value >= self.low
        below = value < self.high if self.without in ("high", "both") else value <= self.high
        finite = isinstance(value, Integral) or math.isfinite(value)
        return finite and above and below and (self.step == 1 or value % self.step == 0)

    def __str__(self) -> str:
        low, high = f"{self.low:.12g}", f"{self.high:.12g}"
        after, before = self.without in ("low", "both"), self.without in ("high", "both")
        if math.isinf(self.low) and math.isinf(self.high):
            words = "that is finite"
        elif math.isinf(self.high):
            words = f"greater than {low}" if after else f"of {low} or more"
        elif after:
            words = f"greater than {low} and {'less than' if before else 'at most'} {high}"
        else:
            words = f"from {low}, less than {high}" if before else f"from {low} to {high}"
        return words + (f", in steps of {self.step}" if self.step > 1 else "")


Seed = Annotated[int, Range(0, 2**31 - 1)]
"""Where random numbers start. NumPy's older generators, which methods from elsewhere may use, take 32 bits."""


def has_parameters(value: Any) -> bool:
    """Whether a value is an object with parameters, as scikit-learn and ``Parameterised`` have them; a class is none."""
    return hasattr(value, "get_params") and not isinstance(value, type)


class Parameterised:
    """Keyword parameters that ``__init__`` only stores, as scikit-learn has them: ``get_params``, ``set_params`` and ``clone``.

    It is no ``sklearn.base.BaseEstimator``, because scikit-learn takes a second to load: what reports need does without.
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name; ``deep`` adds those of parameters that have some, as ``name__parameter``."""
        found: dict[str, Any] = {}
        for name in self._parameters():
            found[name] = value = getattr(self, name)
            if deep and has_parameters(value):
                found |= {f"{name}__{key}": inner for key, inner in value.get_params().items()}
        return found

    def set_params(self, **values: Any) -> Self:
        """Change parameters; ``name__parameter`` changes one of a parameter.

        Raises:
            ValueError: there is no such parameter.
        """
        for path, value in values.items():
            name, _, inner = path.partition("__")
            if name not in self._parameters():
                raise ValueError(f"{type(self).__name__} has no parameter {name!r}{nearest(name, self._parameters())}")
            if inner:
                getattr(self, name).set_params(**{inner: value})
            else:
                setattr(self, name, value)
        return self

    @classmethod
    def _parameters(cls) -> dict[str, inspect.Parameter]:
        """The parameters of ``__init__``, without those that collect the rest."""
        rest = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return {name: p for name, p in inspect.signature(cls).parameters.items() if p.kind not in rest}

    def __repr__(self) -> str:
        """The call that builds it, without parameters that have their defaults."""
        values = {name: (repr(getattr(self, name)), repr(p.default)) for name, p in self._parameters().items()}
        changed = [f"{name}={value}" for name, (value, default) in values.items() if value != default]
        return f"{type(self).__name__}({', '.join(changed)})"


def check_values(values: Mapping[str, Any], hints: Mapping[str, Any], where: str) -> None:
    """Check each value against the type hint of its key; keys without a hint are passed over.

    Raises:
        RaterbenchError: a value is of another kind, or out of its range; key, value and what is allowed are named.
    """
    for key, value in values.items():
        if key in hints and not allows(hints[key], value):
            choices = _choices(hints[key]) if isinstance(value, str) else []
            close = difflib.get_close_matches(value, choices, n=1, cutoff=0.5) if choices else []
            near = f"; did you mean {close[0]!r}?" if close else ""
            raise RaterbenchError(f"{where}: {key} = {shown(value)} must be {words(hints[key])}{near}")


def check_keys(values: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Raise a RaterbenchError that names the nearest known key, for the first unknown one."""
    known = list(known)
    for key in values:
        if key not in known:
            raise RaterbenchError(f"{where}: unknown key {shown(key)}{nearest(str(key), known)}")


def check_arguments(function: Any, values: Mapping[str, Any], where: str) -> None:
    """Check arguments of a function or class against the type hints of its parameters (``check_values``)."""
    check_values(values, parameter_hints(function), where)


def check_stored(owner: object, where: str = "") -> None:
    """Check the parameters that an estimator keeps as attributes against the type hints of its ``__init__``.

    ``where`` they were set, by default the name of the class.

    Raises:
        RaterbenchError: one is of another kind, or out of its range (``check_values``).
    """
    kind: Any = type(owner)
    hints = parameter_hints(kind)
    kept = {name: getattr(owner, name) for name in hints if hasattr(owner, name)}
    check_values(kept, hints, where or kind.__name__)


@cache
def parameter_hints(function: Any) -> Mapping[str, Any]:
    """The type hints of the parameters of a function, or of the ``__init__`` of a class.

    A hint that cannot be resolved, such as a name that was imported for a type checker alone, is left out.
    """
    if isinstance(function, type):
        function = function.__init__  # type: ignore[misc]
    function = inspect.unwrap(function)
    names, found = getattr(function, "__globals__", {}), {}
    for name, annotation in getattr(function, "__annotations__", {}).items():
        holder = type("Holder", (), {"__annotations__": {name: annotation}})
        try:
            found[name] = get_type_hints(holder, globalns=names, include_extras=True)[name]
        except (NameError, TypeError, SyntaxError, AttributeError):
            continue
    return {name: hint for name, hint in found.items() if name != "return"}


def allows(hint: Any, value: Any) -> bool:
    """Whether a plain value is of the kind and in the range that a type hint says; a list stands for any sequence."""
    origin, inner = get_origin(hint) or hint, get_args(hint)
    if origin is Annotated:
        fits = allows(inner[0], value) and all(value in rule for rule in inner[1:] if isinstance(rule, Range))
    elif origin in (Union, UnionType):
        fits = any(allows(one, value) for one in inner)
    elif origin is Literal:
        fits = any(type(value) is type(choice) and value == choice for choice in inner)
    elif origin in (int, float):
        fits = isinstance(value, Integral if origin is int else Real) and not isinstance(value, bool)
    elif origin in (tuple, list, Sequence):
        fits = isinstance(value, list | tuple) and _each_fits(origin, inner, value)
    elif origin in (dict, Mapping):
        fits = isinstance(value, Mapping) and (not inner or all(allows(inner[1], one) for one in value.values()))
    else:
        fits = origin is Any or not isinstance(origin, type) or isinstance(value, origin)
    return fits


def classes_in(hint: Any) -> Iterator[type]:
    """The classes that a type hint names, also within ``|``, ``Annotated`` and lists."""
    origin, inner = get_origin(hint) or hint, get_args(hint)
    if isinstance(origin, type) and origin not in (Annotated, Any, NoneType, UnionType):
        yield origin
    for one in inner[:1] if origin is Annotated else () if origin is Literal else inner:
        yield from classes_in(one)


def as_hinted(hint: Any, value: Any) -> Any:
    """The value with whole numbers as floats where the type hint knows floats alone, so that 2 and 2.0 are one setting."""
    kinds = set(classes_in(hint))
    if isinstance(value, tuple) and tuple in kinds:
        return tuple(as_hinted(hint, one) for one in value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole and float in kinds and not kinds & {int, bool} else value


def _each_fits(origin: Any, inner: tuple[Any, ...], values: Sequence[Any]) -> bool:
    if origin is tuple and inner and inner[-1] is not ...:
        return len(values) == len(inner) and all(allows(hint, value) for hint, value in zip(inner, values, strict=True))
    return not inner or all(allows(inner[0], value) for value in values)


def words(hint: Any) -> str:
    """What a type hint allows, as the end of the sentence "it must be ..."."""
    origin, inner = get_origin(hint) or hint, get_args(hint)
    if origin is Annotated:
        return " ".join([words(inner[0]), *(str(rule) for rule in inner[1:] if isinstance(rule, Range))])
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(words(one) for one in inner if one is not type(None)))
    if origin is Literal:
        return " or ".join(repr(choice) for choice in inner)
    if origin is tuple and inner and inner[-1] is not ...:
        return f"a list of {len(inner)}, each of it {words(inner[0])}"
    if origin in (tuple, list, Sequence):
        return f"a list, each of it {words(inner[0])}" if inner else "a list"
    plain = {int: "a whole number", float: "a number", str: "a text in quotes", bool: "true or false", Path: "a path"}
    return plain.get(origin, "a table of settings" if origin in (dict, Mapping) else f"a {getattr(origin, '__name__', origin)}")


def _choices(hint: Any) -> list[str]:
    """The words that a type hint allows."""
    inner = get_args(hint)
    if get_origin(hint) is Literal:
        return [choice for choice in inner if isinstance(choice, str)]
    return [choice for one in inner for choice in _choices(one)] if get_origin(hint) in (Union, UnionType) else []
