"""Units of methods for annotations of two qualities: who annotated what, what the repair did, and that no test label counts."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file

from raterbench.benchmark.experiment.experiment import Candidate, Split
from raterbench.benchmark.store.assignment import unpack_assignment
from raterbench.benchmark.store.units import read_predictions, training_path, weights_path
from raterbench.datasets import Cells
from raterbench.voxel_counts import dice_from_counts

OPTIONS = {"volumes": 4, "test": 1, "slices": 2, "size": 64, "regime": "split", "hq_cases": 3}
ERRORS = {"errors": {"omission": 0.7, "inclusion": 0.5, "bias": 2}, "objects": "instances"}
CANDIDATES = {
    "upgrade": ERRORS | {"segmenter": {"method": "partial-labelling", "decay": 0.5}},
    "confident-learning": {},
    "chosen-raters": {"segmenter": "intensity-threshold", "raters": ["hq"], "pooled": True},
    # The errors of the cheap annotations are estimated, from the careful cases of a budget.
    "annotation-budget": {"careful": 3, "shared": True, "segmenter": {"method": "upgrade", "objects": "instances"}},
}
REGIMES = {"annotation-budget": "all"}
HIDDEN = '''
from dataclasses import replace

import numpy as np
from raterbench.datasets import Cells


class MaybeHidden(Cells):
    """Cells, of which ``hide`` mirrors the images of test cases, empties their labels and takes away all else known of them."""

    name = "maybe-hidden"

    def __init__(self, *, hide: bool = False, regime: str = "split"):
        super().__init__(**OPTIONS | {"regime": regime})
        self.hide = hide

    def load(self, position):
        case = super().load(position)
        if not (self.hide and position in self.official_test):
            return case
        ratings = {rater: np.zeros_like(labels) for rater, labels in case.ratings.items()}
        return replace(case, image=case.image[..., ::-1].copy(), ratings=ratings, truth=None, instances=None)
'''.replace("OPTIONS", repr(OPTIONS))


def dice(one, other):
    return dice_from_counts((one & other).sum(), one.sum(), other.sum())


def experiment_of(tiny, method, **changes):
    budget = {"epochs": 1, "batch_size": 4, "backbone": "shallow"}
    candidates = (Candidate("it", method, CANDIDATES[method]),)
    return tiny(candidates=candidates, budget=budget, split=Split("holdout"), metrics=("dice",), fused_rows=(), **changes)


@pytest.mark.parametrize("method", CANDIDATES)
def test_hidden_test_cases_change_no_weight(tiny, tmp_path, plugin, compute, method):
    file, found = plugin(HIDDEN), []
    for hide in (False, True):
        folder = tmp_path / str(hide)
        given = {"hide": hide, "regime": REGIMES.get(method, "split")}
        options = {"dataset": "maybe-hidden", "dataset_options": given, "plugins": (file,), "keep_weights": True}
        unit = compute(experiment_of(tiny, method, references=("raters",), **options), folder)
        assert unit.trained.status == "done", unit.trained.reason
        report = without_test_scores(unit.trained.report)
        found.append((load_file(weights_path(folder, unit.unit)), unit.trained.threshold, report))
    (one, threshold, report), (other, *same) = found
    assert one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)
    assert [threshold, report] == same


def without_test_scores(report):
    if report.repair is None:
        return report
    return replace(report, repair=replace(report.repair, scores=tuple(s for s in report.repair.scores if s.part != "test")))


def test_a_unit_keeps_who_annotated_what_and_what_the_repair_did(tiny, tmp_path, compute):
    unit = compute(experiment_of(tiny, "upgrade", dataset="cells", dataset_options=OPTIONS), tmp_path)
    found = unit.trained
    data = Cells(**OPTIONS)
    careful = {case for case, raters in zip(data.index["case"][:6], data.index["raters"], strict=False) if "hq" in raters}
    known = found.report.repair
    assert set(known.careful) == careful and len(careful) == 3 and not known.estimated
    assert known.errors["omission"] == 0.7 and known.repaired == 3
    learned, tested = known.scores
    assert learned.part == "training" and learned.against == "truth" and 0 < learned.pooled_before < 1
    assert len(learned.before) == len(learned.after) == 3 and careful.isdisjoint(learned.cases)
    assert tested.part == "test" and tested.cases == tuple(data.index["case"][6:])
    assert tested.before == tuple(dice(data[i].ratings["lq"], data[i].truth.labels) for i in (6, 7))
    stored = read_predictions(training_path(tmp_path, unit.unit), found.predicted)
    after = [dice(kept.repaired[kept.repaired_raters.index("lq")], data[6 + i].truth.labels) for i, kept in enumerate(stored)]
    assert tested.after == tuple(after)
    stored = unpack_assignment(found.assignment, [str(i) for i in range(found.n_train)], data.raters)
    assert (stored.sum(axis=1) == 1).all() and 0 < stored["hq"].sum() <= 3
