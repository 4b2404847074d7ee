"""One experiment among several: the candidates that all experiments share, compared on its data alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np
import pandas as pd

from ...benchmark.statistics.verdict.model_t import ModelT, model_t
from ...benchmark.statistics.verdict.power import power_of
from ...benchmark.statistics.verdict.shared_cells import CaseValues
from ...benchmark.statistics.verdict.tie_groups import TieGroup, rank_intervals, tie_group
from ...benchmark.statistics.verdict.verdicts import Better, Verdict, verdicts
from ..analysis import Analysis
from ..tables.wording import decimals_for, write_number


@dataclass(frozen=True)
class Separation:
    """How well one data set, as this experiment used it, tells the candidates apart.

    ``apart`` of ``pairs`` pairs are told apart, by Holm over all pairs. ``smallest_found`` is the difference that is found with
    80 % power at the level of Holm's first step, ``variance_ratio`` that of trained models to subjects: each the median over
    pairs, NaN where no pair can be tested. ``gap`` is the best mean minus the worst.
    """

    apart: int
    pairs: int
    smallest_found: float
    variance_ratio: float
    gap: float
    reason: str

    @property
    def share(self) -> float:
        """Share of pairs told apart; NaN where no pair can be tested."""
        return np.nan if self.reason else self.apart / self.pairs


@dataclass(frozen=True, eq=False)
class Study:
    """An experiment's values of the candidates in ``shared`` on one metric, and what they say.

    ``name`` is what tables call it. ``baseline`` is one of the shared candidates, the same in all experiments.
    """

    name: str
    analysis: Analysis
    metric: str
    better: Better
    shared: Sequence[str]
    baseline: str

    @property
    def reference(self) -> str:
        """What the metric is measured against."""
        return self.analysis.reference_of(self.metric)

    @property
    def data(self) -> str:
        """What tells the data apart from those of other experiments."""
        return str(self.analysis.results.facts["fingerprint"] or self.analysis.results.experiment.dataset)

    @property
    def is_primary(self) -> bool:
        """Whether the experiment declared the metric as its primary one."""
        return self.metric == self.analysis.metric

    @property
    def smallest_difference(self) -> float:
        """The smallest relevant difference, which is declared for the primary metric only; else 0."""
        return self.analysis.results.experiment.statistics.smallest_difference if self.is_primary else 0.0

    @cached_property
    def values(self) -> CaseValues:
        """The values of the shared candidates, cell by cell."""
        every = self.analysis.case_values(self.metric)
        columns = [every.candidates.index(name) for name in self.shared]
        return replace(every, candidates=list(self.shared), values=every.values[:, columns])

    @cached_property
    def means(self) -> pd.DataFrame:
        """``mean`` and ``std`` over subjects of each candidate, over the subjects and trainings that all of them share."""
        both = self.values.entries()
        if both is None:
            return pd.DataFrame(np.nan, index=list(self.shared), columns=["mean", "std"])
        by_subject = both.design.subject_means(both.values)
        std = by_subject.std(axis=0, ddof=1) if len(by_subject) > 1 else np.nan
        return pd.DataFrame({"mean": both.means, "std": std}, index=list(self.shared))

    @cached_property
    def sizes(self) -> tuple[int, int, int]:
        """Subjects, trained models of each candidate and repeats that all candidates share."""
        both = self.values.entries()
        if both is None:
            return 0, 0, 0
        known = self.values.rows[np.isfinite(self.values.values).all(axis=1)]
        return len(both.design.per_subject), len(both.design.per_model), int(known["repeat"].nunique())

    @cached_property
    def ties(self) -> TieGroup:
        """Who cannot be told from the best, over all pairs."""
        return tie_group(self.values, better=self.better, alpha=self.analysis.alpha)

    @cached_property
    def ranks(self) -> pd.DataFrame:
        """``rank rank_low rank_high`` of each candidate."""
        return rank_intervals(self.values, better=self.better, level=1 - self.analysis.alpha)

    @cached_property
    def verdicts(self) -> dict[str, Verdict]:
        """The verdict on each candidate beside the baseline, with Holm's correction over them."""
        tests = {name: self._test(name, self.baseline) for name in self.shared if name != self.baseline}
        margin = self.smallest_difference
        return verdicts(tests, better=self.better, alpha=self.analysis.alpha, smallest_difference=margin)

    def _test(self, one: str, other: str) -> ModelT:
        found = self.values.difference(one, other)
        return model_t([], [], []) if found is None else found.test

    @cached_property
    def separation(self) -> Separation:
        """How well the candidates are told apart."""
        pairs = list(combinations(self.shared, 2))
        tests = [test for pair in pairs if np.isfinite((test := self._test(*pair)).p)]
        repeats, level = self.values.n_repeats, self.analysis.alpha / len(pairs)
        found = [power_of(test, repeats=repeats, alpha=level) for test in tests]
        mean = self.means["mean"]
        reasons = self.ties.pairs["reason"]
        return Separation(
            apart=int(self.ties.pairs["apart"].sum()),
            pairs=len(pairs),
            smallest_found=_median([power.smallest_found for power in found]),
            variance_ratio=_median([power.variance_ratio for power in found]),
            gap=float(mean.max() - mean.min()),
            reason="" if tests else str(reasons.iloc[0]),
        )

    @cached_property
    def _decimals(self) -> int:
        return decimals_for(float(self.means["mean"].abs().median()))

    def number(self, value: float, *, sign: bool = False) -> str:
        """A value of the metric with as many decimals as all of this experiment have, or a dash."""
        return write_number(value, self._decimals, sign=sign)


def _median(values: Sequence[float]) -> float:
    """The median of those that are numbers; an infinite ratio counts, as the largest."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.median(known)) if known else np.nan
