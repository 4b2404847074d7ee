import dataclasses

import numpy as np
import pytest

from raterbench.benchmark.measuring.pictures import agreement, choose_pictures, fused_pictures, picture_of, predicted_picture
from raterbench.benchmark.store.predictions import store_prediction
from raterbench.datasets import IGNORE, Case, CaseList, Geometry
from raterbench.methods.base import DiagnosedLabels, Prediction


def case(name, *ratings, image=None):
    labels = {f"r{i}": np.array([rating], np.uint8) for i, rating in enumerate(ratings)}
    pixels = np.arange(len(ratings[0]), dtype=np.float32)[None, None] if image is None else image
    return Case(name, name, "here", pixels, labels, Geometry.axis_aligned(2))


def agreements(*cases):
    return {one.id: agreement(one) for one in cases}


FULL, HALF, NONE = [1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("ratings", "value"),
    [((FULL, FULL), 1.0), ((FULL, HALF), 2 / 3), ((FULL, NONE), 0.0), ((NONE, NONE), 1.0), ((FULL, FULL, HALF), 7 / 9)],
)
def test_agreement_is_the_mean_dice_of_pairs(ratings, value):
    assert agreement(case("c", *ratings)) == pytest.approx(value)


def test_one_rater_agrees_with_nobody_and_unjudged_is_no_foreground():
    assert np.isnan(agreement(case("c", FULL)))
    assert agreement(case("c", [IGNORE] * 4, NONE)) == 1.0


def test_cases_are_spread_from_lowest_to_highest_agreement():
    cases = [case("mid", FULL, HALF), case("high", FULL, FULL), case("low", FULL, NONE)]
    chosen = choose_pictures(agreements(*cases), 3)
    assert list(chosen) == ["low", "mid", "high"]
    assert chosen["low"] == "lowest rater agreement (Dice 0.00)"
    assert chosen["mid"] == "50% quantile of rater agreement (Dice 0.67)"
    assert list(choose_pictures(agreements(*cases), 2)) == ["low", "high"]
    assert list(choose_pictures(agreements(*cases), 9)) == ["low", "mid", "high"]
    assert choose_pictures(agreements(*cases), 0) == {}


def test_cases_with_one_rater_do_not_disturb_the_order():
    several = [case(f"s{i}", FULL, [1] * i + [0] * (4 - i)) for i in (3, 0, 4, 1, 2)]
    singles = [case(f"one{i}", FULL) for i in range(5)]
    mixed = [c for pair in zip(several, singles, strict=True) for c in pair]
    assert list(choose_pictures(agreements(*mixed), 5)) == ["s0", "s1", "s2", "s3", "s4"]
    assert list(choose_pictures(agreements(*singles), 2)) == ["one0", "one4"]


def test_predicted_pictures_are_within_half_a_grey_value():
    random = np.random.default_rng(0)
    probability = random.dirichlet([1, 1, 1], size=(5, 7)).transpose(2, 0, 1).astype(np.float32)
    maps = {name: random.random((5, 7)).astype(np.float32) for name in ("ada", "eve")}
    shown = predicted_picture(store_prediction("c", Prediction(probability), maps), probability)
    assert shown.case == "c" and shown.probability.dtype == np.uint8
    assert np.abs(shown.probability / 255 - probability).max() <= 0.5 / 255 + 1e-6
    assert shown.raters == ("ada", "eve") and shown.reliability.dtype == np.uint8
    assert np.abs(shown.reliability / 255 - np.stack(list(maps.values()))).max() <= 0.5 / 255 + 1e-6
    assert predicted_picture(store_prediction("c", Prediction(probability), {}), probability).reliability is None


def test_pictures_hold_image_ratings_and_truth_of_any_brightness():
    flat, wide = np.full((1, 1, 4), 7.0, np.float32), np.array([[[-1e4, 0, 1, 1e4]]], np.float32)
    first = picture_of(case("flat", FULL, HALF, image=flat), "a")
    second = picture_of(case("wide", HALF, image=wide), "b")
    assert (first.case, first.why, first.raters) == ("flat", "a", ("r0", "r1"))
    assert (second.case, second.why, second.raters) == ("wide", "b", ("r0",))
    assert first.image.tolist() == [[0, 0, 0, 0]]
    assert (second.image.min(), second.image.max()) == (0, 255)
    np.testing.assert_array_equal(first.ratings[1], [HALF])
    assert first.truth is None


def diagnosed(name, diagnosis, shape=(4, 4)):
    random = np.random.default_rng(sum(map(ord, name)))
    ratings = {rater: random.integers(0, 2, shape).astype(np.uint8) for rater in ("b", "a")}
    image = random.normal(size=(1, *shape)).astype(np.float32)
    return Case(name, name, "here", image, ratings, Geometry.axis_aligned(len(shape)), diagnosis=diagnosis)


def record(case, control, labels, weights=None):
    return DiagnosedLabels(case.id, control, labels, case.diagnosis, {"net": np.array([0.5, 0.5])}, weights)


def test_the_first_case_of_each_diagnosis_is_drawn_with_its_fused_labels():
    cases = [diagnosed("nothing", None), diagnosed("ill", 1), diagnosed("well", 0), diagnosed("ill too", 1)]
    weights = {"a": np.full((4, 4), 0.2, np.float32), "b": np.full((4, 4), 0.8, np.float32)}
    records = [
        record(case, control, np.full((4, 4), number, np.uint8), weights)
        for number, control in enumerate(("as published", "cross-fitted", "permuted"))
        for case in cases[1:]
    ]
    tested = CaseList("four", cases, ("background", "object"), diagnoses=("healthy", "ill"))
    well, ill = fused_pictures(records, tested)
    assert [(picture.case, picture.diagnosis) for picture in (well, ill)] == [("well", "healthy"), ("ill", "ill")]
    assert ill.controls == ("as published", "cross-fitted") and ill.labels[:, 0, 0].tolist() == [0, 1]
    assert ill.raters == ("b", "a") and np.array_equal(ill.ratings[1], cases[1].ratings["a"])
    assert ill.weights.shape == (2, 2, 4, 4) and ill.weights[0, :, 0, 0].tolist() == [204, 51]
    assert ill.truth is None and ill.image.dtype == np.uint8


def test_of_a_volume_the_slice_is_drawn_on_which_raters_disagree():
    case, drawn = diagnosed("ill", 1, (3, 4, 4)), np.zeros((3, 4, 4), np.uint8)
    drawn[2, 0, :3], drawn[1, 0, 0] = 1, 1
    case = dataclasses.replace(case, ratings={"b": np.zeros_like(drawn), "a": drawn})
    labels = np.arange(3, dtype=np.uint8)[:, None, None] + np.zeros((3, 4, 4), np.uint8)
    (picture,) = fused_pictures(
        [record(case, "cross-fitted", labels)], CaseList("one", [case], ("background", "object"), diagnoses=("healthy", "ill"))
    )
    assert (picture.labels == 2).all() and picture.labels.shape == (1, 4, 4) and picture.weights is None
    assert np.array_equal(picture.ratings[1], drawn[2])


def test_permuted_diagnoses_and_no_records_give_no_picture():
    case = diagnosed("ill", 1)
    tested = CaseList("one", [case], ("background", "object"), diagnoses=("healthy", "ill"))
    assert fused_pictures([record(case, "permuted", case.ratings["a"])], tested) == fused_pictures([], tested) == ()
