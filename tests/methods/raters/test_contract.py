"""Methods of other groups keep the contract; what one cannot do it says in words."""

import pytest

from raterbench.benchmark.checks.methods import check_method
from raterbench.methods import METHODS, MRNet, OrdinalAgreement, WDNet

LEFT_OUT = {"OrdinalAgreement": {"probabilities of 3-D volumes"}}
"""Checks with three classes."""
EVERY = [cls() for cls in map(METHODS.get, METHODS.names()) if ".raters." in cls.__module__]
VARIANTS = [
    WDNet(share=0.5),
    WDNet(averaging="image", share=0.5),
    MRNet(reconstruction=0.5),
    OrdinalAgreement(foreground="majority"),
]


@pytest.mark.parametrize("method", EVERY + VARIANTS, ids=lambda m: " ".join(repr(m).split()))
def test_every_method_keeps_the_contract(method):
    results = check_method(method)
    assert len(results) == 19
    assert not [f"{result.name}: {result.message}" for result in results if not result.passed]
    assert {result.name for result in results if result.message} == LEFT_OUT.get(type(method).__name__, set())
