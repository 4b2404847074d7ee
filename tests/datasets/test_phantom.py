import hashlib
import itertools
import pickle
import time

import numpy as np
import pytest
from scipy import ndimage

from raterbench.datasets import Phantom, RaterbenchError, true_confusion
from raterbench.datasets.phantom import CENTRES, FINEST, RATERS
from raterbench.datasets.simulation.raters import BoundaryBias
from raterbench.datasets.simulation.spinal_cord import Anatomy, grid, outlines, partial_volumes


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Mean over both foreground classes."""
    return float(np.mean([2 * ((one == k) & (other == k)).sum() / ((one == k).sum() + (other == k).sum()) for k in (1, 2)]))


def bias(rater: str) -> tuple[float, ...]:
    effects = next(r for r in RATERS if r.name == rater).effects
    return next((e.offset for e in effects if isinstance(e, BoundaryBias)), (0.0, 0.0))


def test_the_default_is_fifteen_subjects_in_three_centres(phantom):
    assert len(phantom) == 60
    assert phantom.index["subject"].nunique() == 15
    assert phantom.index.groupby("centre")["subject"].nunique().to_dict() == {c.name: 5 for c in CENTRES}
    assert phantom.index["case"][6] == "sub-02_slice-3"
    case = phantom[6]
    assert (case.id, case.subject) == ("sub-02_slice-3", "sub-02")
    assert case.image.shape == (1, 56, 60)
    assert case.image.dtype == np.float32


def test_centres_differ_in_pixels_contrast_and_noise(phantom):
    spacings = {case.centre: case.geometry.spacing for case in phantom}
    assert len(set(spacings.values())) == 3
    contrast = {}
    for case in phantom:
        white, grey = (case.image[0][case.truth.probability[k] == 1] for k in (1, 2))
        contrast.setdefault(case.centre, []).append((grey.mean() - white.mean()) / white.std())
    assert all(0.3 < np.mean(values) < 3 for values in contrast.values())


def test_the_same_bits_every_time(phantom):
    again = Phantom()
    for position in (0, 17, 59):
        one, other = phantom[position], again[position]
        assert np.array_equal(one.image, other.image)
        assert list(one.ratings) == list(other.ratings)
        assert all(np.array_equal(one.ratings[r], other.ratings[r]) for r in one.ratings)
    assert not np.array_equal(Phantom(seed=1)[0].image, phantom[0].image)


@pytest.mark.parametrize(
    ("options", "positions", "fingerprint", "labels", "signal"),
    [
        ({}, (0, 17, 59), "a0d11ac7bbad5dab", "fa7249c74b635347", [2043.711, 1953.606, 1329.596]),
        (
            {"subjects": 4, "slices": 1, "size": 32, "missing": 0.0, "centres": 4, "seed": 7},
            (0, 1, 2, 3),
            "ec5179d270f8a141",
            "518e7281674fdf5f",
            [500.780, 457.252, 315.493, 2054.058],
        ),
    ],
    ids=["default", "four centres"],
)
def test_new_options_change_neither_old_cases_nor_old_results_keys(options, positions, fingerprint, labels, signal):
    """Measured before there were patients: ratings and partial volumes hashed, signals summed over each image."""
    phantom, digest = Phantom(**options), hashlib.sha256()
    for case in map(phantom.load, positions):
        for rater, drawn in case.ratings.items():
            digest.update(rater.encode() + drawn.tobytes())
        digest.update((case.truth.probability * 64).astype(np.uint8).tobytes())
        assert case.diagnosis is None
    assert (phantom.fingerprint(), digest.hexdigest()[:16]) == (fingerprint, labels)
    assert [phantom[i].image.sum(dtype=float) for i in positions] == pytest.approx(signal, abs=2e-3)
    assert phantom.diagnoses == ()


def test_a_case_depends_on_its_own_subject_and_slice_only(phantom):
    few = Phantom(subjects=3, missing=0.0)
    one, other = phantom[9], few[9]
    assert one.id == other.id
    assert np.array_equal(one.image, other.image)
    assert all(np.array_equal(labels, other.ratings[rater]) for rater, labels in one.ratings.items())


def test_partial_volumes_sum_to_one_and_decide_the_truth(phantom):
    for case in phantom[::7]:
        assert np.array_equal(case.truth.probability.sum(axis=0), np.ones(case.shape, np.float32))
        assert case.truth.probability.min() >= 0
        assert np.array_equal(case.truth.probability.argmax(axis=0), case.truth.labels)
        assert set(np.unique(case.truth.labels)) == {0, 1, 2}
        mixed = (case.truth.probability.max(axis=0) < 1).mean()
        assert 0.03 < mixed < 0.3


def test_partial_volume_is_the_share_of_finer_pixels():
    anatomy = Anatomy.draw(np.random.default_rng(0), np.random.default_rng(1), 0.5)
    coarse, fine = partial_volumes((32, 32), (0.6, 0.6), anatomy), partial_volumes((64, 64), (0.3, 0.3), anatomy)
    pooled = fine.reshape(3, 32, 2, 32, 2).mean(axis=(2, 4))
    assert np.abs(coarse - pooled).max() < 0.1
    assert np.abs(coarse - pooled).mean() < 0.002


@pytest.mark.parametrize(("shape", "pixel"), [((64, 56), (0.3, 0.36)), ((9, 64), (1.1, 0.1)), ((16, 16), (1.2, 1.2))])
def test_partial_volumes_leave_no_part_of_the_cord_out(shape, pixel):
    for seed in range(4):
        anatomy = Anatomy.draw(np.random.default_rng(seed), np.random.default_rng(seed + 10), 0.5)
        fine = grid((shape[0] * 8, shape[1] * 8), (pixel[0] / 8, pixel[1] / 8))
        inside = outlines(*fine, anatomy)[0] >= 0
        share = inside.reshape(shape[0], 8, shape[1], 8).mean(axis=(1, 3))
        assert np.array_equal(1 - partial_volumes(shape, pixel, anatomy)[0], share.astype(np.float32))


def test_outlines_are_distances_in_millimetres():
    anatomy = Anatomy.draw(np.random.default_rng(0), np.random.default_rng(1), 0.5)
    drawn = outlines(*grid((512, 512), (0.04, 0.04)), anatomy)
    for structure in range(2):
        inside = drawn[structure] >= 0
        exact = ndimage.distance_transform_edt(inside, sampling=0.04) - ndimage.distance_transform_edt(~inside, sampling=0.04)
        near = np.abs(exact) < 0.5
        assert np.quantile(np.abs(drawn[structure] - exact)[near], 0.9) < 0.1


def test_a_fifth_of_the_ratings_is_missing_and_nobody_rates_everything(phantom):
    for rater in phantom.raters:
        absent = sum(rater not in raters for raters in phantom.index["raters"])
        assert 9 <= absent <= 12
    assert min(len(raters) for raters in phantom.index["raters"]) >= 2
    assert all(tuple(case.ratings) == raters for case, raters in zip(phantom, phantom.index["raters"], strict=True))


@pytest.mark.parametrize("rater", ["generous", "sparing"])
def test_the_biases_can_be_recovered(phantom, rater):
    offsets = []
    for position, case in enumerate(phantom):
        if rater not in case.ratings:
            continue
        anatomy = Anatomy.draw(
            phantom._random(position // 4, 0), phantom._random(position // 4, 1, position % 4), (position % 4 + 0.5) / 4
        )
        true = outlines(*grid(case.shape, case.geometry.spacing), anatomy)
        # The level of the true distance that encloses as many pixels as the rater did.
        offsets.append([-np.sort(true[k], axis=None)[-(case.ratings[rater] > k).sum()] for k in range(2)])
    assert np.allclose(np.mean(offsets, axis=0), bias(rater), atol=0.06)


def test_raters_err_in_their_own_direction(phantom):
    found = phantom.rater_confusions()
    white_outside, grey_as_white = {r: m[1:, 0].sum() for r, m in found.items()}, {r: m[1, 2] for r, m in found.items()}
    assert white_outside["generous"] > 0.05
    assert 0.02 > white_outside["steady"] > white_outside["sparing"]
    assert grey_as_white["sparing"] > 0.3 > grey_as_white["steady"] > grey_as_white["generous"]
    assert found["careless"][2, 0] > 0.005
    assert all(np.allclose(m.sum(axis=0), 1) for m in found.values())
    assert set(true_confusion(phantom[0])) == set(phantom[0].ratings)


def test_raters_disagree_and_the_majority_is_not_the_truth(phantom):
    pairs, majority = [], []
    for case in phantom:
        pairs += [dice(a, b) for a, b in itertools.combinations(case.ratings.values(), 2)]
        votes = np.stack([[labels == k for k in range(3)] for labels in case.ratings.values()]).sum(axis=0)
        majority.append(dice(votes.argmax(axis=0), case.truth.labels))
    assert 0.6 < np.mean(pairs) < 0.85
    assert 0.75 < np.mean(majority) < 0.93


def test_the_anatomy_keeps_its_size_when_the_pixels_shrink():
    small, large = (Phantom(subjects=1, slices=1, size=size)[0] for size in (32, 96))
    volumes = [(c.truth.probability.sum(axis=(1, 2)) * np.prod(c.geometry.spacing))[1:] for c in (small, large)]
    assert small.shape == (32, 32)
    assert np.allclose(*volumes, rtol=0.02)


def test_a_fourth_centre_sees_the_same_anatomy_with_half_the_pixel_size():
    three, four = (Phantom(subjects=4, slices=1, size=32, missing=0.0, centres=centres) for centres in (3, 4))
    assert four.index["centre"].tolist() == ["north", "south", "west", "east"]
    assert all(np.array_equal(three[i].image, four[i].image) for i in range(3))
    coarse, fine = three[3], four[3]  # One person, in the finest of the three centres, and in the fourth.
    assert fine.geometry.spacing == tuple(step / 2 for step in coarse.geometry.spacing)
    assert FINEST.scanner.pixel == tuple(step / 2 for step in CENTRES[0].scanner.pixel)
    assert fine.shape == tuple(2 * n for n in coarse.shape)
    pooled = fine.truth.probability.reshape(3, 32, 2, 32, 2).mean(axis=(2, 4))
    assert np.abs(coarse.truth.probability - pooled).mean() < 0.002
    mixed = [(case.truth.probability.max(axis=0) < 1).mean() for case in (coarse, fine)]
    assert 1.7 < mixed[0] / mixed[1] < 2.3


def test_it_is_quick_and_travels_light(phantom):
    start = time.process_time()
    list(Phantom(subjects=3))
    assert time.process_time() - start < 2
    sent = pickle.dumps(phantom)
    assert len(sent) < 100_000
    assert np.array_equal(pickle.loads(sent)[3].image, phantom[3].image)


@pytest.mark.parametrize(
    "options",
    [
        *({"subjects": 0}, {"slices": "3"}, {"size": 4}, {"missing": 0.9}, {"seed": -1}, {"centres": 5}),
        *({"patients": 1.0}, {"patients": -0.1}, {"atrophy": 0.6}, {"atrophy_sd": -0.01}, {"raters": "know"}),
    ],
)
def test_an_option_out_of_range_is_named(options):
    with pytest.raises(RaterbenchError, match=next(iter(options))):
        Phantom(**options)


@pytest.mark.parametrize("options", [{"subjects": 1, "slices": 1}, {"subjects": 2, "missing": 0.5}, {"missing": 0.0}])
def test_every_case_has_at_least_two_raters_whatever_the_options(options):
    assert min(len(raters) for raters in Phantom(**options).index["raters"]) >= 2


def test_the_fingerprint_tells_phantoms_apart(phantom):
    assert phantom.fingerprint() == Phantom().fingerprint()
    others = [Phantom(size=32), Phantom(seed=1), Phantom(missing=0.0), Phantom(missing=0.0, seed=1), Phantom(slices=3)]
    others.append(Phantom(centres=4))
    assert len({phantom.fingerprint(), *(other.fingerprint() for other in others)}) == 7
