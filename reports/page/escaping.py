"""Names as each medium shows them: whatever a candidate or a rater is called, it is read as given and obeyed by nothing.

Pages need no function: ``parts.environment`` escapes all that templates show. Tables for spreadsheets: ``benchmark.csv_text``.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from rich.text import Text

from ...names import visible

NO_BREAK = "\u200b"
"""A character of no width, which keeps matplotlib from hiding what starts with an underscore."""
FONT = "DejaVu Sans"
"""The font of figures; matplotlib brings it, so that a figure is the same on every machine."""

LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "`": r"\textasciigrave{}",
    "|": r"\textbar{}",
    # Bare brackets are taken for the option of a command before them, such as the \\ that ends a row.
    "[": "{[}",
    "]": "{]}",
    "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}",
    "±": r"\ensuremath{\pm}",
    "−": r"\ensuremath{-}",
    "×": r"\ensuremath{\times}",
    "·": r"\ensuremath{\cdot}",
    "≤": r"\ensuremath{\leq}",
    "≥": r"\ensuremath{\geq}",
    "≈": r"\ensuremath{\approx}",
    "∞": r"\ensuremath{\infty}",
    "→": r"\ensuremath{\rightarrow}",
    "¹": r"\ensuremath{^{1}}",
    "²": r"\ensuremath{^{2}}",
    "³": r"\ensuremath{^{3}}",
    "↑": r"\ensuremath{\uparrow}",
    "↓": r"\ensuremath{\downarrow}",
    "°": r"\ensuremath{^{\circ}}",
    "µ": r"\ensuremath{\mu}",
    "*": r"\ensuremath{^{*}}",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "…": r"\ldots{}",
    "’": "'",
    "‘": "`",
    "“": "``",
    "”": "''",
    "\u00a0": "~",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
    "§": r"\S{}",
    "©": r"\copyright{}",
}
ACCENTS = dict(zip(
    "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0323\u0327\u0331",
    "`'^~=u.\"rHvdcb", strict=True,
))  # fmt: skip
"""Combining marks, and the commands that set them."""
GREEK = ("gamma", "delta", "theta", "lambda", "xi", "pi", "sigma", "upsilon", "phi", "psi", "omega")
GREEK_SMALL_ONLY = ("alpha", "beta", "epsilon", "zeta", "eta", "iota", "kappa", "mu", "nu", "rho", "tau", "chi")
"""Commands of TeX; the other Greek letters look like Latin ones, and have none."""
LACKING = r"\providecommand{\raterbenchletter}[2]{{[}#2{]}}"
"""Shows the code of a letter that pdflatex cannot set."""


def terminal_text(text: str, style: str = "") -> Text:
    """Words for rich, which reads brackets and colons in a plain text as its own markup."""
    return Text(visible(text), style)


def figure_text(text: str) -> str:
    """Words for matplotlib: letters that its font lacks as ``[U+4E2D]``, and nothing that hides an entry of a legend."""
    known = _drawable()
    text = "".join(c if ord(c) in known else f"[U+{ord(c):04X}]" for c in visible(text) if not "\ufe00" <= c <= "\ufe0f")
    return NO_BREAK + text if text.startswith("_") else text


@cache
def _drawable() -> frozenset[int]:
    """Letters that the font has, upright and bold."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    regular, bold = (get_font(findfont(FontProperties(family=FONT, weight=w))).get_charmap() for w in ("normal", "bold"))
    return frozenset(regular) & frozenset(bold)


def markdown_text(text: str) -> str:
    """Words for a row or a paragraph of GitHub's Markdown."""
    return re.sub(r"[\\|*_<>\[\]`~$&]", r"\\\g<0>", visible(text))


def latex_text(text: str) -> str:
    r"""Words for LaTeX, with any engine and no package; letters that pdflatex lacks go through ``\raterbenchletter``."""
    clusters = re.findall("[^\u0300-\u036f]?[\u0300-\u036f]*", unicodedata.normalize("NFC", visible(text)))
    # Two hyphens would become a dash.
    return re.sub("-(?=-)", "-{}", "".join(map(_latex_letter, clusters)))


def _latex_letter(cluster: str) -> str:
    """A letter with its accents."""
    if cluster in LATEX or cluster.isascii():
        return LATEX.get(cluster, cluster)
    base, *marks = list(unicodedata.normalize("NFD", cluster))
    if base.isascii() and base.isalpha() and all(mark in ACCENTS for mark in marks):
        for mark in marks:
            base = f"\\{ACCENTS[mark]}{{{base}}}"
        return base
    return "".join(LATEX.get(c) or _greek(c) or _lacking(c) for c in cluster)


def _greek(letter: str) -> str:
    """A Greek letter as a command; empty for other letters, and for those that TeX has no command for."""
    size, _, name = unicodedata.name(letter, "").removeprefix("GREEK ").partition(" LETTER ")
    name = name.lower().replace("lamda", "lambda")
    if size == "SMALL" and name in (*GREEK, *GREEK_SMALL_ONLY):
        return rf"\ensuremath{{\{name}}}"
    return rf"\ensuremath{{\{name.capitalize()}}}" if size == "CAPITAL" and name in GREEK else ""


def latex_letters() -> dict[str, str]:
    """How LaTeX writes each letter that is not written as it is, without those that are set with an accent."""
    greek = {letter: _greek(letter) for letter in map(chr, range(0x391, 0x3CA))}
    return LATEX | {letter: command for letter, command in greek.items() if command}


def _lacking(letter: str) -> str:
    return letter if letter.isascii() else rf"\raterbenchletter{{{letter}}}{{U+{ord(letter):04X}}}"
