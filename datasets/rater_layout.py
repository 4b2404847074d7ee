"""In how many ways one rater or one case can look like two, or two like one: what the names of raters and cases say."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .errors import RaterbenchError

CASE_NAME = re.compile(r"(case|img|image|pat|patient|scan|slice|study|vol|volume|sub|subject)[-_ ]?\d+", re.IGNORECASE)
"""Names that cases have and raters do not."""
RATER_NAME = re.compile(
    r".*(rater|reader|expert|annotator|anno|observer|doctor|human|radiologist|reviewer|seg|mask|manual)[-_ ]?\w{0,2}",
    re.IGNORECASE,
)
"""Names that raters have; cases may have them, too."""
LAYOUT = "ratings/<rater>/<case>"

Rated = Mapping[str, Sequence[str]]
"""Each case and who rated it."""


def check_raters_meet(rated: Rated, what: str) -> None:
    """Some case must have two raters, and folders must not be cases.

    Raises:
        RaterbenchError: each case has one rater, or raters and cases are exchanged; the likely cause is named.
    """
    if all(len(who) < 2 for who in rated.values()):
        raise RaterbenchError(
            f"no case of {what} has two raters ({len(rated)} of {len(rated)} have one), so there is nothing to compare and no "
            f"consensus: {why_nobody_meets(rated)}"
        )
    raters = sorted({rater for who in rated.values() for rater in who})
    if _exchanged(raters, list(rated)):
        first, case = raters[0], next(iter(rated))
        raise RaterbenchError(
            f"{what}: cases and raters are exchanged, for the folders are called like cases ({_some(raters)}) and the files "
            f"are not ({_some(list(rated))}): the layout is {LAYOUT}, so {first}/{case} becomes {case}/{first}"
        )


def why_nobody_meets(rated: Rated) -> str:
    """The likely cause of cases that have one rater each, with the mend."""
    raters = sorted({rater for who in rated.values() for rater in who})
    if len(raters) == 1:
        return f"{raters[0]} is the only rater; give the files of at least one more"
    cases = {rater: [case for case, who in rated.items() if rater in who] for rater in raters}
    stripped = _without_own_words(cases)
    together: dict[str, set[str]] = {}
    for (rater, _), rest in stripped.items():
        together.setdefault(rest, set()).add(rater)
    if common := sorted(rest for rest, who in together.items() if len(who) > 1):
        rater, case = next(key for key, rest in stripped.items() if rest == common[0])
        if _exchanged(raters, common):
            return f"cases and raters are exchanged: the layout is {LAYOUT}, so {rater}/{case} becomes {common[0]}/{rater}"
        return (
            f"the names of the files hold what tells the raters apart, so {case!r} of {rater} looks like a case of its own: "
            f"call the file of a case alike in every rater's folder ({rater}/{common[0]})"
        )
    alike = spelt_twice(rated)
    return alike[0] if alike else f"call the file of a case alike in every rater's folder; the layout is {LAYOUT}"


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
        lines.append(f"{len(single)} of {len(rated)} cases have one rater, whose mask is no consensus: {_some(single)}")
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


def _exchanged(raters: Sequence[str], cases: Sequence[str]) -> bool:
    """Whether folders of raters are called like cases, and cases are not: cases called like raters alone prove nothing."""
    numbered = any(CASE_NAME.fullmatch(case) or case.isdigit() for case in cases)
    return all(map(CASE_NAME.fullmatch, raters)) and (not numbered or all(map(RATER_NAME.fullmatch, cases)))


def _without_own_words(cases: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], str]:
    """Each rater's cases without the words that all names of this rater have, and no other rater's all have."""
    common = {rater: set.intersection(*(set(_words(name)) for name in names)) for rater, names in cases.items()}
    stripped = {}
    for rater, names in cases.items():
        own = common[rater] - {word for other, words in common.items() if other != rater for word in words}
        for name in names:
            rest = "_".join(word for word in _words(name) if word not in own)
            inside = re.sub(re.escape(rater), "", name, flags=re.IGNORECASE).strip("-_. ")
            stripped[rater, name] = rest if own else inside
    return {key: rest for key, rest in stripped.items() if rest}


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[-_. ]+", name) if word]


def _plain(name: str) -> str:
    """A name without capitals, separators and leading zeros; numbers stay apart, so that 1_2 is not 12."""
    parts = re.findall(r"[^\W\d_]+|\d+", unicodedata.normalize("NFKC", name).casefold())
    return "|".join(str(int(part)) if part.isdecimal() else part for part in parts) or name


def _some(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
