import numpy as np
import pytest

from raterbench.datasets.simulation.segments import STEPS, find_segments


def by_definition(image: np.ndarray, scale: float) -> np.ndarray:
    """The segments of section 3 of the paper, as sets of pixels."""
    height, width = image.shape
    edges = []
    for y, x in np.ndindex(image.shape):
        for down, right in STEPS:
            v, u = y + down, x + right
            if v < height and 0 <= u < width:
                edges.append((abs(image[y, x] - image[v, u]), (y, x), (v, u)))
    holder = {pixel: frozenset([pixel]) for pixel in np.ndindex(image.shape)}
    inner = dict.fromkeys(holder.values(), 0.0)
    for weight, a, b in sorted(edges):
        one, other = holder[a], holder[b]
        if one != other and weight <= min(inner[part] + scale / len(part) for part in (one, other)):
            inner[one | other] = weight
            holder |= dict.fromkeys(one | other, one | other)
    return np.array([min(holder[pixel])[0] * width + min(holder[pixel])[1] for pixel in np.ndindex(image.shape)])


def is_same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1).shape[1]
    return pairs == len(np.unique(one)) == len(np.unique(other))


@pytest.mark.parametrize("scale", [50.0, 200.0, 800.0])
def test_segments_are_those_of_the_definition(scale):
    image = np.random.default_rng(int(scale)).random((10, 12))
    image = (image - image.min()) / (image.max() - image.min())
    found = find_segments(image[None], scale=scale, blur=0, smallest=0)
    assert is_same_partition(found, by_definition(255 * image, scale))
    assert 1 < len(np.unique(found)) < found.size


def test_flat_parts_are_found_whatever_the_channels_and_specks_are_joined():
    image = np.zeros((2, 24, 24), np.float32)
    image[0, :, 12:] = 1
    image[1, 14:] = 1
    image[0, 3, 3] = 1
    found = find_segments(image, blur=0, scale=10)
    assert found.dtype == np.int32 and sorted(np.unique(found)) == [1, 2, 3, 4]
    assert found[3, 3] == found[3, 4]
    assert len({found[2, 2], found[2, 20], found[20, 2], found[20, 20]}) == 4


def test_a_volume_is_cut_into_its_slices_and_a_flat_image_is_one_segment():
    image = np.random.default_rng(0).random((1, 2, 16, 16)).astype(np.float32)
    found, second = find_segments(image), find_segments(image[:, 1])
    assert found[1].min() == found[0].max() + 1 and is_same_partition(found[1], second)
    assert find_segments(np.ones((1, 9, 9), np.float32)).max() == 1
