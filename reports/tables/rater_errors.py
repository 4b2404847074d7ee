"""How far each estimate of a rater is from what the rater really does: one value a fold, and what follows over folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...benchmark.statistics.comparison import split_ratio
from ...benchmark.statistics.significance import corrected_t_interval
from ..analysis import Analysis
from .wording import name_of, write_number

FUSION = " (fusion)"
"""What the units put behind the name of a fusion that estimates raters."""
IDENTITY = "Identity (nobody errs)"
"""The trivial estimate: the identity matrix for everybody."""
_FOLD = ["candidate", "repeat", "fold", "rater"]


@dataclass(frozen=True)
class Known:
    """A mean over folds and repeats with its interval (NaN with one fold), and how many folds there were."""

    mean: float
    low: float
    high: float
    n: int

    def text(self, decimals: int) -> str:
        """``mean ± half the interval's width``, or a dash."""
        mean = write_number(self.mean, decimals)
        return f"{mean} ± {write_number((self.high - self.low) / 2, decimals)}" if np.isfinite(self.low) else mean


def estimators(analysis: Analysis) -> list[str]:
    """Who estimates raters: candidates in their order, then fusions."""
    have = list(dict.fromkeys(map(str, analysis.results.confusions["candidate"])))
    return [c for c in analysis.candidates if c in have] + [c for c in have if c not in analysis.candidates]


def estimator_name(name: str) -> str:
    """A candidate as it is called; the estimate of a fusion says what it is."""
    return name_of(name.removesuffix(FUSION), "fusion") if name.endswith(FUSION) else name


def short_name(name: str) -> str:
    """The same where there is little room."""
    return estimator_name(name).replace("Fused labels:", "Fused:")


def rater_names(analysis: Analysis) -> list[str]:
    """The raters of whom something is estimated, in the order of the data."""
    return [str(rater) for rater in dict.fromkeys(analysis.results.confusions["rater"])]


def compared(analysis: Analysis) -> str:
    """What estimates are held against: ``truth``, ``others`` where nobody knows it, or nothing."""
    table = analysis.results.confusions
    have = set(table.loc[table["truth"].notna(), "reference"])
    return next((name for name in ("truth", "others") if name in have), "")


def rater_errors(analysis: Analysis) -> pd.DataFrame:
    """``candidate repeat fold rater rmse``: the error of every estimate, and of the identity; NaN for a rater never seen.

    Entries that are NaN in the estimate or in the truth (a class that does not occur) are left out.
    """
    table = analysis.results.confusions
    trivial = table.drop_duplicates(["repeat", "fold", "rater", "observed", "true"])
    right = (trivial["observed"] == trivial["true"]).astype(float)
    both = pd.concat([table, trivial.assign(candidate=IDENTITY, estimate=right)], ignore_index=True)
    both["rmse"] = np.square(both["estimate"].astype(float) - both["truth"].astype(float))
    found = both.groupby(_FOLD, sort=False)["rmse"].mean().reset_index()
    return found.assign(rmse=np.sqrt(found["rmse"]))


def over_raters(errors: pd.DataFrame) -> pd.DataFrame:
    """``candidate repeat fold rmse``: the mean over raters in each fold."""
    return errors.groupby(_FOLD[:3], sort=False)["rmse"].mean().reset_index()


def known(analysis: Analysis, values: pd.Series) -> Known:
    """Mean and interval of values, one a fold and repeat.

    Folds are drawn from the same cases, which widens the interval; repeats of training on a data set's own parts are not.
    """
    values = values.dropna()
    ratio = 0.0 if _own_parts(analysis) else split_ratio(analysis.results.units)
    low, high = corrected_t_interval(values.to_numpy(float), ratio, 1 - analysis.alpha)
    return Known(float(values.mean()) if len(values) else np.nan, low, high, len(values))


def _own_parts(analysis: Analysis) -> bool:
    """Whether all repeats have the data set's own training and test part."""
    return analysis.results.experiment.split.policy == "holdout"


def how_sure(analysis: Analysis) -> str:
    """What must be said beside every such interval."""
    table = analysis.results.confusions
    n = len(table[["repeat", "fold"]].drop_duplicates())
    if n < 2:
        return "One fold: there is no interval."
    if _own_parts(analysis):
        return (
            f"±: half the {analysis.confidence_words} t interval over {n} repeats of training with the same test cases: it "
            "holds for these cases alone."
        )
    return (
        f"±: half the {analysis.confidence_words} t interval over {n} folds and repeats. Folds share training cases and are "
        "not independent; the interval is widened for that (Nadeau and Bengio, 2003) and remains a rough one."
    )


def against(analysis: Analysis) -> str:
    """What estimates are held against, as a sentence."""
    sentences = {
        "truth": "The true confusion is that of the same test cases against the known truth, all voxels of a fold pooled.",
        "others": (
            "Nobody knows the truth: each rater is held against the majority of the other raters of a case, all voxels of a "
            "fold pooled. Raters who err alike look better than they are."
        ),
    }
    return sentences.get(compared(analysis), "")


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
