"""From the long table of results to one value per subject, the only thing that goes into a test, an interval or a rank.

Slices of a subject and folds of a repeated cross-validation are not independent; subjects are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from ...errors import RaterbenchError, nearest
from .arithmetic import LARGEST
from .shared_units import LEAST

FOREGROUND = "foreground"
WHOLE = "all"
_CASE = ["candidate", "repeat", "fold", "case", "subject", "centre"]


def reference_of(rows: pd.DataFrame, metric: str, reference: str) -> str:
    """The reference that ``metric`` has in ``rows``: the asked one, or ``none`` for a metric that needs none.

    Raises:
        RaterbenchError: the metric, or the metric against this reference, is not among the results.
    """
    have = map(str, rows.loc[rows["metric"] == metric, "reference"].unique())
    return known_reference(metric, reference, list(have), map(str, rows["metric"].unique()))


def known_reference(metric: str, reference: str, have: Sequence[str], metrics: Iterable[str]) -> str:
    """``reference`` or ``none``, whichever is among those that a metric has; ``metrics`` are all that were measured.

    Raises:
        RaterbenchError: neither is.
    """
    if not have:
        raise RaterbenchError(f"metric {metric!r} is not among the results{nearest(metric, metrics)}")
    for name in (reference, "none"):
        if name in have:
            return name
    raise RaterbenchError(f"metric {metric!r} was not measured against {reference!r}{nearest(reference, have)}")


def case_values(
    rows: pd.DataFrame, metric: str, reference: str, class_: str = FOREGROUND, kind: str = "method"
) -> pd.DataFrame:
    """One row a candidate, repeat, fold and case: ``candidate repeat fold case subject centre value undefined``.

    ``class_`` is a class name, ``all`` (measured over all classes at once) or ``foreground``: the mean over the foreground
    classes within a case, or, for metrics that are only measured over all classes at once, that value.
    ``undefined`` counts the values that were not finite, or beyond 1e300, and were left out of the mean; a mean of nothing
    is NaN.
    """
    reference = reference_of(rows, metric, reference)
    chosen = rows[(rows["metric"] == metric) & (rows["reference"] == reference) & (rows["kind"] == kind)]
    if class_ != FOREGROUND:
        chosen = chosen[chosen["class"] == class_]
    elif (chosen["class"] != WHOLE).any():
        chosen = chosen[chosen["class"] != WHOLE]
    value = chosen["value"].astype(float)
    defined = value.abs() <= LARGEST
    table = chosen[_CASE].assign(value=value.where(defined), undefined=(~defined).astype(int))
    grouped = table.groupby(_CASE, sort=False, dropna=False)
    return grouped.agg(value=("value", "mean"), undefined=("undefined", "sum")).reset_index()


def subject_values(
    rows: pd.DataFrame, metric: str, reference: str, class_: str = FOREGROUND, kind: str = "method"
) -> pd.DataFrame:
    """Subjects x candidates: the mean over a subject's cases of the mean over repeats (Bouckaert and Frank, 2004, on why).

    ``kind`` is ``method``, ``rater`` (each rater against the others) or ``fusion`` (fused labels, no network). Subjects are
    sorted, candidates stay in the order of ``rows``. A subject for which a candidate has no finite value is NaN there.
    """
    return subject_means(case_values(rows, metric, reference, class_, kind))


def subject_means(cases: pd.DataFrame) -> pd.DataFrame:
    """Subjects x candidates from :func:`case_values`."""
    # A repeat in which the metric is undefined must not change a case's weight within its subject: repeats first.
    by_case = cases.groupby(["candidate", "subject", "case"], sort=False)["value"].mean()
    by_subject = by_case.groupby(["candidate", "subject"], sort=False).mean().unstack("candidate")
    return by_subject.reindex(columns=pd.unique(cases["candidate"])).sort_index()


@dataclass(frozen=True, eq=False)
class Paired:
    """``values`` (subjects x candidates) of the subjects that all ``complete`` candidates have; ``dropped`` are the others."""

    values: pd.DataFrame
    complete: Sequence[str]
    dropped: Sequence[str]


def paired(values: pd.DataFrame, apart: Collection[str] = ()) -> Paired:
    """Keep the subjects that all compared candidates have.

    A candidate with fewer than half (``LEAST``) of the subjects that the fullest one has is set apart, as those in ``apart``
    are. Its own values, NaN where missing, stay in ``values``.
    """
    counts = values.notna().sum()
    may = [str(c) for c in values.columns if counts[c] > 0 and c not in apart]
    complete = [c for c in may if counts[c] >= LEAST * counts[may].max()]
    kept = values.loc[values[complete].notna().all(axis=1)] if complete else values.iloc[:0]
    some = values.index[values.notna().any(axis=1)]
    return Paired(kept, complete, [str(s) for s in some.difference(kept.index)])
