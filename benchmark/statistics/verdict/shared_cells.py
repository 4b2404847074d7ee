"""The values that candidates share: a difference uses only the subjects and trainings for which both have a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from ....errors import RaterbenchError, nearest
from ..arithmetic import LARGEST, Floats, largest, round_to_scale
from .design import Design
from .model_t import ModelT, model_t_in

MODEL = ["repeat", "fold"]
ROW = [*MODEL, "subject", "case"]


@dataclass(frozen=True, eq=False)
class Entries:
    """Values [N, k] of k candidates, one entry a subject and trained model, in a design that they all share.

    An entry is the mean over the subject's cases for which all k have a finite value from that (repeat, fold).
    """

    candidates: Sequence[str]
    values: Floats
    design: Design

    @property
    def means(self) -> Floats:
        """Mean over subjects of each candidate [k]."""
        found: Floats = self.design.subject_means(self.values).mean(axis=0)
        return found


@dataclass(frozen=True, eq=False)
class Difference:
    """The difference of a candidate and a baseline, its test, and on how many subjects either is ahead."""

    test: ModelT
    n_higher: int
    n_lower: int
    n_subjects: int


@dataclass(frozen=True)
class LeftOutFold:
    """A (repeat, fold) that only one of two candidates has; ``there`` and ``elsewhere`` are the mean of that one."""

    repeat: object
    fold: object
    lacking: str
    other: str
    there: float
    elsewhere: float

    @property
    def pull(self) -> Literal["up", "down", ""]:
        """Where leaving it out moves the means of both; empty where nothing tells."""
        if not np.isfinite(self.there - self.elsewhere) or self.there == self.elsewhere:
            return ""
        return "up" if self.there < self.elsewhere else "down"

    def sentence(self, place: str = "") -> str:
        """What was left out, and what that does; ``place`` is what it is called, by default repeat and fold."""
        where = place or f"Repeat {self.repeat}, fold {self.fold}"
        start = f"{where} is left out, because {self.lacking} has no value there"
        if not self.pull:
            return f"{start}."
        more = "higher" if self.pull == "up" else "lower"
        means = f"{self.other} has a mean of {self.there:.4g} there and {self.elsewhere:.4g} elsewhere"
        return f"{start}; {means}, so the means of both are {more} than with it."


@dataclass(frozen=True, eq=False)
class CaseValues:
    """Values [rows, k] of k candidates, one row a (repeat, fold, subject, case) in ``rows``; NaN where there is none."""

    candidates: Sequence[str]
    rows: pd.DataFrame
    values: Floats

    @classmethod
    def of(cls, cases: pd.DataFrame) -> CaseValues:
        """From a table ``candidate repeat fold subject case value``, such as ``subjects.case_values`` gives.

        Values that are not finite or beyond 1e300 count as missing; several of one row and candidate are averaged.
        Candidates keep the order of the table.
        """
        value = cases["value"].astype(float)
        table = cases[["candidate", *ROW]].assign(value=value.where(value.abs() <= LARGEST))
        means = table.groupby([*ROW, "candidate"], sort=False, dropna=False, observed=True)["value"].mean()
        wide = means.unstack("candidate").reindex(columns=pd.unique(cases["candidate"])).sort_index()
        return cls([str(c) for c in wide.columns], wide.index.to_frame(index=False), wide.to_numpy(dtype=float))

    @cached_property
    def n_repeats(self) -> int:
        """Repeats in the table."""
        return int(self.rows["repeat"].nunique(dropna=False))

    @cached_property
    def _labels(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Numbers of each row's subject and trained model."""
        subject = pd.factorize(self.rows["subject"], sort=True)[0]
        model = self.rows.groupby(MODEL, sort=True, dropna=False).ngroup().to_numpy()
        return np.asarray(subject, np.intp), np.asarray(model, np.intp)

    def entries(self, candidates: Sequence[str] | None = None) -> Entries | None:
        """What some candidates (all by default) share; None if nothing.

        Raises:
            RaterbenchError: one of them is not in the table.
        """
        names = list(self.candidates if candidates is None else candidates)
        for name in names:
            if name not in self.candidates:
                raise RaterbenchError(f"there is no candidate {name!r}{nearest(name, self.candidates)}")
        chosen = self.values[:, [self.candidates.index(name) for name in names]]
        known = np.isfinite(chosen).all(axis=1)
        if not known.any():
            return None
        subject, model = (labels[known] for labels in self._labels)
        pairs, entry = np.unique(np.stack([subject, model]), axis=1, return_inverse=True)
        entry = entry.ravel()
        count = np.bincount(entry)
        sums = np.stack([np.bincount(entry, column) for column in chosen[known].T], axis=1)
        return Entries(names, sums / count[:, None], Design.of(pairs[0], pairs[1]))

    def difference(self, candidate: str, baseline: str) -> Difference | None:
        """Candidate minus baseline with its test; None if they share nothing."""
        both = self.entries([candidate, baseline])
        if both is None:
            return None
        gaps = round_to_scale(both.values[:, 0] - both.values[:, 1], largest(both.values))
        by_subject = both.design.subject_means(gaps[:, None])[:, 0]
        by_subject = round_to_scale(by_subject, largest(gaps))
        return Difference(
            model_t_in(both.design, gaps), int((by_subject > 0).sum()), int((by_subject < 0).sum()), len(by_subject)
        )

    def left_out_folds(self, candidate: str, baseline: str) -> list[LeftOutFold]:
        """The trained models of which only one of the two has values, or both and on no common case."""
        names = [candidate, baseline]
        chosen = np.isfinite(self.values[:, [self.candidates.index(name) for name in names]])
        model = self._labels[1]
        shared = np.bincount(model, chosen.all(axis=1)) > 0
        found = []
        for place, other in enumerate(names):
            column = self.values[:, self.candidates.index(other)]
            elsewhere = self._mean_over_subjects(column, shared[model])
            for number in np.flatnonzero((np.bincount(model, chosen[:, place]) > 0) & ~shared):
                here = model == number
                repeat, fold = self.rows.loc[here, MODEL].iloc[0]
                there = self._mean_over_subjects(column, here)
                found.append(LeftOutFold(repeat, fold, names[1 - place], other, there, elsewhere))
        return found

    def _mean_over_subjects(self, column: Floats, where: npt.NDArray[np.bool_]) -> float:
        known = where & np.isfinite(column)
        return float(pd.Series(column[known]).groupby(self._labels[0][known]).mean().mean()) if known.any() else np.nan
