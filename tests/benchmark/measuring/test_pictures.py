import numpy as np
import pytest

from raterbench.benchmark.measuring.pictures import agreement, choose_pictures, picture_of, predicted_picture
from raterbench.benchmark.store.predictions import store_prediction
from raterbench.datasets import IGNORE, Case, Geometry
from raterbench.methods.base import Prediction


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
