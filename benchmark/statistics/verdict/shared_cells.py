"""The values that candidates share: a difference uses only the subjects and trainings for which both have a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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
    """The difference of a candidate and a baseline: its test, and its means by subject [n] and by trained model [M]."""

    test: ModelT
    by_subject: Floats
    by_training: Floats

    @property
    def n_subjects(self) -> int:
        """Subjects of both."""
        return len(self.by_subject)

    @property
    def n_higher(self) -> int:
        """Subjects on which the candidate has the larger value."""
        return int((self.by_subject > 0).sum())

    @property
    def n_lower(self) -> int:
        """Subjects on which the baseline has the larger value."""
        return int((self.by_subject < 0).sum())


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
class Cells:
    """The (repeat, fold, subject, case) of each row of a table of values; all metrics of the same cases share one."""

    rows: pd.DataFrame
    _designs: dict[bytes, tuple[npt.NDArray[np.intp], Design]] = field(default_factory=dict, repr=False)

    @cached_property
    def n_repeats(self) -> int:
        """Repeats in the table."""
        return int(self.rows["repeat"].nunique(dropna=False))

    @cached_property
    def subject(self) -> npt.NDArray[np.intp]:
        """The number of each row's subject."""
        return np.asarray(pd.factorize(self.rows["subject"], sort=True)[0], np.intp)

    @cached_property
    def model(self) -> npt.NDArray[np.intp]:
        """The number of each row's trained model."""
        return np.asarray(self.rows.groupby(MODEL, sort=True, dropna=False).ngroup(), np.intp)

    def design(self, known: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.intp], Design]:
        """The entry of each known row, and the design of the entries; found once for each pattern of known rows."""
        key = np.packbits(known).tobytes()
        if key not in self._designs:
            # One number for each pair: to sort pairs takes ten times as long.
            n_models = int(self.model.max(initial=0)) + 1
            pairs, entry = np.unique(self.subject[known] * n_models + self.model[known], return_inverse=True)
            self._designs[key] = np.asarray(entry, np.intp), Design.of(*np.divmod(pairs, n_models))
        return self._designs[key]


@dataclass(frozen=True, eq=False)
class CaseValues:
    """Values [rows, k] of k candidates, one row a cell; NaN where there is none."""

    candidates: Sequence[str]
    cells: Cells
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
        return cls([str(c) for c in wide.columns], Cells(wide.index.to_frame(index=False)), wide.to_numpy(dtype=float))

    @property
    def rows(self) -> pd.DataFrame:
        """Repeat, fold, subject and case of each row."""
        return self.cells.rows

    @property
    def n_repeats(self) -> int:
        """Repeats in the table."""
        return self.cells.n_repeats

    def only(self, candidates: Sequence[str]) -> CaseValues:
        """The values of some candidates."""
        return CaseValues(list(candidates), self.cells, self.values[:, self._columns(candidates)])

    def where(self, chosen: npt.NDArray[np.bool_]) -> CaseValues:
        """The values of some rows [rows]."""
        return CaseValues(self.candidates, Cells(self.rows[chosen].reset_index(drop=True)), self.values[chosen])

    def _columns(self, candidates: Sequence[str]) -> list[int]:
        for name in candidates:
            if name not in self.candidates:
                raise RaterbenchError(f"there is no candidate {name!r}{nearest(name, self.candidates)}")
        return [self.candidates.index(name) for name in candidates]

    def entries(self, candidates: Sequence[str] | None = None) -> Entries | None:
        """What some candidates (all by default) share; None if nothing.

        Raises:
            RaterbenchError: one of them is not in the table.
        """
        names = list(self.candidates if candidates is None else candidates)
        chosen = self.values[:, self._columns(names)]
        known = np.asarray(np.isfinite(chosen).all(axis=1), bool)
        if not known.any():
            return None
        entry, design = self.cells.design(known)
        count = np.bincount(entry)
        sums = np.stack([np.bincount(entry, column) for column in chosen[known].T], axis=1)
        return Entries(names, sums / count[:, None], design)

    def difference(self, candidate: str, baseline: str) -> Difference | None:
        """Candidate minus baseline with its test; None if they share nothing."""
        both = self.entries([candidate, baseline])
        if both is None:
            return None
        gaps = round_to_scale(both.values[:, 0] - both.values[:, 1], largest(both.values))
        scale, column = largest(gaps), gaps[:, None]
        by_training = both.design.sums(column, "model")[:, 0] / both.design.per_model
        return Difference(
            model_t_in(both.design, gaps),
            round_to_scale(both.design.subject_means(column)[:, 0], scale),
            round_to_scale(by_training, scale),
        )

    def left_out_folds(self, candidate: str, baseline: str) -> list[LeftOutFold]:
        """The trained models of which only one of the two has values, or both and on no common case."""
        names = [candidate, baseline]
        chosen = np.isfinite(self.values[:, [self.candidates.index(name) for name in names]])
        model = self.cells.model
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
        return float(pd.Series(column[known]).groupby(self.cells.subject[known]).mean().mean()) if known.any() else np.nan
