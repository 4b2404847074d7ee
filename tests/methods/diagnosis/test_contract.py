"""The contract holds for every diagnosis network, fusion that sees the case, and method of the room."""

import pytest

from raterbench.benchmark.checks.diagnosis import check_case_fusion, check_diagnosis_network
from raterbench.benchmark.checks.methods import check_method
from raterbench.methods import CASE_FUSIONS, METHODS, ClassFrequencies, Diagnosed, DiagnosisFirst, FusedLabels
from raterbench.methods.diagnosis import DIAGNOSIS_NETWORKS
from raterbench.methods.diagnosis.dl_att import DLAtt
from raterbench.methods.diagnosis.dl_ssl import DLSSL
from raterbench.methods.diagnosis.residual_network import NoMask

NAMES = ["dl-att", "dl-cat", "dl-roi", "dl-seat", "dl-ssl", "no-mask", "ratio-svm", "ratio-threshold"]
FUSIONS = [
    DiagnosisFirst(),
    DiagnosisFirst(parameterisation="pixel", cross_fitted=False),
    DiagnosisFirst(parameterisation="fourier", bounded=True),
    DiagnosisFirst(parameterisation="transrob", folds=2),
]
METHODS_HERE = [
    Diagnosed(),
    Diagnosed(segmenter=ClassFrequencies(), fusion=DiagnosisFirst(), networks=(DLAtt(), NoMask()), end_to_end=False),
    FusedLabels(fusion=DiagnosisFirst()),
    FusedLabels(fusion=DiagnosisFirst(parameterisation="pixel", cross_fitted=False), target="consensus"),
]
LEFT_OUT = {"class relabelling"}
"""What a network that helps to fuse learns first depends on the numbers of the classes."""


def failed(results):
    return [f"{result.name}: {result.message}" for result in results if not result.passed]


def test_all_are_found_by_name():
    assert DIAGNOSIS_NETWORKS.names() == NAMES
    assert CASE_FUSIONS.names() == ["diagnosis-first"]
    assert METHODS.get("diagnosed") is Diagnosed


@pytest.mark.parametrize("name", NAMES)
def test_every_network_keeps_the_contract(name):
    assert not failed(check_diagnosis_network(DIAGNOSIS_NETWORKS.get(name)))


def test_a_network_with_other_parameters_keeps_the_contract():
    assert not failed(check_diagnosis_network(DLSSL(dropped=0.9, memory=0.0)))


@pytest.mark.parametrize("fusion", FUSIONS, ids=lambda f: " ".join(repr(f).split()))
@pytest.mark.filterwarnings("ignore:diagnosis-first")
def test_every_case_fusion_keeps_the_contract(fusion):
    assert not failed(check_case_fusion(fusion))


@pytest.mark.parametrize("method", METHODS_HERE, ids=lambda m: " ".join(repr(m).split()))
@pytest.mark.filterwarnings("ignore:diagnosis-first")
def test_every_method_keeps_the_contract(method):
    results = check_method(method)
    assert not failed(results)
    assert {result.name for result in results if result.message} <= LEFT_OUT
