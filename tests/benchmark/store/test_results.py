import dataclasses
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from raterbench.benchmark.experiment.experiment import Candidate, Experiment, Split, Statistics
from raterbench.benchmark.metrics.calibration import N_BINS
from raterbench.benchmark.runner.measure import measure_units
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.run import write_plan
from raterbench.benchmark.runner.train import ended_unit, train_unit
from raterbench.benchmark.statistics.subjects import subject_values
from raterbench.benchmark.store.results import LONG_COLUMNS, read_results
from raterbench.benchmark.store.run_file import write_json
from raterbench.benchmark.store.units import SingleRaters, read_training, training_path, write_training
from raterbench.datasets import Phantom, RaterbenchError, true_confusion
from raterbench.methods import STAPLE, MajorityVote
from raterbench.methods.fit_report import AnnotationRepair, FitReport, RepairScore

from ...made_units import MadeUnit, write_run
from ..conftest import BUDGET, INSTANT, PHANTOM

CLASSES = ("background", "white matter", "grey matter")
BELIEVES = """
    def predict(self, case, *, samples=0, seed=0):
        left = np.arange(case.shape[-1]) < case.shape[-1] / 2
        sparse = np.broadcast_to(left, case.shape).astype(np.float32)
        return Prediction(self.predict_proba(case), rater_reliability={"sparse": sparse, "small": np.full(case.shape, np.nan)})
"""


@pytest.fixture(scope="module")
def experiment(tmp_path_factory) -> Experiment:
    file = tmp_path_factory.mktemp("plugin") / "mine.py"
    file.write_text(INSTANT + BELIEVES)
    return Experiment(
        name="tiny",
        candidates=(Candidate("Confusion", "confusion-network"), Candidate("Instant", "instant")),
        dataset_options=PHANTOM,
        split=Split(folds=2, repeats=2),
        budget=BUDGET,
        metrics=("dice", "brier", "entropy", "confusion rmse"),
        references=("truth", "raters", "majority"),
        fused_rows=("majority-vote", "staple"),
        keep_cases=2,
        plugins=(str(file),),
    )


@pytest.fixture(scope="module")
def folder(experiment, tmp_path_factory):
    """All units, computed here; and one of a candidate that is no longer in the plan."""
    folder = tmp_path_factory.mktemp("results")
    compute_all(make_plan(experiment, folder))
    compute_all(make_plan(experiment.replace(candidates=(Candidate("Gone", "instant", {"share": 0.3}),)), folder), ["Gone"])
    # Another order of candidates makes no other units.
    write_plan(make_plan(experiment.replace(candidates=experiment.candidates[::-1]), folder))
    return folder


def compute_all(plan, names=None):
    """Train and measure the units of a plan in this process."""
    write_plan(plan)
    for unit in plan.units:
        if names is None or unit.name in names:
            if unit.kind == "method":
                train_unit(plan.training[unit])
            measure_units(plan.measuring_task({unit: plan.parts[unit.kind].names}, plan.folds[unit.repeat, unit.fold]))


@pytest.fixture(scope="module")
def results(folder):
    return read_results(folder)


@pytest.fixture(scope="module")
def phantom():
    return Phantom(**PHANTOM)


def test_the_long_table_is_as_documented(results, phantom):
    rows = results.long_table
    assert list(rows.columns) == LONG_COLUMNS
    assert set(rows["threshold"]) == {""}, "only two classes have thresholds"
    assert rows["value"].dtype == np.float64
    assert set(rows["kind"]) == {"method", "rater", "fusion"}
    assert set(rows["class"]) == {*CLASSES[1:], "all"}
    raters = {f"rater:{rater}" for rater in phantom.raters}
    assert set(rows["reference"]) == {"truth", "raters", "majority", "none", *raters}
    assert set(rows.loc[rows["reference"].isin(raters), "metric"]) == {"dice"}
    assert set(rows.loc[rows["reference"] == "none", "metric"]) == {"entropy"}
    assert set(rows.loc[rows["kind"] == "method", "candidate"]) == {"Confusion", "Instant"} == set(results.candidates)
    keys = [c for c in LONG_COLUMNS if c != "value"]
    assert not rows.duplicated(keys).any()
    for repeat in (0, 1):
        tested = rows[(rows["kind"] == "method") & (rows["repeat"] == repeat)]
        assert set(tested["case"]) == set(phantom.index["case"])
    places = rows.drop_duplicates("case").set_index("case")[["subject", "centre"]]
    expected = phantom.index.set_index("case")[["subject", "centre"]].sort_index()
    assert places.sort_index().to_dict() == expected.to_dict()


def test_a_value_is_what_a_reader_would_measure(results, phantom):
    rows = results.rows
    picked = rows[(rows["candidate"] == "majority-vote") & (rows["metric"] == "dice") & (rows["reference"] == "truth")]
    stored = picked.set_index(["case", "class"])["value"]
    for case in phantom:
        labels = MajorityVote().fuse(case.ratings, 3).labels
        for index, name in enumerate(CLASSES[1:], start=1):
            mine, true = labels == index, case.truth.labels == index
            assert stored[case.id, name] == pytest.approx(2 * (mine & true).sum() / (mine.sum() + true.sum()))


def test_a_subject_counts_once_however_many_cases_and_repeats(results):
    values = subject_values(results.rows, "dice", "truth")
    rows = results.rows
    picked = rows[(rows["metric"] == "dice") & (rows["reference"] == "truth") & (rows["candidate"] == "Confusion")]
    by_hand = picked.groupby(["subject", "case", "repeat"])["value"].mean().groupby("subject").mean()
    pd.testing.assert_series_equal(values["Confusion"].sort_index(), by_hand.sort_index(), check_names=False)
    assert len(by_hand) == PHANTOM["subjects"]


def test_calibration_counts_are_those_of_a_direct_recount(results, phantom):
    table = results.calibration
    assert list(table.columns) == (
        "candidate kind repeat fold case subject centre reference region bin n correct confidence".split()  # noqa: SIM905
    )
    assert {str(table[name].dtype) for name in ("n", "correct", "confidence")} == {"int64"}
    instant = table[(table["candidate"] == "Instant") & (table["reference"] == "truth") & (table["region"] == "image")]
    voxels = sum(case.truth.labels.size for case in phantom)
    right = sum(int((case.truth.labels == 0).sum()) for case in phantom)
    for repeat in (0, 1):
        counted = instant[instant["repeat"] == repeat]
        assert set(counted["bin"]) == {5}
        assert counted["n"].sum() == voxels
        assert counted["correct"].sum() == right
        assert counted["confidence"].sum() == voxels * 2**23  # in units of 2^-24
    assert table["bin"].between(0, N_BINS - 1).all()
    assert (table["correct"] <= table["n"]).all()
    network = table[(table["candidate"] == "Confusion") & (table["reference"] == "truth") & (table["region"] == "image")]
    assert network.groupby("repeat")["n"].sum().tolist() == [voxels, voxels]


def test_confusions_hold_estimates_beside_the_truth(results, phantom):
    table = results.confusions
    assert list(table.columns) == ["candidate", "repeat", "fold", "rater", "observed", "true", "estimate", "truth", "reference"]
    assert set(table["reference"]) == {"truth"}
    assert set(table["candidate"]) == {"Confusion", "staple (fusion)"}
    assert set(table["rater"]) == set(phantom.raters)
    for column in ("estimate", "truth"):
        sums = table.groupby(["candidate", "repeat", "fold", "rater", "true"])[column].sum()
        assert np.allclose(sums, 1, atol=1e-5)


def test_how_well_raters_are_known_stands_in_the_long_table(results, phantom):
    rows = results.rows[results.rows["metric"] == "confusion rmse"]
    assert set(zip(rows["candidate"], rows["kind"], strict=True)) == {("Confusion", "method"), ("staple", "fusion")}
    assert set(rows["class"]) == {"all"} and set(rows["reference"]) == {"truth"}
    fused = rows[rows["kind"] == "fusion"].set_index("case")["value"]
    for case in phantom:
        consensus, truth = STAPLE().fuse(case.ratings, 3, geometry=case.geometry), true_confusion(case)
        errors = [(matrix - truth[r]) ** 2 for r, matrix in zip(consensus.raters, consensus.confusion, strict=True)]
        assert fused[case.id] == pytest.approx(np.mean([np.sqrt(np.nanmean(e)) for e in errors]))


def test_who_rated_which_training_case_is_kept(results, folder, phantom):
    table = results.assignments
    rated = phantom.index.set_index("case")["raters"]
    for fold in json.loads((folder / "splits.json").read_text())["folds"]:
        found = results.assignment(fold["repeat"], fold["fold"])
        assert found.index.tolist() == fold["train"]
        for rater in phantom.raters:
            assert found[rater].tolist() == [rater in rated[case] for case in fold["train"]]
        counted = table[(table["repeat"] == fold["repeat"]) & (table["fold"] == fold["fold"])].set_index("rater")["n_train"]
        assert counted.to_dict() == found.sum().to_dict()
    assert len(table) == 4 * len(phantom.raters)
    with pytest.raises(RaterbenchError, match="does not know who rated what in repeat 7, fold 0"):
        results.assignment(7)


def test_reliability_maps_come_back_for_kept_cases(results):
    for kept in results.pictures:
        assert list(kept.reliability["Instant"]) == ["sparse"]
        map_ = kept.reliability["Instant"]["sparse"]
        half = kept.image.shape[-1] // 2
        assert map_.dtype == np.float32
        assert (map_[..., :half] == 1).all() and (map_[..., half:] == 0).all()


def test_units_are_in_the_order_of_candidates(results):
    units = results.units
    assert units["candidate"].tolist() == ["Instant"] * 4 + ["Confusion"] * 4 + ["labels"] * 6
    assert units[["repeat", "fold"]].to_numpy()[:4].tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    documented = (
        "candidate kind status reason seconds epochs best_epoch threshold peak_memory_mb n_train n_validation n_test curve"
    )
    assert set(documented.split()) <= set(units.columns)
    assert set(units["status"]) == {"done"}
    assert all(len(curve) == 1 for curve in units["curve"][4:8])


def test_units_of_an_older_plan_are_not_read(results, folder):
    assert results.completeness.other_settings == 8
    assert "Gone" not in set(results.rows["candidate"]) | set(results.units["candidate"])


def test_kept_cases_have_image_ratings_truth_and_every_prediction(results, phantom):
    assert len(results.pictures) == 2
    cases = {case.id: case for case in phantom}
    for kept in results.pictures:
        case = cases[kept.id]
        assert kept.why
        assert kept.image.shape == case.shape
        assert (kept.image.dtype, kept.image.min() >= 0, kept.image.max() <= 1) == (np.float32, True, True)
        assert set(kept.ratings) == set(case.ratings)
        assert all((kept.ratings[rater] == case.ratings[rater]).all() for rater in case.ratings)
        assert (kept.truth == case.truth.labels).all()
        assert set(kept.predictions) == {"Confusion", "Instant"}
        assert kept.predictions["Confusion"].shape == (3, *case.shape)
        assert np.allclose(kept.predictions["Confusion"].sum(axis=0), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("declared", "found"), [(Statistics(), "truth"), (Statistics(primary_reference="majority"), "majority")]
)
def test_the_primary_reference_is_the_declared_one_or_the_truth(results, declared, found):
    changed = dataclasses.replace(results, experiment=results.experiment.replace(statistics=declared))
    assert changed.primary_reference == found
    nobody_knows = dataclasses.replace(results, long_table=results.long_table[results.long_table["reference"] != "truth"])
    assert nobody_knows.primary_reference == "raters"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "holds no experiment.json: give the folder that 'raterbench run' wrote"),
        ("{", "experiment.json is not valid JSON"),
        ("[]", "was not written by this version of 'raterbench run'"),
        ('{"experiment": {}}', "facts'; it was not written by this version of 'raterbench run'"),
    ],
)
def test_a_folder_without_results_is_a_sentence(tmp_path, text, says):
    if text is not None:
        (tmp_path / "experiment.json").write_text(text)
    with pytest.raises(RaterbenchError, match=says):
        read_results(tmp_path)


def test_without_a_finished_unit_the_reasons_are_given(experiment, tmp_path):
    plan = make_plan(experiment, tmp_path)
    unit = plan.units[0]
    listed = {"units": [dataclasses.asdict(unit)], "parts": plan.listed()["parts"]}
    write_json(tmp_path / "experiment.json", {"experiment": experiment.to_json(), "facts": plan.facts, **listed})
    with pytest.raises(RaterbenchError, match=r"no finished unit to report on. INCOMPLETE: 1 of 1 units is missing"):
        read_results(tmp_path)
    write_training(training_path(tmp_path, unit), ended_unit(plan.training[unit], "failed", "it diverged"), (), {})
    with pytest.raises(RaterbenchError, match=r"no finished unit to report on. FAILED: .*: it diverged"):
        read_results(tmp_path)


def test_predictions_can_be_read_back(results, folder, phantom):
    tested = json.loads((folder / "splits.json").read_text())["folds"][1]["test"]
    found = dict(results.predictions("Confusion", 0, 1))
    assert list(found) == tested
    for case in phantom:
        if case.id in found:
            assert found[case.id].shape == (3, *case.shape)
            np.testing.assert_allclose(found[case.id].sum(axis=0), 1, atol=1e-5)
    with pytest.raises(RaterbenchError, match="no finished unit of 'Confusion' in repeat 7, fold 0"):
        next(results.predictions("Confusion", 7))


def test_a_metric_with_several_parameters_has_several_names(results):
    rows = results.long_table[results.long_table["metric"] == "dice"]
    both = pd.concat([rows.assign(parameters="a=1"), rows.assign(parameters="a=2")])
    changed = dataclasses.replace(results, long_table=both)
    assert set(changed.rows["metric"]) == {"dice (a=1)", "dice (a=2)"}


def test_reading_results_needs_no_network(folder):
    script = f"import sys; from raterbench import read_results; read_results({str(folder)!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_single_raters_are_measured_and_are_no_reference_that_tables_compare(results):
    """Nobody asked for them; their mean is the reference ``raters``."""
    single, rows = results.single_raters, results.rows
    assert set(rows["reference"]) == {"truth", "raters", "majority", "none"}
    assert set(single["metric"]) == {"dice"} and set(single["rater"]) == set(Phantom(**PHANTOM).raters)
    assert set(single["kind"]) == {"method", "rater", "fusion"} and not (single["candidate"] == single["rater"]).any()
    place = ["kind", "candidate", "repeat", "fold", "case", "class"]
    expected = (
        rows[(rows["metric"] == "dice") & (rows["reference"] == "raters")].set_index(place)["value"].dropna().sort_index()
    )
    found = single.groupby(place)["value"].mean().sort_index()
    pd.testing.assert_series_equal(found, expected, check_exact=False)


def test_a_rater_who_is_named_as_a_reference_is_there_once(tmp_path):
    made = Experiment(name="made", candidates=(Candidate("A", "majority-vote"),), references=("raters", "rater:b"))
    places = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 1]], np.int32)
    values = np.array([0.1, 0.2, 0.3])[:, None, None]
    part = SingleRaters("dice", "", ("a", "b"), ("thing",), ("",), places, values)
    rows = [["A", case, case, "here", "thing", "rater:b", "dice", value] for case, value in (("one", 0.2), ("two", 0.3))]
    write_run(tmp_path, made, {"raters": ["a", "b"]}, [MadeUnit("A", rows=rows, parts={"single/dice/0": part})])
    results = read_results(tmp_path)
    assert results.long_table[["case", "reference", "value"]].to_numpy().tolist() == [
        ["one", "rater:b", 0.2], ["two", "rater:b", 0.3], ["one", "rater:a", 0.1],
    ]  # fmt: skip
    assert set(results.rows["reference"]) == {"rater:b"}
    assert sorted(results.single_raters["rater"]) == ["a", "b", "b"]


def test_repaired_annotations_are_a_row_for_each_reference(tmp_path):
    made = Experiment(name="made", candidates=(Candidate("A", "upgrade"), Candidate("B", "fused-labels")))
    parts = (("training", ("x", "y")), ("test", ("one",)))
    scores = tuple(
        RepairScore(p, "truth", cases, (0.2, 0.4)[: len(cases)], (0.6, 0.8)[: len(cases)], 0.3, 0.7) for p, cases in parts
    )
    errors = {"omission": 0.5, "direction": "either"}
    report = FitReport(repair=AnnotationRepair(3, ("lq",), ("hq",), ("one",), errors, True, scores))
    rows = [["one", "one", "here", "thing", "truth", "dice", 0.5]]
    units = [
        MadeUnit(n, rows=[[n, *row] for row in rows], training={"report": r}) for n, r in (("A", report), ("B", FitReport()))
    ]
    write_run(tmp_path, made, {"raters": ["a"]}, units)
    found = read_results(tmp_path)
    assert found.repairs.to_numpy().tolist() == [
        ["A", 0, 0, "training", "truth", 2, 0.3, 0.7], ["A", 0, 0, "test", "truth", 1, 0.3, 0.7],
    ]  # fmt: skip
    assert found.repaired.to_numpy().tolist() == [["A", 0, 0, "test", "truth", "one", "one", 0.2, 0.6]]
    assert read_training(training_path(tmp_path, units[0].planned)).report == report
