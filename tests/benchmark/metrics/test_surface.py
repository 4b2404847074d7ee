"""Surface distances against a brute-force computation and MONAI's own metrics on the whole image."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from raterbench.benchmark.metrics import METRICS, from_labels
from raterbench.benchmark.metrics.surface import bounding_box, edges
from raterbench.datasets.base import IGNORE


def value(name, prediction, reference, spacing, n_classes=2, **options):
    metric = METRICS.get(name)(**options)
    return metric.measure(from_labels(prediction, n_classes), from_labels(reference, n_classes), spacing=spacing)


def blob(rng, shape):
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    centre = [rng.uniform(0.3 * n, 0.7 * n) for n in shape]
    near = (((grid - centre) / (np.array(shape) * rng.uniform(0.2, 0.4))) ** 2).sum(axis=-1) < 1
    return (near ^ (rng.random(shape) < 0.02)).astype(np.uint8)


def edge_points(mask, spacing, judged=None, image_border=True):
    """Judged voxels with a judged neighbour along an axis that is outside of the mask, or outside of the image, one by one."""
    judged = np.ones(mask.shape, bool) if judged is None else judged
    points = []
    for point in np.argwhere((mask > 0) & judged):
        for axis in range(mask.ndim):
            for step in (-1, 1):
                other = point.copy()
                other[axis] += step
                beyond = (other < 0).any() or (other >= mask.shape).any()
                if image_border if beyond else judged[tuple(other)] and not mask[tuple(other)]:
                    points.append(tuple(point))
    return np.array(sorted(set(points))) * np.array(spacing)


def brute_force(prediction, reference, spacing, tolerance, **rule):
    distance = cdist(edge_points(prediction, spacing, **rule), edge_points(reference, spacing, **rule))
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
    assert METRICS.get("surface dice")(tolerance=2.5).label_in("mm", 3) == "Surface Dice at 2.5 mm"
    assert METRICS.get("surface dice")(tolerance=2.5).label_in("pixel", 2) == "Surface Dice at 2.5 px"


@pytest.mark.parametrize(
    ("unit", "ndim", "distance", "size"),
    [
        ("mm", 2, "95 % Hausdorff distance [mm]", "False-positive area [mm²]"),
        ("mm", 3, "95 % Hausdorff distance [mm]", "False-positive volume [mm³]"),
        ("pixel", 2, "95 % Hausdorff distance [px]", "False-positive area [px²]"),
        ("pixel", 3, "95 % Hausdorff distance [px]", "False-positive volume [px³]"),
    ],
)
def test_labels_say_what_lengths_and_sizes_are_measured_in(unit, ndim, distance, size):
    assert METRICS.get("hd95")().label_in(unit, ndim) == distance
    assert METRICS.get("false positive volume")().label_in(unit, ndim) == size
    assert METRICS.get("dice")().label_in(unit, ndim) == "Dice"


@pytest.mark.parametrize("image_border", [True, False])
@pytest.mark.parametrize(("shape", "spacing"), CASES)
@pytest.mark.parametrize("unjudged", ["scattered", "a block"])
def test_edges_among_judged_voxels_are_those_of_brute_force(shape, spacing, unjudged, image_border):
    rng = np.random.default_rng(4)
    prediction, reference = blob(rng, shape), blob(rng, shape)
    judged = rng.random(shape) > 0.2
    if unjudged == "a block":
        judged[:] = True
        judged[tuple(slice(n // 3, n // 2) for n in shape)] = False
    given = np.where(judged, reference, IGNORE).astype(np.uint8)
    share, distance = brute_force(prediction, reference, spacing, 1.0, judged=judged, image_border=image_border)
    assert value("surface dice", prediction, given, spacing, image_border=image_border) == pytest.approx([share])
    assert value("hd95", prediction, given, spacing, image_border=image_border) == pytest.approx([distance], rel=1e-5)


def disc(n, y, x, radius):
    grid = np.indices((n, n))
    return (((grid[0] - y) ** 2 + (grid[1] - x) ** 2) <= radius**2).astype(np.uint8)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.3])
def test_unjudged_voxels_make_no_masks_alike(share):
    prediction, reference = disc(80, 40, 40, 20), disc(80, 42, 43, 22)
    whole = value("surface dice", prediction, reference, (1.0, 1.0))[0]
    rng = np.random.default_rng(0)
    values = []
    for _ in range(20):
        given = np.where(rng.random(reference.shape) < share, IGNORE, reference).astype(np.uint8)
        values.append(value("surface dice", prediction, given, (1.0, 1.0))[0])
    assert whole < 0.6
    # Unjudged edge voxels leave gaps in a surface, so that the nearest voxel that is left may lie a little farther away.
    assert whole - 0.12 < np.mean(values) < whole + 0.01


def test_the_border_of_an_unjudged_region_is_no_edge():
    mask, judged = np.ones((6, 8), bool), np.ones((6, 8), bool)
    judged[:, 5:] = False
    mask[0] = False
    assert np.argwhere(edges(mask & judged, judged, image_border=False)).tolist() == [[1, x] for x in range(5)]
    found = edges(mask & judged, judged)
    assert found[1:, 0].all()
    assert found[5, :5].all()
    assert not found[2:5, 1:].any()


def test_a_mask_without_an_edge_that_was_judged_is_right_or_wrong_as_a_whole():
    """Both sides of a barrier that nobody judged; the image's border does not count."""
    left, barrier = np.zeros((5, 7), np.uint8), np.zeros((5, 7), bool)
    left[:, :3], barrier[:, 3] = 1, True
    right = 1 - left
    for prediction, dice, distance in ((left, 1.0, 0.0), (right, 0.0, math.hypot(5, 7))):
        given = np.where(barrier, IGNORE, left).astype(np.uint8)
        assert value("surface dice", prediction, given, (1.0, 1.0), image_border=False) == [dice]
        assert value("hd95", prediction, given, (1.0, 1.0), image_border=False) == pytest.approx([distance])


@pytest.mark.parametrize("unjudged", [0.0, 0.2])
@pytest.mark.parametrize("image_border", [True, False])
@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 3)])
def test_an_axis_of_length_one_is_no_axis(axes, image_border, unjudged):
    rng = np.random.default_rng(5)
    prediction, reference = blob(rng, (19, 24)), blob(rng, (19, 24))
    reference[rng.random(reference.shape) < unjudged] = IGNORE
    nothing = np.zeros_like(prediction)
    spacing = [0.7, 1.6]
    for axis in axes:
        spacing.insert(axis, 5.0)
    for first, second in ((prediction, reference), (nothing, reference)):
        wrapped = [np.expand_dims(mask, axes) for mask in (first, second)]
        for name in ("surface dice", "hd95"):
            flat = value(name, first, second, (0.7, 1.6), image_border=image_border)
            assert value(name, *wrapped, spacing, image_border=image_border) == flat


def test_an_image_of_one_voxel_is_measured():
    one, none = np.ones((1, 1), np.uint8), np.zeros((1, 1), np.uint8)
    assert value("hd95", one, one, (3.0, 2.0)) == [0.0]
    assert value("hd95", one, none, (3.0, 2.0)) == [2.0]
    assert value("surface dice", one, none, (3.0, 2.0)) == [0.0]


def test_the_caption_says_whether_the_border_of_the_image_counts():
    for name in ("surface dice", "hd95"):
        assert "also where the image cuts an object" in METRICS.get(name)().empty
        assert "but not where the image cuts an object" in METRICS.get(name)(image_border=False).empty


def test_a_half_that_the_image_cuts_off_has_an_edge_there_only_if_it_counts():
    """Halves of an image that meet at columns 4 and 6: the cut ends agree, the free ends lie two pixels apart."""
    prediction, reference = np.zeros((20, 12), np.uint8), np.zeros((20, 12), np.uint8)
    prediction[:, :4], reference[:, :6] = 1, 1
    assert value("surface dice", prediction, reference, (1.0, 1.0), image_border=False) == [0.0]
    assert value("hd95", prediction, reference, (1.0, 1.0), image_border=False) == [2.0]
    assert value("surface dice", prediction, reference, (1.0, 1.0))[0] > 0.4


def test_the_bounding_box_is_tight():
    mask = np.zeros((5, 6, 7), bool)
    mask[1:3, 2, 4:7] = True
    assert bounding_box(mask) == (slice(1, 3), slice(2, 3), slice(4, 7))
