"""Estimates of raters whose matrices are known come as close as the number of voxels allows."""

import numpy as np

from raterbench.benchmark.perf.convergence import estimation_errors
from raterbench.methods import STAPLE

SIZES = (10**3, 10**4, 10**5, 10**6)


def test_the_error_falls_as_one_over_the_root_of_the_voxels():
    errors = estimation_errors(STAPLE(prior="estimated"), SIZES, repeats=3)
    slope = np.polyfit(np.log(SIZES), np.log(errors), 1)[0]
    assert -0.55 < slope < -0.42 and errors[-1] < 0.002


def test_a_fixed_prior_leaves_a_bias_where_classes_are_unequally_common():
    """The labels are not as common as the classes they should name; only where classes are equally common is that no matter."""
    errors = estimation_errors(STAPLE(), SIZES[2:], repeats=2)
    assert errors.min() > 0.01
