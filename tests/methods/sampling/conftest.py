import numpy as np
import pytest

from raterbench.datasets import Case, CaseList, Geometry
from raterbench.methods import Budget

RADII = {"small": 3, "large": 6}


@pytest.fixture(scope="session")
def discs():
    """Makes blurred discs of 16 x 16 pixels, and two raters who see their edge at a radius of 3 and of 6."""
    return make_discs


def make_discs(n_cases, *, seed=0, raters=("small", "large")):
    random, (y, x) = np.random.default_rng(seed), np.mgrid[:16, :16]
    cases = []
    for i in range(n_cases):
        radius = np.hypot(*(axis - middle for axis, middle in zip((y, x), random.uniform(6, 9, 2), strict=True)))
        image = np.exp(-((radius / 4) ** 2)) + 0.1 * random.normal(size=radius.shape)
        ratings = {rater: (radius < RADII[rater]).astype(np.uint8) for rater in raters}
        name = f"disc {seed} {i}"
        cases.append(Case(name, name, "", image[None].astype(np.float32), ratings, Geometry.axis_aligned(2)))
    return CaseList("discs", cases, ("background", "disc"), tuple(RADII))


@pytest.fixture(scope="session")
def tiny():
    """Makes budgets of the smallest networks, without augmentation."""

    def make(**changes):
        still = {"rotation": 0.0, "translation": 0.0, "scaling": 0.0}
        return Budget(**{"epochs": 1, "backbone": "shallow", "features": (4, 4, 4, 8, 8, 4), **still, **changes})

    return make
