"""A whole unit on data whose truth nobody knows."""

import numpy as np

from raterbench.benchmark.experiment import Candidate

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

    def rater_confusion(self, case):
        field = np.broadcast_to(np.eye(3)[:, :, None, None], (3, 3, *case.shape))
        given = dict.fromkeys(("steady", "sparing", "patchy"), np.eye(3))
        return {"careless": field, "generous": np.full((3, 3), np.nan), **given}
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
