"""Chosen raters, threshold, partial labelling, confident learning: what each learns from, by hand or by brute force."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from raterbench.datasets import IGNORE, CaseList, RaterbenchError
from raterbench.methods import (
    AnnotationBudget,
    Budget,
    ChosenRaters,
    ConfidentLearning,
    IntensityThreshold,
    Method,
    PartialLabelling,
    Tuned,
    Upgrade,
)
from raterbench.methods.quality.confident_learning import mean_confidence, soften
from raterbench.methods.quality.intensity_threshold import NO_OBJECT
from raterbench.methods.quality.views import ONE_CASE, places_rated_by, split_places

TINY = Budget(epochs=2, batch_size=4, backbone="shallow", features=(4, 4, 4, 8, 8, 4))
HQ, LQ, BOTH = ("hq",), ("lq",), ("hq", "lq")


class Spy(Method):
    """Keeps who rated the cases that it is fitted to."""

    listed = False

    def fit(self, train, validation, *, seed, device="cpu"):
        self.seen_ = [[(case.id, tuple(case.ratings)) for case in part] for part in (train, validation)]
        assert [tuple(part.index["raters"]) for part in (train, validation)] == [
            tuple(who for _, who in part) for part in self.seen_
        ]
        return self

    def predict_proba(self, case):
        raise NotImplementedError


def seen(train, validation, **options):
    method = ChosenRaters(segmenter=Spy(), **options).fit(train, validation, seed=0)
    return method.segmenter_.seen_, method.fit_report().warnings


def test_chosen_raters_alone_are_learned_from(cells):
    train, validation = cells([HQ, LQ, BOTH]), cells([BOTH, LQ])
    parts, warnings = seen(train, validation, raters=HQ)
    assert parts == [[("case 0", HQ), ("case 2", HQ)], [("case 0", HQ)]] and not warnings
    parts, _ = seen(train, validation, raters=BOTH, each_case="first")
    assert parts == [[("case 0", HQ), ("case 1", LQ), ("case 2", HQ)], [("case 0", HQ), ("case 1", LQ)]]
    parts, _ = seen(train, validation, raters=BOTH)
    assert parts[0][2] == ("case 2", BOTH)


def budgeted(train, validation, **options):
    method = AnnotationBudget(segmenter=Spy(), **options).fit(train, validation, seed=0)
    learned, held_out = method.segmenter_.seen_
    assert {name for name, _ in learned}.isdisjoint(name for name, _ in held_out)
    for kind in {who for _, who in [*learned, *held_out]}:
        there, validating = ([who for _, who in cases].count(kind) for cases in ([*learned, *held_out], held_out))
        assert validating == max(1, round(there / 5))
    return dict([*learned, *held_out])


def test_a_budget_of_annotations_shows_so_many_and_no_more(cells):
    data = cells([BOTH] * 12)  # six subjects of two cases
    train, validation = data.subset(range(8)), data.subset(range(8, 12))
    found = budgeted(train, validation, careful=3, cheap=4)
    careful = {case for case, who in found.items() if who == HQ}
    assert careful == {"case 0", "case 3", "case 5"} and list(found.values()).count(LQ) == 4 and len(found) == 7
    everything = budgeted(train, validation, careful=3)
    assert len(everything) == 12 and {case for case, who in everything.items() if who == HQ} == careful
    shared = budgeted(train, validation, careful=3, cheap=0, shared=True)
    assert shared == dict.fromkeys(careful, BOTH)
    assert set(budgeted(train, validation, careful=0, cheap=5).values()) == {LQ}
    one = budgeted(train, validation, careful=2, cheap=0, subjects=1)
    assert set(one) == {"case 0", "case 1"}


def test_a_budget_that_cannot_be_is_refused(cells):
    data = cells([HQ, LQ, LQ, BOTH])
    with pytest.raises(RaterbenchError, match="careful = 3 is more than the 2 training cases"):
        budgeted(data.subset([0, 1]), data.subset([2, 3]), careful=3)
    with pytest.raises(RaterbenchError, match="cheap = 3 is more than the 2"):
        budgeted(data.subset([0, 1]), data.subset([2, 3]), careful=2, cheap=3)
    with pytest.raises(RaterbenchError, match=r"careful = 0, and no training or validation case is annotated by 'lq': raise"):
        budgeted(cells([HQ]), cells([HQ]), careful=0)
    with pytest.raises(RaterbenchError, match=r"subjects = 0 must be a whole number from 1"):
        AnnotationBudget(subjects=0).check_parameters()
    with pytest.raises(RaterbenchError, match="nothing to learn from"):
        AnnotationBudget(careful=0, cheap=0).check_parameters()
    with pytest.raises(RaterbenchError, match="careful or cheap, not both"):
        AnnotationBudget(hq=("a",), lq=("a",)).check_parameters()


def test_one_annotation_alone_is_learned_from_and_told(cells):
    method = AnnotationBudget(segmenter=Spy(), careful=1, cheap=0).fit(cells([HQ]), cells([LQ]), seed=0)
    assert method.segmenter_.seen_[0] == method.segmenter_.seen_[1] == [("case 0", HQ)]
    assert method.fit_report().warnings == [ONE_CASE]


class Repairing(Spy):
    """Repairs by a word."""

    def repair(self, case):
        return {"lq": f"{case} repaired"}

    def repaired(self):
        return {"case": {"lq": "repaired"}}


@pytest.mark.parametrize(
    ("method", "name"), [(Tuned(), "best_"), (ChosenRaters(), "segmenter_"), (AnnotationBudget(), "segmenter_")]
)
def test_a_method_that_holds_another_repairs_as_that_does(method, name):
    setattr(method, name, Repairing())
    assert method.repair("it") == {"lq": "it repaired"} and method.repaired() == {"case": {"lq": "repaired"}}


def test_the_segmenter_by_default_has_the_budget():
    for method in (ChosenRaters(budget=TINY), AnnotationBudget(budget=TINY), Upgrade(budget=TINY)):
        assert method.inner().budget is TINY


def test_chosen_cases_are_pooled_where_a_part_has_none(cells):
    train, validation = cells([HQ] * 5 + [LQ]), cells([LQ])
    parts, warnings = seen(train, validation, raters=HQ)
    assert [len(part) for part in parts] == [4, 1] and len({name for part in parts for name, _ in part}) == 5
    assert "all 5 cases rated by 'hq' were in one part" in warnings[0]
    assert seen(train, validation, raters=HQ, pooled=True) == (parts, [])
    parts, warnings = seen(cells([HQ, LQ]), validation, raters=HQ)
    assert parts[0] == parts[1] == [("case 0", HQ)] and "one case alone" in warnings[-1]
    with pytest.raises(RaterbenchError, match="none of the 2 training and validation cases is rated by 'hq'"):
        seen(validation, validation, raters=HQ)
    with pytest.raises(RaterbenchError, match="names nobody"):
        ChosenRaters(raters=()).check_parameters()


@pytest.mark.parametrize("seed", range(5))
def test_a_fifth_of_each_kind_of_pooled_cases_validates_and_no_case_does_both(cells, seed):
    careful, cheap = places_rated_by(HQ, cells([HQ] * 3), cells([HQ] * 2)), places_rated_by(LQ, cells([LQ] * 15))
    learned, held_out = split_places([careful, cheap], seed)
    assert sorted(map(id, (*learned, *held_out))) == sorted(map(id, (*careful, *cheap)))
    assert [sum(place.raters == kind for place in held_out) for kind in (HQ, LQ)] == [1, 3]
    assert split_places([careful[:1], []], seed) == (careful[:1], careful[:1])


@pytest.mark.parametrize("dark", [False, True])
def test_the_threshold_has_the_best_dice_of_all_voxels_together(cells, dark):
    data = cells([HQ, BOTH, LQ])
    cases = [replace(case, image=case.image * (-1 if dark else 1)) for case in data]
    data = CaseList("cells", cases, data.classes, data.raters)
    method = IntensityThreshold(dark=dark).fit(data.subset([0, 1]), data.subset([2]), seed=0)
    dice = []
    for percent in range(1, 101):
        both = marked = better = 0
        for case in cases:
            image = case.image[0].astype(float) * (-1 if dark else 1)
            bright = image - image.min() >= percent / 100 * (image.max() - image.min())
            for labels in case.ratings.values():
                both, marked, better = both + (bright & (labels == 1)).sum(), marked + bright.sum(), better + labels.sum()
        dice.append(2 * both / (marked + better))
    assert method.threshold_ == int(np.argmax(dice)) + 1 and max(dice) > 0.7
    probability = method.predict_proba(cases[0].unlabelled())
    assert set(np.unique(probability)) == {0, 1} and (probability.sum(axis=0) == 1).all()
    with pytest.raises(RaterbenchError, match="channel = 1, but the image of case 'case 0' has 1"):
        IntensityThreshold(channel=1).fit(data, data, seed=0)


def test_a_threshold_of_labels_without_objects_marks_next_to_nothing_and_says_so(cells):
    data = cells([HQ, LQ])
    without = relabelled(data, np.zeros_like)
    method = IntensityThreshold().fit(without, without, seed=0)
    assert method.threshold_ == 100 and method.fit_report().warnings == [NO_OBJECT]
    assert method.predict_proba(data[0].unlabelled())[1].sum() == 1
    unjudged = relabelled(data, lambda labels: np.full_like(labels, IGNORE))
    with pytest.raises(RaterbenchError, match="nobody judged a voxel of the 4 training and validation cases"):
        IntensityThreshold().fit(unjudged, unjudged, seed=0)


def relabelled(data, change):
    cases = [replace(case, ratings={rater: change(labels) for rater, labels in case.ratings.items()}) for case in data]
    return CaseList("cells", cases, data.classes, data.raters)


def test_partial_labels_are_believed_where_they_mark_or_the_teacher_agrees(cells):
    method = PartialLabelling(budget=TINY)
    slices = method.prepare(cells([HQ, LQ]), seed=0)
    batch = slices.batch(torch.arange(2), torch.device("cpu"))
    left = (torch.arange(32) < 16).expand(2, 1, 32, 32)
    teacher = torch.nn.Module()
    teacher.forward = lambda images: torch.cat([torch.where(left, 9.0, 0.0), torch.zeros(2, 1, 32, 32)], dim=1)
    marked = batch.ratings[1, 1, 1] > 0.5
    for warm, expected in ((False, marked), (True, marked | left[0, 0])):
        method.is_warmed_up_ = warm
        believed = method._believed(batch, teacher) & batch.present
        assert believed[0, 0].all() and torch.equal(believed[1, 1], expected)


def test_the_teacher_is_a_running_mean_and_careful_cases_validate(cells):
    method = PartialLabelling(budget=TINY, decay=0.75)
    one, other = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    expected = 0.75 * other.weight + 0.25 * one.weight
    method._follow(one, other)
    torch.testing.assert_close(other.weight, expected)
    train = cells([HQ, LQ, LQ])
    assert not PartialLabelling(budget=TINY).fit(train, cells([HQ, LQ]), seed=0).fit_report().warnings
    warnings = PartialLabelling(budget=TINY).fit(train, cells([LQ]), seed=0).fit_report().warnings
    assert "no careful annotation: cheap ones chose the best epoch" in warnings[0]
    with pytest.raises(RaterbenchError, match="no training case is annotated by 'hq', so that background cannot be learned"):
        PartialLabelling(budget=TINY).fit(cells([LQ]), cells([HQ, LQ]), seed=0)


def test_background_of_cheap_annotations_enters_the_loss_after_the_warm_up(cells):
    """What the teacher and the warm-up decide must reach the loss itself, not only a mask."""
    method = PartialLabelling(budget=Budget(epochs=10, features=TINY.features), warmup=0.2)
    slices = method.prepare(cells([LQ]), seed=0)
    batch = slices.batch(torch.arange(1), torch.device("cpu"))
    module = torch.nn.Module()
    logits = torch.zeros(1, 2, 32, 32, requires_grad=True)
    module.forward = lambda images: logits
    method.teacher_ = torch.nn.Module()
    method.teacher_.forward = lambda images: torch.tensor([9.0, 0.0])[:, None, None].expand(1, 2, 32, 32)
    marked = batch.ratings[0, 1, 1] > 0.5
    for epoch, expected in ((0, marked), (1, marked), (2, torch.ones_like(marked))):
        method.start_epoch(module, epoch)
        (reached,) = torch.autograd.grad(method.step_loss(module, batch), logits)
        assert torch.equal(reached[0, 1] != 0, expected)


def test_confident_errors_are_softened():
    foreground = np.array([0.1, 0.6, 0.9, 0.3, 0.8, 0.99], np.float32)
    probability, labels = np.stack([1 - foreground, foreground]), np.array([0, 0, 0, 1, 1, IGNORE], np.uint8)
    least = mean_confidence([(probability, labels)], 2)
    np.testing.assert_allclose(least, [(0.9 + 0.4 + 0.1) / 3, (0.3 + 0.8) / 2], atol=1e-6)
    target = soften(probability, labels, least, 0.8)
    # The second and third are confidently foreground, the fourth confidently background, the last was not judged.
    np.testing.assert_allclose(target[1], [0, 0.8, 0.8, 0.2, 1, 0], atol=1e-6)
    np.testing.assert_allclose(target.sum(axis=0), [1, 1, 1, 1, 1, 0], atol=1e-6)
    assert mean_confidence([(probability, np.zeros(6, np.uint8))], 2)[1] == np.inf


def test_teachers_predict_what_they_have_not_seen_and_careful_labels_stay(cells):
    train, validation = cells([HQ, LQ, LQ, LQ, LQ]), cells([LQ])
    method = ConfidentLearning(budget=TINY).fit(train, validation, seed=0)
    assert set(method.corrected_) == set(method.repaired()) == {f"case {i}" for i in range(1, 5)}
    assert method.targets(train[0])["hq"] is train[0].ratings["hq"]
    teachers = method._teachers(places_rated_by(LQ, train), validation, 0, "cpu")
    cheap = train.cases[1:]
    predicted = {i: teacher.predict_proba(cheap[i].unlabelled()) for teacher, unseen in teachers for i in unseen}
    least = mean_confidence([(predicted[i], case.ratings["lq"]) for i, case in enumerate(cheap)], 2)
    for i, case in enumerate(cheap):
        expected = soften(predicted[i], case.ratings["lq"], least, 0.8)
        np.testing.assert_array_equal(method.corrected_[case.id]["lq"], expected)
        np.testing.assert_array_equal(method.repaired()[case.id]["lq"], expected[1] > 0.5)
    assert list(method.fit_report().stages) == ["teacher 1", "teacher 2"] and method.fit_report().repair.repaired == 4
    one = ConfidentLearning(budget=TINY).fit(cells([HQ, LQ]), validation, seed=0)
    assert "one cheap annotation alone" in one.fit_report().warnings[-1]
    careful = ConfidentLearning(budget=TINY).fit(cells([HQ, HQ]), validation, seed=0)
    assert careful.fit_report().repair.repaired == 0


def test_two_teachers_have_no_subject_in_common(cells):
    train = cells([LQ] * 6)
    teachers = ConfidentLearning(budget=TINY)._teachers(places_rated_by(LQ, train), train, 0, "cpu")
    unseen = [{train[i].subject for i in positions} for _, positions in teachers]
    assert len(unseen) == 2 and not unseen[0] & unseen[1] and unseen[0] | unseen[1] == {"subject 0", "subject 1", "subject 2"}
