"""The table of annotations before and after their repair, for candidates that repair annotations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...benchmark.statistics.verdict.compare_table import compare
from ..analysis import Analysis
from .table import Cell, Table
from .wording import NO_VALUE, write_number

DECIMALS = 3
BEFORE, AFTER = "before", "after"
PARTS = {"test": "test cases", "training": "training and validation cases"}
LEARNED_FROM = "careful labels that the repair was learned from"


def repairs(analysis: Analysis) -> Table | None:
    """How near annotations are to better ones, before and after the repair; None where nobody repairs any."""
    table = analysis.results.repairs
    if table.empty:
        return None
    places = {name: place for place, name in enumerate(analysis.candidates)}
    order = {"test": 0, "training": 1}
    groups = sorted(
        table.groupby(["candidate", "part", "against"], sort=False),
        key=lambda group: (order[str(group[0][1])], places.get(str(group[0][0]), len(places))),
    )
    rows: list[list[Cell]] = []
    plain: list[dict[str, Any]] = []
    rules: set[int] = set()
    for key, part in groups:
        candidate, where, against = map(str, key)
        if rows and plain[-1]["part"] != where:
            rules.add(len(rows))
        numbers = _numbers(analysis, candidate, where, against, part)
        plain.append({"candidate": candidate, "part": where, "against": against, **numbers})
        rows.append([Cell(candidate), Cell(PARTS[where]), Cell(against), *_cells(numbers)])
    head = [
        "Candidate",
        "Annotations of",
        "Against",
        "n",
        "Dice before",
        "Dice after",
        "Difference",
        "Pooled before",
        "Pooled after",
    ]
    return Table(
        "repairs", "Annotations before and after their repair", _caption(analysis), head, rows, pd.DataFrame(plain),
        frozenset(rules), frozenset({1, 2}),
    )  # fmt: skip


def repaired_annotations(analysis: Analysis) -> pd.DataFrame:
    """``before after low high`` by candidate: the mean Dice of test annotations, and the interval of that after the repair.

    It is the interval of the difference, around what the annotations were before.
    """
    rows: list[list[Any]] = []
    tested = analysis.results.repairs[analysis.results.repairs["part"] == "test"]
    for (candidate, against), part in tested.groupby(["candidate", "against"], sort=False):
        numbers = _numbers(analysis, str(candidate), "test", str(against), part)
        before = numbers["dice_before"]
        rows.append([str(candidate), before, numbers["dice_after"], before + numbers["low"], before + numbers["high"]])
    table = pd.DataFrame(rows, columns=["candidate", "before", "after", "low", "high"])
    return table.drop_duplicates("candidate").set_index("candidate")


def _numbers(analysis: Analysis, candidate: str, where: str, against: str, part: pd.DataFrame) -> dict[str, float]:
    """What is known of one candidate's repair: means over trained models, and for test cases a difference with interval."""
    found = {
        "trainings": float(len(part)), "annotations": float(part["annotations"].mean()),
        "pooled_before": float(part[BEFORE].mean()), "pooled_after": float(part[AFTER].mean()),
        **dict.fromkeys(("dice_before", "dice_after", "difference", "low", "high", "p"), np.nan),
    }  # fmt: skip
    each = analysis.results.repaired
    mine = each[(each["candidate"] == candidate) & (each["part"] == where) & (each["against"] == against)]
    if len(mine):
        keys = ["repeat", "fold", "subject"]
        # A case may have several annotations, and a subject several cases: the mean of them is one value.
        values = mine.groupby(keys, sort=False)[[BEFORE, AFTER]].mean().reset_index()
        long = values.melt(keys, [BEFORE, AFTER], "labels", "dice")
        judged = compare(
            long,
            candidate="labels",
            value="dice",
            subject="subject",
            repeat="repeat",
            fold="fold",
            baseline=BEFORE,
            alpha=analysis.alpha,
        ).table.set_index("candidate")
        found |= {"dice_before": float(values[BEFORE].mean()), "dice_after": float(values[AFTER].mean())}
        row: Any = judged.loc[AFTER]
        found |= {name: float(row[name]) for name in ("difference", "low", "high", "p")}
    return found


def _cells(numbers: dict[str, float]) -> list[Cell]:
    def shown(name: str, *, sign: bool = False) -> str:
        return write_number(numbers[name], DECIMALS, sign=sign) if np.isfinite(numbers[name]) else NO_VALUE

    difference = shown("difference", sign=True)
    if np.isfinite(numbers["low"]):
        difference += f" [{shown('low', sign=True)}, {shown('high', sign=True)}]"
    n = f"{numbers['annotations']:.0f} × {numbers['trainings']:.0f}"
    return [
        Cell(n, sort=numbers["annotations"]),
        *(Cell(shown(name), sort=numbers[name]) for name in ("dice_before", "dice_after")),
        Cell(difference, sort=numbers["difference"]),
        *(Cell(shown(name), sort=numbers[name]) for name in ("pooled_before", "pooled_after")),
    ]


def _caption(analysis: Analysis) -> str:
    return (
        "The Dice of the annotations that a candidate repairs, against better ones, before and after the repair; n is the "
        "number of annotations and of trained models. Differences are means over test subjects with "
        f"{analysis.confidence_words} intervals by model t, each without regard to the others. Pooled: all voxels of a trained "
        "model’s annotations together, as papers print it; also for training and validation cases, whose annotations the "
        f"segmenter learned from. Annotations against the {LEARNED_FROM} say how well these were learned, not how good the "
        "repair is."
    )
