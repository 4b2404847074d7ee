"""Pooled calibration errors and their subject bootstrap."""

import time

import numpy as np
import pandas as pd
import pytest

from raterbench import RaterbenchError
from raterbench.benchmark.metrics.calibration import calibration_counts, expected_calibration_error
from raterbench.benchmark.statistics.calibration import (
    CALIBRATION_COLUMNS,
    as_counts,
    calibration_by_model,
    calibration_table,
    debiased_calibration_error,
    maximum_error_of_full_bins,
    reliability_curves,
    resampled,
    subject_counts,
    thin_bins,
)

COLUMNS = [
    *("candidate", "kind", "repeat", "fold", "case", "subject", "centre", "reference", "region"),
    *("bin", "n", "correct", "confidence"),
]


def table_of(counts: dict[tuple[str, str], np.ndarray]) -> pd.DataFrame:
    """The long table of counts [11, 3] by (candidate, subject)."""
    rows = []
    for (candidate, subject), bins in counts.items():
        for number, values in enumerate(bins):
            key = (candidate, "method", 0, 0, f"{subject}_0", subject, "c", "staple", "image", number)
            rows.append((*key, *(int(v) for v in values)))
    return pd.DataFrame(rows, columns=COLUMNS)


def random_counts(candidates: str, n_subjects: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    made = {}
    for number, candidate in enumerate(candidates):
        for subject in range(n_subjects):
            foreground = rng.random(200).astype(np.float32) ** (1 + number)
            labels = (rng.random(200) < foreground).astype(np.uint8)
            made[candidate, f"s{subject:03}"] = calibration_counts(np.stack([1 - foreground, foreground]), labels)
    return table_of(made)


def test_the_worked_example_with_both_treatments_of_confidence_one() -> None:
    p = np.array([0.96, 0.84, 0.66, 0.46, 0.28, 0.06, 1, 0], np.float32)
    y = np.array([1, 1, 0, 1, 0, 0, 1, 0], np.uint8)
    halves = {
        ("A", s): calibration_counts(np.stack([1 - p[part], p[part]]), y[part])
        for s, part in (("s", np.s_[:3]), ("t", np.s_[3:]))
    }
    table = calibration_table(table_of(halves), "staple", "A", resamples=50)
    assert list(table.columns) == CALIBRATION_COLUMNS
    rows = table.set_index("last_bin")
    assert rows.loc["open", "ece"] == pytest.approx(0.29, abs=1e-6)
    assert rows.loc["closed", "ece"] == pytest.approx(0.2175, abs=1e-6)
    assert (rows.loc["open", "n_voxels"], rows.loc["closed", "n_voxels"]) == (6, 8)
    assert rows.loc["open", "counted"] == 0.75
    assert np.isnan(rows.loc["open", "difference"])


def test_the_error_of_trained_models_is_the_mean_of_each_models_own() -> None:
    p = np.array([0.96, 0.84, 0.66, 0.46, 0.28, 0.06, 1, 0], np.float32)
    right, wrong = np.array([1, 1, 0, 1, 0, 0, 1, 0], np.uint8), np.array([0, 1, 1, 0, 0, 0, 1, 0], np.uint8)
    models = [
        table_of({("A", "s"): calibration_counts(np.stack([1 - p, p]), y)}).assign(fold=f) for f, y in enumerate((right, wrong))
    ]
    table = calibration_by_model(pd.concat(models), "staple").set_index("last_bin")
    assert table["n_models"].tolist() == [2, 2] and table["reference"].tolist() == ["staple", "staple"]
    for last_bin in ("open", "closed"):
        errors = [
            float(expected_calibration_error(calibration_counts(np.stack([1 - p, p]), y), last_bin)) for y in (right, wrong)
        ]
        assert table.loc[last_bin, "ece"] == pytest.approx(np.mean(errors))
        assert table.loc[last_bin, "std"] == pytest.approx(np.std(errors, ddof=1))
    alone = calibration_by_model(models[0], "staple").set_index("last_bin")
    assert alone.loc["open", "ece"] == pytest.approx(0.29, abs=1e-6) and alone.loc["closed", "ece"] == pytest.approx(
        0.2175, abs=1e-6
    )
    assert alone["std"].isna().all()


def test_the_intervals_equal_a_plain_loop() -> None:
    table = random_counts("AB", 12)
    counts = {c: as_counts(t) for c, t in subject_counts(table, "staple", "image").items()}
    for candidate in "AB":
        drawn = np.random.default_rng(3).multinomial(12, np.full(12, 1 / 12), size=20)
        loop = [sum(k * counts[candidate][i] for i, k in enumerate(row)) for row in drawn]
        assert (resampled(counts[candidate], 20, 3) == np.array(loop)).all()


def test_the_difference_is_to_the_baseline_with_both_resampled_alike() -> None:
    rows = calibration_table(random_counts("AB", 30), "staple", "A", resamples=500)
    a, b = (rows[(rows["candidate"] == c) & (rows["last_bin"] == "closed")].iloc[0] for c in "AB")
    assert b["difference"] == pytest.approx(b["ece"] - a["ece"])
    assert b["difference_low"] < b["difference"] < b["difference_high"]
    assert a["ece_low"] < a["ece_high"]
    same = random_counts("A", 10)
    both = pd.concat([same, same.assign(candidate="B")])
    twin = calibration_table(both, "staple", "A", resamples=100).query("candidate == 'B'")
    assert (twin[["difference", "difference_low", "difference_high"]] == 0).all().all()


def test_the_order_of_rows_does_not_matter() -> None:
    table = random_counts("AB", 8)
    rest = table.iloc[1:].sample(frac=1, random_state=0)
    mixed = pd.concat([table.iloc[:1], rest[rest["candidate"] == "A"], rest[rest["candidate"] == "B"]])
    first, second = (calibration_table(t, "staple", "A", resamples=100) for t in (table, mixed))
    pd.testing.assert_frame_equal(first, second)


def test_large_counts_stay_exact() -> None:
    huge = np.zeros((11, 3), np.int64)
    huge[8] = 2**33, 2**33 - 1, (2**33) * (2**24) // 8 * 7 + 1
    pooled = as_counts(subject_counts(table_of({("A", "s"): huge, ("A", "t"): huge}), "staple", "image")["A"]).sum(axis=0)
    assert (pooled == 2 * huge).all()
    assert (resampled(huge[None], 3, 0) == huge).all()


def test_two_thousand_resamples_of_a_hundred_subjects_take_less_than_a_second() -> None:
    table = random_counts("AB", 100)
    counts = as_counts(subject_counts(table, "staple", "image")["A"])
    start = time.perf_counter()
    resampled(counts, 2000, 0)
    assert time.perf_counter() - start < 1


def test_the_reliability_curve_keeps_confidence_one_apart() -> None:
    p = np.array([0.95, 0.95, 1, 0.55], np.float32)
    counts = calibration_counts(np.stack([1 - p, p]), np.array([1, 0, 1, 1], np.uint8))
    curve = reliability_curves(table_of({("A", "s"): counts}), "staple").set_index("bin")
    assert list(curve.index) == list(range(11))
    assert curve.loc[9, ["n", "share", "accuracy"]].tolist() == [2, 0.5, 0.5]
    assert curve.loc[9, "confidence"] == pytest.approx(0.95, abs=1e-6)
    assert curve.loc[10, ["n", "confidence", "accuracy"]].tolist() == [1, 1, 1]
    assert np.isnan(curve.loc[2, "accuracy"])


def test_what_was_not_counted_is_an_error_in_plain_words() -> None:
    with pytest.raises(RaterbenchError, match="no reference 'stable'; did you mean 'staple'"):
        subject_counts(random_counts("A", 2), "stable", "image")
    with pytest.raises(RaterbenchError, match="no region 'images'"):
        subject_counts(random_counts("A", 2), "staple", "images")


def test_the_debiased_error_is_near_0_where_confidence_is_right() -> None:
    rng = np.random.default_rng(0)
    plain, corrected = [], []
    for _ in range(40):
        counts = np.zeros((36, 11, 3), np.int64)
        counts[:, 5:10, 0] = 400
        confidence = np.linspace(0.55, 0.95, 5)
        counts[:, 5:10, 1] = rng.binomial(400, np.clip(confidence + rng.normal(0, 0.03, (36, 5)), 0, 1))
        counts[:, 5:10, 2] = np.rint(400 * confidence * 2**24)
        plain.append(float(expected_calibration_error(counts.sum(axis=0))))
        corrected.append(debiased_calibration_error(counts))
    assert np.mean(corrected) < 0.5 * np.mean(plain)
    assert min(corrected) == pytest.approx(0, abs=1e-3)


def test_the_debiased_error_equals_a_plain_loop() -> None:
    counts = as_counts(subject_counts(random_counts("B", 12), "staple", "image")["B"])
    for last_bin in ("open", "closed"):
        total, found = 0, 0.0
        for place in range(10):
            mine = counts[:, place] + (counts[:, 10] if last_bin == "closed" and place == 9 else 0)
            n, error = mine[:, 0], mine[:, 1] - mine[:, 2] / 2**24
            if not n.sum():
                continue
            gap, k = error.sum() / n.sum(), (n > 0).sum()
            variance = k / (k - 1) * ((error - gap * n) ** 2).sum() / n.sum() ** 2 if k > 1 else 0
            found += n.sum() * np.sqrt(max(gap**2 - variance, 0))
            total += n.sum()
        assert debiased_calibration_error(counts, last_bin) == pytest.approx(found / total)


def test_the_debiased_error_needs_two_subjects_and_leaves_bins_of_one_as_they_are() -> None:
    counts = np.zeros((2, 11, 3), np.int64)
    counts[0, 8] = 100, 60, 85 * 2**24
    assert np.isnan(debiased_calibration_error(counts[:1]))
    assert debiased_calibration_error(counts) == pytest.approx(0.25) == expected_calibration_error(counts.sum(axis=0))
    assert np.isnan(debiased_calibration_error(np.zeros((3, 11, 3), np.int64)))


def counts_of_bins(*bins: tuple[int, list[tuple[int, int]]]) -> np.ndarray:
    """Counts [subjects, 11, 3]: for each bin its number, and voxels and correct ones of each subject, at the bin's middle."""
    counts = np.zeros((max(len(subjects) for _, subjects in bins), 11, 3), np.int64)
    for number, subjects in bins:
        for subject, (n, correct) in enumerate(subjects):
            counts[subject, number] = n, correct, round(n * min(number / 10 + 0.05, 1.0) * 2**24)
    return counts


def test_bins_of_few_voxels_or_few_subjects_are_thin_and_not_in_the_maximum() -> None:
    full = (8, [(40, 32), (40, 32), (40, 32)])
    few_voxels = (3, [(33, 0), (33, 0), (33, 0)])
    few_subjects = (4, [(500, 0), (500, 0)])
    counts = counts_of_bins(full, few_voxels, few_subjects)
    assert np.flatnonzero(thin_bins(counts)).tolist() == [3, 4]
    assert maximum_error_of_full_bins(counts) == pytest.approx(0.05, abs=1e-6)
    assert np.isnan(maximum_error_of_full_bins(counts_of_bins(few_voxels, few_subjects)))
    table = table_of({("A", f"s{i}"): part for i, part in enumerate(counts)})
    assert calibration_table(table, "staple", "A", resamples=10)["mce"].tolist() == pytest.approx([0.05, 0.05], abs=1e-6)


def test_voxels_of_confidence_one_fill_the_bin_below_only_where_they_are_counted() -> None:
    counts = counts_of_bins((9, [(10, 0), (10, 0), (10, 0)]), (10, [(90, 90), (90, 90), (90, 90)]))
    assert np.isnan(maximum_error_of_full_bins(counts, "open"))
    assert maximum_error_of_full_bins(counts, "closed") == pytest.approx((0.95 * 30 + 270 - 270) / 300, abs=1e-6)


def test_the_band_of_a_curve_holds_its_accuracy_and_thin_bins_have_none() -> None:
    counts = counts_of_bins((7, [(100, 60), (100, 80), (100, 70), (100, 75)]), (2, [(4, 4), (4, 0), (4, 4)]))
    curve = reliability_curves(table_of({("A", f"s{i}"): part for i, part in enumerate(counts)}), "staple").set_index("bin")
    row = curve.loc[7]
    assert 0.6 <= row["low"] < row["accuracy"] < row["high"] <= 0.8
    assert curve.loc[2, "thin"] and np.isnan(curve.loc[2, ["low", "high"]].astype(float)).all()
    assert not curve.loc[5, "thin"] and np.isnan(curve.loc[5, "low"])
