"""Metrics of sampled segmentations against the set of raters."""

from itertools import permutations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm, pearsonr

from raterbench.benchmark.metrics import METRICS, Segmentation, from_labels, sample_sets
from raterbench.benchmark.metrics.sample_ncc import ncc
from raterbench.benchmark.metrics.volume_crps import empirical_crps, gaussian_crps
from raterbench.datasets.base import IGNORE
from raterbench.errors import RaterbenchError

OF_SETS = ("dice max", "matched iou", "sample ncc", "volume crps", "generalised energy distance")


def group(*rows, n_classes=2):
    return [from_labels(np.array([row], np.uint8), n_classes) for row in rows]


def soft(seed, n, n_classes=3, shape=(4, 5)):
    drawn = np.random.default_rng(seed).dirichlet(np.ones(n_classes), size=(n, *shape)).astype(np.float32)
    return [Segmentation(p.argmax(axis=-1).astype(np.uint8), np.moveaxis(p, -1, 0)) for p in drawn]


def value(name, samples, raters, spacing=(1.0, 1.0), **parameters):
    return METRICS.get(name)(**parameters).measure_samples(samples, raters, spacing=spacing)


SAMPLES, RATERS = ([1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0]), ([1, 1, 0, 0], [1, 0, 0, 0])


@pytest.mark.parametrize(
    ("name", "expected"), [("generalised energy distance", 0.3981481), ("matched iou", 0.5), ("dice max", 0.8333333)]
)
def test_worked_values_of_overlaps(name, expected):
    assert value(name, group(*SAMPLES), group(*RATERS)) == pytest.approx([expected], abs=1e-6)


@pytest.mark.parametrize(
    ("name", "samples", "raters", "expected"),
    [
        ("dice max", [[0, 0]], [[0, 0], [1, 0]], 0.5),
        ("matched iou", [[0, 0]], [[0, 0], [1, 0]], 0.5),
        # One sample that both raters are like, and one that is like nobody: the best sample hides it, the matching does not.
        ("dice max", [[1, 0], [0, 1]], [[1, 0], [1, 0]], 1.0),
        ("matched iou", [[1, 0], [0, 1]], [[1, 0], [1, 0]], 0.5),
        # A voxel that one rater did not judge is left out for all.
        ("dice max", [[1, 0, 1]], [[1, 0, IGNORE], [1, 0, 0]], 1.0),
        ("matched iou", [[1, 0, 1]], [[1, 0, IGNORE], [1, 0, 0]], 1.0),
    ],
)
def test_hand_checked_overlaps(name, samples, raters, expected):
    assert value(name, group(*samples), group(*raters)) == pytest.approx([expected])


def iou(one, other):
    return (one & other).sum() / (one | other).sum() if (one | other).any() else 1.0


def test_overlaps_are_those_of_loops_over_classes_pairs_and_matchings():
    samples, raters = soft(0, 2, shape=(3, 3)), soft(1, 3, shape=(3, 3))
    for k in (1, 2):
        drawn, drawn_by = ([one.labels == k for one in several] for several in (samples, raters))
        dices = [max(2 * (y & s).sum() / (y.sum() + s.sum()) for s in drawn) for y in drawn_by]
        assert value("dice max", samples, raters)[k - 1] == pytest.approx(np.mean(dices))
        matchings = (zip(drawn * 3, order, strict=True) for order in permutations(drawn_by * 2))
        best = max(np.mean([iou(s, y) for s, y in matching]) for matching in matchings)
        assert value("matched iou", samples, raters)[k - 1] == pytest.approx(best)


def test_the_overlaps_of_a_case_are_counted_once_for_all_metrics(monkeypatch):
    counted, count = [], sample_sets._count
    monkeypatch.setattr(sample_sets, "_count", lambda *sets: counted.append(sets) or count(*sets))
    samples, raters = soft(0, 3), soft(1, 2)
    for name in OF_SETS:
        value(name, samples, raters)
    assert len(counted) == 1
    # The first sample and the first rater are the same, and the sets are not.
    assert value("dice max", samples[:1], raters) != pytest.approx(value("dice max", samples, raters))
    assert len(counted) == 2


def test_counts_are_exact_over_more_voxels_than_are_counted_at_a_time(monkeypatch):
    samples, raters = soft(0, 3), soft(1, 2)
    whole = sample_sets.sample_sets(METRICS.get("dice max")(), samples, raters)
    monkeypatch.setattr(sample_sets, "_CHUNK", 3)
    parts = sample_sets._count(samples, raters)
    np.testing.assert_array_equal(parts.common, whole.common)
    np.testing.assert_array_equal(whole.sizes[:, 3], [(raters[0].labels == k).sum() for k in (1, 2)])


def test_the_worked_correlation_of_maps_is_that_of_scipy():
    first, second = np.array([0.1, 0.4, 0.6, 0.2]), np.array([0, 0.5, 0.7, 0.1])
    assert ncc(first, second) == pytest.approx(0.9895952, abs=1e-7)
    assert ncc(first, second) == pytest.approx(pearsonr(first, second).statistic)
    assert ncc(first, -second) == -ncc(first, second)
    assert [ncc(first, np.ones(4)), ncc(np.ones(4), first), ncc(np.ones(4), np.zeros(4))] == [0, 0, 1]


@pytest.mark.parametrize("floor", [1 / 510, 1e-8])
def test_the_correlation_of_variety_and_error_is_that_of_loops_over_samples_and_raters(floor):
    samples, raters = soft(0, 4), soft(1, 3)
    given = [np.maximum(sample.probability.astype(float), floor) for sample in samples]
    mean = np.mean([sample.probability.astype(float) for sample in samples], axis=0)
    variety = np.mean([-(mean * np.log(p)).sum(axis=0) for p in given], axis=0)
    correlations = []
    for rater in raters:
        y = np.stack([rater.labels == k for k in range(3)])
        error = np.mean([-(y * np.log(p)).sum(axis=0) for p in given], axis=0)
        correlations.append(pearsonr(variety.ravel(), error.ravel()).statistic)
    found = value("sample ncc", samples, raters, floor=floor)
    assert found.shape == () and found == pytest.approx(np.mean(correlations))


def test_one_hard_sample_has_a_correlation_of_one_with_equal_raters_and_of_none_with_others():
    assert value("sample ncc", group([1, 0, 0]), group([1, 0, 0])) == 1
    assert value("sample ncc", group([1, 0, 0]), group([1, 1, 0], [0, 0, 0])) == 0
    # Samples that vary where the raters do.
    assert value("sample ncc", group([1, 0, 0], [1, 1, 0]), group([1, 0, 0], [1, 1, 0])) > 0.99


def test_worked_values_of_volumes():
    assert gaussian_crps(100, 10, 110) == pytest.approx(6.0244136)
    # CURVAS integrates over three standard deviations and gives 24.37 here.
    assert gaussian_crps(100, 10, 150) == pytest.approx(44.36, abs=0.005)
    assert gaussian_crps(100, 0, 93) == 7
    assert gaussian_crps(100, 1e-9, 93) == pytest.approx(7)
    assert empirical_crps(np.array([90.0, 100, 110]), 110) == pytest.approx(5.5555556)
    assert empirical_crps(np.array([100.0]), 93) == 7


@pytest.mark.parametrize("v", [60.0, 100.0, 103.0, 150.0])
def test_scores_of_volumes_are_their_integrals(v):
    below, above = quad(lambda x: norm.cdf(x, 100, 10) ** 2, 0, v)[0], quad(lambda x: norm.sf(x, 100, 10) ** 2, v, 250)[0]
    assert gaussian_crps(100, 10, v) == pytest.approx(below + above)
    drawn = np.array([90.0, 100.0, 100.0, 112.0])
    edges = np.unique([*drawn, v])
    steps = ((drawn <= left).mean() - (left >= v) for left in edges[:-1])
    integral = sum(step**2 * width for step, width in zip(steps, np.diff(edges), strict=True))
    assert empirical_crps(drawn, v) == pytest.approx(integral)


def test_the_volume_of_samples_is_their_mean_in_the_unit_of_the_spacing():
    samples, raters = group([1, 1, 0, 0], [1, 1, 1, 1]), group([1, 0, 0, 0], [1, 1, 1, 0])
    assert value("volume crps", samples, raters, spacing=(0.5, 2)) == pytest.approx([float(gaussian_crps(2, 1, 3))])
    assert value("volume crps", samples, raters, spacing=(2, 3)) == pytest.approx([6 * float(gaussian_crps(2, 1, 3))])
    assert value("volume crps", samples, raters, distribution="empirical") == pytest.approx(
        [float(empirical_crps(np.array([1.0, 3.0]), 3.0))]
    )
    # Raters who agree on the volume: the absolute error.
    assert value("volume crps", samples, group([1, 0, 0, 0], [0, 1, 0, 0])) == [2]
    assert METRICS.get("volume crps")().label_in("mm", 3) == "CRPS of the volume [mm³]"
    assert METRICS.get("volume crps")().label_in("pixel", 2) == "CRPS of the area [px²]"


@pytest.mark.parametrize("name", OF_SETS)
def test_nothing_judged_is_nan_and_nothing_given_is_a_sentence(name):
    assert np.isnan(value(name, group([1, 0]), group([IGNORE, IGNORE]))).all()
    with pytest.raises(RaterbenchError, match="needs a sample and a rater"):
        value(name, group([1, 0]), [])
    with pytest.raises(RaterbenchError, match="different shapes"):
        value(name, group([1, 0, 0]), group([1, 0]))
