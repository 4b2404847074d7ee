"""Simulated cells, and what the two raters of all such data sets do."""

import pickle

import numpy as np
import pytest

from raterbench.benchmark.checks.datasets import CHECKS, check_dataset
from raterbench.datasets import Cells, RaterbenchError, load_dataset
from raterbench.datasets.instances.two_qualities import equidistant_cases

TINY = {"volumes": 4, "test": 1, "slices": 2, "size": 64, "hq_cases": 2}


def tiny(**options) -> Cells:
    return load_dataset("cells", **{**TINY, **options})


def pooled_dice(dataset: Cells, rater: str) -> float:
    said, true = (np.stack(arrays) for arrays in zip(*((c.ratings[rater], c.truth.labels) for c in dataset), strict=True))
    return 2 * (said & true).sum() / (said.sum() + true.sum())


@pytest.fixture(scope="module")
def cells() -> Cells:
    """Six volumes of the default size, drawn once."""
    return Cells(volumes=6, test=2, slices=2)


def test_by_default_there_are_60_slices_to_learn_from_and_20_to_test():
    data = Cells()
    assert len(data) == 80 and data.official_test == tuple(range(60, 80))
    assert data.index["subject"].nunique() == 20 and data.index["subject"][60:].nunique() == 5
    assert set(data.index["raters"]) == {("hq", "lq")}


def test_a_slice_has_two_kinds_of_cells_a_truth_and_a_careful_rater(cells):
    for case in cells:
        assert case.image.shape == (1, 128, 128) and 0 < case.image.mean() < 0.5
        assert len(case.instances.targets) >= 5 and len(case.instances.distractors) >= 1
        assert np.array_equal(case.instances.labels, case.truth.labels)
        assert np.array_equal(case.ratings["hq"], case.truth.labels)
        bright = case.image[0][case.truth.labels == 1].mean()
        assert bright > 2 * case.image[0][case.instances.numbers == 0].mean()
    targets, others = (
        sum(np.isin(case.instances.numbers, getattr(case.instances, kind)).sum() for case in cells)
        for kind in ("targets", "distractors")
    )
    assert 0.12 < others / targets < 0.45


def test_the_other_kind_can_be_the_target_or_left_out(cells):
    lobed, alone = Cells(volumes=6, test=2, slices=2, target="lobed"), Cells(volumes=6, test=2, slices=2, distractors=False)
    assert np.array_equal(lobed[3].image, cells[3].image)
    assert set(lobed[3].instances.targets) == set(cells[3].instances.distractors)
    assert np.array_equal(alone[3].truth.labels, cells[3].truth.labels)
    assert not alone[3].instances.distractors.size and not np.array_equal(alone[3].image, cells[3].image)
    with pytest.raises(RaterbenchError, match=r"inclusion = 0\.2 is a share of distractors, and this data set has none"):
        tiny(distractors=False, lq_errors={"inclusion": 0.2})


def test_zoom_shows_the_same_cells_larger():
    one, two = tiny()[0], tiny(size=128, zoom=2.0)[0]
    assert np.array_equal(two.instances.numbers[::2, ::2], one.instances.numbers)
    assert two.truth.labels.sum() == pytest.approx(4 * one.truth.labels.sum(), rel=0.05)


def test_omission_of_70_percent_has_the_dice_that_the_paper_reports(cells):
    assert pooled_dice(cells, "lq") == pytest.approx(0.462, abs=0.08)
    for case in cells:
        left = np.unique(case.instances.numbers[case.ratings["lq"] == 1])
        n = len(case.instances.targets)
        assert len(left) == n - round(0.7 * n)


def test_the_same_options_give_the_same_bits_in_another_process_and_order():
    one, other = tiny(), pickle.loads(pickle.dumps(tiny()))
    for position in (5, 0):
        arrays = [(c.image, c.instances.numbers, *c.ratings.values()) for c in (one[position], other[position])]
        assert all(np.array_equal(a, b) for a, b in zip(*arrays, strict=True))
    assert not np.array_equal(tiny(seed=1)[0].image, one[0].image)


def test_an_annotation_does_not_depend_on_who_else_annotates():
    everyone, split = tiny(), tiny(regime="split", hq_cases=3)
    for a, b in zip(everyone, split, strict=True):
        assert all(np.array_equal(labels, a.ratings[rater]) for rater, labels in b.ratings.items())


@pytest.mark.parametrize(("regime", "chosen"), [("split", ("hq",)), ("shared", ("hq", "lq"))])
def test_the_regime_says_who_annotates_which_training_case(regime, chosen):
    data = tiny(regime=regime)
    assert data.index["raters"].tolist() == [chosen, ("lq",), ("lq",), chosen, ("lq",), ("lq",), ("hq", "lq"), ("hq", "lq")]
    assert [tuple(case.ratings) for case in data] == data.index["raters"].tolist()
    assert set(tiny(regime=regime, hq_subjects=1).index["raters"][2:6]) == {("lq",)}


def test_a_method_sees_the_objects_of_carefully_annotated_cases_alone():
    data = tiny(regime="split")
    seen = [case.instances is not None for case in data.subset(range(6), blind=True, needs={"instances"})]
    assert seen == [True, False, False, True, False, False]
    assert all(case.truth is None for case in data.subset(range(6), blind=True, needs={"instances"}))
    assert all(case.instances is None for case in data.subset(range(8), blind=True, needs={"truth"}))
    assert data[0].unlabelled().instances is None


def test_a_careful_rater_who_errs_does_so_in_training_and_so_do_the_objects():
    data = tiny(hq_errors={"omission": 1.0})
    assert not any(case.ratings["hq"].any() or case.instances.targets.size for case in data[:6])
    assert all(np.array_equal(case.ratings["hq"], case.truth.labels) for case in data[6:])


@pytest.mark.parametrize(
    "options",
    [
        {"lq_errors": {"omission": 1.0}},
        {"lq_errors": {"bias": 6, "least_bias": 6, "direction": "in"}},
        {"hq_errors": {"omission": 1.0}, "regime": "split"},
        {"hq_cases": 1, "regime": "split"},
        {"hq_cases": 0, "regime": "split"},
        {"hq_cases": 6, "regime": "split"},
        {"lq_errors": {}},
        {"lq_errors": {"omission": 0.5, "segments": 0.1, "salt_and_pepper": 0.1, "bias": 6}},
    ],
)
def test_extreme_annotations_are_read_as_they_are(options):
    for case in tiny(**options):
        assert all(labels.dtype == np.uint8 and labels.max() <= 1 for labels in case.ratings.values())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"hq_cases": 7, "regime": "split"}, "cells: hq_cases = 7 is more than the 6 training cases"),
        ({"hq_cases": 3, "hq_subjects": 1, "regime": "split"}, "cells: hq_cases = 3 is more than the 2 training cases"),
        ({"hq_subjects": 4, "regime": "shared"}, "cells: hq_subjects = 4 must be from 1 to 3"),
        ({"lq_errors": {"omision": 0.1}}, "cells: lq_errors: unknown key 'omision'; did you mean 'omission'"),
        ({"hq_errors": {"bias": -1}}, "cells: hq_errors: bias = -1"),
        ({"test": 5}, "cells: test = 5 must not be more than volumes = 4"),
        ({"size": 32}, "size = 32 must be a whole number from 64"),
        ({"zoom": 2.0}, "cells: size = 64 must be at least 64 x zoom = 2"),
    ],
)
def test_options_that_cannot_be_are_named(options, says):
    with pytest.raises(RaterbenchError) as error:
        tiny(**options)
    assert says in str(error.value)


def test_the_fingerprint_knows_what_is_drawn_and_what_raters_do():
    changes = [{}, {"seed": 1}, {"size": 65}, {"target": "lobed"}, {"distractors": False}, {"regime": "split"}]
    changes += [{"zoom": 0.8}, {"lq_errors": {"omission": 0.5}}, {"hq_errors": {"bias": 1}}, {"regime": "split", "hq_cases": 1}]
    prints = [tiny(**change).fingerprint() for change in changes]
    assert len(set(prints)) == len(prints) and tiny(lq_errors={"omission": 0.7}).fingerprint() == prints[0]


def test_cases_are_chosen_as_the_paper_says():
    five = [f"v{v}" for v in range(5) for _ in range(10)]
    # The centre of section 1 of volume 1, of section 2 of volume 2, and so on.
    assert equidistant_cases(five, 5) == [1, 13, 25, 37, 49]
    assert equidistant_cases(five, 3, most=1) == [1, 5, 8]
    assert sorted(equidistant_cases(five, 50)) == list(range(50))
    uneven = ["a"] * 2 + ["b"] * 9
    assert sorted(equidistant_cases(uneven, 11)) == list(range(11))


def test_it_keeps_the_contract_of_a_data_set():
    results = check_dataset(Cells)
    assert len(results) == len(CHECKS) + 1
    assert all(r.passed for r in results), [r.message for r in results if not r.passed]
