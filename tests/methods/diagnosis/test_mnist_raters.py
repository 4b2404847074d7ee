"""Real digits, of which masks alone tell whether they are 5 or more: a rater who draws nothing must be worth nothing."""

import os
from pathlib import Path

import pytest
import torch
from sklearn.metrics import roc_auc_score

from raterbench.datasets.mnist import MNIST
from raterbench.methods import ClassFrequencies, Diagnosed, DiagnosisBudget, SingleRater
from raterbench.methods.diagnosis.dl_cat import Concatenation
from raterbench.methods.diagnosis.training import TrainedDiagnosis

DIGITS = Path(os.environ.get("RATERBENCH_DATA", "/nowhere"), "mnist")


class MasksAlone(TrainedDiagnosis):
    """Sees no image: ``dl-cat`` on blank ones."""

    listed = False

    def build(self, n_channels, n_classes, budget):
        return _Blind(n_channels + n_classes - 1, budget.features)


class _Blind(Concatenation):
    def forward(self, channels, masks=None):
        return super().forward(torch.zeros_like(channels), masks)


@pytest.mark.skipif(not DIGITS.is_dir(), reason="the digits of MNIST are not in the folder mnist of RATERBENCH_DATA")
def test_the_labels_of_a_rater_who_draws_nothing_tell_nothing():
    digits = MNIST(train=400, test=200, diagnosis="5 or more", data=DIGITS.parent)
    train, validation, test = (digits.subset(part) for part in (range(320), range(320, 400), digits.official_test))
    budget = DiagnosisBudget(epochs=6, learning_rate=1e-2, features=(8, 16, 16, 32))
    auc = {}
    for rater in digits.raters:
        method = Diagnosed(
            segmenter=ClassFrequencies(), fusion=SingleRater(rater=rater), networks=(MasksAlone(),),
            end_to_end=False, controls=("cross-fitted",), diagnosis_budget=budget,
        )  # fmt: skip
        found = method.fit(train, validation, seed=0).diagnose_labels(test)
        scores = [next(iter(one.probability.values()))[1] for one in found]
        auc[rater] = roc_auc_score([one.diagnosis for one in found], scores)
    assert auc.pop("blank") == 0.5
    assert min(auc.values()) > 0.65  # The least of three seeds was .77, of the rater who draws too little.
