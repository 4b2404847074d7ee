"""Simulated volumes: nodules that raters draw, vessels that nobody marks."""

import numpy as np
import pytest

from raterbench.benchmark.checks.datasets import check_dataset
from raterbench.datasets import RaterbenchError
from raterbench.datasets.nodule_volumes import NoduleVolumes


def test_it_keeps_the_contract_and_raters_draw_as_they_are_called():
    small = NoduleVolumes(cases=3, depth=16, size=32)
    assert not [result.message for result in check_dataset(NoduleVolumes) if result.message]
    assert small[0].geometry.spacing == (6.0, 3.0, 3.0)
    size = {rater: np.mean([(case.ratings[rater] == 1).mean() for case in small]) for rater in small.raters}
    assert size["sparing"] < size["steady"] < size["generous"]


def test_vessels_are_as_bright_as_nodules_and_in_no_label():
    case = NoduleVolumes(cases=1, noise=0.0)[0]
    nodule, bright = case.truth.probability[1] == 1, case.image[0] > 0.6
    ground = case.image[0][case.truth.probability[1] == 0]
    assert case.image[0][nodule].mean() > np.median(ground) + 0.7
    assert (bright & (case.truth.probability[1] == 0)).sum() > nodule.sum(), "most of what is bright is no nodule"


def test_the_fingerprint_knows_what_is_drawn():
    options = ({}, {"seed": 1}, {"noise": 0.2}, {"depth": 16}, {"size": 48}, {"cases": 5})
    assert len({NoduleVolumes(**chosen).fingerprint() for chosen in options}) == 6
    with pytest.raises(RaterbenchError, match="nodule-volumes: depth = 2 must be"):
        NoduleVolumes(depth=2)
