"""One case through every metric and reference, its calibration counts, and the threshold of the labels."""

import time

import numpy as np
import pytest
from sklearn.metrics import f1_score

from raterbench.benchmark.measuring.pairs import (
    REGIONS,
    calibrate_case,
    makes_sense,
    measure_case,
)
from raterbench.benchmark.measuring.references import References, foreground_region
from raterbench.benchmark.metrics import METRICS, Metric, Segmentation, from_labels
from raterbench.benchmark.metrics.calibration import calibration_counts
from raterbench.benchmark.statistics.comparison import directions
from raterbench.datasets.base import IGNORE, Case, Geometry, Truth
from raterbench.errors import RaterbenchError
from raterbench.methods.thresholds import THRESHOLDS, hard_labels, search_threshold

EVERY = [METRICS.get(name)() for name in METRICS.names()]
OF_PREDICTIONS = [metric for metric in EVERY if isinstance(metric, Metric)]
REFERENCES = ("truth", "raters", "majority", "staple", "soft average")
CLASSES = ("background", "white", "grey")


def discs(rng, n, n_classes):
    y, x = np.mgrid[:n, :n] / n
    centre = 0.5 + rng.normal(0, 0.03, 2)
    distance = np.hypot(y - centre[0], x - centre[1])
    return sum((distance < 0.3 / (k + 1)).astype(np.uint8) for k in range(n_classes - 1)).astype(np.uint8)


def make_case(n=32, n_classes=3, n_raters=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = discs(rng, n, n_classes)
    ratings = {f"r{i}": discs(rng, n, n_classes) for i in range(n_raters)}
    p = rng.random((n_classes, n, n)) + 2 * from_labels(labels, n_classes).probability
    p = (p / p.sum(axis=0)).astype(np.float32)
    truth = Truth(labels, from_labels(labels, n_classes).probability)
    case = Case("a", "s", "c", np.zeros((1, n, n), np.float32), ratings, Geometry.axis_aligned(2, (0.5, 1.0)), truth)
    return case, Segmentation(hard_labels(p), p)


def table(case, prediction, references=REFERENCES, metrics=EVERY, **options):
    rows = measure_case(case, prediction, metrics=metrics, references=references, classes=CLASSES, **options)
    found = {row[:3]: row[3] for row in rows}
    assert len(found) == len(rows)
    return found


def test_rows_are_those_that_make_sense():
    found = table(*make_case())
    assert {m for _, _, m in found} == {metric.name for metric in OF_PREDICTIONS} != {metric.name for metric in EVERY}
    for metric in OF_PREDICTIONS:
        mine = {(c, r) for c, r, m in found if m == metric.name}
        classes = CLASSES[1:] if metric.per_class else ("all",)
        expected = {"any": REFERENCES, "soft": ("truth", "soft average"), "none": ("none",)}.get(
            metric.references, (metric.references,)
        )
        assert mine == {(c, r) for c in classes for r in expected}
    assert all(type(value) is float for value in found.values())


def test_a_metric_that_is_listed_twice_has_rows_of_its_own():
    one, other = (METRICS.get("surface dice")(tolerance=tolerance) for tolerance in (0.1, 50.0))
    case, prediction = make_case()
    found = table(case, prediction, metrics=[one, METRICS.get("dice")(), other])
    assert {name for _, _, name in found} == {"surface dice (tolerance=0.1)", "dice", "surface dice (tolerance=50.0)"}
    assert found["white", "truth", "surface dice (tolerance=50.0)"] == 1.0
    assert (
        found["white", "truth", "surface dice (tolerance=0.1)"]
        == (table(case, prediction, metrics=[one])["white", "truth", "surface dice"])
    )
    assert directions(["surface dice (tolerance=0.1)", "hd95", "nobody's"]) == {
        "surface dice (tolerance=0.1)": "higher",
        "hd95": "lower",
        "nobody's": "none",
    }


def test_metrics_of_samples_and_of_many_cases_are_against_no_reference_of_a_case():
    for name in ("generalised energy distance", "expected calibration error"):
        assert not any(makes_sense(METRICS.get(name)(), reference) for reference in (*REFERENCES, "none"))


def test_the_entropy_mae_is_against_the_soft_average_and_what_is_against_the_truth_has_another_name():
    found = table(*make_case())
    references = {metric: {r for _, r, m in found if m == metric} for _, _, metric in found}
    assert references["entropy error"] == {"soft average"}
    assert references["entropy error against truth"] == {"truth"}


def test_raters_is_the_mean_over_each_single_rater():
    case, prediction = make_case()
    found = table(case, prediction, references=("raters", "rater:r0", "rater:r1", "rater:r2", "raters:r0,r2", "raters:r1"))
    assert ("white", "rater:r1", "dice") in found
    for (c, reference, metric), value in found.items():
        if reference.startswith("raters"):
            who = {"raters": (0, 1, 2), "raters:r0,r2": (0, 2), "raters:r1": (1,)}[reference]
            single = [found[c, f"rater:r{i}", metric] for i in who]
            assert value == pytest.approx(np.mean(single)), metric
    dices = [f1_score(r.ravel(), prediction.labels.ravel(), average=None)[1] for r in case.ratings.values()]
    assert found["white", "raters", "dice"] == pytest.approx(np.mean(dices))


def test_a_mean_over_raters_who_did_not_rate_the_case_is_undefined():
    case, prediction = make_case()
    found = table(case, prediction, references=("raters:r0,r9", "rater:r0", "raters:r9"))
    assert found["white", "raters:r0,r9", "dice"] == found["white", "rater:r0", "dice"]
    assert np.isnan(found["white", "raters:r9", "dice"])


def test_a_value_that_is_nan_for_one_rater_leaves_the_mean_of_the_others():
    case, prediction = make_case()
    case.ratings["r0"] = np.zeros_like(case.ratings["r0"])
    found = table(case, prediction, references=("raters", "rater:r0", "rater:r1", "rater:r2"))
    assert np.isnan(found["grey", "rater:r0", "rvd"])
    expected = (found["grey", "rater:r1", "rvd"] + found["grey", "rater:r2", "rvd"]) / 2
    assert found["grey", "raters", "rvd"] == pytest.approx(expected)
    case.ratings.update({rater: np.zeros_like(labels) for rater, labels in case.ratings.items()})
    assert np.isnan(table(case, prediction, references=("raters",))["grey", "raters", "rvd"])


def test_a_reference_that_the_case_does_not_have_gives_no_row():
    case, prediction = make_case()
    unlabelled = case.blind()
    assert {r for _, r, _ in table(unlabelled, prediction, references=("truth", "rater:zoe", "majority"))} == {
        "none",
        "majority",
    }


def test_one_rater_can_be_measured_against_the_others():
    case, _ = make_case()
    prediction = from_labels(case.ratings["r0"], 3)
    sources = References(case, 3, without="r0")
    found = table(case, prediction, references=("raters",), sources=sources)
    everybody = table(case, prediction, references=("rater:r1", "rater:r2"))
    expected = np.mean([everybody["white", f"rater:r{i}", "dice"] for i in (1, 2)])
    assert found["white", "raters", "dice"] == pytest.approx(expected)


def test_a_prediction_that_does_not_fit_is_refused():
    case, _ = make_case()
    _, other = make_case(n=16)
    with pytest.raises(RaterbenchError, match="case 'a': the prediction has shape"):
        table(case, other)
    with pytest.raises(RaterbenchError, match="did you mean 'staple'"):
        table(case, make_case()[1], references=("stapel",))


def test_calibration_is_counted_for_each_reference_and_region():
    case, prediction = make_case()
    case.ratings["r1"] = case.ratings["r1"].copy()
    case.ratings["r1"][:4] = IGNORE
    p = prediction.probability
    counts = calibrate_case(case, p, ("raters", "truth", "majority", "rater:r2"))
    region = foreground_region(case)
    assert counts.shape == (4, len(REGIONS), 11, 3)
    for i, place in enumerate((None, region)):
        raters = sum(calibration_counts(p, labels, place) for labels in case.ratings.values())
        np.testing.assert_array_equal(counts[0, i], raters)
        np.testing.assert_array_equal(counts[1, i], calibration_counts(p, case.truth.labels, place))
        np.testing.assert_array_equal(counts[3, i], calibration_counts(p, case.ratings["r2"], place))
    assert not calibrate_case(case.blind(), p, ("truth",)).any()


def test_labels_of_two_classes_pass_a_threshold():
    foreground = np.array([[0.2, 0.5, 0.7, 1.0]], np.float32)
    p = np.stack([1 - foreground, foreground])
    assert hard_labels(p).tolist() == [[0, 1, 1, 1]]
    assert hard_labels(p, 0.7).tolist() == [[0, 0, 1, 1]]
    assert hard_labels(np.zeros((2, 1, 3), np.float32), 0.05).tolist() == [[0, 0, 0]]


def test_labels_of_more_classes_are_the_most_probable_lowest_on_ties():
    p = np.array([[0.2, 0.4, 0.0], [0.5, 0.4, 0.0], [0.3, 0.2, 0.0]], np.float32)[:, None]
    assert hard_labels(p).tolist() == [[1, 0, 0]]


def test_the_largest_of_the_best_thresholds_wins():
    p = np.array([[0.96, 0.80, 0.55, 0.30, 0.10, 0.02]], np.float32)
    reference = (np.array([[1, 1, 0.6, 0.4, 0, 0]]) >= 0.5).astype(np.uint8)
    assert search_threshold([np.stack([1 - p, p])], [reference]).chosen == 0.55


def test_the_threshold_is_that_of_trying_each():
    rng = np.random.default_rng(4)
    ps = [rng.integers(0, 21, (1, 50)).astype(np.float32) / 20 for _ in range(4)]
    references = [(p + rng.normal(0, 0.3, p.shape) > 0.55).astype(np.uint8) for p in ps]
    references[1][0, :20] = IGNORE
    references[2][:] = IGNORE
    means = []
    for threshold in THRESHOLDS:
        dices = []
        for p, reference in zip(ps, references, strict=True):
            known = reference != IGNORE
            if known.any():
                labels = hard_labels(np.stack([1 - p, p]), threshold)
                dices.append(f1_score(reference[known], labels[known]))
        means.append(np.mean(dices))
    best = max(t for t, mean in zip(THRESHOLDS, means, strict=True) if mean == pytest.approx(max(means)))
    assert search_threshold([np.stack([1 - p, p]) for p in ps], references).chosen == best


def test_a_threshold_is_found_in_the_middle_where_nothing_is_known():
    assert search_threshold([], []).chosen == 0.5
    assert search_threshold([np.zeros((2, 1, 2), np.float32)], [np.full((1, 2), IGNORE, np.uint8)]).chosen == 0.5
    assert len(THRESHOLDS) == 19
    assert THRESHOLDS[5] == 0.3


@pytest.mark.parametrize(
    ("n", "n_classes", "references", "limit"),
    [(64, 3, REFERENCES, 0.06), (1024, 2, REFERENCES[1:], 3.0)],
)
def test_a_case_is_measured_quickly(n, n_classes, references, limit):
    seconds = []
    for seed in range(3):
        case, prediction = make_case(n, n_classes, n_raters=5, seed=seed)
        start = time.process_time()
        measure_case(case, prediction, metrics=EVERY, references=references, classes=CLASSES[:n_classes])
        calibrate_case(case, prediction.probability, references)
        seconds.append(time.process_time() - start)
    # The first one imports MONAI; the margin is for slow and busy machines.
    assert min(seconds[1:]) < 3 * limit
