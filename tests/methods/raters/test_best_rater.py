"""The best rater: chosen by validation cases, and then that rater's network alone."""

from dataclasses import replace

import numpy as np
import pytest

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.datasets import CaseList
from raterbench.methods import BestRater, Budget, SeparateNetworks, SoftSeg
from raterbench.methods.learning.alarms import majority_dice
from raterbench.voxel_counts import label_counts

STILL = {"rotation": 0.0, "translation": 0.0, "scaling": 0.0, "features": (8, 8, 8, 8, 8, 8)}
GOOD = np.array([[0.99, 0.02], [0.01, 0.98]])
SWAPPED = np.array([[0.02, 0.99], [0.98, 0.01]])


@pytest.mark.parametrize("best", ["first", "last"])
def test_validation_chooses_and_nothing_else(confused_cases, best):
    """Both raters learn well, and on validation cases all agree with one of them."""
    train = confused_cases({"first": GOOD, "last": SWAPPED}, 6)
    cases = [replace(case, ratings=dict.fromkeys(("first", "last"), case.ratings[best])) for case in train[:2]]
    validation = CaseList(train.name, cases, train.classes, train.raters)
    budget = Budget(epochs=6, batch_size=3, learning_rate=2e-2, backbone="shallow", **STILL)
    method = BestRater(budget=budget).fit(train, validation, seed=0)
    assert method.best_rater_ == best
    scores = {trial.parameters["rater"]: trial.score for trial in method.fit_report().trials}
    assert set(scores) == {"first", "last"} and max(scores, key=scores.__getitem__) == best
    foreground = method.predict_proba(train[0])[1] > 0.5
    said = train[0].ratings[best] == 1
    assert (foreground == said).mean() > 0.9


def test_its_networks_are_those_of_separate_networks():
    dataset = make_dataset(shapes=[(32, 32)] * 6, n_raters=3)
    budget = Budget(epochs=1, batch_size=2, backbone="shallow", **STILL)
    one, all_of_them = (cls(budget=budget).fit(dataset[:4], dataset[4:], seed=1) for cls in (BestRater, SeparateNetworks))
    assert one.n_networks(3) == 3
    place = dataset.raters.index(one.best_rater_)
    chosen = one.outputs(dataset[0])[:, place].softmax(dim=1)[0].detach().numpy()
    np.testing.assert_allclose(one.predict_proba(dataset[0]), chosen, atol=1e-6)
    for name, tensor in all_of_them.weights().items():
        assert (one.weights()[name] == tensor).all()


def brighter_to_the_edge(case, scale):
    """So that what is repeated around it is brighter than all within, and differs from case to case."""
    y, x = (np.abs(np.linspace(-1, 1, n)) ** 8 for n in case.shape)
    return (scale * (case.image + 5 * (y[:, None] + x))).astype(np.float32)


def test_voxels_are_compared_within_a_case_as_in_its_prediction():
    """With a recipe that compares them, other validation cases and the padding around a case change nothing."""
    dataset = make_dataset(shapes=[(32, 32), (20, 28), (24, 24), (32, 20)], n_raters=1)
    cases = [replace(case, image=brighter_to_the_edge(case, 10.0**i)) for i, case in enumerate(dataset)]
    validation = CaseList(dataset.name, cases, dataset.classes, dataset.raters)
    budget = Budget(epochs=2, batch_size=2, learning_rate=1e-2, backbone="shallow", **STILL)
    method = BestRater(recipe=SoftSeg(), budget=budget).fit(validation, validation, seed=0)
    n_classes = dataset.n_classes
    predicted = [method.predict_proba(case).argmax(axis=0).astype(np.uint8) for case in cases]
    counts = sum(
        label_counts(one, case.ratings[method.best_rater_], n_classes) for one, case in zip(predicted, cases, strict=True)
    )
    (trial,) = method.fit_report().trials
    assert trial.score == pytest.approx(majority_dice(counts), abs=1e-9)
    assert 0 < trial.score < 1
