"""Made-up images with square cells, annotated with care or cheaply."""

import numpy as np
import pytest

from raterbench.datasets import AnnotationErrors, Case, CaseList, Geometry, Instances


@pytest.fixture(scope="session")
def cells():
    """Makes cases of ``cell_case``; ``who`` names the raters of each."""

    def make(who, errors=None, size=32, depth=0):
        cases = [cell_case(i, raters, errors or AnnotationErrors(omission=0.5), size, depth) for i, raters in enumerate(who)]
        return CaseList("cells", cases, ("background", "cell"), ("hq", "lq"))

    return make


def cell_case(number, raters, errors, size, depth):
    """Bright squares of 5 x 5 pixels, of which every third is a darker distractor; ``depth`` slices, or a plane."""
    random = np.random.default_rng(number)
    there = [(y, x) for y in range(2, size - 8, 8) for x in range(2, size - 8, 8)]
    numbers, classes = np.zeros((size, size), np.int32), [0]
    for i, (y, x) in enumerate(there, start=1):
        top, left = random.integers(0, 2, 2)
        numbers[y + top : y + top + 5, x + left : x + left + 5] = i
        classes.append(int(i % 3 > 0))
    if depth:
        numbers = np.repeat(numbers[None], depth, axis=0)
    true = Instances(numbers, np.array(classes, np.uint8), "hq")
    image = true.labels + 0.5 * (numbers > 0) + random.normal(0, 0.1, numbers.shape)
    ratings = {"hq": true.labels, "lq": errors.rate(true, random)}
    given = {rater: ratings[rater] for rater in raters}
    geometry = Geometry.axis_aligned(numbers.ndim)
    return Case(f"case {number}", f"subject {number // 2}", "", image[None].astype(np.float32), given, geometry, instances=true)
