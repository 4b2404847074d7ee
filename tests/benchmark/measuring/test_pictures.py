import numpy as np
import pytest

from raterbench.benchmark.measuring.pictures import agreement, choose_pictures, pack_kept, pack_pictures, pack_reliability
from raterbench.datasets import IGNORE, Case, Geometry


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


def test_kept_maps_are_within_half_a_grey_value():
    probability = np.random.default_rng(0).dirichlet([1, 1, 1], size=(5, 7)).transpose(2, 0, 1).astype(np.float32)
    (packed,) = pack_kept({"c": probability}).values()
    assert packed.dtype == np.uint8
    assert np.abs(packed / 255 - probability).max() <= 0.5 / 255 + 1e-6


def test_reliability_maps_are_within_half_a_grey_value():
    maps = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    listed, arrays = pack_reliability({"c": {"ada": maps[0]}, "none": {}, "d": {"ada": maps[1], "eve": maps[2]}})
    assert listed == [("c", ["ada"]), ("none", []), ("d", ["ada", "eve"])]
    assert list(arrays) == ["reliability0_rater0", "reliability2_rater0", "reliability2_rater1"]
    for packed, map_ in zip(arrays.values(), maps, strict=True):
        assert packed.dtype == np.uint8
        assert np.abs(packed / 255 - map_).max() <= 0.5 / 255 + 1e-6


def test_pictures_hold_image_ratings_and_truth_of_any_brightness():
    flat, wide = np.full((1, 1, 4), 7.0, np.float32), np.array([[[-1e4, 0, 1, 1e4]]], np.float32)
    meta, arrays = pack_pictures(
        [case("flat", FULL, HALF, image=flat), case("wide", HALF, image=wide)], {"flat": "a", "wide": "b"}
    )
    assert [(p["case"], p["why"], p["raters"]) for p in meta["pictures"]] == [
        ("flat", "a", ["r0", "r1"]),
        ("wide", "b", ["r0"]),
    ]
    assert arrays["picture0_image"].tolist() == [[0, 0, 0, 0]]
    assert arrays["picture1_image"].min() == 0
    assert arrays["picture1_image"].max() == 255
    np.testing.assert_array_equal(arrays["picture0_rating1"], [HALF])
    assert "picture0_truth" not in arrays
