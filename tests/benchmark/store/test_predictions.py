"""Probabilities in fixed point: how close they are, and what 0 and 1 mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from raterbench.benchmark.store import predictions
from raterbench.benchmark.store.predictions import (
    FULL,
    Spool,
    StoredPrediction,
    from_fixed_point,
    store_prediction,
    to_fixed_point,
)
from raterbench.datasets import Phantom
from raterbench.datasets.base import Preparation
from raterbench.methods import Budget, FusedLabels
from raterbench.methods.base import Prediction


def softmax(logits):
    exponential = np.exp(logits - logits.max(axis=0))
    return (exponential / exponential.sum(axis=0)).astype(np.float32)


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 6).flatmap(lambda k: arrays(np.float64, (k, 7), elements=st.floats(-40, 40))))
def test_what_comes_back_is_close_sums_to_one_and_keeps_certainty(logits):
    given_ = softmax(logits)
    found = from_fixed_point(to_fixed_point(given_))
    assert found.dtype == np.float32 and found.shape == given_.shape
    assert np.abs(found - given_).max() <= (len(given_) - 1) / FULL + 1e-6
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-6)
    assert ((found == 1) == (given_ == 1)).all()
    # Where no class is certain, only what is impossible is stored as impossible.
    unsure = (given_ < 1).all(axis=0)
    assert ((found == 0) == (given_ == 0))[:, unsure].all()
    assert found.min() >= 0


def test_large_arrays_wait_in_a_file_and_come_back_as_they_were(monkeypatch):
    monkeypatch.setattr(predictions, "LARGE", 500)
    random = np.random.default_rng(0)
    spool, kept = Spool(), []
    for n in (2, 20, 31):
        foreground = random.integers(0, FULL, (1, n, 30), dtype=np.uint16)
        reliability = np.asfortranarray(random.integers(0, 255, (3, n, 30), dtype=np.uint8))
        kept.append(StoredPrediction("a", (n, 30), foreground, reliability_raters=("x", "y", "z"), reliability=reliability))
    moved = [spool.moved(one) for one in kept]
    for before, after in zip(kept, moved, strict=True):
        for name in ("foreground", "reliability"):
            old, new = getattr(before, name), getattr(after, name)
            assert isinstance(new, np.memmap) == (old.nbytes >= 500)
            np.testing.assert_array_equal(old, new, strict=True)
        assert after.samples is None and after.case == "a"


def test_without_room_for_a_file_large_arrays_stay_in_memory(monkeypatch):
    def full(**options):
        raise OSError("no space left")

    monkeypatch.setattr(predictions, "LARGE", 10)
    monkeypatch.setattr(predictions.tempfile, "TemporaryFile", full)
    prediction = StoredPrediction("a", (4, 4), np.ones((1, 4, 4), np.uint16))
    assert Spool().moved(prediction) is prediction


def test_thresholds_are_exact():
    p = np.array([0.5, np.nextafter(np.float32(0.5), np.float32(0)), 0.49999, 0.500008], np.float32)
    found = from_fixed_point(to_fixed_point(np.stack([1 - p, p])))[1]
    assert (found >= 0.5).tolist() == [True, True, False, True]
    thresholds = np.arange(1, 20) / 20
    assert (from_fixed_point(to_fixed_point(np.stack([1 - thresholds, thresholds])))[1] == thresholds.astype(np.float32)).all()


@pytest.mark.parametrize("settings", [{}, {"size": (32, 48)}, {"pixel_size": 0.5, "crop": (32, 24)}], ids=str)
def test_a_network_prediction_comes_back_in_the_geometry_of_the_case(settings):
    phantom = Phantom(subjects=4, slices=1, size=32)
    phantom.preparation = Preparation(**settings)
    train, validation = phantom.subset([0, 1]), phantom.subset([2])
    budget = Budget(epochs=1, batch_size=2, features=(4, 4, 4, 4, 4, 4))
    method = FusedLabels(budget=budget).fit(train, validation, seed=0)
    case = phantom[3].unlabelled()
    prediction = method.predict(case)
    stored = store_prediction(case.id, prediction, {"ada": np.full(case.shape, 0.5, np.float32)})
    assert stored.on_slices and stored.foreground.shape[1] == 2
    found = stored.probability(phantom.preparation)
    assert found.shape == prediction.probability.shape
    np.testing.assert_allclose(found, prediction.probability, atol=3 / FULL)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
    assert stored.reliability_raters == ("ada",) and set(np.unique(stored.reliability)) == {128}


def test_samples_are_kept():
    map_ = np.stack([np.full((2, 2), 0.25), np.full((2, 2), 0.75)]).astype(np.float32)
    stored = store_prediction("c", Prediction(map_, samples=np.stack([map_, map_[::-1]])), {})
    assert stored.samples.shape == (2, 1, 2, 2) and stored.samples[:, 0, 0, 0].tolist() == [191, 64]
    assert not stored.on_slices


def test_rounded_samples_of_several_classes_stay_probabilities():
    """A half of each of two classes is rounded up twice, which must not make the background negative."""
    map_ = np.stack([np.full((2, 2), share, np.float32) for share in (0.0, 0.5, 0.5)])
    (sample,) = store_prediction("c", Prediction(map_, samples=map_[None]), {}).sampled()
    assert sample.min() >= 0
    np.testing.assert_allclose(sample.sum(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(sample, map_, atol=1 / 255)


def test_values_are_counted_class_by_class_with_exact_0_and_1_apart():
    rng = np.random.default_rng(0)
    stored = rng.integers(0, FULL + 1, (2, 3, 5, 7)).astype(np.uint16)
    stored[0, 0, 0, :4] = [0, FULL, FULL // 20, FULL // 20 - 1]
    counts = StoredPrediction("a", (2, 5, 7), stored, on_slices=True).value_counts()
    for k in range(3):
        expected = np.zeros(22, int)
        for q in stored[:, k].ravel().tolist():
            expected[0 if q == 0 else 21 if q == FULL else 1 + 20 * q // FULL] += 1
        np.testing.assert_array_equal(counts[k], expected)
    flat = StoredPrediction("a", (5, 7), stored[0]).value_counts()
    assert flat[0, [0, 21, 1, 2]].min() >= 1 and flat.sum(axis=1).tolist() == [35, 35, 35]
