"""The contract holds for every method of the suite, with every recipe and option that changes what it computes."""

import pytest

from raterbench.benchmark.checks.methods import check_method
from raterbench.methods import METHODS, FusedLabels, NetworkMethod
from raterbench.methods.fusion.soft_average import SoftAverage
from raterbench.methods.fusion.staple import STAPLE
from raterbench.methods.learning.recipes import RECIPES, Composed, Conventional, SoftSeg
from raterbench.methods.networks.confusion_network import ConfusionNetwork
from raterbench.methods.networks.cr_network import CRNetwork
from raterbench.methods.networks.crowd_layer import CONNECTIONS, CrowdLayer
from raterbench.methods.networks.gce import GCE
from raterbench.methods.networks.oracle_confusion_network import OracleConfusionNetwork
from raterbench.methods.networks.random_rater import RandomRater
from raterbench.methods.networks.separate_networks import SeparateNetworks
from raterbench.methods.networks.tgce import LEVELS, TGCE
from raterbench.methods.networks.tuned import Tuned

EVERY = [cls for cls in map(METHODS.get, METHODS.names()) if ".networks." in cls.__module__]
VARIANTS = [
    *(NetworkMethod(recipe=RECIPES.get(name)()) for name in RECIPES.names()),
    NetworkMethod(recipe=SoftSeg(scope="slice")),
    FusedLabels(fusion=STAPLE(), recipe=SoftSeg()),
    FusedLabels(fusion=STAPLE(pool="dataset"), recipe=Conventional()),
    FusedLabels(fusion=SoftAverage()),
    FusedLabels(fusion=STAPLE(), target="consensus", recipe=Composed(labels="hard", activation="normalised-relu")),
    RandomRater(recipe=SoftSeg()),
    RandomRater(recipe=Conventional()),
    ConfusionNetwork(warmup=0.0, trace_weight=0.7),
    *(ConfusionNetwork(level=level) for level in ("global", "image")),
    *(ConfusionNetwork(level=level, rank=1) for level in ("global", "pixel")),
    *(CRNetwork(level=level) for level in ("global", "image")),
    OracleConfusionNetwork(level="global"),
    *(TGCE(level=level) for level in LEVELS[1:]),
    TGCE(form="thesis"),
    TGCE(level="pixel", centre_weight=0.1, entropy_weight=0.1, sum_weight=0.1),
    TGCE(q=0.0),
    TGCE(q=1.0, floor=0.1),
    GCE(truncation=0.5, warmup=0.5),
    GCE(q=0.0),
    GCE(q=1.0),
    *(CrowdLayer(connection=connection) for connection in CONNECTIONS[1:]),
    SeparateNetworks(recipe=SoftSeg()),
    Tuned(segmenter=FusedLabels(fusion=STAPLE()), space={"fusion.pool": ["case", "dataset"]}),
]


@pytest.mark.parametrize("method", EVERY, ids=lambda cls: cls.__name__)
def test_every_listed_method_keeps_the_contract_with_its_defaults(method):
    results = check_method(method)
    assert len(results) == (19 if issubclass(method, NetworkMethod) else 13)
    assert not [f"{result.name}: {result.message}" for result in results if result.message]


@pytest.mark.parametrize("method", VARIANTS, ids=lambda m: " ".join(repr(m).split()))
def test_every_variant_keeps_the_contract(method):
    assert not [f"{result.name}: {result.message}" for result in check_method(method) if result.message]
