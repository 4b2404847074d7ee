"""Patterns of file names: ``ratings/{rater}/seg_{case}`` says whose rating of which case a file is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ...errors import RaterbenchError, nearest, shown
from ..images import stem_of, suffix_of

FIELDS = ("case", "rater")
PIECES = re.compile(r"\{(\w*)\}|([*?])|([^{}*?]+)|(.)")
"""A field, a wildcard, plain text, or a brace that belongs to no field."""


@dataclass(frozen=True)
class FilePattern:
    """Where files lie within a folder of data, and what is read off their paths.

    ``{case}`` and ``{rater}`` stand for at least one character, ``*`` for any number, ``?`` for one, none of them for a
    slash; everything else stands for itself, in capitals or not. A field that comes twice is the same both times. Without an
    ending, or with ``.*``, every ending of an image file fits. ``raters`` are the only names that ``{rater}`` may stand for,
    ``cases`` those of ``{case}``; empty for any.

    >>> FilePattern("ratings/{rater}/seg_{case}").match(("ratings", "Ada", "Seg_07.nii.gz"))
    {'rater': 'Ada', 'case': '07'}

    Raises:
        RaterbenchError: it is no such pattern.
    """

    text: str
    raters: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.text or "\\" in self.text or any(part in ("", ".", "..") for part in self.parts) or "**" in self.text:
            raise RaterbenchError(
                f"{shown(self.text)} is no pattern: write a path within the folder of data, with one / between names"
            )
        if any(brace for *_, brace in PIECES.findall(self.text)):
            raise RaterbenchError(f"{shown(self.text)} has a brace that belongs to no field: write {{case}} or {{rater}}")
        for match in re.finditer(r"\{(\w*)\}", self.text):
            if match[1] not in FIELDS:
                raise RaterbenchError(f"{shown(self.text)} has the unknown field {match[0]}{nearest(match[1], FIELDS)}")
        if re.search(r"\}\{", self.text) and not self.raters:
            raise RaterbenchError(f"{shown(self.text)} has two fields side by side, so nothing says where one ends")

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The names between slashes."""
        return tuple(self.text.split("/"))

    @cached_property
    def fields(self) -> frozenset[str]:
        """Which of ``case`` and ``rater`` it has."""
        return frozenset(re.findall(r"\{(\w+)\}", self.text))

    @cached_property
    def ending(self) -> str | None:
        """The only ending that fits, in lower case; None for any."""
        return suffix_of(Path(self.parts[-1]))

    def leads_into(self, names: tuple[str, ...]) -> bool:
        """Whether a folder at this path may hold files that fit."""
        return len(names) < len(self.parts) and self._regexes[len(names)].fullmatch("/".join(names)) is not None

    def match(self, names: tuple[str, ...], known_cases: Iterable[str] = ()) -> dict[str, str] | None:
        """The fields of a file at this path, or None if it does not fit.

        Where a name can be read in several ways, one whose case is among ``known_cases`` is taken.

        Raises:
            RaterbenchError: there are two ways to read the name.
        """
        if len(names) != len(self.parts) or suffix_of(Path(names[-1])) is None:
            return None
        if self.ending and suffix_of(Path(names[-1])) != self.ending:
            return None
        path = "/".join((*names[:-1], stem_of(Path(names[-1]))))
        # Greedy and reluctant matching agree only where there is one way to read the name.
        ways = [self._fields(way) for regex in self._regexes[-2:] if (way := regex.fullmatch(path))]
        if len(ways) < 2:
            return None
        found, other = ways
        if found == other:
            return found
        within = tuple(case for case in known_cases if case.casefold() in path.casefold())
        if within and (decided := FilePattern(self.text, self.raters, within).match(names)) is not None:
            return decided
        readings = [", ".join(f"{field} {value!r}" for field, value in way.items()) for way in (found, other)]
        mend = "name the raters in dataset.toml" if "rater" in self.fields and not self.raters else "write a more exact pattern"
        raise RaterbenchError(f"{'/'.join(names)} can be read as {readings[0]} or as {readings[1]} by {self.text!r}: {mend}")

    def _fields(self, match: re.Match[str]) -> dict[str, str]:
        found = match.groupdict()
        allowed = {"rater": self.raters, "case": self.cases}
        return {
            field: next((name for name in allowed[field] if name.casefold() == value.casefold()), value)
            for field, value in found.items()
        }

    @cached_property
    def _regexes(self) -> list[re.Pattern[str]]:
        """For the first 0, 1, ... parts, and for all of them greedy and reluctant."""
        stem = self.parts[-1].removesuffix(".*")
        parts = (*self.parts[:-1], stem_of(Path(stem)) if self.ending else stem)
        folders = [self._regex("/".join(parts[:depth]), "") for depth in range(len(parts))]
        return [*folders, self._regex("/".join(parts), ""), self._regex("/".join(parts), "?")]

    def _regex(self, text: str, reluctant: str) -> re.Pattern[str]:
        allowed = {"rater": self.raters, "case": self.cases}
        built, seen = "", set()
        for field, wildcard, plain, _ in PIECES.findall(text):
            if field in seen:
                built += f"(?P={field})"
            elif field:
                seen.add(field)
                names = "|".join(map(re.escape, sorted(allowed[field], key=len, reverse=not reluctant)))
                built += f"(?P<{field}>{names or '[^/]+' + reluctant})"
            else:
                built += {"*": f"[^/]*{reluctant}", "?": "[^/]"}.get(wildcard, re.escape(plain))
        return re.compile(built, re.IGNORECASE | re.DOTALL)


def fits_glob(pattern: str, names: tuple[str, ...]) -> bool:
    """Whether a path fits a pattern with ``*`` and ``?``: the last name, or the whole path if the pattern has a slash."""
    text = "/".join(names) if "/" in pattern else names[-1]
    wildcards = {"*": "[^/]*", "?": "[^/]"}
    regex = "".join(wildcards.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch(regex, text, re.IGNORECASE | re.DOTALL) is not None
