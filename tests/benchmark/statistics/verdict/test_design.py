"""The variance of a mean over subjects, against dense matrices, closed cases and simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raterbench import RaterbenchError
from raterbench.benchmark.statistics.verdict.design import Design


def crossing(seed: int, *, missing: float = 0.1) -> tuple[Design, np.ndarray]:
    """A random crossed design with some entries missing, and values of two columns."""
    rng = np.random.default_rng(seed)
    n, folds, repeats = int(rng.integers(10, 30)), int(rng.integers(2, 6)), int(rng.integers(2, 5))
    subject = np.tile(np.arange(n), repeats)
    model = np.concatenate([r * folds + rng.permutation(np.arange(n) % folds) for r in range(repeats)])
    keep = rng.random(len(subject)) > missing
    subject, model = subject[keep], model[keep]
    parts = rng.normal(size=(n, 2))[subject], rng.normal(size=(folds * repeats, 2))[model], rng.normal(size=(keep.sum(), 2))
    return Design.of(subject, model), parts[0] + 0.5 * parts[1] + parts[2]


def dense_moments(design: Design, y: np.ndarray) -> tuple[float, float]:
    """Variance and degrees of freedom from the N x N matrices themselves."""
    s, m = np.eye(design.subject.max() + 1)[design.subject], np.eye(design.model.max() + 1)[design.model]
    size, n = len(y), s.shape[1]
    one, same = np.full((size, size), 1 / size), np.eye(size)
    forms = [s @ np.linalg.pinv(s) - one, m @ np.linalg.pinv(m) - one, same - one]
    parts = [s @ s.T, m @ m.T, same]
    weights = np.linalg.pinv(s).mean(axis=0)
    expected = np.array([[np.trace(form @ part) for part in parts] for form in forms])
    squares = np.array([y @ form @ y for form in forms])
    load = np.linalg.solve(expected.T, [weights @ part @ weights for part in parts])
    component = np.maximum(np.linalg.solve(expected, squares), 0)
    product = sum(c * f for c, f in zip(load, forms, strict=True)) @ sum(c * p for c, p in zip(component, parts, strict=True))
    df = np.trace(product) ** 2 / np.trace(product @ product)
    return max(load @ squares, (np.linalg.pinv(s) @ y).var(ddof=1) / n), float(np.clip(df, 1, n - 1))


@pytest.mark.parametrize("seed", range(25))
def test_sums_over_entries_equal_dense_matrices(seed: int) -> None:
    design, values = crossing(seed)
    found = design.moments(values)
    for column in range(2):
        expected = dense_moments(design, values[:, column])
        assert (found.variance[column], found.df[column]) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_the_covariance_has_the_variances_of_means_and_of_differences(seed: int) -> None:
    design, values = crossing(seed)
    covariance = design.covariance(values)
    contrast = np.array([1, -1])
    alone = np.array([design.moments(values[:, [c]]).variance[0] for c in range(2)])
    difference = design.moments((values @ contrast)[:, None]).variance[0]
    assert (np.diag(covariance) >= alone * (1 - 1e-12)).all()
    assert contrast @ covariance @ contrast >= difference * (1 - 1e-12)
    assert np.diag(covariance) == pytest.approx(alone, rel=0.5)


def test_covariance_of_one_column_is_its_variance() -> None:
    for kind, (design, values) in {"crossed": crossing(0), "nested": nested([4, 5, 6], 2)}.items():
        assert design.kind == kind
        assert design.covariance(values[:, :1])[0, 0] == pytest.approx(design.moments(values[:, :1]).variance[0])


def nested(sizes: list[int], repeats: int, seed: int = 0, columns: int = 2) -> tuple[Design, np.ndarray]:
    """The same folds in every repeat."""
    fold = np.repeat(np.arange(len(sizes)), sizes)
    subject = np.tile(np.arange(len(fold)), repeats)
    model = np.concatenate([repeat * len(sizes) + fold for repeat in range(repeats)])
    return Design.of(subject, model), np.random.default_rng(seed).normal(size=(len(subject), columns))


def test_the_kind_of_a_design() -> None:
    assert nested([5, 5, 5], 1)[0].kind == nested([5, 5, 5], 3)[0].kind == nested([1] * 6, 1)[0].kind == "nested"
    assert Design.of(np.tile(np.arange(6), 4), np.repeat(np.arange(4), 6)).kind == "hold-out"
    assert Design.of(np.arange(6), np.zeros(6)).kind == "hold-out"
    assert crossing(1)[0].kind == "crossed"


def test_a_missing_entry_does_not_change_the_kind() -> None:
    design, _ = nested([5, 5, 5], 3)
    assert Design.of(design.subject[1:], design.model[1:]).kind == "nested"
    whole = np.tile(np.arange(6), 4), np.repeat(np.arange(4), 6)
    assert Design.of(whole[0][1:], whole[1][1:]).kind == "hold-out"


def test_pieces_are_the_independent_units() -> None:
    design, values = nested([7, 3, 5], 2)
    piece, share = design.piece, np.array([7, 3, 5]) / 15
    means = np.stack([design.subject_means(values)[piece == c].mean(axis=0) for c in range(3)])
    gaps = means - share @ means
    found = design.moments(values)
    assert found.variance == pytest.approx((share**2 / (1 - share)) @ gaps**2)
    centring = np.eye(3) - np.outer(np.ones(3), share)
    a = np.diag(share / np.sqrt(1 - share)) @ centring @ np.diag(1 / np.sqrt([7, 3, 5]))
    b = a @ a.T
    assert found.df == pytest.approx(np.full(2, np.trace(b) ** 2 / np.trace(b @ b)))


@pytest.mark.parametrize(("sizes", "repeats"), [([8, 7, 7, 7, 7], 1), ([6, 9, 5], 3)])
def test_nested_components_are_unbiased(sizes: list[int], repeats: int) -> None:
    design, _ = nested(sizes, repeats)
    rng = np.random.default_rng(1)
    runs = 4000
    values = rng.normal(0, 2, (sum(sizes), runs))[design.subject] + rng.normal(0, 3, (len(sizes) * repeats, runs))[design.model]
    values += rng.normal(0, 1, values.shape)
    found = design.moments(values)
    assert found.within.mean() == pytest.approx(5, rel=0.05)
    assert found.model.mean() == pytest.approx(9, rel=0.08)
    if repeats > 1:
        assert (found.subject.mean(), found.rest.mean()) == pytest.approx((4, 1), rel=0.08)
    else:
        assert np.isnan(found.subject).all() and np.isnan(found.rest).all()


def test_one_subject_a_fold_tells_no_components_apart() -> None:
    design, values = nested([1] * 8, 1)
    assert np.isnan(np.stack(design.moments(values)[3:])).all()


def test_crossed_components_and_the_variance_are_unbiased() -> None:
    rng = np.random.default_rng(1)
    n, folds, repeats, runs = 40, 4, 6, 2000
    model = np.concatenate([r * folds + rng.permutation(np.arange(n) % folds) for r in range(repeats)])
    design = Design.of(np.tile(np.arange(n), repeats)[7:], model[7:])
    values = rng.normal(0, 2, (n, runs))[design.subject] + rng.normal(0, 3, (folds * repeats, runs))[design.model]
    values += rng.normal(0, 2, values.shape)
    found = design.moments(values)
    assert (found.subject.mean(), found.model.mean(), found.rest.mean()) == pytest.approx((4, 9, 4), rel=0.05)
    assert found.variance.mean() == pytest.approx(found.mean.var(), rel=0.1)


def test_two_entries_of_one_model_are_an_error() -> None:
    with pytest.raises(RaterbenchError, match="subject anna has two entries of one trained model"):
        Design.of(["anna", "ben", "anna"], [0, 0, 0])


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_moments_of_many_columns_are_those_of_each(seed: int) -> None:
    design, values = crossing(seed % 7)
    values = np.random.default_rng(seed).normal(size=(len(values), 3))
    together = design.moments(values)
    for column in range(3):
        assert np.stack(design.moments(values[:, [column]])).ravel() == pytest.approx(np.stack(together)[:, column])
