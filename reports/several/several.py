"""Which candidates several experiments share, and what can be said over all of their data sets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path, PurePath
from typing import cast

import numpy as np
import pandas as pd
from scipy import stats

from ...benchmark.statistics.verdict.verdicts import Better
from ...benchmark.store.results import read_results
from ...errors import RaterbenchError, nearest, shown
from ..analysis import Analysis
from .study import Study

ENOUGH_DATASETS = 6
"""From so many data sets on there is a mean over them, with its interval: of fewer, not even equal signs on all of them would
be significant (the two-sided sign test of five gives p = .0625)."""


@dataclass(frozen=True, eq=False)
class Several:
    """Experiments and the candidates that all of them have, matched by name.

    ``elsewhere`` names the candidates that not all have, each with the experiments that do.
    """

    studies: Sequence[Study]
    elsewhere: Mapping[str, Sequence[str]]

    @property
    def metric(self) -> str:
        return self.studies[0].metric

    @property
    def better(self) -> Better:
        return self.studies[0].better

    @property
    def shared(self) -> Sequence[str]:
        """The candidates that are compared, in the order of the first experiment."""
        return self.studies[0].shared

    @property
    def baseline(self) -> str:
        return self.studies[0].baseline

    @property
    def label(self) -> str:
        """The name of the metric; without a unit where the experiments have different ones."""
        labels = dict.fromkeys(study.analysis.label(self.metric) for study in self.studies)
        return next(iter(labels)) if len(labels) == 1 else next(iter(labels)).partition(" [")[0]

    @cached_property
    def n_datasets(self) -> int:
        """Data sets that differ: two experiments on the same data are one data set."""
        return len({study.data for study in self.studies})

    @cached_property
    def configurations(self) -> dict[str, dict[str, str]]:
        """Shared candidates that are not configured in the same way everywhere: the configuration in each experiment."""
        found = {}
        for name in self.shared:
            words = {study.name: _configuration(study, name) for study in self.studies}
            if len(set(words.values())) > 1:
                found[name] = words
        return found

    @cached_property
    def over_datasets(self) -> pd.DataFrame:
        """``mean low high n`` of each candidate's difference to the baseline over data sets; empty if these are too few.

        A t interval over data sets, each of which counts the same, at the level of the first experiment: it is about other data
        sets like these. Experiments on the same data are averaged first.
        """
        labels = {study.analysis.label(self.metric) for study in self.studies}
        columns = ["mean", "low", "high", "n"]
        if self.n_datasets < ENOUGH_DATASETS or len(labels) > 1:
            return pd.DataFrame(columns=columns)
        rows = {}
        for name in self.shared:
            if name == self.baseline:
                continue
            gaps = pd.Series([study.verdicts[name].test.mean for study in self.studies])
            found = gaps.groupby([study.data for study in self.studies]).mean().dropna()
            if len(found) >= ENOUGH_DATASETS:
                level = 1 - self.studies[0].analysis.alpha
                half = stats.t.ppf(0.5 + level / 2, len(found) - 1) * found.std(ddof=1) / np.sqrt(len(found))
                rows[name] = [found.mean(), found.mean() - half, found.mean() + half, len(found)]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns)

    @cached_property
    def agreement(self) -> pd.DataFrame:
        """``one other tau``: Kendall's tau-b between the orders of the candidates on each two experiments.

        Described and not tested: subjects and trainings move every order. Empty with fewer than three candidates.
        """
        rows = []
        if len(self.shared) >= 3:
            for one, other in combinations(self.studies, 2):
                rows.append([one.name, other.name, float(stats.kendalltau(one.ranks["rank"], other.ranks["rank"]).statistic)])
        return pd.DataFrame(rows, columns=["one", "other", "tau"])


def read_several(folders: Sequence[str | Path]) -> Several:
    """The experiments in some folders, compared on the primary metric of the first.

    Raises:
        RaterbenchError: a folder holds no experiment or is named twice; they share fewer than two candidates, one of them did
            not measure the metric, or the metric has no direction.
    """
    real = [Path(folder).resolve() for folder in folders]
    if twice := next((folder for folder, place in zip(folders, real, strict=True) if real.count(place) > 1), None):
        raise RaterbenchError(f"{twice} is named twice: give each folder once")
    analyses = [Analysis(read_results(folder)) for folder in folders]
    first = analyses[0]
    metric, better = first.metric, first.better(first.metric)
    if better not in ("higher", "lower"):
        raise RaterbenchError(
            f"{first.results.folder}: neither higher nor lower values of {shown(metric)} are better, so candidates have no "
            "order; name a folder with another primary metric first"
        )
    for analysis in analyses:
        if metric not in analysis.metrics:
            known = nearest(metric, analysis.metrics)
            raise RaterbenchError(
                f"{analysis.results.folder} did not measure {shown(metric)}, the primary metric of "
                f"{first.results.folder}{known}"
            )
    shared, elsewhere = _shared(analyses)
    baseline = first.baseline if first.baseline in shared else shared[0]
    names, direction = _names(analyses), cast(Better, better)
    studies = [Study(name, a, metric, direction, shared, baseline) for name, a in zip(names, analyses, strict=True)]
    return Several(studies, {name: [names[place] for place in places] for name, places in elsewhere.items()})


def _shared(analyses: Sequence[Analysis]) -> tuple[list[str], dict[str, list[int]]]:
    """The candidates that all experiments have results of, and the others with the places of the experiments that have them."""
    every = dict.fromkeys(name for analysis in analyses for name in analysis.candidates)
    places = {name: [n for n, analysis in enumerate(analyses) if name in analysis.candidates] for name in every}
    shared = [name for name in every if len(places[name]) == len(analyses)]
    if len(shared) < 2:
        have = "; ".join(f"{a.results.folder}: {', '.join(a.candidates)}" for a in analyses)
        what = f"only the candidate {shown(shared[0])}" if shared else "no candidate"
        raise RaterbenchError(
            f"the experiments share {what}, and candidates are matched by name ({have}): give them the same names"
        )
    return shared, {name: found for name, found in places.items() if name not in shared}


def _names(analyses: Sequence[Analysis]) -> list[str]:
    """What tables call each experiment: its data set where these differ, else its name, else its folder, else a number."""
    experiments = [analysis.results.experiment for analysis in analyses]
    kinds = (
        [PurePath(e.dataset.removeprefix("folder:")).name or e.dataset for e in experiments],
        [e.name for e in experiments],
        [analysis.results.folder.resolve().name for analysis in analyses],
    )
    numbered = [f"{experiment.name} ({number})" for number, experiment in enumerate(experiments, 1)]
    return next((names for names in kinds if len(set(names)) == len(names)), numbered)


def _configuration(study: Study, name: str) -> str:
    """The method of a candidate with its options, in words."""
    stored = study.analysis.results.experiment.to_json()["candidates"]
    candidate = next(entry for entry in stored if entry["name"] == name)
    settings = {**candidate["options"], **({"seed": candidate["seed"]} if candidate.get("seed") is not None else {})}
    options = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in sorted(settings.items())]
    return str(candidate["method"]) + (f": {', '.join(options)}" if options else "")
