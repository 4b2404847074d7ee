"""Parameters out of range are found without ratings, cases or training."""

import numpy as np
import pytest

from raterbench.datasets import RaterbenchError
from raterbench.methods import (
    FUSIONS,
    GCE,
    MAPSTAPLE,
    METHODS,
    SIMPLE,
    STAPLE,
    TGCE,
    Budget,
    ConfusionNetwork,
    Conventional,
    CRNetwork,
    CrowdLayer,
    FusedLabels,
    LogOpinionPoolSTAPLE,
    MajorityVote,
    OracleConfusionNetwork,
    RandomRater,
    SoftSeg,
    SoftSTAPLE,
    SpatialSTAPLE,
)
from raterbench.methods.learning.recipes import RECIPES

NAN, INF = float("nan"), float("inf")
WRONG = [
    *((FUSIONS.get(name)(ties="lowes"), "did you mean 'lowest'") for name in FUSIONS.names()),
    (STAPLE(tolerance=NAN), "STAPLE: tolerance = nan must be a number of 0 or more"),
    (STAPLE(tolerance=-1.0), "tolerance = -1.0 must be a number of 0 or more"),
    (STAPLE(max_iterations=0), "max_iterations = 0 must be a whole number of 1 or more"),
    (STAPLE(max_iterations=1.5), "max_iterations = 1.5 must be a whole number"),
    (STAPLE(pool="data"), "did you mean 'dataset'"),
    (STAPLE(region="onion"), "did you mean 'union'"),
    (STAPLE(margin=-1), "margin = -1"),
    (STAPLE(prior="local"), "prior = 'local' must be 'fixed' or 'estimated'"),
    (SpatialSTAPLE(prior="loca"), "did you mean 'local'"),
    (SpatialSTAPLE(radius=1.5), "radius = 1.5 must be a whole number"),
    (SpatialSTAPLE(lam=0.0), "lam = 0.0 must be a number greater than 0"),
    (SoftSTAPLE(ring_value=1), "ring_value = 1 must be"),
    (MAPSTAPLE(alpha=INF), "alpha = inf must be a number greater than 1"),
    (LogOpinionPoolSTAPLE(weights={"a": -2.0}), "'a' has weight -2.0"),
    (LogOpinionPoolSTAPLE(weights={"a": "2"}), "weights = .* must be a table"),
    (LogOpinionPoolSTAPLE(weights=[1, 2]), "weights = .* must be a table"),
    (SIMPLE(keep=0), "keep = 0 must be a whole number of 1 or more"),
    (SIMPLE(alpha=NAN), "alpha = nan must be a number of 0 or more"),
    (GCE(q=NAN), "q = nan must be a number from 0 to 1"),
    (GCE(truncation=1.0), "truncation = 1.0 must be a number from 0, less than 1"),
    (ConfusionNetwork(trace_weight=INF), "trace_weight = inf must be a number that is finite"),
    (GCE(warmup=2), "warmup = 2 must be"),
    (TGCE(level="voxel"), "level = 'voxel' must be 'scalar' or 'features' or 'pixel'"),
    (TGCE(q=2.0), "q = 2.0 must be a number from 0 to 1"),
    (TGCE(centre_weight=NAN), "centre_weight = nan"),
    (ConfusionNetwork(level="pixels"), "did you mean 'pixel'"),
    (ConfusionNetwork(rank=0), "rank = 0 must be a whole number of 1 or more"),
    (ConfusionNetwork(diagonal=1.5), "diagonal = 1.5 must be"),
    (ConfusionNetwork(matrix_learning_rate=NAN), "matrix_learning_rate = nan"),
    (CRNetwork(start="identiy"), "did you mean 'identity'"),
    (CrowdLayer(connection="matrx"), "did you mean 'matrix'"),
    (OracleConfusionNetwork(level="pixel"), "level = 'pixel' must be 'global' or 'image'"),
    (SoftSeg(scope="slices"), "did you mean 'slice'"),
    (SoftSeg(omega=0), "omega = 0 must be a number greater than 0"),
    (Conventional(smooth=-1), "smooth = -1 must be a number of 0 or more"),
    (Budget(epochs=0), "epochs = 0 must be a whole number from 1"),
    (Budget(epochs=True), "epochs = True must be a whole number"),
    (Budget(learning_rate=NAN), "learning_rate = nan must be a number greater than 0"),
    (Budget(learning_rate="fast"), "learning_rate = 'fast' must be a number"),
    (Budget(scaling=1.0), "scaling = 1.0 must be a number from 0 to 0.9"),
    (Budget(features=(8, 8)), "must be a list of 6, each of it a whole number"),
    (RandomRater(budget=Budget(patience=-1)), "patience = -1 must be a whole number from 1"),
    (RandomRater(recipe=SoftSeg(theta=NAN)), "theta = nan"),
    (FusedLabels(fusion=MajorityVote(ties="x")), "ties = 'x' must be 'lowest'"),
]


@pytest.mark.parametrize(("owner", "words"), WRONG, ids=lambda v: v if isinstance(v, str) else " ".join(repr(v).split()))
def test_a_parameter_out_of_range_is_said(owner, words):
    with pytest.raises(RaterbenchError, match=words):
        owner.check_parameters()


@pytest.mark.parametrize("name", FUSIONS.names())
def test_fit_and_fuse_begin_with_the_check(name):
    fusion = FUSIONS.get(name)(ties="x")
    with pytest.raises(RaterbenchError, match="ties = 'x' must be"):
        fusion.fuse([np.zeros(3, np.uint8)], 2)


def test_defaults_are_in_range():
    for registry in (FUSIONS, METHODS, RECIPES):
        for name in registry.names():
            registry.get(name)().check_parameters()
    Budget().check_parameters()
    Budget(learning_rate=np.float32(1e-3), epochs=np.int64(3)).check_parameters()
