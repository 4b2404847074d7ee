"""Measuring units: raters, fusions, and candidates, also on data whose truth nobody knows."""

import numpy as np
import pytest

from raterbench.benchmark.experiment.experiment import Candidate
from raterbench.benchmark.measuring import rater_estimates
from raterbench.benchmark.measuring.rater_estimates import RaterEstimates, observed_confusions
from raterbench.benchmark.metrics import METRICS, from_labels
from raterbench.benchmark.metrics.calibration import expected_calibration_error
from raterbench.benchmark.metrics.confusion import confusion_rmse
from raterbench.benchmark.runner import measure
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.run import run
from raterbench.benchmark.runner.tasks import open_dataset
from raterbench.benchmark.store.units import CaseName, PredictedPictures, measuring_path, read_measuring, read_predictions
from raterbench.datasets import Phantom, true_confusion
from raterbench.datasets.base import Preparation
from raterbench.errors import RaterbenchError
from raterbench.methods.thresholds import hard_labels


def test_without_a_truth_raters_are_held_against_each_other(tiny, tmp_path, plugin, compute):
    lines = """
from raterbench.datasets import CaseList, Phantom


class Unknown(CaseList):
    '''The phantom as if nobody knew the truth; somebody is alone on the first case.'''

    name = "unknown"

    def __init__(self):
        cases = [case.blind() for case in Phantom(subjects=6, slices=1, size=32)]
        cases[0] = cases[0].__class__(**{**cases[0].__dict__, "ratings": dict(list(cases[0].ratings.items())[:1])})
        super().__init__("unknown", cases, ("background", "white", "grey"))


class Trusting(Instant):
    '''Believes that nobody errs, here and there.'''

    def predict(self, case, *, samples=0, seed=0):
        field = np.broadcast_to(np.eye(3)[:, :, None, None], (3, 3, *case.shape))
        given = dict.fromkeys(("steady", "sparing", "patchy"), np.eye(3))
        believed = {"careless": field, "generous": np.full((3, 3), np.nan), **given}
        return Prediction(self.predict_proba(case), rater_confusion=believed)
"""
    settings = {"dataset": "unknown", "dataset_options": {}, "plugins": (plugin(lines),), "references": ("raters", "majority")}
    experiment = tiny(candidates=(Candidate("it", "trusting"),), metrics=("dice", "confusion rmse"), **settings)
    for name, kind in (("it", "method"), ("staple", "fusion")):
        units = [compute(experiment, tmp_path, name, fold, kind) for fold in (0, 1)]
        rows = [row for found in units for row in found.rows if row[5] == "confusion rmse"]
        assert len(rows) == 5, "one case has a single rater, whom nobody can be held against"
        assert {(row[1], row[3], row[4]) for row in rows} == {(kind, "all", "raters")}
        assert all(0 < row[-1] < 0.5 for row in rows), rows
        assert {reference for found in units for reference in found.parts["raters"].references} == {"others"}
    # Voxel by voxel or not, who believes that nobody errs believes the same of everybody.
    for fold in (0, 1):
        errors = compute(experiment, tmp_path, "it", fold).parts["raters"]
        for rater, estimate in zip(errors.raters, errors.estimate, strict=True):
            expected = np.full(3, np.nan) if rater == "generous" else np.ones(3)
            known = ~np.isnan(estimate.diagonal())
            np.testing.assert_allclose(estimate.diagonal()[known], expected[known])
            assert known.any() == (rater != "generous")


def test_matrices_of_every_image_are_kept_and_are_those_of_the_error(tiny, tmp_path, plugin, compute):
    lines = """
class Trusting(Instant):
    '''Believes that nobody errs.'''

    def predict(self, case, *, samples=0, seed=0):
        return Prediction(self.predict_proba(case), rater_confusion={"careless": np.eye(3), "patchy": np.eye(3)})
"""
    experiment = tiny(candidates=(Candidate("it", "trusting"),), metrics=("dice", "confusion rmse"), plugins=(plugin(lines),))
    found, phantom = compute(experiment, tmp_path), Phantom(subjects=6, slices=2, size=32)
    errors = {row[2]: row[-1] for row in found.rows if row[5] == "confusion rmse"}
    given = found.parts["raters"]
    assert set(given.raters) == {"careless", "patchy"}
    for case, pairs in zip(found.measured.cases, given.by_case, strict=True):
        truth = true_confusion(next(c for c in phantom if c.id == case.case))
        on = [r for r, rater in enumerate(given.raters) if not np.isnan(pairs[r]).all()]
        for r in on:
            np.testing.assert_allclose(pairs[r, 1], truth[given.raters[r]], atol=1e-6)
        assert errors[case.case] == pytest.approx(np.mean([confusion_rmse(np.eye(3), truth[given.raters[r]]) for r in on]))


def test_too_many_matrices_are_not_kept(monkeypatch):
    case = next(iter(Phantom(subjects=2, slices=1, size=32)))
    estimates = RaterEstimates(("a", "b", "c"), ())
    estimates.add(dict.fromkeys(case.ratings, np.eye(3)), case, observed_confusions(case, 3))
    estimates.images.append({})
    n = len(case.ratings)
    assert estimates.errors(list(case.ratings)).by_case.shape == (2, n, 2, 3, 3)
    monkeypatch.setattr(rater_estimates, "MOST_BY_CASE", 2 * n * 18 - 1)
    assert estimates.errors(list(case.ratings)).by_case is None
    assert RaterEstimates(("a", "b"), ()).errors(["x"]).raters == ()


def test_raters_are_measured_against_the_others_and_each_fusion_by_itself(tiny, tmp_path, compute):
    found = compute(tiny(), tmp_path, "raters", kind="raters")
    phantom = Phantom(subjects=6, slices=2, size=32)
    tested = {case.case for case in found.measured.cases}
    assert {row[0] for row in found.rows} == set(phantom.raters)
    assert len(tested) == 6
    rated = {(r, case) for case, raters in phantom.index[["case", "raters"]].itertuples(index=False) for r in raters}
    assert {(row[0], row[2]) for row in found.rows} == {pair for pair in rated if pair[1] in tested}
    fused = compute(tiny(), tmp_path, "staple", kind="fusion")
    assert {(row[0], row[1]) for row in fused.rows} == {("staple", "fusion")}


def test_a_vote_against_the_majority_of_the_same_raters_is_perfect(tiny, tmp_path, compute):
    rows = compute(tiny(), tmp_path, "majority-vote", kind="fusion").rows
    dices = [row[-1] for row in rows if row[4:6] == ("majority", "dice")]
    assert dices
    assert np.allclose(dices, 1)


SAMPLES = """
class Draws(Instant):
    '''Draws every voxel's class at random.'''

    def predict(self, case, *, samples=0, seed=0):
        draws = np.random.default_rng(seed).integers(0, self.n_classes_, (samples, *case.shape))
        hot = (draws[:, None] == np.arange(self.n_classes_)[:, None, None]).astype(np.float32)
        return Prediction(self.predict_proba(case), samples=hot if samples else None)
"""


def test_samples_are_measured_against_the_set_of_raters(tiny, tmp_path, plugin, compute):
    phantom = Phantom(subjects=6, slices=2, size=32)
    candidates = (Candidate("draws", "draws"), Candidate("it", "instant"))
    metrics = ("dice", "generalised energy distance")
    experiment = tiny(candidates=candidates, metrics=metrics, samples=3, plugins=(plugin(SAMPLES),))
    found = compute(experiment, tmp_path, "draws")
    rows = {row[2:4]: row[-1] for row in found.rows if row[5] == "generalised energy distance"}
    assert {row[4] for row in found.rows if row[5] == "generalised energy distance"} == {"raters"}
    assert len(rows) == 2 * len(found.measured.cases)
    for stored in read_predictions(found.path, found.trained.predicted):
        case = next(c for c in phantom if c.id == stored.case)
        samples = [from_labels(sample.argmax(axis=0).astype(np.uint8), 3) for sample in stored.sampled()]
        raters = [from_labels(labels, 3) for labels in case.ratings.values()]
        expected = METRICS.get("generalised energy distance")().measure_samples(samples, raters, spacing=(1, 1))
        assert [rows[case.id, name] for name in ("white matter", "grey matter")] == pytest.approx(expected.tolist())
    (kept,) = [part.pictures for part in found.parts.values() if isinstance(part, PredictedPictures)]
    drawn = {stored.case: stored.sampled().argmax(axis=1) for stored in read_predictions(found.path, found.trained.predicted)}
    assert kept
    for picture in kept:
        np.testing.assert_array_equal(picture.samples, drawn[picture.case])


def test_the_labels_of_a_candidate_that_draws_no_samples_are_a_set_of_one(tiny, tmp_path, plugin, compute):
    phantom = Phantom(subjects=6, slices=2, size=32)
    metrics = ("dice", "generalised energy distance")
    experiment = tiny(candidates=(Candidate("it", "instant"),), metrics=metrics, samples=3, plugins=(plugin(),))
    found = compute(experiment, tmp_path)
    rows = {row[2:4]: row[-1] for row in found.rows if row[5] == "generalised energy distance"}
    assert len(rows) == 2 * len(found.measured.cases)
    for stored in read_predictions(found.path, found.trained.predicted):
        case = next(c for c in phantom if c.id == stored.case)
        raters = [from_labels(labels, 3) for labels in case.ratings.values()]
        labels = stored.probability(Preparation()).argmax(axis=0).astype(np.uint8)
        metric = METRICS.get("generalised energy distance")()
        expected = metric.measure_samples([from_labels(labels, 3)], raters, spacing=(1, 1))
        assert [rows[case.id, name] for name in ("white matter", "grey matter")] == pytest.approx(expected.tolist())


FAINT = """
class Faint(Instant):
    '''Gives the object a low probability, in each sample to one more column.'''

    def predict(self, case, *, samples=0, seed=0):
        maps = np.full((max(samples, 1), 2, *case.shape), np.float32(0.9))
        for i, sample in enumerate(maps):
            sample[:, :, 8 : 20 + i] = 0.66
            sample[1] = 1 - sample[0]
        return Prediction(maps.mean(axis=0), samples=maps if samples else None)
"""


def test_labels_of_samples_are_made_at_the_threshold_of_the_map(tiny, tmp_path, plugin, compute):
    name = "generalised energy distance"
    options = {"volumes": 4, "test": 1, "slices": 1, "size": 64}
    experiment = tiny(
        dataset="cells", dataset_options=options, candidates=(Candidate("faint", "faint"),), metrics=("dice", name)
    )
    experiment = experiment.replace(samples=3, plugins=(plugin(FAINT),), search_threshold=True)
    found = compute(experiment, tmp_path, "faint")
    assert found.trained.threshold.chosen < 0.34
    (part,) = [p for key, p in found.parts.items() if key.startswith(f"rows/{name}/")]
    assert part.thresholds == ("searched", "half")
    data = open_dataset(experiment, None)
    for i, stored in enumerate(read_predictions(found.path, found.trained.predicted)):
        case = next(c for c in data if c.id == stored.case)
        raters = [from_labels(labels, 2) for labels in case.ratings.values()]
        for number, threshold in enumerate((found.trained.threshold.chosen, 0.5)):
            samples = [from_labels(hard_labels(sample, threshold), 2) for sample in stored.sampled()]
            assert bool(number) == all((sample.labels == 0).all() for sample in samples)
            expected = METRICS.get(name)().measure_samples(samples, raters, spacing=(1, 1))
            assert part.values[0, i, :, number] == pytest.approx(expected)


def test_a_metric_of_all_cases_together_agrees_with_the_calibration_counts(tiny, tmp_path, compute):
    name = "expected calibration error"
    found = compute(tiny(metrics=("dice", name)), tmp_path)
    for reference in ("truth", "raters", "majority"):
        (pooled,) = [p for key, p in found.parts.items() if key.startswith(f"pooled/{name}/{reference}/")]
        counts = found.parts[f"calibration/{reference}"].counts[:, 0]
        np.testing.assert_array_equal(pooled.counts, counts)
        assert pooled.value == pytest.approx(expected_calibration_error(counts.sum(axis=0)))


def test_a_candidate_with_its_own_seed_is_trained_otherwise_on_the_same_folds(tiny, tmp_path, compute):
    candidates = tuple(Candidate(f"s{seed}", "fused-labels", seed=seed) for seed in (None, 0, 1))
    plan = make_plan(tiny(candidates=candidates), tmp_path)
    none, zero, one = plan.units[:3]
    assert none.key == zero.key != one.key, "0 is the seed of the experiment"
    assert plan.training[none].fold == plan.training[one].fold
    first, other = (compute(tiny(candidates=candidates), tmp_path, name).trained.report.curve for name in ("s0", "s1"))
    assert first != other


def test_a_part_that_fails_spoils_none_that_was_measured(tiny, tmp_path, compute):
    found = compute(tiny(), tmp_path, "raters", kind="raters")
    plan = make_plan(tiny(), tmp_path)
    task = plan.measuring_task({found.unit: ("rows/new",)}, plan.folds[0, 0])
    measure._add(task, found.unit, found.measured.cases, ("another", "axis"), failed={"rows/new": "it broke"})
    head, parts = read_measuring(measuring_path(tmp_path, found.unit))
    assert head.failed == {"rows/new": "it broke"} and head.names == found.measured.names
    assert list(parts) == list(found.parts)


def test_a_file_that_cannot_be_written_is_no_fault_of_what_was_measured(tiny, tmp_path):
    """Otherwise a full disk would leave a failure behind, which stays when there is room again."""
    plan = make_plan(tiny(), tmp_path)
    unit = next(unit for unit in plan.units if unit.kind == "raters")
    place = measuring_path(tmp_path, unit)
    (place / "in the way").mkdir(parents=True)
    with pytest.raises(RaterbenchError, match="cannot be written"):
        measure.measure_units(plan.measuring_task({unit: plan.parts["raters"].names}, plan.folds[0, unit.fold]))
    assert list(place.iterdir()) == [place / "in the way"]


POOLED = """
from raterbench.benchmark.metrics import PooledMetric


class Brittle(PooledMetric):
    name, label, better, range, empty = "brittle", "Brittle", "lower", (0.0, 1.0), "Nothing."

    def count(self, prediction, reference):
        return np.zeros(1, np.int64)

    def value(self, counts):
        raise RuntimeError("no value today")
"""


def test_a_metric_that_fails_at_the_end_fails_its_unit_and_not_the_run(tiny, tmp_path, plugin):
    experiment = tiny(candidates=(Candidate("it", "instant"),), metrics=("dice", "brittle"), plugins=(plugin(POOLED),))
    results = run(experiment, tmp_path / "out", jobs=1)
    said = {entry.unit.kind: entry.reason for entry in results.completeness.having("failed")}
    assert "no value today" in said["method"]


def test_what_cannot_be_stored_is_a_failed_unit(tiny, tmp_path, monkeypatch):
    plan = make_plan(tiny(), tmp_path)
    unit = next(unit for unit in plan.units if unit.kind == "raters")
    monkeypatch.setattr(measure, "CaseName", lambda case, *rest: CaseName(f"{case}\udcff", *rest))
    ((_, why),) = measure.measure_units(plan.measuring_task({unit: plan.parts["raters"].names}, plan.folds[0, unit.fold]))
    assert "cannot be stored" in why
    head, parts = read_measuring(measuring_path(tmp_path, unit))
    assert set(head.failed) == set(plan.parts["raters"].names) and not parts
