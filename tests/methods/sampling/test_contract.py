"""Methods that sample segmentations keep the contract of all methods that train a network."""

import pytest

from raterbench.benchmark.checks.methods import check_method
from raterbench.methods import METHODS

EVERY = [cls for cls in map(METHODS.get, METHODS.names()) if ".sampling." in cls.__module__]


@pytest.mark.parametrize("method", EVERY, ids=lambda cls: cls.__name__)
def test_every_listed_method_keeps_the_contract_with_its_defaults(method):
    results = check_method(method)
    assert len(results) == 19
    assert not [f"{result.name}: {result.message}" for result in results if result.message]
