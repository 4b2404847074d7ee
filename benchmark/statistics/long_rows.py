"""The long table of results with its words as numbers, so that the values of one metric are found and averaged quickly."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from .arithmetic import LARGEST
from .subjects import FOREGROUND, WHOLE, known_reference
from .verdict.shared_cells import ROW, CaseValues, Cells

Integers = npt.NDArray[np.int64]
GROUP = ["metric", "reference", "kind"]


class LongRows:
    """Rows of a long table (``Results.rows``), grouped by metric, reference and kind.

    All groups with the same cases share one :class:`Cells`, so that their design is found once.
    """

    def __init__(self, rows: pd.DataFrame) -> None:
        self.rows = rows
        self._value = rows["value"].to_numpy(dtype=float)
        self._candidate, self._candidates = pd.factorize(rows["candidate"], use_na_sentinel=False)
        self._class, self._classes = pd.factorize(rows["class"], use_na_sentinel=False)
        self._known_cells: dict[bytes, Cells] = {}

    @classmethod
    def of(cls, rows: pd.DataFrame | LongRows) -> LongRows:
        """The rows themselves if they are grouped already."""
        return rows if isinstance(rows, LongRows) else cls(rows)

    @cached_property
    def _places(self) -> dict[tuple[str, str, str], Integers]:
        """The places of each group's rows, in their order."""
        codes, names = _joined(self.rows, GROUP)
        order = np.argsort(codes, kind="stable")
        parts = np.split(order, np.cumsum(np.bincount(codes, minlength=len(names)))[:-1])
        keys = ((str(metric), str(reference), str(kind)) for metric, reference, kind in names.itertuples(index=False))
        return dict(zip(keys, parts, strict=True))

    @cached_property
    def _cell(self) -> tuple[Integers, pd.DataFrame]:
        """Each row's number in the table of all (repeat, fold, subject, case), and that table."""
        return _joined(self.rows, ROW)

    @cached_property
    def metrics(self) -> list[str]:
        """The metrics, in the order of the table."""
        first: dict[str, int] = {}
        for (metric, _, _), places in self._places.items():
            first[metric] = min(int(places[0]), first.get(metric, len(self.rows)))
        return sorted(first, key=lambda metric: first[metric])

    @cached_property
    def methods(self) -> list[str]:
        """The candidates, without raters and fused labels, in the order of the table."""
        groups = [places for (_, _, kind), places in self._places.items() if kind == "method"]
        places = np.concatenate([np.empty(0, np.int64), *groups])
        return [str(self._candidates[code]) for code in np.unique(self._candidate[places])]

    def reference_of(self, metric: str, reference: str) -> str:
        """The reference that ``metric`` has rows against: the asked one, or ``none`` for a metric that needs none.

        Raises:
            RaterbenchError: the metric, or the metric against this reference, is not among the results.
        """
        have = list(dict.fromkeys(r for m, r, _ in self._places if m == metric))
        return known_reference(metric, reference, have, self.metrics)

    def references(self, metric: str, kind: str = "method") -> list[str]:
        """What a metric was measured against."""
        return [r for m, r, k in self._places if (m, k) == (metric, kind)]

    def candidates(self, metric: str, reference: str, kind: str = "method") -> list[str]:
        """Who has rows, in the order of the table."""
        places = self._places.get((metric, reference, kind), np.empty(0, np.int64))
        return [str(self._candidates[code]) for code in np.unique(self._candidate[places])]

    def values(
        self, metric: str, reference: str, class_: str = FOREGROUND, kind: str = "method"
    ) -> tuple[CaseValues, dict[str, int]]:
        """The values of all candidates on one metric, and how many of each candidate's are not defined.

        ``class_`` is a class name, ``all`` (measured over all classes at once) or ``foreground``: the mean over the foreground
        classes within a case, or, for metrics that are only measured over all classes at once, that value. Values that are not
        finite, or beyond 1e300, are not defined and left out of the mean; a mean of nothing is NaN.

        Raises:
            RaterbenchError: the metric was not measured, or not against this reference (``none`` stands in for any).
        """
        place = self._places.get((metric, reference, kind))
        if place is None:
            place = self._places.get((metric, self.reference_of(metric, reference), kind), np.empty(0, np.int64))
        found = self._class[place]
        if class_ != FOREGROUND:
            place = place[self._classes[found] == class_]
        elif (self._classes[found] != WHOLE).any():
            place = place[self._classes[found] != WHOLE]
        candidates, column = np.unique(self._candidate[place], return_inverse=True)
        names = [str(self._candidates[code]) for code in candidates]
        numbers, cell = np.unique(self._cell[0][place], return_inverse=True)
        value = self._value[place]
        defined = np.abs(value) <= LARGEST
        flat, size = cell * len(names) + column, len(numbers) * len(names)
        count = np.bincount(flat[defined], minlength=size)
        with np.errstate(invalid="ignore"):
            means = np.bincount(flat[defined], value[defined], minlength=size) / count
        undefined = np.bincount(column[~defined], minlength=len(names))
        values = CaseValues(names, self._cells(numbers), means.reshape(len(numbers), len(names)))
        return values, dict(zip(names, map(int, undefined), strict=True))

    def _cells(self, numbers: Integers) -> Cells:
        key = numbers.tobytes()
        if key not in self._known_cells:
            self._known_cells[key] = Cells(self._cell[1].iloc[numbers].reset_index(drop=True))
        return self._known_cells[key]


def _joined(rows: pd.DataFrame, columns: list[str]) -> tuple[Integers, pd.DataFrame]:
    """A number for each row's combination of some columns, and the sorted table of combinations."""
    code = np.zeros(len(rows), np.int64)
    for column in columns:
        own, words = pd.factorize(rows[column], sort=True, use_na_sentinel=False)
        # Numbered anew after each column, so that the product never overflows.
        code = np.unique(code * max(len(words), 1) + own, return_inverse=True)[1]
    first = np.unique(code, return_index=True)[1]
    return code, rows[columns].iloc[first].reset_index(drop=True)
