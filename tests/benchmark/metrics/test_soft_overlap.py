import numpy as np
import pytest
from sklearn.metrics import f1_score

from raterbench.benchmark.metrics import METRICS, Segmentation, from_labels
from raterbench.datasets.base import IGNORE
from raterbench.methods.fusion.soft_average import SoftAverage


def two_classes(foreground):
    p = np.array([foreground], np.float32)
    return Segmentation((p >= 0.5).astype(np.uint8), np.stack([1 - p, p]))


def value(prediction, reference, name="soft dice over thresholds", **parameters):
    return METRICS.get(name)(**parameters).measure(prediction, reference, spacing=(1.0, 1.0))


PREDICTED, SHARES = [0.95, 0.75, 0.55, 0.35, 0.15, 0.05], [1, 5 / 7, 4 / 7, 2 / 7, 1 / 7, 0]


def test_the_worked_value_is_the_mean_of_those_at_each_threshold():
    prediction, reference = two_classes(PREDICTED), two_classes(SHARES)
    singly = [value(prediction, reference, thresholds=(t,))[0] for t in (0.1, 0.3, 0.5, 0.7, 0.9)]
    assert singly == pytest.approx([1, 0.857143, 1, 1, 1], abs=1e-6)
    assert value(prediction, reference) == pytest.approx([0.9714286], abs=1e-7)


def test_each_class_is_that_of_scikit_learn_without_unjudged_voxels():
    rng = np.random.default_rng(0)
    p, g = (np.moveaxis(rng.dirichlet(np.ones(3), (8, 8)), -1, 0).astype(np.float32) for _ in range(2))
    labels = g.argmax(axis=0).astype(np.uint8)
    labels[:, :2] = IGNORE
    found = value(Segmentation(p.argmax(axis=0).astype(np.uint8), p), Segmentation(labels, g))
    for k in (1, 2):
        one, other = p[k][:, 2:].ravel(), g[k][:, 2:].ravel()
        scores = [f1_score(other > t, one > t, zero_division=1.0) for t in (0.1, 0.3, 0.5, 0.7, 0.9)]
        assert found[k - 1] == pytest.approx(np.mean(scores))


@pytest.mark.parametrize("share", [1, 3, 5, 7, 9])
def test_a_share_of_ten_raters_that_equals_a_threshold_is_not_above_it(share):
    ratings = {f"r{i}": np.array([[int(i < share), 1]], np.uint8) for i in range(10)}
    consensus = SoftAverage().fuse(ratings, 2)
    reference = Segmentation(consensus.labels, consensus.probability)
    # Above the threshold is the second voxel alone.
    assert value(two_classes([0.0, 1.0]), reference, thresholds=(share / 10,)) == [1]
    assert value(two_classes([share / 10, 1.0]), reference, thresholds=(share / 10,)) == [1]
    assert value(two_classes([share / 10 + 0.01, 1.0]), reference, thresholds=(share / 10,)) == pytest.approx([2 / 3])


def test_thresholds_at_which_both_are_empty_count_as_one_and_are_told():
    faint, fainter = two_classes([0.6, 0.2, 0.0]), two_classes([0.75, 0.0, 0.0])
    assert value(faint, fainter, "empty thresholds") == [1]
    # Thresholds 0.1 and 0.3, 0.5, 0.7 and 0.9: two voxels against one, equal, equal, none against one, none.
    assert value(faint, fainter) == pytest.approx([(2 / 3 + 1 + 1 + 0 + 1) / 5])
    nothing = two_classes([0.0, 0.0, 0.0])
    assert value(nothing, nothing, "empty thresholds") == [5]
    assert value(nothing, nothing, "empty thresholds", thresholds=(0.5,)) == [1]
    nobody = from_labels(np.full((1, 3), IGNORE, np.uint8), 2)
    assert np.isnan(value(faint, nobody, "empty thresholds")).all() and np.isnan(value(faint, nobody)).all()


def test_against_one_rater_every_threshold_has_the_same_mask():
    prediction, rater = two_classes(PREDICTED), from_labels(np.array([[1, 1, 0, 0, 0, 0]], np.uint8), 2)
    dices = [2 * min(n, 2) / (n + 2) for n in (5, 4, 3, 2, 1)]
    assert value(prediction, rater) == pytest.approx([np.mean(dices)])
