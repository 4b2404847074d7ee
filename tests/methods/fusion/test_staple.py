"""STAPLE against worked examples, SimpleITK, a published data set and known raters."""

import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from raterbench.datasets.base import IGNORE, Case, Geometry
from raterbench.errors import RaterbenchError
from raterbench.methods.fusion.staple import STAPLE


def named(rows):
    return {f"r{i:03}": np.array(row, dtype=np.uint8) for i, row in enumerate(rows)}


def case(ratings, name="case"):
    shape = next(iter(ratings.values())).shape
    return Case(name, name, "", np.zeros((1, *shape), np.float32), ratings, Geometry.axis_aligned(len(shape)))


def noisy(seed, shape, error_rates, n_classes=2):
    """Raters of a disc (or rings) who slip at random."""
    random = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    truth = np.clip((n_classes * (1.1 - np.sqrt(sum(a**2 for a in axes)))).astype(int), 0, n_classes - 1)
    slips = [np.where(random.random(shape) < e, random.integers(1, n_classes, size=shape), 0) for e in error_rates]
    return truth, np.array([(truth + slip) % n_classes for slip in slips], dtype=np.uint8)


BINARY = [[1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 1, 1, 0, 0, 0]]
THREE = [[0, 0, 0, 1, 1, 2, 2, 2, 0, 1], [0, 0, 1, 1, 1, 2, 2, 0, 0, 1], [0, 0, 0, 1, 2, 2, 1, 2, 0, 0]]


def test_first_iteration_of_the_binary_example():
    fused = STAPLE(max_iterations=1).fuse(named(BINARY), 2)
    assert fused.status == "not converged" and fused.iterations == 1
    np.testing.assert_allclose(fused.confusion[:, 1, 1], [0.75, 0.75, 2 / 3], rtol=1e-12)
    np.testing.assert_allclose(fused.confusion[:, 0, 0], [5 / 6, 5 / 6, 7 / 9], rtol=1e-12)
    truth = [0.9759036145] * 2 + [0.8526315789] + [0.2783505155] * 2 + [0.1525423729] * 2 + [0.0250696379] * 3
    np.testing.assert_allclose(fused.probability[1], truth, atol=1e-7)


def test_converged_binary_example():
    fused = STAPLE().fuse(named(BINARY), 2)
    assert fused.status == "ok" and fused.raters == ("r000", "r001", "r002")
    np.testing.assert_allclose(fused.confusion[:, 1, 1], [0.9999997838, 0.9999997838, 0.6804887948], atol=2e-8)
    np.testing.assert_allclose(fused.confusion[:, 0, 0], [0.8444709774, 0.8444709774, 0.7142856575], atol=2e-8)
    np.testing.assert_allclose(fused.probability[1], [0.9849942029] * 2 + [0.9249711394] + [4.908e-7] * 2 + [0] * 5, atol=1e-7)


def test_background_around_the_image_changes_the_answer():
    padded = STAPLE().fuse(named(np.pad(np.array(BINARY), ((0, 0), (0, 990)))), 2).probability[1]
    np.testing.assert_allclose(padded[:3], [0.9999992453, 0.9999992453, 0.9992490659], atol=1e-7)
    np.testing.assert_allclose(padded[3:5], 5e-8, atol=1e-9)


def test_missing_entries():
    rows = np.array([[int(c) for c in row] for row in ("111110000000", "111101000001", "110111001000", "111111010000")])
    rows[2, 0] = IGNORE
    rows[3, 8:] = IGNORE
    first = STAPLE(max_iterations=1).fuse(named(rows), 2)
    np.testing.assert_allclose(first.confusion[:, 1, 1], [0.7297297297, 0.7837837838, 0.7419354839, 1], atol=1e-9)
    np.testing.assert_allclose(first.confusion[:, 0, 0], [0.9142857143, 0.8, 0.8, 0.4], atol=1e-9)
    fused = STAPLE().fuse(named(rows), 2)
    np.testing.assert_allclose(fused.confusion[:, 1, 1], [0.75993529, 0.80043503, 0.74944763, 1], atol=1e-6)
    np.testing.assert_allclose(fused.confusion[:, 0, 0], [1, 0.86467435, 0.84900795, 0.49434727], atol=1e-6)
    truth = [1] * 5 + [0.94127672, 0, 0.0358538, 0.24027204, 0.0184567, 0.0184567, 0.32519162]
    np.testing.assert_allclose(fused.probability[1], truth, atol=1e-6)
    assert fused.log_likelihood[-1] == pytest.approx(-22.4289334107, abs=1e-9)


def test_three_classes():
    fused = STAPLE().fuse(named(THREE), 3)
    assert fused.labels.tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 0, 1]
    second, third = [[0.75, 0, 1 / 3], [0.25, 1, 0], [0, 0, 2 / 3]], [[1, 1 / 3, 0], [0, 1 / 3, 1 / 3], [0, 1 / 3, 2 / 3]]
    np.testing.assert_allclose(fused.confusion, [np.eye(3), second, third], atol=1e-6)


def test_three_classes_with_a_rater_who_stopped_half_way():
    rows = np.array(THREE)
    rows[2, 5:] = IGNORE
    fused = STAPLE(tolerance=1e-5).fuse(named(rows), 3)
    assert fused.labels.tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 0, 1]
    np.testing.assert_allclose(fused.confusion[0, 0, 0], 0.98461, atol=1e-3)
    np.testing.assert_allclose(fused.confusion[1, 0], [0.75385, 0, 0.31915], atol=1e-3)


def test_soft_votes_are_split():
    ones = np.array(BINARY, dtype=float)
    ones[0, 3], ones[1, 4] = 0.5, 0.25
    ratings = {f"r{i}": np.stack([1 - row, row]) for i, row in enumerate(ones)}
    first = STAPLE(max_iterations=1).fuse(ratings, 2)
    np.testing.assert_allclose(first.confusion[:, 1, 1], [0.7674418605, 0.75, 0.7441860465], atol=1e-9)
    np.testing.assert_allclose(first.confusion[:, 0, 0], [0.8831168831, 0.9123376623, 0.7922077922], atol=1e-9)
    truth = [0.9911777445] * 2 + [0.9101518592, 0.0610114149, 0.0298414072] + [0.1261188823] * 2 + [0.0128453461] * 3
    np.testing.assert_allclose(first.probability[1], truth, atol=1e-7)
    fused = STAPLE().fuse(ratings, 2)
    np.testing.assert_allclose(fused.probability[1], [0.9978843451] * 2 + [0.9894217254] + [0] * 7, atol=1e-6)
    np.testing.assert_allclose(fused.confusion[:, 1, 1], [1, 1, 0.6685565792], atol=1e-6)
    np.testing.assert_allclose(fused.confusion[:, 0, 0], [0.9266110386, 0.9622499247, 0.7142857143], atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_equals_simpleitk(seed):
    _, stack = noisy(seed, (20, 24, 22), [0.02, 0.1, 0.2, 0.05, 0.15][: 3 + seed % 3])
    reference = sitk.STAPLEImageFilter()
    expected = sitk.GetArrayFromImage(reference.Execute([sitk.GetImageFromArray(rating) for rating in stack]))
    fused = STAPLE().fuse(named(stack), 2)
    np.testing.assert_allclose(fused.probability[1], expected, atol=1e-6)
    np.testing.assert_allclose(fused.confusion[:, 1, 1], reference.GetSensitivity(), atol=1e-6)
    np.testing.assert_allclose(fused.confusion[:, 0, 0], reference.GetSpecificity(), atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_equals_simpleitk_label_for_label(seed):
    n_classes = 3 + seed % 2
    truth, stack = noisy(seed, (16, 18, 20), [0.05, 0.1, 0.15, 0.1, 0.2], n_classes)
    votes = np.sort([(stack == k).sum(axis=0) for k in range(n_classes)], axis=0)
    stack[:, votes[-1] == votes[-2]] = truth[votes[-1] == votes[-2]]
    expected = sitk.GetArrayFromImage(sitk.MultiLabelSTAPLE([sitk.GetImageFromArray(rating) for rating in stack]))
    assert np.array_equal(STAPLE().fuse(named(stack), n_classes).labels, expected)


def test_finds_the_raters_ever_better_as_the_image_grows():
    """Half the image is foreground: the fixed prior, the frequency of the raters' labels, is then the true one."""
    errors = np.array([0.05, 0.1, 0.2, 0.3])

    def miss(n_voxels):
        random = np.random.default_rng(0)
        slips = random.random((4, n_voxels)) < errors[:, None]
        fused = STAPLE().fuse(named((np.arange(n_voxels) % 2) ^ slips), 2)
        return np.abs(np.diagonal(fused.confusion, axis1=1, axis2=2).T - (1 - errors)).max()

    assert miss(1_000_000) < 0.003 < miss(10_000) < 0.03 < miss(100)


def test_hundreds_of_raters_do_not_underflow():
    truth, stack = noisy(3, (12, 12), [0.3] * 500)
    fused = STAPLE().fuse(named(stack), 2)
    assert np.array_equal(fused.labels, truth) and np.isfinite(fused.log_likelihood).all()


def test_what_unanimous_raters_leave_open_is_nan():
    mask = np.array([0, 1, 1, 0], dtype=np.uint8)
    fused = STAPLE().fuse({"a": mask, "b": np.array([0, IGNORE, IGNORE, 0], dtype=np.uint8)}, 3)
    assert fused.status == "degenerate" and fused.labels.tolist() == mask.tolist()
    nan = np.nan
    np.testing.assert_array_equal(fused.confusion[0], [[1, 0, nan], [0, 1, nan], [0, 0, nan]])
    np.testing.assert_array_equal(fused.confusion[1], [[1, nan, nan], [0, nan, nan], [0, nan, nan]])


def test_an_empty_rater_among_others_is_no_trouble():
    fused = STAPLE().fuse(named([*BINARY, [0] * 10]), 2)
    assert fused.confusion[3].tolist() == [[1, 1], [0, 0]] and np.isfinite(fused.probability).all()


def test_pooling_over_one_case_is_the_case_itself():
    ratings = named(BINARY)
    alone, pooled = STAPLE().fuse(ratings, 2), STAPLE(pool="dataset").fit([case(ratings)], 2).fuse(ratings, 2)
    np.testing.assert_allclose(pooled.probability, alone.probability, atol=1e-6)
    np.testing.assert_allclose(pooled.confusion, alone.confusion, atol=1e-6)


def test_pooling_equals_one_large_image_and_keeps_absent_raters_out():
    _, stack = noisy(1, (30, 40), [0.05, 0.1, 0.2])
    left, right = named(stack[:, :, :25]), named(stack[:, :, 25:])
    del right["r002"]
    whole = stack.copy()
    whole[2, :, 25:] = IGNORE
    expected = STAPLE().fuse(named(whole), 2)
    pooled = STAPLE(pool="dataset").fit([case(left, "left"), case(right, "right")], 2)
    assert pooled.raters_ == ("r000", "r001", "r002")
    np.testing.assert_allclose(pooled.confusion_, expected.confusion, atol=1e-6)
    fused = pooled.fuse(right, 2)
    np.testing.assert_allclose(fused.probability, expected.probability[:, :, 25:], atol=1e-6)
    assert fused.raters == ("r000", "r001") and fused.confusion.shape == (2, 2, 2)


def test_pooled_raters_meet_a_stranger_and_the_unforeseen():
    ratings = named([[0, 0, 1, 1, 1, 2], [0, 0, 1, 1, 1, 2], [0, 0, 1, 1, 2, 2]])
    pooled = STAPLE(pool="dataset").fit([case(ratings)], 3)
    new = {"r000": np.array([0, 0, IGNORE, 1], np.uint8), "r001": np.array([0, 2, IGNORE, 1], np.uint8)}
    fused = pooled.fuse({**new, "stranger": np.array([0, 2, 2, 0], np.uint8)}, 3)
    assert np.isnan(fused.confusion[2]).all() and np.isfinite(fused.probability).all()
    assert fused.labels.tolist() == [0, 2, 2, 1]


def test_errors_of_pooling():
    with pytest.raises(RaterbenchError, match="call fit"):
        STAPLE(pool="dataset").fuse(named(BINARY), 2)
    with pytest.raises(RaterbenchError, match="fitted on 2 classes"):
        STAPLE(pool="dataset").fit([case(named(BINARY))], 2).fuse(named(BINARY), 3)
    with pytest.raises(RaterbenchError, match="no case"):
        STAPLE(pool="dataset").fit([], 2)
    with pytest.raises(RaterbenchError, match="did you mean 'dataset'"):
        STAPLE(pool="data").fuse(named(BINARY), 2)
    with pytest.raises(RaterbenchError, match="max_iterations = 0 must be a whole number of 1 or more"):
        STAPLE(max_iterations=0).fuse(named(BINARY), 2)


def deepflash():
    root = os.environ.get("RATERBENCH_DATA")
    folder = Path(root or ".") / "deepflash" / "train_data" / "lab-wue1" / "labels"
    if not root or not folder.is_dir():
        pytest.skip(
            f"the DeepFLaSH masks are not there: set RATERBENCH_DATA to a folder with {folder.relative_to(root or '.')}"
        )
    return folder


def test_equals_the_published_estimates_of_deepflash():
    folder = deepflash()
    for published in sorted((folder / "est_GT").glob("*.png")):
        files = {f"expert_{i}": folder / f"expert_{i}" / published.name for i in range(1, 6)}
        ratings = {rater: (read(file)[..., 0] > 0).astype(np.uint8) for rater, file in files.items() if file.is_file()}
        assert np.array_equal(STAPLE(ties="foreground").fuse(ratings, 2).labels, read(published) > 0), published.name


def read(file):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(file)))


def test_pooled_over_images_with_one_rater_each_a_rating_is_worth_what_its_rater_is_worth():
    """How often each rater says a class is all that can be learned, and it is: nobody's word is taken for the truth."""
    random = np.random.default_rng(0)
    truth = (np.indices((40, 40)).sum(axis=0) % 5 == 0).astype(np.uint8)
    says = {"blank": np.zeros_like(truth), "good": truth, "generous": np.maximum(truth, random.random(truth.shape) < 0.3)}
    cases = [case({name: labels.astype(np.uint8)}, f"case of {name}") for name, labels in says.items()]
    fusion = STAPLE(pool="dataset").fit(cases, 2)
    blank, generous, good = fusion.confusion_
    assert blank[1].max() < 1e-6
    assert generous[1, 0] > 0.2 > good[1, 0]
    by_blank, by_good, by_generous = (fusion.fuse(each.ratings, 2) for each in cases)
    assert 0.05 < by_blank.probability[1].min() == by_blank.probability[1].max() < 0.5
    assert by_generous.probability[1].max() < by_good.probability[1].max() < 1
    alone = STAPLE(pool="dataset").fit(cases[1:2], 2).fuse(cases[1].ratings, 2)
    np.testing.assert_array_equal(alone.labels, truth)
    assert alone.status == "degenerate" and set(np.unique(alone.probability)) == {0, 1}
