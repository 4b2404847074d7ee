"""The two stages of upgrade: what each of them sees, what is reported, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.base import clone

from raterbench.datasets import IGNORE, AnnotationErrors, CaseList, RaterbenchError
from raterbench.methods import Budget, FusedLabels, Method, Tuned, Upgrade
from raterbench.methods.quality.upgrade_network import UpgradeNetwork

TINY = Budget(epochs=1, batch_size=4, backbone="shallow", features=(4, 4, 4, 8, 8, 4))
HQ, LQ, BOTH = ("hq",), ("lq",), ("hq", "lq")
OMISSION = AnnotationErrors(omission=0.5)


class Spy(Method):
    """Keeps the cases that it is fitted to."""

    listed = False

    def fit(self, train, validation, *, seed, device="cpu"):
        self.parts_ = [list(train), list(validation)]
        self.index_ = [part.index["raters"].tolist() for part in (train, validation)]
        return self

    def predict_proba(self, case):
        return np.stack([np.zeros(case.shape), np.ones(case.shape)]).astype(np.float32)


def fitted(train, validation, **options):
    options = {"segmenter": Spy(), "errors": OMISSION, "budget": TINY} | options
    return Upgrade(**options).fit(train, validation, seed=0)


def test_the_segmenter_learns_from_careful_and_repaired_labels(cells):
    train, validation = cells([HQ, LQ, BOTH, LQ]), cells([LQ, HQ])
    method = fitted(train, validation)
    for before, after, who in zip((train, validation), method.segmenter_.parts_, method.segmenter_.index_, strict=True):
        for given, seen, raters in zip(before, after, who, strict=True):
            assert seen.instances is None and tuple(seen.ratings) == raters
            if "hq" in given.ratings:
                assert raters == HQ and np.array_equal(seen.ratings["hq"], given.ratings["hq"])
            else:
                again = method.network_.repair_labels(given, given.ratings["lq"])
                assert raters == LQ and np.array_equal(seen.ratings["lq"], again)
    assert set(method.repaired()) == {"case 0", "case 1", "case 2", "case 3"}


def test_the_upgrade_network_removes_omission_and_the_report_says_how_much(cells):
    budget = Budget(epochs=12, batch_size=4, learning_rate=2e-2, rotation=0, backbone="shallow", features=(8,) * 6)
    data = cells([BOTH, LQ, BOTH, LQ, BOTH, LQ])
    report = fitted(data.subset(range(4)), data.subset([4, 5]), budget=budget, errors=None).fit_report()
    assert list(report.stages) == ["upgrade network", "segmenter"] and len(report.stages["upgrade network"].curve) == 12
    known = report.repair
    assert known.estimated and known.errors["omission"] == 0.5 and known.errors["bias"] == 0
    assert known.careful == ("case 0", "case 2", "case 4") and known.repaired == 6
    (score,) = known.scores
    assert score.against.startswith("careful labels") and len(score.before) == len(score.after) == 3
    assert score.pooled_before == pytest.approx(2 / 3, abs=0.01) and score.pooled_after > 0.9


def test_errors_are_drawn_anew_in_each_epoch(cells):
    train = cells([HQ, HQ])
    network = UpgradeNetwork(errors=OMISSION, draws=3, budget=TINY)
    slices = network.prepare(train, seed=0)
    assert len(slices) == 6 and not torch.equal(slices.ratings[0, 1], slices.ratings[1, 1])
    before = slices.ratings.clone(), slices.images.clone()
    network.start_epoch(network.module_, 1)
    assert torch.equal(before[0][:, 0], slices.ratings[:, 0]) and torch.equal(before[1], slices.images)
    assert not torch.equal(before[0][:, 1], slices.ratings[:, 1])
    marked = slices.ratings[:, :, 1].sum(dim=(2, 3))
    assert (2 * marked[:, 1] == marked[:, 0]).all(), "6 cells, of which 3 are left out"


def test_errors_are_drawn_where_the_slices_of_a_smaller_case_are(cells):
    cases = [*cells([HQ]), replace(cells([HQ], size=48)[0], id="larger")]
    network = UpgradeNetwork(errors=OMISSION, draws=2, budget=TINY)
    slices = network.prepare(CaseList("cells", cases, ("background", "cell"), ("hq", "lq")), seed=0)
    before = slices.ratings[:, 0, 1] > 0
    network.start_epoch(network.module_, 1)
    learned, drawn = slices.ratings[:, 0, 1] > 0, slices.ratings[:, 1, 1] > 0
    assert torch.equal(before, learned) and len(slices) == 4 and drawn.any(dim=(1, 2)).all() and not (drawn & ~learned).any()


def test_an_epoch_is_by_default_as_long_as_the_training_part(cells):
    method = fitted(cells([HQ, *[LQ] * 7]), cells([HQ]))
    assert method.network_.draws == 8
    assert fitted(cells([HQ, *[LQ] * 7]), cells([HQ]), draws=2).network_.draws == 2


def test_unjudged_voxels_stay_unjudged_and_volumes_are_repaired_slice_by_slice(cells):
    data = cells([HQ, LQ, HQ, LQ], depth=2)
    labels = data[1].ratings["lq"].copy()
    labels[1, :4] = IGNORE
    cases = [*data.cases[:1], replace(data.cases[1], ratings={"lq": labels}), *data.cases[2:]]
    data = CaseList("cells", cases, data.classes, data.raters)
    method = fitted(data, data, segmenter=FusedLabels(budget=TINY))
    repaired = method.repaired()["case 1"]["lq"]
    assert repaired.shape == (2, 32, 32) and ((repaired == IGNORE) == (labels == IGNORE)).all()
    assert method.predict(data[0].unlabelled()).probability.shape == (2, 2, 32, 32)
    assert {name.split(".")[0] for name in method.weights()} == {"upgrade", "segmenter"}


def test_it_needs_instances_only_where_they_are_asked_for(cells):
    inclusion = {"errors": AnnotationErrors(inclusion=1.0), "objects": "instances"}
    assert Upgrade().needs == frozenset() and Upgrade(**inclusion).needs == {"instances"}
    assert Tuned(segmenter=Upgrade(**inclusion)).needs == {"instances"}
    data = cells([HQ, LQ])
    network = fitted(data, data, **inclusion).network_
    marked = network.slices(data.subset([0])).ratings[0, :, 1].sum(dim=(1, 2))
    assert marked.tolist() == [150, 225], "6 cells, and 3 distractors that are taken for cells"
    blind = data.subset([0, 1], blind=True)
    with pytest.raises(RaterbenchError, match="case 'case 0' has no instance map of 'hq'"):
        fitted(blind, blind, **inclusion)


def empty(data, rater):
    cases = [replace(c, ratings={r: np.zeros_like(v) if r == rater else v for r, v in c.ratings.items()}) for c in data]
    return CaseList("cells", cases, data.classes, data.raters)


def test_extreme_annotations_run_and_are_told(cells):
    train, validation = cells([HQ, LQ, LQ, LQ]), cells([LQ])
    alone = fitted(train, validation, errors=AnnotationErrors(bias=6))
    assert "learned from one careful annotation" in alone.fit_report().warnings[0]
    nothing = fitted(empty(train, "hq"), validation, errors=AnnotationErrors(omission=0.5))
    assert "no careful annotation has an object" in nothing.fit_report().warnings[-1]
    assert set(fitted(empty(train, "lq"), validation).repaired()) == {"case 0", "case 1", "case 2", "case 3"}
    both = empty(cells([BOTH, BOTH]), "hq")
    assert "no error could be estimated" in fitted(both, both, errors=None).fit_report().warnings[0]


def test_what_cannot_be_learned_is_refused_in_one_sentence(cells):
    cheap, split = cells([LQ, LQ]), cells([HQ, LQ])
    with pytest.raises(RaterbenchError, match="none of the 4 training and validation cases is annotated by 'hq'"):
        fitted(cheap, cheap)
    with pytest.raises(RaterbenchError, match="no training or validation case is annotated by 'hq' and also by 'lq'"):
        fitted(split, split, errors=None)
    both = cells([BOTH, BOTH])
    unnumbered = CaseList("cells", [replace(c, instances=None) for c in both], both.classes, both.raters)
    with pytest.raises(RaterbenchError, match="case 'case 0' has no instance map of 'hq': set objects = \"components\""):
        fitted(unnumbered, unnumbered, errors=None, objects="instances")
    assert "needs the raters 'ann'" in Upgrade(hq=("ann",)).skip_reason(split)
    assert "two classes" in Upgrade().skip_reason(CaseList("three", split.cases, ("background", "a", "b"), ("hq", "lq")))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"errors": AnnotationErrors(inclusion=0.5)}, 'write objects = "instances"'),
        ({"objects": "instances", "hq": ("a", "b")}, "name one in hq"),
        ({"hq": ("a",), "lq": ("a",)}, "'a' is named in hq and in lq"),
        ({"lq": ()}, "lq names no rater"),
        ({"errors": AnnotationErrors(bias=1, least_bias=2)}, "least_bias = 2 must not be more"),
    ],
)
def test_wrong_parameters_are_named(options, words):
    with pytest.raises(RaterbenchError, match=words):
        clone(Upgrade(**options)).check_parameters()
