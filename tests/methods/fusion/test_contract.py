"""The contract holds for every fusion of the suite, on its own examples and on random ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raterbench.benchmark.checks.fusions import CHECKS, check_fusion, make_example
from raterbench.methods import FUSIONS
from raterbench.methods.base import Consensus, Fusion
from raterbench.methods.fusion.majority import MajorityVote
from raterbench.methods.fusion.soft_average import SoftAverage
from raterbench.methods.fusion.staple import STAPLE

EVERY = [FUSIONS.get(name)() for name in FUSIONS.names()]
VARIANTS = [STAPLE(pool="dataset"), *(MajorityVote(ties=t) for t in ("highest", "background", "foreground", "undecided"))]

examples = st.builds(
    make_example,
    st.integers(0, 2**32 - 1),
    n_raters=st.integers(1, 6),
    n_classes=st.integers(2, 4),
    shape=st.sampled_from([(60,), (8, 9), (4, 5, 6), (1, 70)]),
    missing=st.sampled_from([0.0, 0.15]),
)


@pytest.mark.parametrize("fusion", EVERY + VARIANTS, ids=str)
def test_keeps_the_whole_contract(fusion):
    broken = [f"{result.name}: {result.message}" for result in check_fusion(fusion) if not result.passed]
    assert not broken


@pytest.mark.parametrize("fusion", EVERY, ids=str)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(example=examples)
def test_keeps_the_contract_on_random_ratings(fusion, example):
    for check in CHECKS.values():
        check(fusion, example)


class Careless(Fusion):
    """Breaks the contract in several ways: unjudged voxels count as a class, and nothing is checked."""

    def fuse(self, ratings, n_classes, *, geometry=None):
        mean = sum(labels == 1 for labels in ratings.values()) / max(len(ratings), 1)
        return Consensus(np.stack([1 - mean, mean]).astype(np.float32), (mean > 0.5).astype(np.uint8), tuple(ratings))


def test_checks_find_what_is_wrong_and_say_it_in_words():
    results = {result.name: result for result in check_fusion(Careless)}
    assert results["the order of the raters does not matter (2-D, two classes)"].passed
    nobody = results["voxels that nobody judged are uniform and ignored (2-D, two classes)"]
    assert not nobody.passed and "nobody judged" in nobody.message
    bad = results["bad input raises a clear error (2-D, two classes)"]
    assert not bad.passed
    assert not results["it returns a probability that sums to 1, labels, and the raters (3-D, three classes)"].passed


def test_a_fusion_that_hides_its_parameters_cannot_be_cloned():
    class Hidden(SoftAverage):
        def __init__(self, strength=1.0):
            self.power = strength

    assert [result.passed for result in check_fusion(Hidden)] == [False]
