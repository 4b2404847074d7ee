"""A rater whom training never saw has weights that mean nothing: they must not choose the epoch, nor be estimates."""

from dataclasses import replace

import numpy as np
import pytest

from raterbench.datasets import IGNORE, CaseList
from raterbench.methods import (
    TGCE,
    AggNet,
    Budget,
    ConfusionNetwork,
    MaxMIG,
    MRNet,
    MultiHead,
    OrdinalAgreement,
    Pionono,
    WDNet,
)

LEARN_RATERS = [MultiHead, WDNet, MRNet, Pionono, AggNet, MaxMIG, ConfusionNetwork, TGCE]
MATRIX = np.array([[0.95, 0.1], [0.05, 0.9]])
RATERS = ("ann", "bob")


def budget(**changes):
    still = {"rotation": 0.0, "translation": 0.0, "scaling": 0.0}
    return Budget(**{"epochs": 3, "batch_size": 2, "backbone": "shallow", "features": (4, 4, 4, 8, 8, 4), **still, **changes})


def with_raters(dataset, names, blank=()):
    """The cases with the ratings of ``names``; those of ``blank`` judged no voxel."""
    cases = [
        replace(case, ratings={r: np.full_like(case.ratings[r], IGNORE) if r in blank else case.ratings[r] for r in names})
        for case in dataset
    ]
    return CaseList(dataset.name, cases, dataset.classes, dataset.raters)


@pytest.fixture
def parts(confused_cases):
    dataset = confused_cases(dict.fromkeys(RATERS, MATRIX), 6)
    return with_raters(dataset[:4], ["ann"]), dataset[4:]


@pytest.mark.parametrize("cls", LEARN_RATERS, ids=lambda cls: cls.__name__)
def test_who_was_not_seen_in_training_does_not_validate(cls, parts):
    train, validation = parts
    curves = [
        cls(budget=budget()).fit(train, held_out, seed=0).fit_report().curve
        for held_out in (validation, with_raters(validation, ["ann"]))
    ]
    assert curves[0] == curves[1]


@pytest.mark.parametrize("cls", LEARN_RATERS, ids=lambda cls: cls.__name__)
def test_where_only_such_raters_validate_the_training_loss_chooses(cls, parts):
    train, validation = parts
    report = cls(budget=budget()).fit(train, with_raters(validation, ["bob"]), seed=0).fit_report()
    assert sum("the epoch that was kept has the least training loss" in said for said in report.warnings) == 1
    assert len({loss for _, _, loss in report.curve}) == len(report.curve), "a loss over nobody would be the same each time"


@pytest.mark.parametrize("cls", [AggNet, MaxMIG, ConfusionNetwork], ids=lambda cls: cls.__name__)
def test_who_judged_no_voxel_has_no_estimate(cls, parts):
    """As somebody without a map."""
    blank = with_raters(with_raters(parts[1], RATERS), RATERS, blank=["bob"])
    method = cls(budget=budget(epochs=1)).fit(blank, blank, seed=0)
    estimate = method.predict(blank[0]).rater_confusion
    assert np.isnan(estimate["bob"]).all() and not np.isnan(estimate["ann"]).any()


def test_who_judged_no_voxel_is_not_among_those_who_could_agree(parts):
    blank = with_raters(parts[1], RATERS, blank=["bob"])
    assert OrdinalAgreement(budget=budget(epochs=1)).fit(blank, blank, seed=0).most_ == 1
