"""Diagnosis networks and fusions that see the case, from a plug-in file."""

import textwrap

import pytest

from raterbench.benchmark import read_experiment
from raterbench.benchmark.checks import check_file
from raterbench.benchmark.experiment.experiment import Candidate
from raterbench.benchmark.experiment.factory import build_method, load_plugins
from raterbench.methods import CASE_FUSIONS
from raterbench.methods.diagnosis import DIAGNOSIS_NETWORKS

GOOD = """
import numpy as np
from raterbench.methods import CaseFusion, DiagnosisNetwork, SoftAverage


class Brightness(DiagnosisNetwork):
    '''The mean of the image within the mask.'''

    def fit(self, train, validation, *, seed, budget=None, device="cpu"):
        return self

    def predict(self, slices):
        inside = slices.masks[:, 1:].sum(dim=1, keepdim=True)
        mean = (slices.images * inside).flatten(1).sum(dim=1) / inside.flatten(1).sum(dim=1).clamp(min=1)
        ill = mean.double().sigmoid().numpy()
        return np.stack([1 - ill, ill], axis=1)


class Averaging(CaseFusion):
    '''The soft average, case by case.'''

    def fit(self, cases, *, seed, device="cpu"):
        return self

    def fuse_cases(self, cases):
        return [SoftAverage().fuse(case.ratings, cases.n_classes) for case in cases]
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    for registry in (CASE_FUSIONS, DIAGNOSIS_NETWORKS):
        monkeypatch.setattr(registry, "_found", dict(registry._all()))

    def write(text):
        path = tmp_path / "mine.py"
        path.write_text(textwrap.dedent(text))
        return str(path)

    return write


def test_they_pass_their_checks_and_are_built_by_name(plugin):
    path = plugin(GOOD)
    results = list(check_file(path))
    assert {result.name.partition(":")[0] for result in results} == {"Brightness", "Averaging"}
    assert not [result for result in results if not result.passed]
    load_plugins((path,))
    experiment = read_experiment("quick")
    method = build_method(Candidate("A", "diagnosed", {"networks": ["brightness"], "fusion": "averaging"}), experiment)
    assert [type(part).__name__ for part in (*method.networks, method.fusion)] == ["Brightness", "Averaging"]


def test_what_breaks_the_contract_is_said(plugin):
    broken = GOOD.replace("ill = mean.double()", "ill = slices.diagnoses.double()").replace(
        "SoftAverage().fuse(case.ratings, cases.n_classes)",
        "SoftAverage().fuse({'x': next(iter(case.ratings.values()))}, cases.n_classes)",
    )
    said = {result.name: result.message for result in check_file(plugin(broken)) if not result.passed}
    assert "predict looked at the diagnoses" in said["Brightness: a probability for each slice"]
    assert "the case has no such raters" in said["Averaging: a consensus for each case"]
    assert "another consensus: look them up by name" in said["Averaging: determinism, and order of the raters"]
