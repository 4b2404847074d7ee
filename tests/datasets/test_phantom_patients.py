"""Patients of the phantom and the three arms of raters: what they share, how they differ, and what tells a patient."""

import pickle

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from raterbench.datasets import Case, Phantom, RaterbenchError
from raterbench.datasets.phantom import RATERS
from raterbench.datasets.simulation.raters import BoundaryBias
from raterbench.datasets.simulation.spinal_cord import grid, outlines
from raterbench.datasets.simulation.spinal_cord_raters import KnowingRater

FEW = {"subjects": 24, "slices": 1, "missing": 0.0, "patients": 0.5}
ARMS = ("independent", "sees more", "knows")


@pytest.fixture(scope="module")
def arms() -> dict[str, Phantom]:
    return {arm: Phantom(**FEW, raters=arm) for arm in ARMS}


def true_areas(case: Case) -> tuple[float, float]:
    """Grey matter, and the whole cord, in mm^2."""
    pixel = np.prod(case.geometry.spacing)
    return case.truth.probability[2].sum() * pixel, (1 - case.truth.probability[0]).sum() * pixel


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"subjects": 60, "patients": 0.5}, [10, 10, 10]),
        ({"subjects": 15, "patients": 0.5}, [2, 3, 3]),  # 8 of 15, 2.5 of each five
        ({"subjects": 10, "patients": 0.3}, [1, 1, 1]),
        ({"subjects": 11, "patients": 0.25, "centres": 4}, [0, 1, 1, 1]),
        ({"subjects": 2, "patients": 0.5}, [0, 1]),
    ],
    ids=str,
)
def test_the_share_of_patients_is_exact_and_spread_over_the_centres(options, expected):
    phantom = Phantom(slices=1, size=16, **options)
    index = phantom.index.assign(patient=[case.diagnosis for case in phantom])
    assert phantom.diagnoses == ("healthy", "atrophy")
    assert sorted(index.groupby("centre")["patient"].sum()) == expected
    assert index["patient"].sum() == np.floor(options["patients"] * options["subjects"] + 0.5)


def test_patients_are_drawn_by_the_seed_and_each_person_has_one_diagnosis():
    def patients(**options):
        return [case.diagnosis for case in Phantom(subjects=12, size=16, patients=0.5, **options)]

    one = np.reshape(patients(slices=2), (12, 2))
    assert np.array_equal(one[:, 0], one[:, 1])
    assert one[:, 0].tolist() == patients(slices=1)
    assert patients(slices=1, seed=1) != patients(slices=1)


def test_atrophy_is_a_share_of_the_area(arms):
    for position, (one, other) in enumerate(zip(arms["independent"], Phantom(**FEW | {"patients": 0}), strict=True)):
        (grey, cord), (grey_in_health, cord_in_health) = true_areas(one), true_areas(other)
        given = arms["independent"]._anatomy(position, 0).atrophy
        assert cord == cord_in_health
        assert (given > 0) == one.diagnosis
        assert 1 - grey / grey_in_health == pytest.approx(given, abs=0.005 * one.diagnosis)


def test_the_atrophy_of_patients_has_the_given_mean_and_spread():
    phantom = Phantom(subjects=1000, slices=1, patients=0.6)
    atrophy = np.array([phantom._anatomy(person, 0).atrophy for person in range(1000)])
    patients = atrophy[atrophy > 0]
    assert len(patients) == 600
    assert patients.mean() == pytest.approx(0.12, abs=2 * 0.04 / np.sqrt(600))
    assert patients.std() == pytest.approx(0.04, rel=0.06)


def test_without_spread_every_patient_loses_the_same_share_in_each_slice():
    options = {"subjects": 4, "slices": 2, "size": 64}
    for one, other in zip(Phantom(**options, patients=0.5, atrophy=0.3, atrophy_sd=0), Phantom(**options), strict=True):
        assert true_areas(one)[0] / true_areas(other)[0] == pytest.approx(0.7 if one.diagnosis else 1, abs=0.004)


def test_a_patient_is_the_same_person_with_less_grey_matter(arms):
    for one, other in zip(arms["independent"], Phantom(**FEW | {"patients": 0}), strict=True):
        assert (one.id, one.centre, one.geometry) == (other.id, other.centre, other.geometry)
        differs = one.image[0] != other.image[0]
        if not one.diagnosis:
            assert not differs.any()
            assert all(np.array_equal(labels, other.ratings[rater]) for rater, labels in one.ratings.items())
            continue
        # The butterfly shrinks towards its middle; the blur carries the change two or three pixels beyond its outlines.
        touched = one.truth.probability[2] + other.truth.probability[2] > 0
        assert differs.any()
        assert not differs[~ndimage.binary_dilation(touched, np.ones((3, 3)), iterations=3)].any()


def test_the_arms_differ_in_one_rater_only(arms):
    for independent, sees_more, knows in zip(*arms.values(), strict=True):
        for other in (sees_more, knows):
            assert (other.id, other.diagnosis) == (independent.id, independent.diagnosis)
            assert np.array_equal(other.image, independent.image)
            assert np.array_equal(other.truth.probability, independent.truth.probability)
            differ = {r for r, labels in independent.ratings.items() if not np.array_equal(labels, other.ratings[r])}
            assert differ <= {"steady"}
        assert not np.array_equal(sees_more.ratings["steady"], independent.ratings["steady"])
    assert all(tuple(phantom.rater_parameters) == phantom.raters for phantom in arms.values())


def test_who_sees_more_has_a_fifth_of_the_errors(arms):
    wrong = {arm: sum((c.ratings["steady"] != c.truth.labels).sum() for c in arms[arm]) for arm in ARMS[:2]}
    assert 0.1 < wrong["sees more"] / wrong["independent"] < 0.3


def test_who_knows_draws_the_grey_matter_of_patients_too_far_in(arms):
    offsets, changed = [], []
    for position, (independent, knows) in enumerate(zip(arms["independent"], arms["knows"], strict=True)):
        before, after = independent.ratings["steady"], knows.ratings["steady"]
        if not knows.diagnosis:
            assert np.array_equal(before, after)
            continue
        changed.append((before != after).sum())
        assert (before[before != after] == 2).all() and (after[before != after] == 1).all()
        # The level of the true distance that encloses as many pixels as were drawn.
        anatomy = arms["knows"]._anatomy(position, 0)
        true = np.sort(outlines(*grid(knows.shape, knows.geometry.spacing), anatomy)[1], axis=None)
        offsets.append(true[-(before == 2).sum()] - true[-(after == 2).sum()])
    assert np.mean(offsets) == pytest.approx(-0.04, abs=0.01)
    assert 5 < np.mean(changed) < 15


def test_a_knowing_rater_bends_by_diagnosis_and_not_without_one():
    rater = KnowingRater("r", RATERS[0].effects, bend=((0.0, 0.1), (0.0, -0.2)))
    bias = [rater.for_diagnosis(diagnosis).effects[1:] for diagnosis in (0, 1, None)]
    assert bias == [(BoundaryBias((0.0, 0.1)),), (BoundaryBias((0.0, -0.2)),), ()]
    assert all(rater.for_diagnosis(1) is rater for rater in RATERS)


def test_what_a_patient_can_be_told_from():
    """People differ in size, so grey matter relative to the cord tells more than its area; raters' errors hide some of it."""
    relative = {}
    for arm in ARMS:
        cases = list(Phantom(subjects=150, slices=1, size=32, missing=0.0, patients=0.5, raters=arm))
        diagnosis = [case.diagnosis for case in cases]
        grey, cord = np.array([true_areas(case) for case in cases]).T
        assert 0.6 < roc_auc_score(diagnosis, -grey) < roc_auc_score(diagnosis, -grey / cord) < 0.9
        drawn = [(case.ratings["steady"] == 2).sum() / (case.ratings["steady"] > 0).sum() for case in cases]
        relative[arm] = roc_auc_score(diagnosis, -np.array(drawn))
    assert 0.6 < relative["independent"] < relative["sees more"] - 0.03
    assert relative["independent"] < relative["knows"] - 0.05


def test_arms_and_patients_travel_and_have_fingerprints_of_their_own(arms):
    sent = pickle.loads(pickle.dumps(arms["knows"]))
    assert np.array_equal(sent[1].ratings["steady"], arms["knows"][1].ratings["steady"])
    assert sent[1:3].diagnoses == ("healthy", "atrophy")
    others = [
        Phantom(**FEW | changed) for changed in ({"atrophy": 0.2}, {"atrophy_sd": 0}, {"patients": 0}, {"patients": 0.48})
    ]
    assert len({phantom.fingerprint() for phantom in (*arms.values(), *others)}) == 7
    assert Phantom(atrophy=0.3).fingerprint() == Phantom().fingerprint()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"raters": "knows"}, "patients is 0"),
        ({"patients": 0.01}, "patients = 0.01 makes 0 of 15"),
        ({"patients": 0.99}, "patients = 0.99 makes 15 of 15"),
    ],
)
def test_a_diagnosis_needs_both_kinds_of_subjects(options, message):
    with pytest.raises(RaterbenchError, match=message):
        Phantom(**options)
