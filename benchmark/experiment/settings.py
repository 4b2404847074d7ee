"""Builds and checks dataclasses from the plain values of TOML and JSON; errors name the key, the value and what is allowed."""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_type_hints

from ...errors import RaterbenchError, shown
from ...parameters import check_keys, check_values
from ...text_files import parse_toml

T = TypeVar("T")

MOST_UNITS = 20_000
"""Training units of an experiment at most: at a minute each, two weeks on one core; more is most often a slip in a setting."""
LARGEST_INTEGER = 2**63 - 1
LONGEST_NAME = 200
"""Bytes of a name that becomes a folder; systems allow 255, of which some are needed for what is added."""
DEEPEST = 50
"""How many tables and lists may be within one another."""


def build(cls: type[T], values: Any, where: str) -> T:
    """An instance of a dataclass from plain values; lists become tuples, and whole numbers floats where its hints say so.

    Raises:
        RaterbenchError: a key is unknown or missing, or a value is of another kind than its type hint says, or out of range.
    """
    if isinstance(values, cls):
        return values
    check_table(values, where)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    check_keys(values, fields, where)
    for name, field in fields.items():
        if name not in values and field.default is field.default_factory is dataclasses.MISSING:
            raise RaterbenchError(f"{where} has no key {name!r}: add it")
    check_values(values, get_type_hints(cls, include_extras=True), where)
    return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


def check_fields(instance: Any, where: str) -> None:
    """Check the fields of a dataclass against their type hints, for those that were not built from plain values."""
    check_values(vars(instance), get_type_hints(type(instance), include_extras=True), where)


def check_part(values: Any, cls: type, where: str) -> None:
    """Check a table that changes some fields of a dataclass, or some parameters of a class, and leaves out the others."""
    check_table(values, where)
    holder = cls if dataclasses.is_dataclass(cls) else cls.__init__  # type: ignore[misc]
    hints = {name: hint for name, hint in get_type_hints(holder, include_extras=True).items() if name != "return"}
    check_keys(values, hints, where)
    check_values(values, hints, where)


def check_table(values: Any, where: str) -> None:
    """Raise a RaterbenchError unless the value is a table."""
    if not isinstance(values, Mapping):
        raise RaterbenchError(f"{where} must be a table of settings, not {shown(values)}")


def check_plain(value: Any, where: str, depth: int = 0) -> None:
    """Check that a value, with all that it holds, can be stored and read again as it is.

    Raises:
        RaterbenchError: it holds a date, NaN, a whole number beyond 64 bits, a text that is not Unicode or has a NUL
            character, or it is nested too deeply; the key is named.
    """
    if depth > DEEPEST:
        raise RaterbenchError(f"{where} is nested too deeply: {DEEPEST} tables and lists within one another are the most")
    if dataclasses.is_dataclass(value):
        value = vars(value)
    if isinstance(value, Mapping):
        for key, entry in value.items():
            check_plain(key, f"{where}: a key", depth + 1)
            check_plain(entry, f"{where}: {key}", depth + 1)
    elif isinstance(value, list | tuple):
        for entry in value:
            check_plain(entry, where, depth + 1)
    elif wrong := _not_plain(value):
        raise RaterbenchError(f"{where} = {shown(value)} {wrong}")


def _not_plain(value: Any) -> str:
    """What is wrong with a single value, as the end of a sentence; empty if nothing is."""
    if isinstance(value, str):
        strange = "\0" in value or not _is_unicode(value)
        return "holds a character that no text can have: write it anew" if strange else ""
    if isinstance(value, int):
        return f"is too large: whole numbers go up to {LARGEST_INTEGER}" if abs(value) > LARGEST_INTEGER else ""
    if isinstance(value, float):
        return "is no number: give one" if math.isnan(value) else ""
    return "" if value is None else f"is a {type(value).__name__}: put it in quotes"


def check_folder_name(name: Any, where: str) -> None:
    """Check a name that becomes the name of a folder.

    Raises:
        RaterbenchError: it is no text, empty, too long, a path, or has characters that cannot be printed.
    """
    wrong = ""
    if not isinstance(name, str) or not name.strip():
        wrong = "is empty" if isinstance(name, str) else "is no text in quotes"
    elif set(name) & set("/\\") or name in (".", ".."):
        wrong = "is a path"
    elif not name.isprintable():
        wrong = "has characters that cannot be printed"
    elif len(name.encode(errors="replace")) > LONGEST_NAME:
        wrong = f"is longer than {LONGEST_NAME} bytes"
    if wrong:
        raise RaterbenchError(f"{where} = {shown(name)} {wrong}: it names a folder, so give a short name without slashes")


def check_different(values: Sequence[Any], where: str) -> None:
    """Raise a RaterbenchError if a list has an entry twice."""
    for place, value in enumerate(values):
        if value in values[:place]:
            raise RaterbenchError(f"{where} lists {shown(value)} twice: take one of them out")


def read_setting(text: str, example: str) -> tuple[str, Any]:
    """``key=value`` of a ``--set`` as key and value; the value is read as TOML has it, or else is the text itself.

    Raises:
        RaterbenchError: there is no ``=`` or no key, or the value cannot be stored (``check_plain``).
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise RaterbenchError(f"--set {shown(text)} has no '=': write --set key=value, for example --set {example}")
    if not key.strip():
        raise RaterbenchError(f"--set {shown(text)} has no key before '=': write for example --set {example}")
    read: Any = value
    try:
        table = parse_toml(f"value = {value}", "--set")
        # A value with a line break may be more than one setting: it is then taken as it is.
        read = table["value"] if len(table) == 1 else value
    except RaterbenchError as error:
        if not isinstance(error.__cause__, tomllib.TOMLDecodeError):
            raise
    check_plain(read, f"--set {key.strip()}")
    return key.strip(), read


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def canonical(values: Any) -> str:
    """One text for equal values, to hash: sorted keys, no spaces."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)
