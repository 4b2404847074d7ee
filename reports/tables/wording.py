"""Numbers and names as people read them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

NO_VALUE = "–"
SCIENTIFIC = -1
"""In place of a number of decimals: 1.23e-07."""
WORDS = {
    "truth": "the truth",
    "raters": "the single raters",
    "majority": "the raters’ majority",
    "staple": "STAPLE of the raters",
    "soft average": "the raters’ soft average",
    "none": "no reference",
}
SHORT = {
    "hd95": "HD95",
    "avd": "AVD",
    "rvd": "RVD",
    "brier": "Brier",
    "brier foreground": "Brier, near foreground",
    "brier by class": "Brier by class",
    "entropy": "Entropy (nat)",
    "entropy error": "Entropy MAE (nat)",
    "entropy error against truth": "Entropy error, truth (nat)",
    "single-term entropy": "Single-term entropy (nat)",
    "single-term entropy error": "Single-term entropy MAE (nat)",
    "confusion rmse": "CM RMSE",
    "false positive volume": "False positives",
    "soft volume error": "Soft volume error",
    "fraction error": "Fraction error",
}
FUSED = {
    "staple": "STAPLE",
    "majority-vote": "Majority vote",
    "soft-average": "Soft average",
    "log-opinion-pool-staple": "LOP-STAPLE",
}


def words_of(reference: str) -> str:
    """A reference in plain words: a single rater, or what a fusion makes of the raters."""
    if reference.startswith("rater:"):
        return reference.replace("rater:", "rater ", 1)
    if reference.startswith("raters:"):
        return f"the raters {joined(reference.removeprefix('raters:').split(','))}"
    fusion, bracket, parameters = reference.partition(" (")
    made = f"{FUSED.get(fusion, fusion)}{bracket}{parameters}"
    return WORDS.get(reference) or (f"{made} of the raters" if made else "")


def name_of(candidate: str, kind: str) -> str:
    """How a row is called: fused labels and raters say what they are."""
    if kind == "fusion":
        return f"Fused labels: {FUSED.get(candidate, candidate)}"
    return f"Rater {candidate}" if kind == "rater" else candidate


def p_text(p: float) -> str:
    """``p = .012``, ``p < .001``, or a dash."""
    return NO_VALUE if not math.isfinite(p) else "p < .001" if p < 0.001 else f"p = {p:.3f}".replace("0.", ".", 1)


def p_number(p: float) -> str:
    """``.012``, ``< .001`` or a dash."""
    return p_text(p).removeprefix("p = ").removeprefix("p ")


def decimals_for(typical: float) -> int:
    """Decimals that leave three significant digits of a typical value, 5 at most; ``SCIENTIFIC`` where these cannot show it."""
    if not np.isfinite(typical) or typical <= 0:
        return 3
    if not 1e-4 <= typical < 1e9:
        return SCIENTIFIC
    return int(np.clip(2 - math.floor(math.log10(typical)), 0, 5))


def count_of(n: int, word: str) -> str:
    """``1 repeat``, ``3 repeats``."""
    return f"{n} {word}{'s' if n != 1 else ''}"


def write_number(value: float, decimals: int, *, sign: bool = False) -> str:
    """A number with a real minus sign, or a dash where there is none."""
    if value is None or not math.isfinite(value):
        return NO_VALUE
    form = ".2e" if decimals == SCIENTIFIC else f".{decimals}f"
    text = f"{value:+{form}}" if sign else f"{value:{form}}"
    # What rounds to zero has no sign.
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", "−")


def joined(names: Sequence[str]) -> str:
    """``A``, ``A and B``, ``A, B and C``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def nice_number(value: float) -> str:
    """A count in few characters: 950, 12.3 k, 4.56 M."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:#.3g}".rstrip(".") + f" {unit}"
    return f"{value:.0f}"
