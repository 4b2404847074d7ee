"""From plain values, as TOML and JSON have them, to dataclasses: every unknown key and wrong kind is a plain sentence."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from ..datasets.errors import RaterbenchError, nearest

T = TypeVar("T")


def build(cls: type[T], values: Any, where: str) -> T:
    """An instance of a dataclass from plain values; lists become tuples, unknown and missing keys are errors."""
    if isinstance(values, cls):
        return values
    if not isinstance(values, Mapping):
        raise RaterbenchError(f"{where} must be a table of settings, not {values!r}")
    check_keys(values, {f.name: f for f in dataclasses.fields(cls)}, where)  # type: ignore[arg-type]
    check_kinds(values, get_type_hints(cls), where)
    try:
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except TypeError as error:
        raise RaterbenchError(f"{where}: {error}") from error


def check_kinds(values: Mapping[str, Any], hints: Mapping[str, Any], where: str) -> None:
    """Raise a RaterbenchError for the first value that is of another kind than its type hint says."""
    for key, value in values.items():
        if key in hints and not _fits(value, hints[key]):
            raise RaterbenchError(f"{where}: {key} = {value!r} must be {_kind(hints[key])}")


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint) or hint, get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if origin in (int, float):
        return isinstance(value, (int, origin)) and not isinstance(value, bool)
    if origin is tuple:
        elements = inner[:1] * len(value) if inner[1:] == (...,) and isinstance(value, list | tuple) else inner
        alike = isinstance(value, list | tuple) and len(elements) in (0, len(value))
        return alike and all(_fits(entry, one) for entry, one in zip(value, elements, strict=False))
    return origin is Any or isinstance(value, origin)


def _kind(hint: Any) -> str:
    origin, inner = get_origin(hint) or hint, get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(_kind(one) for one in inner if one is not type(None))
    if origin is tuple:
        return f"a list, each of it {_kind(inner[0])}" if inner else "a list"
    words = {int: "a whole number", float: "a number", str: "a text in quotes", bool: "true or false"}
    return words.get(origin, "a table of settings")


def check_keys(values: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
    """Raise a RaterbenchError that names the nearest known key, for the first unknown one."""
    for key in values:
        if key not in known:
            raise RaterbenchError(f"{where}: unknown key {key!r}{nearest(key, known)}")


def read_setting(text: str, example: str) -> tuple[str, Any]:
    """``key=value`` of a ``--set`` as key and value; the value is read as TOML has it, or else is the text itself."""
    key, equals, value = text.partition("=")
    if not equals:
        raise RaterbenchError(f"--set {text!r} has no '=': write --set key=value, for example --set {example}")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value
