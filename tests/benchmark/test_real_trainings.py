"""The table of real trainings: one candidate under several names, read from a results folder."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from raterbench import RaterbenchError
from raterbench.__main__ import main
from raterbench.benchmark.experiment.experiment import Candidate, Experiment, Split
from raterbench.benchmark.perf.real_trainings import tabulate_same_candidate
from raterbench.benchmark.statistics import simulation
from raterbench.reports.figures import error_rates

from ..made_units import MadeUnit, write_run

SEEDS, FOLDS, REPEATS, SUBJECTS = 3, 2, 2, 8


def write_same(folder: Path, candidates: tuple[Candidate, ...], failed: tuple[int, ...] = ()) -> Path:
    """A run whose values are random; the last fold of the ``failed`` repeats failed for the first candidate."""
    rng, units = np.random.default_rng(0), []
    for candidate in candidates:
        for repeat in range(REPEATS):
            for fold in range(FOLDS):
                lost = candidate is candidates[0] and repeat in failed and fold == FOLDS - 1
                rows = [
                    (candidate.name, f"c{s}", f"s{s}", "here", "disc", "truth", "dice", rng.random())
                    for s in range(SUBJECTS)
                    if (s + repeat * (s // 2)) % FOLDS == fold
                ]
                units.append(MadeUnit(candidate.name, "method", repeat, fold, "failed" if lost else "done", rows=rows))
    experiment = Experiment(name="same", candidates=candidates, split=Split(folds=FOLDS, repeats=REPEATS))
    write_run(folder, experiment, {"classes": ["background", "disc"], "n_subjects": SUBJECTS}, units)
    for file in (folder / "units").iterdir():
        os.utime(file, (1_000_000_000, 1_000_000_000))
    return folder


def seeds(*numbers: int | None) -> tuple[Candidate, ...]:
    return tuple(Candidate(f"Name {place}", "majority-vote", seed=seed) for place, seed in enumerate(numbers))


def test_the_table_says_what_was_run(tmp_path: Path) -> None:
    table = tabulate_same_candidate(write_same(tmp_path, seeds(1, 2, 3)))
    assert table["design"].tolist() == ["1 x 2 folds", "2 x 2 folds"]
    assert table["n_pairs"].tolist() == [6, 3]
    assert table["n_subjects"].tolist() == [SUBJECTS, SUBJECTS]
    same = table[["experiment", "trainings", "date", "code", "versions"]].drop_duplicates()
    assert same.to_numpy().tolist() == [["same", SEEDS * FOLDS * REPEATS, "2001-09-09", "abc", "python 3.11.4"]]


def test_only_repeats_that_are_whole_count(tmp_path: Path) -> None:
    table = tabulate_same_candidate(write_same(tmp_path / "one", seeds(1, 2, 3), failed=(1,)))
    assert table["design"].tolist() == ["1 x 2 folds"]
    assert table["trainings"].unique().tolist() == [SEEDS * FOLDS]
    with pytest.raises(RaterbenchError, match="no repeat that every candidate has whole"):
        tabulate_same_candidate(write_same(tmp_path / "none", seeds(1, 2, 3), failed=(0, 1)))


@pytest.mark.parametrize(
    ("candidates", "says"),
    [
        ((Candidate("a", "majority-vote", seed=1), Candidate("b", "staple", seed=2)), "'b' is another candidate than 'a'"),
        ((Candidate("a", "tgce", {"q": 0.1}, 1), Candidate("b", "tgce", {"q": 0.2}, 2)), "'b' is another candidate than 'a'"),
        (seeds(1, 2, 1), "each with a seed of its own"),
        (seeds(None, None), "each with a seed of its own"),
        (seeds(1), "at least two candidates"),
    ],
)
def test_other_experiments_are_refused(tmp_path: Path, candidates: tuple[Candidate, ...], says: str) -> None:
    with pytest.raises(RaterbenchError, match=says):
        tabulate_same_candidate(write_same(tmp_path, candidates))


def test_one_command_writes_the_table_beside_the_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, figure = write_same(tmp_path / "same", seeds(1, 2, 3)), tmp_path / "docs" / "rates.png"
    monkeypatch.setattr(simulation, "DESIGNS", dict(list(simulation.DESIGNS.items())[:1]))
    monkeypatch.setattr(error_rates, "draw_error_rates", lambda *_, **__: figure)
    options = ["--error-rates", str(figure), "--simulations", "1"]
    assert main(["perf", *options, "--same-candidate", str(folder)]) == 0
    table = pd.read_csv(tmp_path / "docs" / "same-candidate.csv")
    assert len(table) == 2
    assert {"n_pairs", "subjects", "model_t", "variance_ratio", "versions"} <= set(table.columns)
    assert str(tmp_path / "docs" / "same-candidate.csv") in capsys.readouterr().out
    assert main(["perf", "--same-candidate", str(folder)]) == 2
    assert "belongs to --error-rates" in capsys.readouterr().err
