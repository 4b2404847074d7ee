"""What is believed of raters, against numbers worked out by counting voxels one by one."""

import dataclasses

import numpy as np
import pytest

from raterbench.benchmark.measuring.rater_estimates import RaterEstimates, observed_confusions, reliability_maps
from raterbench.benchmark.metrics.confusion import ConfusionRMSE, confusion_rmse
from raterbench.datasets import IGNORE, Case, Geometry, Truth, pooled_confusion, true_confusion
from raterbench.errors import RaterbenchError
from raterbench.methods import MajorityVote

CLASSES = ("background", "white", "grey")
K, SHAPE = 3, (6, 7)


def case(seed, raters=3, *, truth=True, unjudged=0.1):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, K, SHAPE).astype(np.uint8)
    ratings = {
        f"r{i}": np.where(rng.random(SHAPE) < 0.7, labels, rng.integers(0, K, SHAPE)).astype(np.uint8) for i in range(raters)
    }
    for rating in ratings.values():
        rating[rng.random(SHAPE) < unjudged] = IGNORE
    known = Truth(labels, (labels == np.arange(K)[:, None, None]).astype(np.float32)) if truth else None
    return Case(f"c{seed}", "s", "here", np.zeros((1, *SHAPE), np.float32), ratings, Geometry.axis_aligned(2), known)


def matrices(seed, raters=3):
    rng = np.random.default_rng(seed)
    return {f"r{i}": rng.dirichlet(np.ones(K), size=K).T for i in range(raters)}


def fields(seed, raters=3):
    rng = np.random.default_rng(seed)
    return {f"r{i}": np.moveaxis(rng.dirichlet(np.ones(K), size=(K, *SHAPE)), -1, 0) for i in range(raters)}


def gathered(pairs, raters=("r0", "r1", "r2")):
    """Rows of every case, and the pooled table as (rater, reference) to estimate and truth [K, K]."""
    known = RaterEstimates(CLASSES, [ConfusionRMSE()])
    found = [known.add(estimate, one, observed_confusions(one, K)) for estimate, one in pairs]
    rows = [[("all", reference, metric.name, value) for (metric, reference), value in values.items()] for values in found]
    errors = known.errors(raters)
    both = zip(errors.raters, errors.references, errors.estimate, errors.truth, strict=True)
    return rows, {(rater, reference): np.stack([estimate, truth]) for rater, reference, estimate, truth in both}


def test_a_case_has_the_mean_over_its_raters_against_its_own_truth():
    one, estimates = case(0), matrices(1)
    (rows,), _ = gathered([(estimates, one)])
    expected = np.mean([confusion_rmse(estimates[r], m) for r, m in true_confusion(one).items()])
    assert rows == [("all", "truth", "confusion rmse", pytest.approx(expected))]


def test_only_raters_of_the_case_who_training_saw_count():
    one, estimates = case(0, raters=2), matrices(1)
    estimates["r1"] = np.full((K, K), np.nan)
    (rows,), pooled = gathered([(estimates, one)])
    assert rows[0][-1] == pytest.approx(confusion_rmse(estimates["r0"], true_confusion(one)["r0"]))
    assert set(pooled) == {("r0", "truth"), ("r1", "truth")}
    assert np.isnan(pooled["r1", "truth"][0]).all()
    (rows,), _ = gathered([({"r1": estimates["r1"]}, one)])
    assert np.isnan(rows[0][-1])


def test_a_confusion_of_each_voxel_is_averaged_where_the_rater_judged_the_class():
    one, estimates = case(3), fields(4)
    (rows,), _ = gathered([(estimates, one)])
    errors = []
    for rater, labels in one.ratings.items():
        average = np.zeros((K, K))
        for j in range(K):
            here = (one.truth.labels == j) & (labels != IGNORE)
            average[:, j] = estimates[rater][:, j][:, here].mean(axis=1)
        errors.append(confusion_rmse(average, true_confusion(one)[rater]))
    assert rows[0][-1] == pytest.approx(np.mean(errors))


def test_pooled_estimates_count_every_voxel_once():
    cases = [case(seed) for seed in range(4)]
    empty = dataclasses.replace(cases[2].truth, labels=np.zeros_like(cases[2].truth.labels))
    cases[2] = dataclasses.replace(cases[2], truth=empty)
    estimates = [fields(10 + seed) for seed in range(4)]
    _, pooled = gathered(zip(estimates, cases, strict=True))
    truths = pooled_confusion(cases)
    for rater in ("r0", "r1", "r2"):
        estimate, truth = pooled[rater, "truth"]
        np.testing.assert_allclose(truth, truths[rater])
        np.testing.assert_allclose(estimate.sum(axis=0), 1)
        for j in range(K):
            voxels = [
                field[rater][:, j, y, x]
                for field, one in zip(estimates, cases, strict=True)
                for y, x in np.ndindex(SHAPE)
                if one.truth.labels[y, x] == j and one.ratings[rater][y, x] != IGNORE
            ]
            np.testing.assert_allclose(estimate[:, j], np.mean(voxels, axis=0))


def test_a_constant_estimate_is_pooled_to_itself_and_equals_its_field():
    cases, estimates = [case(seed) for seed in range(3)], matrices(5)
    wide = {r: np.broadcast_to(m[:, :, None, None], (K, K, *SHAPE)) for r, m in estimates.items()}
    rows, pooled = gathered([(estimates, one) for one in cases])
    rows_of_fields, pooled_fields = gathered([(wide, one) for one in cases])
    for one, other in zip(rows, rows_of_fields, strict=True):
        assert one[0][-1] == pytest.approx(other[0][-1])
    for rater, matrix in estimates.items():
        np.testing.assert_allclose(pooled[rater, "truth"][0], matrix)
        np.testing.assert_allclose(pooled_fields[rater, "truth"], pooled[rater, "truth"])


@pytest.mark.parametrize("unjudged", [0.0, 0.6])
def test_without_a_truth_the_majority_of_the_others_stands_in(unjudged):
    one, estimates = case(7, raters=4, truth=False, unjudged=unjudged), matrices(8, raters=4)
    done = observed_confusions(one, K)
    errors = []
    for rater, labels in one.ratings.items():
        others = {r: rating for r, rating in one.ratings.items() if r != rater}
        consensus = MajorityVote().fuse(others, K).labels
        judged = labels != IGNORE
        np.testing.assert_array_equal(done.true[rater][judged], consensus[judged])
        counts = np.array([[((labels == i) & (consensus == j)).sum() for j in range(K)] for i in range(K)])
        np.testing.assert_array_equal(done.counts[rater], counts)
        errors.append(confusion_rmse(estimates[rater], counts / counts.sum(axis=0)))
    (rows,), pooled = gathered([(estimates, one)], raters=tuple(one.ratings))
    assert rows == [("all", "raters", "confusion rmse", pytest.approx(np.mean(errors)))]
    assert {reference for _, reference in pooled} == {"others"}


def test_a_single_rater_without_a_truth_has_no_row_and_the_plain_mean():
    estimates = [fields(0, raters=1), fields(1, raters=1)]
    rows, pooled = gathered([(e, case(i, raters=1, truth=False)) for i, e in enumerate(estimates)])
    assert rows == [[], []]
    estimate, truth = pooled["r0", "none"]
    np.testing.assert_allclose(estimate, np.mean([e["r0"].mean(axis=(2, 3)) for e in estimates], axis=0))
    assert np.isnan(truth).all()


def test_known_truths_are_not_mixed_with_stand_ins():
    known, unknown, estimates = case(0), case(1, truth=False), matrices(2)
    rows, pooled = gathered([(estimates, known), (estimates, unknown)])
    assert [row[0][1] for row in rows] == ["truth", "raters"]
    assert {reference for _, reference in pooled} == {"truth"}
    np.testing.assert_allclose(pooled["r0", "truth"][1], true_confusion(known)["r0"])


def test_an_estimate_of_another_shape_is_refused():
    one = case(0)
    with pytest.raises(
        RaterbenchError, match=r"case 'c0': the confusion of 'r1' has the shape \(3, 3, 6, 6\), not \(3, 3\) or"
    ):
        gathered([({"r1": fields(0)["r0"][..., 1:]}, one)])


def test_a_confusion_of_each_voxel_says_how_likely_the_rater_says_the_truth():
    one, field = case(0), fields(1)
    field["r2"][:] = np.nan
    p = np.random.default_rng(2).dirichlet(np.ones(K), size=SHAPE).transpose(2, 0, 1).astype(np.float32)
    found = reliability_maps(None, field, p, one)
    assert set(found) == {"r0", "r1"}
    for y, x in np.ndindex(SHAPE):
        assert found["r0"][y, x] == pytest.approx(sum(p[j, y, x] * field["r0"][j, j, y, x] for j in range(K)), abs=1e-6)


def test_what_a_method_gives_comes_before_its_confusions():
    one, p = case(0), np.full((K, *SHAPE), 1 / K, np.float32)
    given = {"r0": np.full(SHAPE, 0.25), "r1": np.full(SHAPE, np.nan)}
    assert {r: m.mean() for r, m in reliability_maps(given, fields(1), p, one).items()} == {"r0": 0.25}
    assert reliability_maps(None, matrices(1), p, one) == reliability_maps(None, None, p, one) == {}


@pytest.mark.parametrize(("value", "says"), [(np.full((2, 2), 0.5), "has the shape"), (np.full(SHAPE, 1.5), "outside 0 to 1")])
def test_a_map_that_is_none_is_refused(value, says):
    p = np.full((K, *SHAPE), 1 / K, np.float32)
    with pytest.raises(RaterbenchError, match=f"case 'c0': the reliability of 'r1' .*{says}"):
        reliability_maps({"r1": value}, None, p, case(0))
