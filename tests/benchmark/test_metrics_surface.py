"""Surface distances against a brute-force computation and MONAI's own metrics on the whole image."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from raterbench.benchmark.metrics import METRICS, from_labels
from raterbench.benchmark.metrics.surface import bounding_box
from raterbench.datasets.base import IGNORE


def value(name, prediction, reference, spacing, n_classes=2, **options):
    metric = METRICS.get(name)(**options)
    return metric.measure(from_labels(prediction, n_classes), from_labels(reference, n_classes), spacing=spacing)


def blob(rng, shape):
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    centre = [rng.uniform(0.3 * n, 0.7 * n) for n in shape]
    near = (((grid - centre) / (np.array(shape) * rng.uniform(0.2, 0.4))) ** 2).sum(axis=-1) < 1
    return (near ^ (rng.random(shape) < 0.02)).astype(np.uint8)


def edge_points(mask, spacing):
    """Voxels with a neighbour along an axis that is outside of the mask or of the image, one by one, in mm."""
    points = []
    for point in np.argwhere(mask):
        for axis in range(mask.ndim):
            for step in (-1, 1):
                other = point.copy()
                other[axis] += step
                if (other < 0).any() or (other >= mask.shape).any() or not mask[tuple(other)]:
                    points.append(tuple(point))
    return np.array(sorted(set(points))) * np.array(spacing)


def brute_force(prediction, reference, spacing, tolerance):
    distance = cdist(edge_points(prediction, spacing), edge_points(reference, spacing))
    there, back = distance.min(axis=1), distance.min(axis=0)
    near = (there <= tolerance + 1e-6).sum() + (back <= tolerance + 1e-6).sum()
    return near / (len(there) + len(back)), max(np.percentile(there, 95), np.percentile(back, 95))


CASES = [((17, 23), (1.0, 1.0)), ((20, 16), (0.7, 1.9)), ((7, 12, 11), (3.0, 0.5, 0.8))]


@pytest.mark.parametrize(("shape", "spacing"), CASES)
@pytest.mark.parametrize("seed", range(3))
def test_distances_are_those_of_brute_force(shape, spacing, seed):
    rng = np.random.default_rng(seed)
    prediction, reference = blob(rng, shape), blob(rng, shape)
    for tolerance in (0.5, 1.0, 2.0):
        share, distance = brute_force(prediction, reference, spacing, tolerance)
        assert value("surface dice", prediction, reference, spacing, tolerance=tolerance) == pytest.approx([share])
    assert value("hd95", prediction, reference, spacing) == pytest.approx([distance], rel=1e-5)


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")  # MONAI's own metrics use it
@pytest.mark.parametrize(("shape", "spacing"), CASES)
def test_the_crop_changes_nothing_that_monai_measures(shape, spacing):
    torch = pytest.importorskip("torch")
    from monai.metrics import compute_hausdorff_distance, compute_surface_dice

    rng = np.random.default_rng(11)
    prediction, reference = blob(rng, shape), blob(rng, shape)
    hot = [torch.from_numpy(from_labels(a, 2).probability)[None] for a in (prediction, reference)]
    theirs = compute_surface_dice(*hot, class_thresholds=[1.0], spacing=spacing)[0].numpy()
    assert value("surface dice", prediction, reference, spacing) == pytest.approx(theirs)
    theirs = compute_hausdorff_distance(*hot, percentile=95, spacing=spacing)[0].numpy()
    assert value("hd95", prediction, reference, spacing) == pytest.approx(theirs, rel=1e-5)


def test_two_points_are_as_far_apart_as_they_are_in_millimetres():
    prediction, reference = np.zeros((5, 5), np.uint8), np.zeros((5, 5), np.uint8)
    prediction[0, 0], reference[3, 4] = 1, 1
    assert value("hd95", prediction, reference, (1.0, 1.0)) == pytest.approx([5.0])
    assert value("hd95", prediction, reference, (2.0, 0.5)) == pytest.approx([math.hypot(6, 2)])
    assert value("surface dice", prediction, reference, (1.0, 1.0), tolerance=4.9) == [0.0]
    assert value("surface dice", prediction, reference, (1.0, 1.0), tolerance=5.0) == [1.0]
    assert value("surface dice", prediction, reference, (0.1, 0.1), tolerance=0.5) == [1.0]


def test_empty_masks_follow_the_named_policy():
    nothing, something = np.zeros((6, 8), np.uint8), np.zeros((6, 8), np.uint8)
    something[2:4, 2:4] = 1
    spacing = (0.5, 2.0)
    for prediction, reference, dice, distance in (
        (nothing, nothing, 1.0, 0.0),
        (nothing, something, 0.0, math.hypot(3, 16)),
        (something, nothing, 0.0, math.hypot(3, 16)),
        (something, something, 1.0, 0.0),
    ):
        assert value("surface dice", prediction, reference, spacing) == [dice]
        assert value("hd95", prediction, reference, spacing) == pytest.approx([distance])


def test_an_unjudged_voxel_belongs_to_neither_mask():
    prediction, reference = np.zeros((9, 9), np.uint8), np.zeros((9, 9), np.uint8)
    prediction[1:4, 1:4] = reference[1:4, 1:4] = 1
    prediction[7, 7] = 1
    assert value("hd95", prediction, reference, (1.0, 1.0))[0] > 0
    reference[7, 7] = IGNORE
    assert value("hd95", prediction, reference, (1.0, 1.0)) == [0.0]
    assert np.isnan(value("hd95", prediction, np.full_like(reference, IGNORE), (1.0, 1.0))).all()
    assert np.isnan(value("surface dice", prediction, np.full_like(reference, IGNORE), (1.0, 1.0))).all()


def test_each_class_has_its_own_surface():
    rng = np.random.default_rng(3)
    first, second = (rng.integers(0, 3, (12, 12)).astype(np.uint8) for _ in range(2))
    both = value("hd95", first, second, (1.0, 1.0), n_classes=3)
    alone = [value("hd95", (first == k).astype(np.uint8), (second == k).astype(np.uint8), (1.0, 1.0))[0] for k in (1, 2)]
    assert both == pytest.approx(alone)


def test_the_label_names_the_tolerance():
    assert METRICS.get("surface dice")(tolerance=2.5).label == "Surface Dice at 2.5 mm"


def test_the_bounding_box_is_tight():
    mask = np.zeros((5, 6, 7), bool)
    mask[1:3, 2, 4:7] = True
    assert bounding_box(mask) == (slice(1, 3), slice(2, 3), slice(4, 7))
