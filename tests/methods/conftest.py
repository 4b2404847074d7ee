import numpy as np
import pytest

from raterbench.datasets import Case, CaseList, Geometry, Truth

from .narrow_resnet import NarrowResNetUNet


@pytest.fixture(scope="session")
def narrow_resnet():
    """The residual backbone with few layers and channels."""
    return NarrowResNetUNet


@pytest.fixture(scope="session")
def confused_cases():
    """Makes images whose truth can be seen, with raters who confuse classes by known matrices."""
    return _confused_cases


def _confused_cases(matrices, n_cases, *, seed=0, size=32, absent=()):
    """Discs on a dark ground; each rater draws every voxel's label from the matrix [K, K] (columns sum to 1)."""
    random = np.random.default_rng(seed)
    n_classes = len(next(iter(matrices.values())))
    y, x = np.mgrid[:size, :size]
    cases = []
    for i in range(n_cases):
        truth = np.zeros((size, size), dtype=np.uint8)
        for k in range(1, n_classes):
            cy, cx = random.uniform(0.25, 0.75, size=2) * size
            truth[(y - cy) ** 2 + (x - cx) ** 2 < random.uniform(0.2, 0.35) ** 2 * size**2] = k
        image = truth + 0.1 * random.normal(size=truth.shape)
        ratings = {}
        for rater, matrix in matrices.items():
            thresholds = np.cumsum(matrix, axis=0)[:, truth]
            ratings[rater] = (random.random(truth.shape) > thresholds).sum(axis=0).astype(np.uint8).clip(0, n_classes - 1)
        known = Truth(truth, np.equal(truth, np.arange(n_classes).reshape(-1, 1, 1)).astype(np.float32))
        image = image[None].astype(np.float32)
        cases.append(Case(f"case {i}", f"subject {i}", "", image, ratings, Geometry.axis_aligned(2), known))
    classes = ["background", *(f"class {k}" for k in range(1, n_classes))]
    return CaseList("confused", cases, classes, [*matrices, *absent])
