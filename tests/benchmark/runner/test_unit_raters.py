"""A whole unit on data whose truth nobody knows."""

import numpy as np
import pytest

from raterbench.benchmark.experiment.experiment import Candidate
from raterbench.benchmark.metrics.confusion import confusion_rmse
from raterbench.benchmark.store.case_confusions import MOST, pack_case_confusions, unpack_case_confusions
from raterbench.datasets import Phantom, true_confusion

from .test_unit import unit


def test_without_a_truth_raters_are_held_against_each_other(tiny, tmp_path, plugin):
    lines = """
from raterbench.datasets import CaseList, Phantom


class Unknown(CaseList):
    '''The phantom as if nobody knew the truth; somebody is alone on the first case.'''

    name = "unknown"

    def __init__(self):
        cases = [case.blind() for case in Phantom(subjects=6, slices=1, size=32)]
        cases[0] = cases[0].__class__(**{**cases[0].__dict__, "ratings": dict(list(cases[0].ratings.items())[:1])})
        super().__init__("unknown", cases, ("background", "white", "grey"))


class Trusting(Instant):
    '''Believes that nobody errs, here and there.'''

    def predict(self, case, *, samples=0, seed=0):
        field = np.broadcast_to(np.eye(3)[:, :, None, None], (3, 3, *case.shape))
        given = dict.fromkeys(("steady", "sparing", "patchy"), np.eye(3))
        believed = {"careless": field, "generous": np.full((3, 3), np.nan), **given}
        return Prediction(self.predict_proba(case), rater_confusion=believed)
"""
    settings = {"dataset": "unknown", "dataset_options": {}, "plugins": (plugin(lines),), "references": ("raters", "majority")}
    experiment = tiny(candidates=(Candidate("it", "trusting"),), metrics=("dice", "confusion rmse"), **settings)
    for name, kind, estimator in (("it", "method", "it"), ("labels", "fusion", "staple (fusion)")):
        records = [unit(experiment, tmp_path, name, fold) for fold in (0, 1)]
        rows = [row for record in records for row in record.rows if row[7] == "confusion rmse"]
        assert len(rows) == 5, "one case has a single rater, whom nobody can be held against"
        assert {(row[1], row[5], row[6]) for row in rows} == {(kind, "all", "raters")}
        assert all(0 < row[-1] < 0.5 for row in rows), rows
        confusions = [row for record in records for row in record.meta["confusions"] if row[0] == estimator]
        assert {row[-1] for row in confusions} == {"others"}
    # Voxel by voxel or not, who believes that nobody errs believes the same of everybody.
    believed = [row for record in records for row in unit(experiment, tmp_path, "it", record.fold).meta["confusions"]]
    assert {row[4] for row in believed if row[1] in ("steady", "careless", "patchy") and row[2] == row[3]} == {1.0}
    assert np.isnan([row[4] for row in believed if row[1] == "generous"]).all()


def test_matrices_of_every_image_are_kept_and_are_those_of_the_error(tiny, tmp_path, plugin):
    lines = """
class Trusting(Instant):
    '''Believes that nobody errs.'''

    def predict(self, case, *, samples=0, seed=0):
        return Prediction(self.predict_proba(case), rater_confusion={"careless": np.eye(3), "patchy": np.eye(3)})
"""
    experiment = tiny(candidates=(Candidate("it", "trusting"),), metrics=("dice", "confusion rmse"), plugins=(plugin(lines),))
    record, phantom = unit(experiment, tmp_path), Phantom(subjects=6, slices=2, size=32)
    table = unpack_case_confusions([record], phantom.raters, phantom.classes)
    errors = {row[2]: row[-1] for row in record.rows if row[7] == "confusion rmse"}
    assert set(table["rater"]) == {"careless", "patchy"} and set(table["case"]) == set(errors)
    for case, part in table.groupby("case"):
        matrices = {rater: group.pivot(index="observed", columns="true") for rater, group in part.groupby("rater")}
        order = list(phantom.classes)
        truth = true_confusion(next(c for c in phantom if c.id == case))
        for rater, both in matrices.items():
            np.testing.assert_allclose(both["truth"].loc[order, order], truth[rater], atol=1e-6)
        mean = np.mean([confusion_rmse(np.eye(3), truth[rater]) for rater in matrices])
        assert errors[case] == pytest.approx(mean)


def test_too_many_matrices_are_not_kept():
    pair = (np.eye(2), np.eye(2))
    assert pack_case_confusions([{"a": pair}, {}], ["a", "b"], 2)["case_confusions"].shape == (2, 2, 2, 2, 2)
    assert pack_case_confusions([{"a": pair}] * (MOST // 8 + 1), ["a"], 2) == {}
    assert pack_case_confusions([{}, {}], ["a"], 2) == {}
