import itertools

import numpy as np
import pytest
from scipy import ndimage
from sklearn.base import clone

from raterbench.datasets import AnnotationErrors, Instances, RaterbenchError
from raterbench.datasets.simulation.annotation_errors import components


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def square(side: int = 5) -> Instances:
    numbers = np.zeros((40, 40), int)
    numbers[10 : 10 + side, 10 : 10 + side] = 1
    return Instances(numbers, np.array([0, 1]), "hq")


def grid(distractors: int = 0) -> Instances:
    """16 objects of 2 x 2 voxels, far apart, the last of which are distractors."""
    numbers = np.kron(np.arange(1, 17).reshape(4, 4), np.pad(np.ones((2, 2), int), 3))
    return Instances(numbers, np.array([0] + [1] * (16 - distractors) + [0] * distractors), "hq")


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def test_the_worked_check_of_omission():
    numbers = np.repeat(np.arange(10), 4).reshape(10, 4)
    nine = Instances(numbers, np.array([0] + [1] * 9), "hq")
    found = AnnotationErrors(omission=0.7).rate(nine, random())
    assert len(np.unique(numbers[found == 1])) == 3 and found.sum() == 12
    assert dice(found, nine.labels) == 0.5


@pytest.mark.parametrize(("direction", "expected"), [("in", (0.529, 0.077, 0.0)), ("out", (0.676, 0.472, 0.342))])
def test_the_worked_check_of_bias(direction, expected):
    true = square()
    for steps, value in enumerate(expected, start=1):
        errors = AnnotationErrors(bias=steps, least_bias=steps, direction=direction)
        assert dice(errors.rate(true, random()), true.labels) == pytest.approx(value, abs=5e-4)


@pytest.mark.parametrize("direction", ["in", "out"])
def test_steps_are_iterations_of_a_full_square_and_the_border_erodes_nothing(direction):
    true = components((random(1).random((2, 30, 30)) < 0.9).astype(np.uint8), "hq")
    step = ndimage.binary_erosion if direction == "in" else ndimage.binary_dilation
    found = AnnotationErrors(bias=2, least_bias=2, direction=direction).rate(true, random())
    for slice_, mask in zip(found, true.labels, strict=True):
        expected = step(mask, np.ones((3, 3)), iterations=2, border_value=direction == "in")
        assert np.array_equal(slice_, expected)


def test_each_image_draws_a_coin_and_a_number_of_steps():
    true, errors = square(9), AnnotationErrors(bias=3)
    sides = [round(float(errors.rate(true, random(seed)).sum()) ** 0.5) for seed in range(120)]
    assert set(sides) == {3, 5, 7, 11, 13, 15}
    assert all(sides.count(side) > 8 for side in set(sides))


def test_shares_are_exact_and_a_larger_one_contains_a_smaller():
    true, found = grid(distractors=6), []
    for share in (0.0, 0.3, 0.5, 0.7, 1.0):
        said = AnnotationErrors(omission=share, inclusion=share).rate(true, random(3))
        marked = np.unique(true.numbers[said == 1])
        kept, included = (set(marked[np.isin(marked, those)].tolist()) for those in (true.targets, true.distractors))
        assert (len(kept), len(included)) == (10 - round(share * 10), round(share * 6))
        found.append((kept, included))
    for (more, fewer_in), (fewer, more_in) in itertools.pairwise(found):
        assert fewer <= more and fewer_in <= more_in


def test_the_same_seed_gives_the_same_annotation_and_another_one_another():
    true, errors = grid(distractors=6), AnnotationErrors(omission=0.5, inclusion=0.5, salt_and_pepper=0.1, bias=2)
    assert np.array_equal(errors.rate(true, random(1)), clone(errors).rate(true, random(1)))
    assert not np.array_equal(errors.rate(true, random(1)), errors.rate(true, random(2)))


def test_one_kind_of_error_does_not_change_what_another_draws():
    true = grid(distractors=6)
    alone = AnnotationErrors(omission=0.5).rate(true, random(4))
    both = AnnotationErrors(omission=0.5, inclusion=1.0).rate(true, random(4))
    of_targets = np.isin(true.numbers, true.targets)
    assert np.array_equal(alone[of_targets], both[of_targets])


def test_salt_and_pepper_replace_a_share_of_the_voxels_by_either_value():
    ones = Instances(np.ones((300, 300), int), np.array([0, 1]), "hq")
    errors = AnnotationErrors(salt_and_pepper=0.1)
    assert (errors.rate(ones, random()) == 0).mean() == pytest.approx(0.05, abs=0.003)
    zeros = Instances(np.zeros((300, 300), int), np.array([0]), "hq")
    assert errors.rate(zeros, random()).mean() == pytest.approx(0.05, abs=0.003)


def test_errors_come_in_the_order_of_the_paper():
    empty = Instances(np.zeros((60, 60), int), np.array([0]), "hq")
    noise = AnnotationErrors(salt_and_pepper=0.02).rate(empty, random(5))
    both = AnnotationErrors(salt_and_pepper=0.02, bias=1, direction="out").rate(empty, random(5))
    assert np.array_equal(both, ndimage.binary_dilation(noise, np.ones((3, 3))))
    segments = np.where(np.arange(60) < 20, 1, 2)[None].repeat(60, axis=0).astype(np.int32)
    holes = AnnotationErrors(segments=1.0, salt_and_pepper=0.5).rate(empty, random(5), segments=segments)
    assert holes[:, :20].mean() == pytest.approx(0.75, abs=0.05), "noise falls on segments, too"
    far = grid(distractors=6)
    grown = AnnotationErrors(inclusion=1.0, bias=1, direction="out", least_bias=1).rate(far, random(5))
    assert grown.sum() == 16 * 4 * 4, "the bias is that of all objects, those taken in included"


def test_segments_are_marked_but_not_the_largest():
    segments = np.repeat([1, 2, 2, 3], 10).reshape(4, 10).astype(np.int32)
    empty = Instances(np.zeros((4, 10), int), np.array([0]), "hq")
    said = AnnotationErrors(segments=1.0).rate(empty, random(), segments=segments)
    assert np.array_equal(said == 1, segments != 2)
    assert AnnotationErrors(segments=0.5).rate(empty, random(), segments=segments).sum() == 10
    with pytest.raises(RaterbenchError, match=r"pass segments=find_segments\(image\)"):
        AnnotationErrors(segments=0.5).rate(empty, random())


def test_a_redrawn_annotation_has_the_objects_of_what_was_marked():
    true = grid(distractors=6)
    errors = AnnotationErrors(omission=0.5, inclusion=0.5, bias=1, direction="out", salt_and_pepper=0.01)
    drawn, said = errors.redraw(true, random(6)), errors.rate(true, random(6))
    assert np.array_equal(drawn.labels, said)
    kept = [number for number in drawn.targets if number <= 16]
    assert len(kept) >= 8 and all(ndimage.label(drawn.numbers == number, np.ones((3, 3)))[1] == 1 for number in kept)
    assert set(drawn.targets) - set(kept), "salt makes new objects"
    assert set(drawn.distractors) <= set(true.distractors)


def test_small_objects_vanish_and_an_empty_annotation_stays_empty():
    drawn = AnnotationErrors(bias=6, least_bias=6, direction="in").redraw(grid(), random())
    assert not drawn.labels.any() and not drawn.targets.size
    again = AnnotationErrors(omission=0.7, inclusion=0.7, bias=6).redraw(drawn, random(1))
    assert not again.labels.any()


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"omision": 0.7}, "here: unknown key 'omision'; did you mean 'omission'?"),
        ({"omission": 1.7}, "here: omission = 1.7 must be a number from 0 to 1"),
        ({"bias": 2.5}, "here: bias = 2.5 must be a whole number"),
        ({"direction": "on"}, "here: direction = 'on' must be 'either' or 'out' or 'in'"),
        ({"bias": 2, "least_bias": 3}, "here: least_bias = 3 must not be more than bias = 2"),
    ],
)
def test_wrong_tables_are_named(table, says):
    with pytest.raises(RaterbenchError) as error:
        AnnotationErrors.from_table(table, "here")
    assert says in str(error.value)


def test_several_classes_are_refused_in_a_sentence():
    with pytest.raises(RaterbenchError, match="defined for one class of objects"):
        AnnotationErrors().rate(Instances(np.array([[0, 1, 2]]), np.array([0, 1, 2]), "hq"), random())


def test_objects_without_numbers_are_connected_also_by_corners_and_in_the_plane_alone():
    mask = np.zeros((2, 4, 4), np.uint8)
    mask[:, 0, 0] = mask[:, 1, 1] = mask[0, 3, 3] = 1
    found = components(mask, "hq")
    assert len(found.targets) == 3
    assert found.numbers[0, 0, 0] == found.numbers[0, 1, 1] != found.numbers[1, 1, 1]
