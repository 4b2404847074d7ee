import numpy as np
import pytest

from raterbench.datasets import IGNORE, Case, CaseList, Geometry, Instances, RaterbenchError, Truth
from raterbench.datasets.base import index_table


def case(name: str = "a", **changes) -> Case:
    labels = np.zeros((4, 5), np.uint8)
    fields = {
        "id": name,
        "subject": name,
        "centre": "here",
        "image": np.zeros((1, 4, 5), np.float32),
        "ratings": {"r1": labels},
        "geometry": Geometry.axis_aligned(2),
        "truth": Truth(labels, np.stack([1 - labels, labels]).astype(np.float32)),
    }
    return Case(**{**fields, **changes})


def test_a_blind_case_has_no_truth_and_an_unlabelled_one_no_ratings():
    assert case().blind().truth is None
    assert case(diagnosis=1).blind().diagnosis is None
    assert case().unlabelled().ratings == {}


def test_diagnoses_of_raters_are_hidden_as_the_diagnosis_is():
    known = case(diagnosis=1, rater_diagnoses={"r1": 0})
    seen = known.blind({"diagnosis"})
    assert (seen.diagnosis, seen.rater_diagnoses, seen.truth) == (1, {"r1": 0}, None)
    for hidden in (known.blind({"truth"}), known.unlabelled()):
        assert hidden.diagnosis is None and hidden.rater_diagnoses == {}


def test_a_subset_that_a_method_sees_has_no_diagnosis_in_its_index_unless_it_needs_it():
    cases = CaseList("mine", [case("a", diagnosis=1), case("b")], ("background", "x"), diagnoses=("well", "ill"))
    cases.index["diagnosis"] = ["ill", ""]
    assert [cases.diagnosis_at(i) for i in range(2)] == [1, None] == [c.diagnosis for c in cases]
    part = cases.subset([1, 0])
    assert part.diagnoses == ("well", "ill") and part.diagnosis_at(1) == 1
    assert "diagnosis" in cases.subset([0], blind=True, needs={"diagnosis"}).index
    assert "diagnosis" not in cases.subset([0], blind=True, needs={"truth"}).index and "diagnosis" in cases.index


def objects(rater: str = "r1", **changes) -> Instances:
    numbers = np.zeros((4, 5), np.int32)
    numbers[0, :2], numbers[2, 3] = 2, 3
    return Instances(**{"numbers": numbers, "classes": np.array([0, 1, 1, 0]), "rater": rater, **changes})


def test_objects_are_those_with_a_voxel_and_distractors_are_background():
    found = objects()
    assert found.targets.tolist() == [2] and found.distractors.tolist() == [3]
    assert found.labels.dtype == np.uint8 and found.labels.sum() == 2 and found.labels[2, 3] == 0
    with pytest.raises(ValueError, match="read-only"):
        found.numbers[0, 0] = 1
    assert not Instances(np.zeros((2, 2), int), np.array([0]), "r1").targets.size


def test_who_needs_instances_sees_those_of_a_rater_who_rated_the_case():
    drawn = case(instances=objects())
    assert drawn.blind({"instances"}).instances is drawn.instances
    assert drawn.blind({"instances"}).truth is None and drawn.blind({"truth"}).instances is None
    assert drawn.blind().instances is None and drawn.unlabelled().instances is None
    assert case(instances=objects("who did not rate it")).blind({"instances"}).instances is None


def test_a_subset_keeps_classes_raters_and_the_official_test_part():
    cases = CaseList("mine", [case(n) for n in "abcd"], ("background", "x"))
    cases.official_test = (1, 3)
    part = cases.subset([3, 0], blind=True)
    assert [c.id for c in part] == ["d", "a"]
    assert part.official_test == (0,)
    assert part[0].truth is None
    assert part.raters == ("r1",)
    assert [c.id for c in cases[1:3]] == ["b", "c"]
    assert cases[-1].id == "d"
    with pytest.raises(IndexError):
        cases[4]


@pytest.mark.parametrize(
    "changes",
    [
        {"image": np.ones((1, 4, 5), np.float32)},
        {"ratings": {"r1": np.ones((4, 5), np.uint8)}},
        {"truth": None},
        {"geometry": Geometry.axis_aligned(2, (1.0, 2.0))},
        {"diagnosis": 1},
        {"rater_diagnoses": {"r1": 1}},
        {"instances": objects()},
    ],
)
def test_the_fingerprint_of_cases_in_memory_sees_what_they_hold(changes):
    prints = [
        CaseList("mine", [case("a"), case("b", **c)], ("background", "x"), diagnoses=("well", "ill")).fingerprint()
        for c in ({}, {}, changes)
    ]
    assert prints[0] == prints[1] != prints[2]


def test_voxels_that_were_not_judged_are_no_error():
    CaseList("mine", [case(ratings={"r1": np.full((4, 5), IGNORE, np.uint8)})], ("background", "x"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ratings": {"r1": np.full((4, 5), 7, np.uint8)}}, ["'a'", "'r1'", "[7]", "0 to 1"]),
        ({"ratings": {"r1": np.zeros((5, 4), np.uint8)}}, ["'r1'", "(5, 4)", "(4, 5)"]),
        ({"image": np.full((1, 4, 5), np.nan, np.float32)}, ["'a'", "nan"]),
        ({"image": np.full((1, 4, 5), np.inf, np.float32)}, ["'a'", "inf"]),
        ({"ratings": {}}, ["'a'", "no rater"]),
        ({"instances": objects(numbers=np.zeros((5, 4), int))}, ["'a'", "instances", "(5, 4)", "(4, 5)"]),
        ({"instances": objects(classes=np.array([0, 1]))}, ["'a'", "from 0 to 3", "0 to 1", "a class"]),
        ({"instances": objects(classes=np.array([0, 1, 2, 0]))}, ["'a'", "[0, 1, 2]", "to 1"]),
    ],
)
def test_a_case_that_breaks_the_contract_is_named(changes, words):
    with pytest.raises(RaterbenchError) as error:
        CaseList("mine", [case(**changes)], ("background", "x"))
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize(
    ("changes", "names", "words"),
    [
        ({"diagnosis": 2}, ("well", "ill"), ["'a'", "diagnosis 2", "0 to 1 (well, ill)"]),
        ({"diagnosis": -1}, ("well", "ill"), ["'a'", "diagnosis -1"]),
        ({"diagnosis": True}, ("well", "ill"), ["'a'", "diagnosis True"]),
        ({"diagnosis": 0}, (), ["'a'", "diagnosis 0", "names none"]),
        ({"diagnosis": 0, "rater_diagnoses": {"r1": 5}}, ("well", "ill"), ["'a'", "diagnosis 5 by 'r1'"]),
    ],
)
def test_a_diagnosis_that_the_data_set_does_not_name_is_refused(changes, names, words):
    with pytest.raises(RaterbenchError) as error:
        CaseList("mine", [case(**changes)], ("background", "x"), diagnoses=names)
    assert all(word in str(error.value) for word in words)


def test_a_case_listed_twice_is_an_error():
    with pytest.raises(RaterbenchError, match="'a' is listed twice"):
        index_table([("a", "s", "c", ("r",)), ("a", "s", "c", ("r",))])
