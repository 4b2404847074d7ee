"""Names that people typed: how they are shown, what is certainly the same name, and what only looks alike."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line breaks, marks of the direction of writing, and halves of a character."""
SEPARATORS = r"[-_. ]+"
LETTER = r"[^\W\d_]"
LOOK_ALIKE = str.maketrans(
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0456\u03b1\u03b2\u03b5\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03b9",
    "abekmhopctyxiabekvoptuxi",
)
"""Small Cyrillic and Greek letters, and the Latin ones that they or their capitals look like."""


def visible(text: str) -> str:
    r"""``text`` on one line that no terminal or page obeys: a line break is shown as ``\n``, an escape as ``\x1b``."""
    return UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def clean_name(text: str) -> str:
    """A name without what nobody sees: NFKC, no zero-width or other format characters, single blanks, none at the ends."""
    seen = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    return " ".join(seen.split())


def likeness(name: str) -> str:
    """A key that is equal for names which look alike: ``S1``, ``s1``, ``s_01`` and ``S 1.0`` have the same.

    Capitals, accents, leading zeros, kinds of separators and letters of another alphabet that look the same do not count.
    """
    text = clean_name(name)
    text = text.removesuffix(".0") if re.fullmatch(r".*\d\.0", text) else text
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    plain = plain.translate(LOOK_ALIKE)
    plain = re.sub(rf"(?<={LETTER}){SEPARATORS}(?=\d)|(?<=\d){SEPARATORS}(?={LETTER})", "", plain)
    plain = re.sub(SEPARATORS, "_", plain).strip("_") or plain
    return re.sub(r"\d+", lambda digits: digits[0].lstrip("0") or "0", plain)


def look_alikes(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of different names that look alike, each with the first of its kind."""
    first: dict[str, str] = {}
    pairs = []
    for name in dict.fromkeys(names):
        other = first.setdefault(likeness(name), name)
        if other != name:
            pairs.append((other, name))
    return pairs
