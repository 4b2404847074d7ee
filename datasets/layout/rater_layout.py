"""In how many ways one rater or one case can look like two, or two like one: what the names of raters and cases say."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ...errors import RaterbenchError
from .folder_layout import RatedFiles
from .layout_hints import mend_for_lonely_raters, wrong_layout

Rated = Mapping[str, Sequence[str]]
"""Each case and who rated it."""


def check_raters_meet(rated: Rated, what: str, files: Sequence[RatedFiles] = ()) -> None:
    """Some case must have two raters, and folders must not be cases; ``files`` are those of the cases, where there are any.

    Raises:
        RaterbenchError: each case has one rater, or raters and cases are exchanged; the likely cause is named.
    """
    if problem := wrong_layout(files):
        raise RaterbenchError(f"{what}: {problem}")
    if any(len(who) > 1 for who in rated.values()):
        return
    raters = {rater for who in rated.values() for rater in who}
    alike = spelt_twice(rated)
    if found := mend_for_lonely_raters(files):
        mend = found
    elif len(raters) == 1:
        mend = f"{raters.pop()} is the only rater; give the files of at least one more"
    elif alike:
        mend = alike[0]
    else:
        mend = "call the file of a case alike in every rater's folder; the layout is ratings/<rater>/<case>"
    raise RaterbenchError(
        f"no case of {what} has two raters ({len(rated)} of {len(rated)} have one), so there is nothing to compare and no "
        f"consensus: {mend}"
    )


def spelt_twice(names: Iterable[str]) -> list[str]:
    """Names that differ only in capitals, spaces, hyphens, accents' encoding or leading zeros, in sentences."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_plain(name), []).append(name)
    same = [group for group in groups.values() if len(group) > 1]
    return [f"{' and '.join(map(repr, group))} differ only in spelling: if they are one, call them alike" for group in same]


def layout_questions(rated: Rated, *, count: bool = True) -> tuple[str, ...]:
    """Sentences on names that may be one, and, with ``count``, on how many cases have one rater."""
    raters = {rater for who in rated.values() for rater in who}
    lines = [f"raters: {line}" for line in spelt_twice(sorted(raters))] + [f"cases: {line}" for line in spelt_twice(rated)]
    single = [case for case, who in rated.items() if len(who) == 1]
    if count and single:
        some = ", ".join(single[:3]) + (", ..." if len(single) > 3 else "")
        lines.append(f"{len(single)} of {len(rated)} cases have one rater, whose mask is no consensus: {some}")
    return tuple(lines)


def check_files_apart(ratings: Mapping[str, Path], case: str) -> None:
    """No two raters of a case may have the same file, by whatever name.

    Raises:
        RaterbenchError: two names lead to one file.
    """
    seen: dict[Path, Path] = {}
    for file in ratings.values():
        if (same := file.resolve()) in seen:
            raise RaterbenchError(f"case {case!r}: {file} and {seen[same]} are the same file: every rater counts once")
        seen[same] = file


def files_of_one_rater(files: Sequence[Path]) -> str | None:
    """Says that files lie where the cases of one rater do, in ``ratings/<rater>/``; None if they do not."""
    folders = {file.resolve().parent for file in files}
    if len(files) < 2 or len(folders) > 1 or next(iter(folders)).parent.name != "ratings":
        return None
    folder = next(iter(folders))
    return (
        f"all {len(files)} files lie in ratings/{folder.name}, where each file is a case and {folder.name} the rater: for the "
        f"consensus of each case give the folder that holds ratings/ ({folder.parent.parent})"
    )


def _plain(name: str) -> str:
    """A name without capitals, separators and leading zeros; numbers stay apart, so that 1_2 is not 12."""
    parts = re.findall(r"[^\W\d_]+|\d+", unicodedata.normalize("NFKC", name).casefold())
    return "|".join(str(int(part)) if part.isdecimal() else part for part in parts) or name
