"""Estimates that the votes do not determine say so, by the rank of the derivatives of all patterns' probabilities."""

import itertools

import numpy as np
import pytest

from raterbench.benchmark.checks.fusions import make_example
from raterbench.datasets import IGNORE, Case, Geometry, RaterbenchError
from raterbench.methods import MAPSTAPLE, STAPLE, ContestedSTAPLE, OneCoinSTAPLE, SoftSTAPLE, SpatialSTAPLE
from raterbench.methods.fusion.engine.identification import derivative_products, is_identified
from raterbench.methods.fusion.engine.rater_models import FullConfusion, OneAccuracy


def raters_of(seed, accuracies, n_voxels=3000, n_classes=2):
    """Raters who name a truth of which every class is as common as it happens to be, with errors spread evenly."""
    random = np.random.default_rng(seed)
    truth = (random.random(n_voxels) ** 2 * n_classes).astype(int)
    said = [np.where(random.random(n_voxels) < a, truth, random.integers(n_classes, size=n_voxels)) for a in accuracies]
    return [labels.astype(np.uint8) for labels in said]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("prior", ["fixed", "estimated"])
def test_two_raters_are_not_identified_and_three_are(n_classes, prior):
    ratings = raters_of(0, (0.9, 0.8, 0.7), n_classes=n_classes)
    found = [STAPLE(prior=prior, tolerance=1e-5).fuse(ratings[:n], n_classes) for n in (2, 3)]
    assert [fused.status for fused in found] == ["not identified", "ok"]


def test_the_ridge_is_real():
    """Two starts of the same EM end at other raters of the same likelihood: that is what the status says."""
    a, b = raters_of(1, (0.9, 0.7))
    ours = STAPLE().fuse([a, b], 2)
    prior, ends = np.mean([a, b]), []
    for start in ([0.99, 0.6], [0.6, 0.99]):
        p, q = np.array(start), np.array(start)
        for _ in range(5000):
            one = prior * np.prod([np.where(d, p[r], 1 - p[r]) for r, d in enumerate((a, b))], axis=0)
            zero = (1 - prior) * np.prod([np.where(d, 1 - q[r], q[r]) for r, d in enumerate((a, b))], axis=0)
            w = one / (one + zero)
            p = np.array([(w * d).sum() / w.sum() for d in (a, b)])
            q = np.array([((1 - w) * (1 - d)).sum() / (1 - w).sum() for d in (a, b)])
        ends.append((p[0], np.log(one + zero).sum()))
    assert abs(ends[0][0] - ends[1][0]) > 0.01
    assert ends[0][1] == pytest.approx(ends[1][1], abs=1e-4) == pytest.approx(ours.log_likelihood[-1], abs=1e-4)


def test_a_third_rater_who_tells_nothing_is_none():
    a, b, c = raters_of(2, (0.9, 0.8, 0.7))
    for silent in (np.zeros_like(a), np.ones_like(a), np.full_like(a, IGNORE)):
        assert STAPLE(tolerance=1e-6).fuse([a, b, silent], 2).status == "not identified"
    elsewhere = c.copy()
    elsewhere[:1500] = IGNORE
    apart = a.copy()
    apart[1500:] = IGNORE
    assert STAPLE(tolerance=1e-6).fuse([apart, b, elsewhere], 2).status == "not identified", "not all pairs"


def test_pairs_that_overlap_pairwise_are_enough_for_two_classes_with_a_known_prior():
    ratings = np.array(raters_of(3, (0.9, 0.8, 0.7), n_voxels=6000))
    for r in range(3):
        ratings[r, 2000 * r : 2000 * (r + 1)] = IGNORE
    assert STAPLE(tolerance=1e-6).fuse(ratings, 2).status == "ok"
    assert STAPLE(tolerance=1e-6, prior="estimated").fuse(ratings, 2).status == "not identified"


def test_relatives_of_staple_with_two_raters():
    a, b = raters_of(4, (0.9, 0.7))
    expected = {STAPLE(): "not identified", SoftSTAPLE(): "not identified", OneCoinSTAPLE(): "ok", MAPSTAPLE(): "ok"}
    assert {f: f.set_params(tolerance=1e-5).fuse([a, b], 2).status for f in expected} == expected
    assert SpatialSTAPLE(radius=3).fuse([a[:200], b[:200]], 2).status == "not identified"


def test_a_pool_is_identified_by_all_its_cases():
    a, b, c = raters_of(5, (0.9, 0.8, 0.7))
    geometry, image = Geometry.axis_aligned(1), np.zeros((1, len(a)), np.float32)
    pairs = [Case(str(ratings.keys()), "", "", image, ratings, geometry) for ratings in ({"a": a, "b": b}, {"b": b, "c": c})]
    triple = Case("2", "2", "", image, {"a": a, "b": b, "c": c}, geometry)
    for cases, status in ((pairs, "not identified"), ([*pairs, triple], "ok")):
        fusion = STAPLE(pool="dataset", tolerance=1e-6).fit(cases, 2)
        assert fusion.fuse(pairs[0].ratings, 2).status == status


def test_not_identified_is_said_before_not_converged():
    assert STAPLE(max_iterations=1).fuse(raters_of(6, (0.9, 0.8)), 2).status == "not identified"
    assert STAPLE(max_iterations=1).fuse(raters_of(6, (0.9, 0.8, 0.7)), 2).status == "not converged"


def written_out(factors, changes):
    """Derivatives [patterns, D] of the probability of every combination of answers, one by one."""
    rows = []
    for x in itertools.product(*(range(len(factor)) for factor in factors)):
        row = []
        for t, moves in enumerate(changes):
            for move in moves:
                parts = [move[x[s]] if s == t else factors[s][x[s]] for s in range(len(factors))]
                row.append(np.prod(parts, axis=0).sum())
        rows.append(row)
    return np.array(rows)


def test_products_of_derivatives_are_those_written_out():
    random = np.random.default_rng(0)
    factors = [random.random((1, 3)), *random.dirichlet(np.ones(3), size=(3, 3)).transpose(0, 2, 1)]
    changes = [random.random((n, len(factor), 3)) for n, factor in zip((2, 6, 0, 1), factors, strict=True)]
    jacobian = written_out(factors, changes)
    np.testing.assert_allclose(derivative_products(factors, changes), jacobian.T @ jacobian, atol=1e-12)


@pytest.mark.parametrize("model", [FullConfusion(), OneAccuracy()], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("free_prior", [False, True])
@pytest.mark.parametrize(("n_raters", "n_classes"), [(1, 2), (2, 2), (3, 2), (4, 2), (2, 3), (3, 3)])
def test_the_answer_is_the_rank_of_the_jacobian(model, free_prior, n_raters, n_classes):
    random = np.random.default_rng(n_raters + 10 * n_classes)
    prior = random.dirichlet(np.full(n_classes, 5.0))
    diagonal = random.uniform(0.6, 0.95, size=n_raters)
    eye = np.eye(n_classes)
    confusion = np.array([d * eye + (1 - d) / (n_classes - 1) * (1 - eye) for d in diagonal])
    if isinstance(model, OneAccuracy) is False:
        confusion += random.uniform(0, 0.1, size=confusion.shape)
        confusion /= confusion.sum(axis=1, keepdims=True)
    moves = [model.directions(n_classes)] * n_raters
    shares = (np.eye(n_classes)[:-1] - np.eye(n_classes)[-1])[:, None] if free_prior else np.zeros((0, 1, n_classes))
    jacobian = written_out([prior[None], *confusion], [shares, *moves])
    full = np.linalg.matrix_rank(jacobian, tol=1e-8) == jacobian.shape[1]
    judged, known = np.ones((n_raters, 5), bool), np.ones((n_raters, n_classes), bool)
    assert is_identified(judged, confusion, prior, known, model, free_prior=free_prior) == full


def test_contested_staple_refuses_fewer_than_four_raters_in_words():
    example = make_example(0, n_raters=4, n_classes=2, shape=(40, 40))
    ratings = list(example.ratings.values())
    assert ContestedSTAPLE().fuse(ratings, 2).status == "ok"
    for n in (2, 3):
        with pytest.raises(RaterbenchError, match=f"needs 4 raters .* here are at most {n}: fuse with STAPLE"):
            ContestedSTAPLE().fuse(ratings[:n], 2)
    never_four = [labels.copy() for labels in ratings]
    for r, labels in enumerate(never_four):
        labels.reshape(-1)[r::4] = IGNORE
    with pytest.raises(RaterbenchError, match="here are at most 3"):
        ContestedSTAPLE().fuse(never_four, 2)
    assert ContestedSTAPLE().fuse(ratings[:1], 2).status == "degenerate"
    assert ContestedSTAPLE().fuse([ratings[0]] * 3, 2).status == "degenerate"
