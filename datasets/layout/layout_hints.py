"""What names of files say against the layout that they were read by, and the line of ``dataset.toml`` that mends it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ...errors import RaterbenchError
from ..images import stem_of
from .file_patterns import FilePattern
from .folder_layout import RatedFiles

CASE_WORDS = frozenset(
    [
        "case",
        "cases",
        "patient",
        "patients",
        "pat",
        "subject",
        "subjects",
        "sub",
        "subj",
        "scan",
        "slice",
        "image",
        "img",
        "frame",
        "sample",
        "specimen",
    ]
)
RATER_WORDS = frozenset(
    [
        "rater",
        "raters",
        "annotator",
        "annotators",
        "expert",
        "experts",
        "observer",
        "observers",
        "reader",
        "readers",
        "radiologist",
    ]
)
ENOUGH = 1.5
"""Raters a case, on average, from which a pattern explains the names of files."""

Names = tuple[str, ...]


def mend_for_lonely_raters(cases: Sequence[RatedFiles]) -> str:
    """The line of ``dataset.toml`` under which most cases have several raters; empty if there is none to propose."""
    files = _by_default_layout(cases)
    pattern = next((p for p in _grids(files) if _explains(p, files)), None) if files else None
    return f"the names of files hold the raters{_mend(pattern, files)}" if pattern else ""


def wrong_layout(cases: Sequence[RatedFiles]) -> str | None:
    """What is wrong if names show that files were taken for other raters' or other cases' than they are; None if they do not.

    It is so if no case has two raters, but would have with the name of the rater taken out of the names of files, or if what
    is taken for raters is called like cases, or the other way round.
    """
    rated = [files for files in cases if files.ratings]
    raters = {rater for files in rated for rater in files.ratings}
    names = {files.case for files in rated}
    files = _by_default_layout(rated)
    exchanged = _all_called(raters, CASE_WORDS) or (_all_called(names, RATER_WORDS) and len(names) > 1)
    if len(raters) > 1 and exchanged and not (_any_called(raters, RATER_WORDS) or _any_called(names, CASE_WORDS)):
        return (
            f"{_listed(raters)} seem to be cases, not raters" + (f", and {_listed(names)} raters" if len(names) > 1 else "")
        ) + (_mend("ratings/{case}/{rater}", files) if files else ": give the ratings of one case, or a folder of cases")
    if len(raters) < 2 or any(len(one.ratings) > 1 for one in rated) or not files:
        return None
    pattern = next((p for p in _with_rater_in_name(files) if _explains(p, files)), None)
    if pattern is None:
        return None
    return f"no case has two raters, because the names of files differ between them{_mend(pattern, files)}"


def mend_for_images(cases: Sequence[RatedFiles]) -> str:
    """The line of ``dataset.toml`` under which every rating has an image; empty if there is none to propose."""
    images = {files.case for files in cases if files.image}
    files = _by_default_layout(cases)
    for pattern in ("ratings/{case}/{rater}", *_with_rater_in_name(files), *_grids(files)):
        found = _read(pattern, files)
        if found and {case for case, _ in found} <= images:
            return _mend(pattern, files)
    return ""


def _by_default_layout(cases: Sequence[RatedFiles]) -> list[Names]:
    """(ratings, rater, file name) of every rating, or nothing if they do not lie in that way."""
    names = [file.parts[-3:] for files in cases for file in files.ratings.values()]
    usual = all(len(parts) == 3 and parts[0] == "ratings" for parts in names)
    owners = [rater for files in cases for rater in files.ratings]
    return names if usual and owners == [parts[1] for parts in names] else []


def _with_rater_in_name(files: Sequence[Names]) -> Iterator[str]:
    """Patterns in which the file's name holds the rater's, or differs from rater to rater at its start or end."""
    stems = [(folder, stem_of(Path(name))) for _, folder, name in files]
    cut = [(s[:at], s[at + len(r) :]) for r, s in stems if (at := s.casefold().rfind(r.casefold())) >= 0]
    if stems and len(cut) == len(stems):
        lefts, rights = [left for left, _ in cut], [right for _, right in cut]
        if len(set(rights)) == 1 and all(lefts):
            yield f"ratings/{{rater}}/{{case}}{_shared_end(lefts)}{{rater}}{rights[0]}"
        if len(set(lefts)) == 1 and all(rights):
            lit = _shared_end([right[::-1] for right in rights])[::-1]
            yield f"ratings/{{rater}}/{lefts[0]}{{rater}}{lit}{{case}}"
    by_rater: dict[str, list[str]] = {}
    for folder, stem in stems:
        by_rater.setdefault(folder, []).append(stem)
    if by_rater and all(len(own) > 1 for own in by_rater.values()):
        ends = {_shared_end(own) for own in by_rater.values()}
        starts = {_shared_end([stem[::-1] for stem in own])[::-1] for own in by_rater.values()}
        start, end = (_one_or_any(found, last) for found, last in ((starts, True), (ends, False)))
        if start or end:
            yield f"ratings/{{rater}}/{start}{{case}}{end}"


def _one_or_any(found: Collection[str], last: bool) -> str:
    """The only text, or ``*`` beside the separator that all have."""
    if len(found) == 1:
        return next(iter(found))
    separators = {text[-1:] if last else text[:1] for text in found}
    separator = separators.pop() if len(separators) == 1 else ""
    return f"*{separator}" if last else f"{separator}*"


def _grids(files: Sequence[Names]) -> Iterator[str]:
    """Patterns in which each file's name is a case's and a rater's, whatever the folder."""
    folders = {folder for _, folder, _ in files}
    folder = folders.pop() if len(folders) == 1 else "*"
    for separator in ("_", "-", ".", " "):
        yield f"ratings/{folder}/{{case}}{separator}{{rater}}"


def _explains(pattern: str, files: Sequence[Names]) -> bool:
    """Whether all files fit a pattern in one way, and most cases then have several raters, no rating twice."""
    found = _read(pattern, files)
    return bool(found) and len(set(found)) == len(found) >= ENOUGH * len({case for case, _ in found})


def _read(pattern: str, files: Sequence[Names]) -> list[tuple[str, str]]:
    """(case, rater) of each file by a pattern; nothing if a file does not fit, or fits in two ways."""
    try:
        compiled = FilePattern(pattern)
        found = [compiled.match(names) for names in files]
    except RaterbenchError:
        return []
    fields = [one for one in found if one is not None]
    return [(one["case"], one["rater"]) for one in fields] if len(fields) == len(found) else []


def _mend(pattern: str, files: Sequence[Names]) -> str:
    example = f" ({'/'.join(files[0])})" if files else ""
    return f'{example}: write under [layout] in dataset.toml: ratings = "{pattern}"'


def _shared_end(texts: Sequence[str]) -> str:
    """The end that all texts share, from a separator on and leaving something of each."""
    shortest = min(texts, key=len)
    ends = (shortest[at:] for at in range(1, len(shortest)) if not shortest[at].isalnum())
    return next((end for end in ends if all(text.endswith(end) for text in texts)), "")


def _all_called(names: Collection[str], words: frozenset[str]) -> bool:
    return bool(names) and all(words & set(_letters(name)) for name in names)


def _any_called(names: Collection[str], words: frozenset[str]) -> bool:
    return any(words & set(_letters(name)) for name in names)


def _letters(name: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", name.casefold())


def _listed(names: Collection[str]) -> str:
    shown = [repr(name) for name in sorted(names)]
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else "")
