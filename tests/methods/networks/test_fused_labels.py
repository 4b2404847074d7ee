"""A fusion and a recipe: the consensus enters training as one more rater."""

import numpy as np
import pytest
import torch

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.datasets import IGNORE, CaseList
from raterbench.datasets.cache.disk_cache import DiskCache
from raterbench.methods import Budget, Composed, Conventional, FusedLabels, SoftSeg, Union
from raterbench.methods.fusion.majority import MajorityVote
from raterbench.methods.fusion.soft_average import SoftAverage
from raterbench.methods.fusion.staple import STAPLE

BUDGET = Budget(epochs=1, features=(4, 4, 4, 8, 8, 4))


@pytest.mark.parametrize("fusion", [MajorityVote(), SoftAverage(), STAPLE()], ids=lambda f: type(f).__name__)
def test_the_network_learns_the_fusions_probability_of_each_case(fusion):
    train = make_dataset(shapes=[(32, 32)] * 3, n_classes=3)
    method = FusedLabels(fusion=fusion, budget=BUDGET)
    slices = method.prepare(train, seed=0).whole()
    assert slices.ratings.shape == (3, 1, 3, 32, 32) and method.target_names_ == ("consensus",)
    for i, case in enumerate(train):
        consensus = fusion.fuse(case.ratings, 3, geometry=case.geometry)
        judged = consensus.labels != IGNORE
        np.testing.assert_array_equal(slices.present[i, 0].numpy(), judged)
        np.testing.assert_allclose(slices.ratings[i, 0, :, judged], consensus.probability[:, judged], atol=1e-6)


def test_voxels_that_nobody_judged_teach_nothing():
    rows = np.arange(32)[:, None]
    train = make_dataset(shapes=[(32, 32)], change=lambda labels: np.where(rows < 7, IGNORE, labels).astype(np.uint8))
    slices = FusedLabels(budget=BUDGET).prepare(train, seed=0).whole()
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
    fused = FusedLabels(fusion=STAPLE(), budget=BUDGET).prepare(train, seed=0).whole()
    (labels,) = train[0].ratings.values()
    assert torch.equal(fused.ratings[0, 0, 1], torch.from_numpy((labels == 1).astype(np.float32)))


def two_raters():
    """A case in which raters agree on the upper half, disagree on the lower, and nobody judged the first columns."""
    case = make_dataset(shapes=[(32, 32)], n_classes=3)[0]
    one, other = np.ones((32, 32), np.uint8), np.ones((32, 32), np.uint8)
    other[16:] = 2
    one[:, :5] = other[:, :5] = IGNORE
    case.ratings.clear()
    case.ratings.update({"one": one, "other": other})
    return CaseList("two", [case], ["background", "a", "b"], ["one", "other"])


@pytest.mark.parametrize("fusion", [MajorityVote, SoftAverage, STAPLE, Union])
@pytest.mark.parametrize("recipe", [None, SoftSeg()], ids=["cross-entropy", "softseg"])
def test_what_raters_left_undecided_teaches_its_shares(fusion, recipe):
    train = two_raters()
    slices = FusedLabels(fusion=fusion(ties="undecided"), recipe=recipe, budget=BUDGET).prepare(train, seed=0).whole()
    present, ratings = slices.present[0, 0].numpy(), slices.ratings[0, 0].numpy()
    assert not present[:, :5].any() and present[:, 5:].all(), "nobody judged the first columns, and those alone"
    assert (ratings[1, :16, 5:] == 1).all()
    shares = STAPLE().fuse(train[0].ratings, 3).probability[:, 20, 20] if fusion is STAPLE else [0, 0.5, 0.5]
    np.testing.assert_array_equal(ratings[:, 20, 20], shares)


@pytest.mark.parametrize(("ties", "taught"), [("undecided", None), ("lowest", 1), ("highest", 2), ("background", 0)])
@pytest.mark.parametrize("fusion", [MajorityVote, SoftAverage])
def test_hard_labels_follow_the_rule_for_ties_and_leave_out_what_it_leaves_open(fusion, ties, taught):
    method = FusedLabels(fusion=fusion(ties=ties), recipe=Conventional(), budget=BUDGET)
    slices = method.prepare(two_raters(), seed=0).whole()
    assert slices.present[0, 0, :16, 5:].all() and not slices.present[0, 0, :, :5].any()
    contested = slices.ratings[0, 0, :, 16:, 5:]
    assert slices.present[0, 0, 16:, 5:].all() if taught is not None else not slices.present[0, 0, 16:].any()
    assert taught is None or (contested[taught] == 1).all()


@pytest.mark.parametrize("fusion", [STAPLE(), SoftAverage(ties="undecided"), SoftAverage(ties="foreground")], ids=repr)
def test_the_consensus_itself_can_be_the_target(fusion):
    train = two_raters()
    labels = fusion.fuse(train[0].ratings, 3).labels
    slices = FusedLabels(fusion=fusion, target="consensus", recipe=SoftSeg(), budget=BUDGET).prepare(train, seed=0).whole()
    judged = labels != IGNORE
    np.testing.assert_array_equal(slices.present[0, 0].numpy(), judged)
    np.testing.assert_array_equal(slices.ratings[0, 0].argmax(dim=0).numpy()[judged], labels[judged])
    assert set(np.unique(slices.ratings)) == {0, 1}


def test_a_recipe_with_its_own_rule_for_ties_gets_the_shares():
    """Half of the raters are enough for foreground, whatever the fusion's rule; that of a vote has been applied before."""
    recipe = Composed(labels="hard", loss_function="dice")
    slices = FusedLabels(fusion=SoftAverage(), recipe=recipe, budget=BUDGET).prepare(two_raters(), seed=0).whole()
    assert slices.ratings[0, 0, :, 20, 20].tolist() == [0, 0.5, 0.5]


class Own(SoftAverage):
    """A fusion from elsewhere, whose code the cache does not know."""


FUSIONS = [
    MajorityVote(),
    SoftAverage(),
    SoftAverage(ties="undecided"),
    STAPLE(),
    STAPLE(max_iterations=1),
    STAPLE(pool="dataset"),
    Own(),
]


def test_the_cache_tells_apart_whatever_changes_the_target(tmp_path, monkeypatch):
    """Fusion with its parameters, target, recipe and labels; what is pooled or from elsewhere is fused each time."""
    train = make_dataset(shapes=[(32, 32)] * 3)
    methods = [
        FusedLabels(fusion=fusion, target=target, recipe=recipe, budget=BUDGET)
        for fusion in FUSIONS
        for target in ("posterior", "consensus")
        for recipe in (SoftSeg(), Conventional())
    ]
    expected = []
    for cache in (None, DiskCache(tmp_path, worthwhile=False), DiskCache(tmp_path, worthwhile=False)):
        monkeypatch.setattr(DiskCache, "current", cache)
        found = [method.prepare(train, seed=0).whole() for method in methods]
        expected = expected or found
        assert all(torch.equal(a, b) for one, same in zip(found, expected, strict=True) for a, b in zip(one, same, strict=True))
    kept = [entry for entry in DiskCache(tmp_path).entries() if entry.kind == "fused"]
    assert len(kept) == 3 * 4 * (len(FUSIONS) - 2)
