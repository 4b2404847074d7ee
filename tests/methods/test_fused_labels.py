"""A fusion and a recipe: the consensus enters training as one more rater."""

import numpy as np
import pytest
import torch

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.datasets import IGNORE
from raterbench.methods import Budget, FusedLabels
from raterbench.methods.majority import MajorityVote
from raterbench.methods.soft_average import SoftAverage
from raterbench.methods.staple import STAPLE

BUDGET = Budget(epochs=1, features=(4, 4, 4, 8, 8, 4))


@pytest.mark.parametrize("fusion", [MajorityVote(), SoftAverage(), STAPLE()], ids=lambda f: type(f).__name__)
def test_the_network_learns_the_fusions_probability_of_each_case(fusion):
    train = make_dataset(shapes=[(32, 32)] * 3, n_classes=3)
    method = FusedLabels(fusion=fusion, budget=BUDGET)
    slices = method.initialise(train, seed=0)
    assert slices.ratings.shape == (3, 1, 3, 32, 32) and method.label_names_ == ("consensus",)
    for i, case in enumerate(train):
        consensus = fusion.fuse(case.ratings, 3, geometry=case.geometry)
        judged = consensus.labels != IGNORE
        np.testing.assert_array_equal(slices.present[i, 0].numpy(), judged)
        np.testing.assert_allclose(slices.ratings[i, 0, :, judged], consensus.probability[:, judged], atol=1e-6)


def test_voxels_that_nobody_judged_teach_nothing():
    train = make_dataset(shapes=[(32, 32)])
    for labels in train.cases[0].ratings.values():
        labels[:7] = IGNORE
    slices = FusedLabels(budget=BUDGET).initialise(train, seed=0)
    assert not slices.present[..., :7, :].any() and not slices.ratings[..., :7, :].any()


def test_a_pooled_fusion_is_fitted_on_the_training_part_only():
    seen = []

    class Noting(MajorityVote):
        listed = False

        def fit(self, cases, n_classes):
            seen.extend(case.id for case in cases)
            return super().fit(cases, n_classes)

    data = make_dataset(shapes=[(32, 32)] * 4)
    FusedLabels(fusion=Noting(), budget=BUDGET).fit(data.subset([0, 2]), data.subset([1, 3]), seed=0)
    assert seen == ["case 0", "case 2"]


def test_one_rater_is_learned_as_that_rater():
    train = make_dataset(shapes=[(32, 32)] * 2, n_raters=1)
    fused = FusedLabels(fusion=STAPLE(), budget=BUDGET).initialise(train, seed=0)
    (labels,) = train[0].ratings.values()
    assert torch.equal(fused.ratings[0, 0, 1], torch.from_numpy((labels == 1).astype(np.float32)))
