"""Two classes or ten, two raters or twenty-five, seven ratings in ten missing: every way of learning from raters bears it."""

import numpy as np
import pytest
from sklearn.base import clone

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.datasets import Case, CaseList
from raterbench.methods import (
    GCE,
    TGCE,
    AggNet,
    Budget,
    ConfusionNetwork,
    CRNetwork,
    CrowdLayer,
    MaxMIG,
    MRNet,
    MultiHead,
    OracleConfusionNetwork,
    RandomRater,
    SeparateNetworks,
    WDNet,
)
from raterbench.methods.networks.confusion_network import LEVELS

BUDGET = Budget(epochs=1, batch_size=2, backbone="shallow", features=(4, 4, 4, 8, 8, 4))
METHODS = [
    GCE(budget=BUDGET),
    GCE(truncation=0.5, warmup=0.0, budget=BUDGET),
    *(TGCE(level=level, budget=BUDGET) for level in ("scalar", "features", "pixel")),
    TGCE(form="thesis", budget=BUDGET),
    TGCE(form="package", level="pixel", sum_weight=0.1, budget=BUDGET),
    SeparateNetworks(budget=BUDGET),
    *(CrowdLayer(connection=connection, budget=BUDGET) for connection in ("matrix", "vector", "vector with bias")),
    *(ConfusionNetwork(level=level, budget=BUDGET, warmup=0.0) for level in LEVELS),
    *(ConfusionNetwork(level=level, rank=2, budget=BUDGET, warmup=0.0) for level in LEVELS),
    *(CRNetwork(level=level, budget=BUDGET, warmup=0.0) for level in LEVELS),
    *(OracleConfusionNetwork(level=level, budget=BUDGET) for level in ("global", "image")),
    RandomRater(budget=BUDGET),
    AggNet(budget=BUDGET, warmup=0.0),
    MaxMIG(budget=BUDGET, warmup=0.0),
    MultiHead(budget=BUDGET),
    WDNet(budget=BUDGET, share=1.0),
    MRNet(budget=BUDGET),
]


def sparse(n_classes, n_raters):
    """Twelve cases that lack seven ratings in ten; the last rater has none among the first nine, which are for training."""
    whole, random = make_dataset(shapes=[(32, 32)] * 12, n_classes=n_classes, n_raters=n_raters), np.random.default_rng(0)
    last, cases = f"rater {n_raters - 1}", []
    for i, case in enumerate(whole):
        there = sorted(case.ratings.keys() - ({last} if i < 9 else set()))
        kept = random.permutation(there)[: max(1, round(0.3 * n_raters))]
        ratings = {str(rater): case.ratings[rater] for rater in kept}
        if ratings:
            cases.append(Case(case.id, case.subject, case.centre, case.image, ratings, case.geometry, case.truth))
    return CaseList("sparse", cases, whole.classes, whole.raters)


@pytest.mark.parametrize(("n_classes", "n_raters"), [(2, 2), (2, 25), (10, 2), (10, 25)])
@pytest.mark.parametrize("method", METHODS, ids=lambda method: " ".join(repr(method).split()))
def test_a_crowd_with_gaps_can_be_learned_from(method, n_classes, n_raters):
    cases = sparse(n_classes, n_raters)
    train, validation = cases[:-3], cases[-3:]
    method = clone(method).fit(train, validation, seed=0)
    case = cases[0].unlabelled()
    prediction = method.predict(case)
    p = prediction.probability
    assert p.shape == (n_classes, 32, 32) and np.isfinite(p).all()
    np.testing.assert_allclose(p.sum(axis=0), 1, atol=1e-4)
    seen = {rater for case in train for rater in case.ratings}
    assert f"rater {n_raters - 1}" not in seen
    for rater, matrix in (prediction.rater_confusion or {}).items():
        assert matrix.shape[:2] == (n_classes, n_classes)
        if rater not in seen:
            assert np.isnan(matrix).all()
        elif not isinstance(method, OracleConfusionNetwork):  # whose columns of classes that a rater never met are NaN
            assert np.isfinite(matrix).all()
    for rater, reliability in (prediction.rater_reliability or {}).items():
        assert reliability.shape == (32, 32) and np.isfinite(reliability).all() == (rater in seen)
