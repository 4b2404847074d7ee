"""What stands beside estimates of the raters, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...benchmark.statistics.rater_errors import MeanInterval
from ..analysis import Analysis
from .wording import name_of, write_number

FUSION = " (fusion)"
"""What the units put behind the name of a fusion that estimates raters."""


def interval_text(value: MeanInterval, decimals: int) -> str:
    """``mean ± half the interval's width``, or a dash."""
    mean = write_number(value.mean, decimals)
    return f"{mean} ± {write_number((value.high - value.low) / 2, decimals)}" if np.isfinite(value.low) else mean


def estimator_name(name: str) -> str:
    """A candidate as it is called; the estimate of a fusion says what it is."""
    return name_of(name.removesuffix(FUSION), "fusion") if name.endswith(FUSION) else name


def short_name(name: str) -> str:
    """The same where there is little room."""
    return estimator_name(name).replace("Fused labels:", "Fused:")


def how_sure(analysis: Analysis) -> str:
    """What must be said beside every such interval."""
    table = analysis.results.confusions
    n = len(table[["repeat", "fold"]].drop_duplicates())
    if n < 2:
        return "One fold: there is no interval. Nothing is tested."
    if analysis.is_holdout:
        return (
            f"±: half the {analysis.confidence_words} t interval over {n} repeats of training with the same test cases: it "
            "holds for these cases alone. Nothing is tested."
        )
    return (
        f"±: half the {analysis.confidence_words} t interval over {n} folds and repeats. Folds share training cases and are "
        "not independent; the interval is widened for that (Nadeau and Bengio, 2003) and remains a rough one. Nothing is "
        "tested."
    )


def against(analysis: Analysis) -> str:
    """What estimates are compared with, as a sentence."""
    sentences = {
        "truth": "The true confusion is that of the same test cases against the known truth, all voxels of a fold pooled.",
        "others": (
            "The truth is unknown: each rater is compared with the majority of the other raters of a case, all voxels of a "
            "fold pooled. Raters who make the same errors look better than they are."
        ),
    }
    return sentences.get(analysis.confusions_compared_with, "")


def alarmed(analysis: Analysis) -> set[str]:
    """Candidates of which a finished unit raised a warning."""
    units = analysis.results.units
    if "alarms" not in units:
        return set()
    said = units["alarms"].map(lambda w: isinstance(w, Sequence) and len(w) > 0)
    return set(map(str, units.loc[said & (units["kind"] == "method"), "candidate"]))


def same_alarm(said: pd.Series) -> pd.Series:
    """Warnings without their numbers: those that differ in nothing else are one kind of alarm. Quoted names count."""
    return said.str.replace(r"((?<!\w)'[^']*')|\d+(?:\.\d+)?", lambda found: found[1] or "#", regex=True)
