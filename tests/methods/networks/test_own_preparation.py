"""A method that sees volumes where the experiment has slices, and the other way round."""

import numpy as np
import pytest

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.datasets import Preparation
from raterbench.methods import Budget, FusedLabels
from raterbench.methods.networks.own_preparation import OwnPreparation
from raterbench.methods.sampling.phiseg import PHiSeg

VOLUMES = Preparation(mode="volumes", patch=(32, 32, 32))
BUDGET = Budget(epochs=1, backbone="shallow")


@pytest.mark.parametrize("mode", ["slices", "volumes"])
def test_it_predicts_what_the_method_predicts_with_that_preparation(mode):
    plain, other = make_dataset(shapes=[(6, 32, 40)] * 2), make_dataset(shapes=[(6, 32, 40)] * 2)
    own, below = (Preparation(), VOLUMES) if mode == "slices" else (VOLUMES, Preparation())
    plain.preparation, other.preparation = own, below
    inner = FusedLabels(budget=BUDGET).fit(plain, plain, seed=0)
    method = OwnPreparation(mode=mode, patch=(32, 32, 32), budget=BUDGET).fit(other, other, seed=0)
    prediction = method.predict(other[0].unlabelled())
    np.testing.assert_array_equal(prediction.probability, inner.predict_proba(plain[0]))
    assert prediction.prepared is None, "what is stored needs no preparation to be read"
    assert other.preparation == below


def test_a_method_for_slices_is_refused_volumes_of_its_own():
    dataset = make_dataset(shapes=[(6, 32, 40)])
    assert OwnPreparation(segmenter=PHiSeg(), mode="slices").skip_reason(dataset) is None
    assert "is for slices" in OwnPreparation(segmenter=PHiSeg()).skip_reason(dataset)
