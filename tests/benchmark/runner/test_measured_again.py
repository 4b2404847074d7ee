"""What is measured of a finished run when more is asked for, or when something of it is gone: nothing is trained for it."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pandas.testing import assert_frame_equal

from raterbench.benchmark.experiment.experiment import Candidate
from raterbench.benchmark.runner import provenance
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.run import execute
from raterbench.benchmark.store.results import read_results
from raterbench.benchmark.store.units import measuring_path, read_measuring, write_measuring

METRICS = ("dice", "surface dice", "brier", "entropy", "confusion rmse")

LINES = """
class Lines(Instant):
    '''Its probability depends on the image.'''

    def predict_proba(self, case):
        bright = (case.image[0] > np.median(case.image)).astype(np.float32)
        return np.stack([0.7 - 0.5 * bright, 0.2 + 0.2 * bright, 0.1 + 0.3 * bright])
"""


@pytest.fixture(scope="module")
def kept():
    """What the first test leaves to the others: the plug-in's file, and the finished run."""
    return dict[str, Path]()


@pytest.fixture
def experiment(tiny, plugin, kept):
    """A network, and a method that is none."""
    candidates = (Candidate("Lines", "lines"), Candidate("Votes", "fused-labels"))
    options = {"subjects": 4, "slices": 1, "size": 32}
    kept["plugin"] = kept.get("plugin") or Path(plugin(LINES))
    return tiny(candidates=candidates, plugins=(str(kept["plugin"]),), metrics=METRICS, dataset_options=options)


@pytest.fixture
def folder(experiment, kept, tmp_path_factory, tmp_path):
    """A copy of the finished run, with the times of its files."""
    if "run" not in kept:
        finish(experiment, run := tmp_path_factory.mktemp("run"))
        kept["run"] = run
    return Path(shutil.copytree(kept["run"], tmp_path / "out"))


def finish(experiment, folder: Path):
    plan = make_plan(experiment, folder)
    execute(plan, jobs=1)
    results = read_results(folder)
    assert results.completeness.is_sound, results.completeness.notices()
    return plan, results


def stamps(folder: Path, kind: str) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*.npz") if kind in str(path.relative_to(folder))}


def measured(plan):
    """The parts of each unit, as bytes."""
    found = {}
    for unit in plan.units:
        _, parts = read_measuring(measuring_path(plan.folder, unit))
        for name, part in parts.items():
            arrays = {key: value for key, value in vars(part).items() if isinstance(value, np.ndarray)}
            found[unit.key, name] = repr({key: value.tobytes() for key, value in arrays.items()} or part)
    return found


def same(one, other):
    assert len(one)
    assert_frame_equal(one, other, check_exact=True)


def rows_of(table, **chosen):
    return table[np.logical_and.reduce([table[key].isin(values) for key, values in chosen.items()])].reset_index(drop=True)


def test_more_metrics_references_pictures_and_another_tolerance_train_nothing(experiment, folder):
    plan, first = finish(experiment, folder)
    trained, before = stamps(folder, ".trained"), measured(plan)
    assert len(trained) == 4

    more = experiment.replace(
        metrics=("dice", {"name": "surface dice", "tolerance": 2.0}, "brier", "entropy", "confusion rmse", "precision"),
        references=("truth", "raters", "majority", "staple"),
        keep_cases=3,
        fused_rows=("majority-vote", "staple", "soft-average"),
    )
    plan, second = finish(more, folder)
    after = measured(plan)
    assert stamps(folder, ".trained") == trained
    wanted = {unit.key: set(plan.parts[unit.kind].names) for unit in plan.units}
    assert all(wanted[unit.key] <= {name for key, name in after if key == unit.key} for unit in plan.units)
    assert all(after[place] == content for place, content in before.items()), "what was there is kept, bit for bit"
    assert len(second.pictures) == 3
    assert set(second.long_table["parameters"]) != set(first.long_table["parameters"])
    old = rows_of(first.long_table, metric=("dice", "brier", "entropy"))
    kept = {"metric": ("dice", "brier", "entropy"), "reference": set(old["reference"])}
    same(old, rows_of(second.long_table, candidate=set(old["candidate"]), **kept))

    stamped = stamps(folder, "units")
    _, third = finish(experiment, folder)
    assert stamps(folder, "units") == stamped, "what is asked for no longer costs nothing"
    same(third.long_table, first.long_table)
    same(third.calibration, first.calibration)


def test_only_missing_parts_are_measured(experiment, folder):
    """Kept parts are altered on disk: if any were measured again, it would have its old content.

    Results of an earlier version have nothing of single raters: that is measured, too.
    """
    plan, first = finish(experiment, folder)
    for unit in plan.units:
        head, parts = read_measuring(measuring_path(folder, unit))
        name = next(name for name in parts if name.startswith("rows/dice/raters"))
        parts[name].values[:] = 0.123
        del parts[next(name for name in parts if name.startswith("single/dice"))]
        write_measuring(measuring_path(folder, unit), head, parts)
    trained = stamps(folder, ".trained")
    _, results = finish(experiment.replace(metrics=(*METRICS, "precision")), folder)
    assert stamps(folder, ".trained") == trained
    columns = list(first.single_raters.columns)
    same(*(r.single_raters.sort_values(columns, ignore_index=True) for r in (first, results)))
    table = results.long_table
    assert set(rows_of(table, metric=("dice",), reference=("raters",))["value"]) == {0.123}
    assert rows_of(table, metric=("precision",))["value"].between(0, 1).any()
    assert not (rows_of(table, metric=("precision",))["value"] == 0.123).any()


def test_measuring_again_gives_the_same_bits(experiment, folder):
    plan, first = finish(experiment, folder)
    trained, units = stamps(folder, ".trained"), [measuring_path(folder, unit) for unit in plan.units]
    assert len(units) == len(stamps(folder, ".measured")) == 10
    for path in units:
        path.unlink()
    _, again = finish(experiment, folder)
    for table in ("long_table", "calibration", "confusions"):
        same(getattr(first, table), getattr(again, table))

    # One is gone, one is cut, one is another unit's.
    before = stamps(folder, ".measured")
    one, other, third, fourth, *_ = units
    one.unlink()
    other.write_bytes(other.read_bytes()[:-30])
    third.write_bytes(fourth.read_bytes())
    _, mended = finish(experiment, folder)
    same(first.long_table, mended.long_table)
    after = stamps(folder, ".measured")
    assert {name for name in after if after[name] != before[name]} == {one.name, other.name, third.name}
    assert stamps(folder, ".trained") == trained


def test_references_are_fused_once_and_for_all(experiment, folder):
    plan, first = finish(experiment, folder)
    fused = stamps(folder, "references")
    assert len(fused) == len(plan.references) == 1
    others = ("soft-average", {"fusion": "at-least", "votes": 2})
    plan, more = finish(experiment.replace(references=("truth", "raters", "majority", *others)), folder)
    assert len(plan.references) == 3
    assert set(more.rows["reference"]) == {"truth", "raters", "majority", "soft average", "at-least (votes=2)", "none"}
    of_label_rows = more.rows[more.rows["kind"] == "rater"]["reference"]
    assert "at-least (votes=2)" in set(of_label_rows), "it is made anew without the rater who is measured"
    assert "at-least (votes=2)" in set(more.calibration["reference"])
    assert fused.items() < stamps(folder, "references").items(), "those that are there are used"

    # A damaged one is replaced, as soon as something is to be measured.
    path = plan.references[0].path
    path.write_bytes(path.read_bytes()[:-50])
    _, again = finish(experiment, folder)
    same(first.long_table, again.long_table)
    for unit in plan.units:
        measuring_path(folder, unit).unlink()
    _, again = finish(experiment, folder)
    same(first.long_table, again.long_table)
    assert stamps(folder, "references")[path.name] > fused[path.name]


def test_results_do_not_need_the_fused_references(experiment, folder):
    plan, first = finish(experiment, folder)
    for task in plan.references:
        task.path.unlink()
    (folder / "references").rmdir()
    stamped = stamps(folder, "units")
    _, again = finish(experiment, folder)
    assert stamps(folder, "units") == stamped
    same(first.long_table, again.long_table)


def test_a_unit_that_keeps_parts_of_other_code_says_so(experiment, folder):
    plan, _ = finish(experiment, folder)
    assert plan.outdated() == []
    for unit in plan.units:
        head, parts = read_measuring(measuring_path(folder, unit))
        older = replace(head, origin=replace(head.origin, code="older"))
        write_measuring(measuring_path(folder, unit), older, parts)
    plan, _ = finish(experiment.replace(metrics=(*METRICS, "precision")), folder)
    assert {difference for _, differ in plan.outdated() for difference in differ} == {
        f"code older, now {provenance.code_version()}"
    }
    assert len(plan.outdated()) == len(plan.units)
