"""Values of single cases and subjects in the forms that other programs read, one table a metric."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from ...benchmark.statistics.subjects import subject_means
from ...benchmark.store.metric_facts import MetricFacts

LONGEST_NAME = 60


def file_names(metrics: Iterable[str]) -> dict[str, str]:
    """A name for the files of each metric, without ending: letters, digits, dots and hyphens, each name once."""
    found: dict[str, str] = {}
    for metric in metrics:
        plain = re.sub(r"[^a-z0-9.]+", "-", metric.lower()).strip("-.")[:LONGEST_NAME] or "metric"
        name, number = plain, 2
        while name in found.values():
            name, number = f"{plain}-{number}", number + 1
        found[metric] = name
    return found


def cases_table(cases: pd.DataFrame) -> pd.DataFrame:
    """``candidate repeat fold case subject centre value``: every value, for ``raterbench compare`` and any program."""
    return cases[["candidate", "repeat", "fold", "case", "subject", "centre", "value"]]


def challenger_table(cases: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """``task case algorithm value subject`` for challengeR (Wiesenfarth et al., 2021): a row for every case and candidate.

    challengeR wants one value a case and algorithm, and a row with an empty value where it is missing.
    """
    of_case = cases.drop_duplicates("case").set_index("case")["subject"]
    values = cases.groupby(["case", "candidate"], sort=False)["value"].mean()
    every = pd.MultiIndex.from_product([of_case.index, pd.unique(cases["candidate"])], names=["case", "algorithm"])
    table = values.reindex(every).rename("value").reset_index()
    return table.assign(task=dataset, subject=table["case"].map(of_case))[["task", "case", "algorithm", "value", "subject"]]


def wide_table(cases: pd.DataFrame) -> pd.DataFrame:
    """A row a subject and a column a candidate: for autorank (Herbold, 2020) and scmamp (Calvo and Santafé, 2016).

    Their tests take rows as independent, so a row is a subject and not a case.
    """
    wide = subject_means(cases)
    wide.insert(0, "subject", wide.index, allow_duplicates=True)
    return wide.reset_index(drop=True).rename_axis(columns=None)


def bencheval_table(cases: pd.DataFrame, facts: MetricFacts | None) -> pd.DataFrame | None:
    """``method task seed metric_error`` for bencheval (Erickson et al., 2025): a task is a subject, a seed is a repeat.

    None for metrics that make no error, which is 0 or more and smaller is better; of one with a highest value, the error is
    what a value lacks of it.
    """
    if facts is None:
        return None
    values = cases["value"]
    if facts.better == "higher" and facts.highest is not None:
        error = facts.highest - values
    elif facts.better == "lower" and facts.lowest == 0:
        error = values
    else:
        return None
    table = cases.assign(metric_error=error).groupby(["candidate", "subject", "repeat"], sort=False)["metric_error"].mean()
    names = {"candidate": "method", "subject": "task", "repeat": "seed"}
    return table.dropna().reset_index().rename(columns=names)
