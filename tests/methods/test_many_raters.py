"""Ten classes, twenty-five raters, and seven ratings in ten missing: every way of learning from raters bears it."""

import numpy as np
import pytest

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.datasets import Case, CaseList
from raterbench.methods import GCE, TGCE, Budget, CrowdLayer, SeparateNetworks

BUDGET = Budget(epochs=1, batch_size=2, features=(4, 4, 4, 8, 8, 4))
METHODS = [
    GCE(budget=BUDGET),
    GCE(truncation=0.5, warmup=0.0, budget=BUDGET),
    *(TGCE(level=level, budget=BUDGET) for level in ("scalar", "features", "pixel")),
    TGCE(form="thesis", budget=BUDGET),
    TGCE(form="package", level="pixel", sum_weight=0.1, budget=BUDGET),
    SeparateNetworks(budget=BUDGET),
    *(CrowdLayer(connection=connection, budget=BUDGET) for connection in ("matrix", "vector", "vector with bias")),
]


@pytest.fixture(scope="module")
def sparse():
    """Four cases with seven or eight ratings each; ``rater 24`` has none."""
    whole, random = make_dataset(shapes=[(32, 32)] * 4, n_classes=10, n_raters=25), np.random.default_rng(0)
    cases = []
    for case, n in zip(whole, (8, 7, 8, 7), strict=True):
        kept = random.permutation(sorted(case.ratings.keys() - {"rater 24"}))[:n]
        ratings = {str(rater): case.ratings[rater] for rater in kept}
        cases.append(Case(case.id, case.subject, case.centre, case.image, ratings, case.geometry))
    return CaseList("sparse", cases, whole.classes, whole.raters)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: " ".join(repr(method).split()))
def test_a_crowd_with_gaps_can_be_learned_from(sparse, method):
    method.fit(sparse[:3], sparse[3:], seed=0)
    case = sparse[0].unlabelled()
    p = method.predict_proba(case)
    assert p.shape == (10, 32, 32) and np.isfinite(p).all()
    np.testing.assert_allclose(p.sum(axis=0), 1, atol=1e-4)
    seen = {rater for case in sparse[:3] for rater in case.ratings}
    for rater, matrix in (method.rater_confusion(case) or {}).items():
        assert matrix.shape == (10, 10) and np.isfinite(matrix).all() == (rater in seen)
    for rater, reliability in (method.rater_reliability(case) or {}).items():
        assert reliability.shape == (32, 32) and np.isfinite(reliability).all() == (rater in seen)
