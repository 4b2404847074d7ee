"""The value at a threshold of one half stands beside the searched one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from raterbench.benchmark.experiment.experiment import Candidate, Experiment, Split, Statistics
from raterbench.benchmark.store.results import read_results
from raterbench.benchmark.store.units import HALF, SEARCHED, Rows, ThresholdSearch
from raterbench.reports.analysis import Analysis
from raterbench.reports.tables.details import all_tables
from raterbench.reports.tables.thresholds import COLUMNS, threshold_values, thresholds

from ...made_units import MadeUnit, write_run


def study(
    folder: Path, values: Mapping[str, tuple[float, float]], *, thresholds: tuple[str, ...] = (SEARCHED, HALF)
) -> Analysis:
    """Candidates whose Dice is the first value at the searched threshold and the second at one half."""
    units = []
    for name, both in values.items():
        for fold in range(3):
            cases = [f"s{fold}-{i}" for i in range(4)]
            rows = [[name, case, case, "here", "all", "raters", "brier", 0.1] for case in cases]
            dice = np.broadcast_to(both[: len(thresholds)], (1, 4, 1, len(thresholds))) + 0.01 * fold
            part = Rows("dice", "", "raters", ("thing",), thresholds, dice, np.ones((1, 4), bool))
            search = ThresholdSearch((0.5,), (0.8,), 4, 0.3 + 0.1 * fold)
            units.append(MadeUnit(name, fold=fold, rows=rows, parts={"rows/dice/raters": part}, training={"threshold": search}))
    experiment = Experiment(
        name="made",
        candidates=tuple(Candidate(name, "majority-vote") for name in values),
        split=Split(folds=3),
        metrics=("dice", "brier"),
        references=("raters",),
        statistics=Statistics(resamples=20),
    )
    write_run(folder, experiment, {"classes": ["background", "thing"], "raters": ["a", "b"]}, units)
    return Analysis(read_results(folder))


def test_both_thresholds_with_ranks_and_how_far_candidates_are_apart(tmp_path: Path) -> None:
    analysis = study(tmp_path, {"A": (0.7, 0.75), "B": (0.71, 0.5)})
    values = threshold_values(analysis).set_index("candidate")
    assert list(values.columns) == COLUMNS[1:]
    assert values.loc["A"].to_dict() == pytest.approx(
        {"threshold": 0.4, "low": 0.3, "high": 0.5, "searched": 0.71, "half": 0.76, "difference": 0.05}
        | {"rank_searched": 2, "rank_half": 1, "n": 12}
    )
    assert values.loc["B", ["difference", "rank_searched", "rank_half"]].tolist() == pytest.approx([-0.21, 1, 2])
    table = thresholds(analysis)
    assert table is not None
    assert [cell.text for cell in table.rows[1]] == ["B", "12", "0.40 (0.30 to 0.50)", "0.720 (1)", "0.510 (2)", "−0.210"]
    assert [[cell.bold for cell in row[3:5]] for row in table.rows] == [[False, True], [True, False]]
    assert "0.010 apart at the searched threshold and 0.250 at one half" in table.caption
    assert "thresholds" in [table.name for table in all_tables(analysis)]


def test_without_a_threshold_there_is_no_table(tmp_path: Path) -> None:
    assert thresholds(study(tmp_path / "classes", {"A": (0.7,), "B": (0.8,)}, thresholds=("",))) is None
    # What looks at probabilities is the same at both.
    assert thresholds(study(tmp_path / "same", {"A": (0.7, 0.7), "B": (0.8, 0.8)})) is None
