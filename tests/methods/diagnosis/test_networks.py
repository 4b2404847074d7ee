"""Diagnosis networks and rules: what they see, and that they learn it."""

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from raterbench.datasets import RaterbenchError
from raterbench.datasets.cache.disk_cache import DiskCache
from raterbench.methods import DiagnosisBudget
from raterbench.methods.diagnosis import DIAGNOSIS_NETWORKS
from raterbench.methods.diagnosis.dl_att import mean_structure
from raterbench.methods.diagnosis.dl_cat import DLCat
from raterbench.methods.diagnosis.dl_roi import crop_to_object
from raterbench.methods.diagnosis.dl_ssl import DLSSL
from raterbench.methods.diagnosis.ratios import RatioSVM, RatioThreshold, vertical_and_area_ratio
from raterbench.methods.diagnosis.residual_network import NoMask
from raterbench.methods.diagnosis.slices import UNKNOWN, by_case
from raterbench.methods.diagnosis.training import TrainedDiagnosis


def auc(network, slices):
    return roc_auc_score(slices.diagnoses, network.predict(slices)[:, 1])


@pytest.mark.parametrize("name", ["dl-cat", "dl-att", "dl-seat", "dl-ssl", "ratio-svm", "ratio-threshold"])
def test_what_the_mask_alone_tells_is_learned(name, disc_slices, quickly):
    train, validation, test = disc_slices(48), disc_slices(16, first=100), disc_slices(40, first=200)
    network = DIAGNOSIS_NETWORKS.get(name)().fit(train, validation, seed=0, budget=quickly)
    assert auc(network, test) > 0.95


@pytest.mark.parametrize("name", ["no-mask", "dl-roi"])
def test_what_the_image_alone_tells_is_learned(name, disc_slices, quickly):
    train, validation, test = (disc_slices(n, "image", first=f) for n, f in ((48, 0), (16, 100), (40, 200)))
    network = DIAGNOSIS_NETWORKS.get(name)().fit(train, validation, seed=0, budget=quickly)
    assert auc(network, test) > 0.95


@pytest.mark.parametrize("rule", [RatioThreshold(), RatioSVM()])
def test_rules_see_the_mask_alone_and_no_mask_sees_none_of_it(rule, disc_slices, quickly):
    train, test = disc_slices(48, "image"), disc_slices(40, "image", first=200)
    assert 0.3 < auc(rule.fit(train, train, seed=0), test) < 0.7
    blind = NoMask().fit(train, train, seed=0, budget=quickly)
    other = test.masks.flip(0)
    shuffled = dataclasses.replace(test, masks=other)
    np.testing.assert_array_equal(blind.predict(test), blind.predict(shuffled))


def test_the_network_of_the_best_epoch_is_kept(disc_slices, quickly):
    train, validation = disc_slices(32), disc_slices(16, first=100)
    network = DLCat().fit(train, validation, seed=0, budget=quickly)
    losses = [loss for _, _, loss in network.report_.curve]
    assert len(losses) == 24 and network.report_.best_epoch == int(np.argmin(losses))
    p = network.predict(validation)
    weighted = -np.log(p[np.arange(16), validation.diagnoses.numpy()])  # both diagnoses are equally frequent here
    assert weighted.mean() == pytest.approx(min(losses), abs=1e-4)


@pytest.mark.parametrize("kind", [DLCat, DLSSL])
def test_the_same_training_is_done_once_where_there_is_a_cache(kind, disc_slices, tmp_path, monkeypatch):
    """The second network has the bits, the curve and the best epoch of the first; whatever changes one bit is trained anew."""
    train, validation = disc_slices(16), disc_slices(8, first=100)
    budget = DiagnosisBudget(epochs=2, batch_size=8, features=(2, 2, 2, 2))
    alone = kind().fit(train, validation, seed=0, budget=budget)
    monkeypatch.setattr(DiskCache, "current", DiskCache(tmp_path, worthwhile=False))
    trained, really = [], TrainedDiagnosis._trained
    monkeypatch.setattr(TrainedDiagnosis, "_trained", lambda self, *a, **k: trained.append(self) or really(self, *a, **k))
    for _ in range(2):
        network = kind().fit(train, validation, seed=0, budget=budget)
        assert network.report_ == alone.report_
        assert network.weights().keys() == alone.weights().keys()
        assert all((tensor == alone.weights()[name]).all() for name, tensor in network.weights().items())
    assert len(trained) == 1
    changed = validation.masks.clone()
    changed[0, :, 0, 0] = changed[0, :, 0, 0].flip(0)
    others = [
        (train.diagnosed_as(1 - train.diagnoses), validation, 0, budget),
        (train, dataclasses.replace(validation, masks=changed), 0, budget),
        (dataclasses.replace(train, images=train.images + 1e-6), validation, 0, budget),
        (train, validation, 1, budget),
        (train, validation, 0, DiagnosisBudget(epochs=2, batch_size=8, features=(2, 2, 2, 2), weight_decay=0.0)),
    ]
    for number, (learned, held_out, seed, other) in enumerate(others):
        kind().fit(learned, held_out, seed=seed, budget=other)
        assert len(trained) == number + 2


def test_the_noise_of_dl_ssl_comes_from_the_seed(disc_slices):
    train, budget = disc_slices(8), DiagnosisBudget(epochs=1, features=(2, 2, 2, 2))
    noise = [int(DLSSL().fit(train, train, seed=seed, budget=budget).weights()["noise"]) for seed in (0, 0, 1)]
    assert noise[0] == noise[1] != noise[2]


def test_networks_of_other_packages_are_not_kept(disc_slices, tmp_path, monkeypatch):
    """What their code does is in no key."""
    monkeypatch.setattr(DiskCache, "current", cache := DiskCache(tmp_path, worthwhile=False))

    class Mine(DLCat):
        listed = False

    assert Mine.__module__.partition(".")[0] != "raterbench"
    Mine().fit(disc_slices(8), disc_slices(4), seed=0, budget=DiagnosisBudget(epochs=1, features=(2, 2, 2, 2)))
    assert "diagnosis" not in {entry.kind for entry in cache.entries()}


def test_the_probability_is_that_of_the_frequencies_in_training(quickly):
    """Where nothing can be learned, the best weighted logit is 0, and the probability the share of the ill in training."""
    from raterbench.methods.diagnosis.slices import MaskedSlices

    n = 40
    diagnoses = (torch.arange(n) % 4 == 0).long()
    nothing = MaskedSlices(torch.zeros(n, 1, 32, 32), torch.zeros(n, 2, 32, 32), diagnoses, torch.arange(n), torch.ones(n, 2))
    network = DLCat().fit(nothing, nothing, seed=0, budget=quickly)
    np.testing.assert_allclose(network.predict(nothing)[:, 1], 0.25, atol=0.04)


def test_one_diagnosis_alone_is_said_and_none_is_an_error(disc_slices, quickly):
    slices = disc_slices(8)
    for network in (DLCat(), RatioThreshold()):
        healthy = slices.diagnosed_as(torch.zeros(8, dtype=torch.int64))
        network.fit(healthy, healthy, seed=0, budget=quickly)
        assert network.fit_report().warnings == [
            "all training cases have the same diagnosis, so that the other one cannot be learned"
        ]
        with pytest.raises(RaterbenchError, match="no training case has a known diagnosis"):
            network.fit(slices.diagnosed_as(torch.full((8,), UNKNOWN)), slices, seed=0, budget=quickly)


def test_slices_with_an_unknown_diagnosis_teach_nothing(disc_slices, quickly):
    slices = disc_slices(24)
    hidden = slices.diagnosed_as(slices.diagnoses.masked_fill(slices.cases >= 16, UNKNOWN))
    some = DLCat().fit(hidden, slices, seed=0, budget=quickly)
    few = DLCat().fit(slices.rows(torch.arange(16)), slices, seed=0, budget=quickly)
    np.testing.assert_array_equal(some.predict(slices), few.predict(slices))


def test_the_semi_supervised_network_drops_half_of_the_cases_of_each_diagnosis(disc_slices):
    slices = disc_slices(20)
    kept = DLSSL().learned_slices(slices, seed=0)
    assert len(kept) == 20
    assert [(kept.diagnoses == d).sum().item() for d in (UNKNOWN, 0, 1)] == [10, 5, 5]
    known = kept.diagnoses != UNKNOWN
    assert torch.equal(kept.diagnoses[known], slices.diagnoses[known])
    assert not torch.equal(kept.diagnoses, DLSSL().learned_slices(slices, seed=1).diagnoses)


def test_the_object_is_cut_out_with_a_tenth_on_each_side():
    images = torch.arange(40.0).view(1, 1, 1, 40).expand(1, 1, 40, 40)
    there = torch.zeros(1, 40, 40, dtype=torch.bool)
    there[:, 10:30, 10:30] = True
    cut = crop_to_object(images, there)
    assert cut.shape == images.shape
    # A box of 20 columns and 2 on each side: from the left edge of column 8 to the right edge of column 31.
    np.testing.assert_allclose(cut[0, 0, 0, [0, -1]], [8 - 0.5 + 0.3, 32 - 0.5 - 0.3], atol=1e-4)
    assert torch.allclose(crop_to_object(images, torch.zeros_like(there)), images, atol=1e-5)


def test_nested_structures_draw_more_attention():
    masks = torch.nn.functional.one_hot(torch.tensor([[[0, 1, 2]]]), 3).movedim(-1, 1).float()
    assert mean_structure(masks).flatten().tolist() == [0, 0.5, 1]
    assert mean_structure(masks[:, :2]).flatten().tolist() == [0, 1, 0]


def test_ratios_of_extent_and_area():
    labels = torch.zeros(3, 12, 12, dtype=torch.int64)
    labels[0, 1:11, 2:10] = 1  # 10 rows, 80 voxels
    labels[0, 4:8, 3:9] = 2  # 4 rows, 24 voxels
    labels[1, 1:11, 2:10] = 1
    masks = torch.nn.functional.one_hot(labels, 3).movedim(-1, 1)
    np.testing.assert_allclose(vertical_and_area_ratio(masks), [[0.4, 0.3], [0, 0], [0, 0]])
    soft = masks * 0.4 + 0.2  # .2 and .6: two foreground classes of .2 are .4, no object
    np.testing.assert_allclose(vertical_and_area_ratio(soft), [[0.4, 0.3], [0, 0], [0, 0]])


def test_the_score_of_the_threshold_rule_has_the_order_of_the_ratio(disc_slices):
    train, test = disc_slices(30), disc_slices(30, first=100)
    rule = RatioThreshold().fit(train, train, seed=0)
    ratio, score = rule.ratios(test)[:, 0], rule.predict(test)[:, 1]
    order = np.argsort(ratio)
    assert (np.diff(score[order]) <= 0).all()  # Here a small inner structure means disease.
    assert len(np.unique(score)) == len(np.unique(ratio))
    assert auc(rule, test) == roc_auc_score(test.diagnoses, -ratio)


def test_rules_need_two_structures(bars):
    assert "needs three classes" in RatioThreshold().skip_reason(bars(2))
    assert "needs three classes" in RatioSVM().skip_reason(bars(2))
    assert NoMask().skip_reason(bars(2)) is None


def test_a_volume_is_the_mean_of_its_slices(discs, disc_slices, quickly):
    from raterbench.methods.diagnosis.slices import masked_slices

    network = DLCat().fit(disc_slices(16), disc_slices(8, first=50), seed=0, budget=quickly)
    flat, thick = discs(3, first=70), discs(3, first=70, slices=2)
    found = []
    for cases in (flat, thick):
        pairs = [(case, (case.ratings["a"] == np.arange(3).reshape(-1, *[1] * len(case.shape)))) for case in cases]
        slices = masked_slices([(case, mask.astype(np.float32)) for case, mask in pairs], 3, cases.preparation)
        found.append(by_case(network.predict(slices), slices))
        assert slices.cases.tolist() == sorted(slices.cases.tolist()) and set(found[-1]) == {0, 1, 2}
    for position in range(3):
        np.testing.assert_allclose(found[0][position], found[1][position], atol=1e-5)


def test_a_budget_out_of_range_is_said():
    with pytest.raises(RaterbenchError, match=r"diagnosis_budget: epochs = 0 must be a whole number from 1"):
        DiagnosisBudget(epochs=0).check_parameters()
    with pytest.raises(RaterbenchError, match="must be a list of 4"):
        DiagnosisBudget(features=(8, 8)).check_parameters()
