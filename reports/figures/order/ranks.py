"""Ranks of the candidates in each repeat, without each rater and against each reference."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ....benchmark.statistics.ranking import goodness, without_rounding_error
from ....benchmark.statistics.subjects import case_values
from ....benchmark.statistics.verdict.rater_influence import NOBODY, leave_a_rater_out
from ....benchmark.statistics.verdict.shared_cells import CaseValues, Entries
from ....benchmark.statistics.verdict.verdicts import Better
from ...analysis import Analysis

ALL = "all"
"""The column of ranks over all repeats, or against all raters."""
SINGLE_RATER = "rater:"
"""How the references begin that are a single rater."""


def direction(analysis: Analysis) -> Better | None:
    """Whether larger or smaller values of the primary metric are better; None for a metric without such a direction."""
    found: Mapping[str, Better] = {"higher": "higher", "lower": "lower"}
    return found.get(analysis.better(analysis.metric))


def ranks_of(means: Mapping[str, float], better: str) -> pd.Series:
    """The rank of each candidate by its mean; 1 is best, ties share, NaN without a mean."""
    good = goodness(without_rounding_error(pd.Series(means, dtype=float)), better)
    return pd.Series(np.nan, index=list(means)) if good is None else good.rank(ascending=False)


def shared_entries(values: CaseValues) -> Entries | None:
    """What the candidates that have values share; None if nothing."""
    names = [name for name, column in zip(values.candidates, values.values.T, strict=True) if np.isfinite(column).any()]
    return values.entries(names) if names else None


def shared_means(values: CaseValues) -> dict[str, float]:
    """Means over subjects, over what all candidates with values share; empty if they share nothing."""
    entries = shared_entries(values)
    return {} if entries is None else dict(zip(entries.candidates, map(float, entries.means), strict=True))


def subject_table(entries: Entries) -> pd.DataFrame:
    """Subjects x candidates: means over a subject's entries, equal ones equal to the last bit."""
    return without_rounding_error(pd.DataFrame(entries.design.subject_means(entries.values), columns=list(entries.candidates)))


def ranks_by_repeat(values: CaseValues, better: str) -> pd.DataFrame:
    """Candidates x (``all``, each repeat in order); a repeat in which a candidate has no value is NaN there."""
    columns = {ALL: ranks_of(shared_means(values), better)}
    for repeat in sorted(values.rows["repeat"].unique()):
        here = (values.rows["repeat"] == repeat).to_numpy()
        columns[str(int(repeat) + 1)] = ranks_of(shared_means(values.where(here)), better)
    return pd.DataFrame(columns).reindex(list(values.candidates))


def ranks_by_reference(analysis: Analysis) -> pd.DataFrame:
    """Candidates x references, the primary one first. References that are single raters are left out: ``raters`` has them."""
    have = analysis.references.get(analysis.metric, [])
    order = dict.fromkeys([analysis.reference, *have])
    chosen = [r for r in order if r in have and not r.startswith(SINGLE_RATER)]
    better = analysis.better(analysis.metric)
    columns = {r: ranks_of(shared_means(analysis.case_values(analysis.metric, r)), better) for r in chosen}
    return pd.DataFrame(columns).reindex(analysis.candidates)


def ranks_by_rater(values: pd.DataFrame, better: Better) -> pd.DataFrame:
    """Candidates x (``all`` raters, without each of them), from values ``candidate rater repeat fold subject case value``."""
    table = leave_a_rater_out(values, better=better)
    ranks = table.pivot_table("rank", "candidate", "left_out", sort=False, dropna=False)
    return ranks.reindex(pd.unique(values["candidate"])).rename(columns={NOBODY: ALL})


def rater_agreement(analysis: Analysis) -> pd.Series:
    """Mean agreement of each case's raters with one another, on the primary metric; empty if raters were not measured."""
    rows = analysis.rows
    chosen = rows[(rows["kind"] == "rater") & (rows["metric"] == analysis.metric) & (rows["reference"] == "raters")]
    if chosen.empty:
        return pd.Series(dtype=float)
    values = case_values(rows, analysis.metric, "raters", kind="rater")
    return values.groupby("case")["value"].mean().dropna()
