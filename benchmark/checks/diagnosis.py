"""Contract checks of diagnosis networks and of fusions that see the case, for the suite's own classes and those of plug-ins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import clone

from ...datasets.base import IGNORE, Labels
from ...datasets.case_list import CaseList
from ...methods.base import CaseFusion, Consensus
from ...methods.diagnosis.base import DiagnosisBudget, DiagnosisNetwork
from ...methods.diagnosis.slices import UNKNOWN, MaskedSlices, masked_slices
from ...methods.fusion.engine.cases import judged_probability, judged_voxels
from ...methods.fusion.soft_average import SoftAverage
from ...voxel_counts import one_hot
from .examples import make_dataset, reorder
from .parameters import parameters_are_stored
from .result import CheckResult, NotApplicableError, require, run_checks

SEED = 3
SHAPES = [(32, 32)] * 8
BRIEF = DiagnosisBudget(epochs=1, batch_size=4, features=(2, 2, 2, 2))
"""A training that ends in a moment; what is checked is the contract, and not what is learned."""


def shortened(estimator: Any) -> Any:
    """A clone that is fitted in a moment: a short training of diagnosis networks, and few steps of what is optimised."""
    fresh, brief = clone(estimator), {"diagnosis_budget": clone(BRIEF), "steps": 2}
    parameters = fresh.get_params(deep=False)
    return fresh.set_params(**{name: value for name, value in brief.items() if name in parameters})


def check_diagnosis_network(network: DiagnosisNetwork | type[DiagnosisNetwork]) -> list[CheckResult]:
    """Run all checks on a diagnosis network or rule, or on a class of them with its default parameters."""
    results = run_checks({"parameters are only stored": parameters_are_stored}, network)
    if not results[0].passed:
        return results
    return results + run_checks(NETWORK_CHECKS, network() if isinstance(network, type) else network)


def check_case_fusion(fusion: CaseFusion | type[CaseFusion]) -> list[CheckResult]:
    """Run all checks on a fusion that sees the case, or on a class of them with its default parameters."""
    results = run_checks({"parameters are only stored": parameters_are_stored}, fusion)
    if not results[0].passed:
        return results
    return results + run_checks(FUSION_CHECKS, shortened(fusion() if isinstance(fusion, type) else fusion))


def _slices(network: DiagnosisNetwork, **options: Any) -> MaskedSlices:
    dataset = make_dataset(shapes=SHAPES, n_classes=3, **options)
    reason = network.skip_reason(dataset)
    require(reason is None, f"skip_reason says of two diagnoses and three classes: {reason}")
    pairs = [(case, judged_probability(SoftAverage().fuse(case.ratings, 3), case)) for case in dataset]
    return masked_slices(pairs, 3, dataset.preparation)


def _learned(network: DiagnosisNetwork, train: MaskedSlices, validation: MaskedSlices) -> DiagnosisNetwork:
    fresh: DiagnosisNetwork = clone(network)
    require(fresh.fit(train, validation, seed=SEED, budget=BRIEF) is fresh, "fit must return self")
    return fresh


def _judged(network: DiagnosisNetwork, slices: MaskedSlices) -> npt.NDArray[np.float64]:
    found = network.predict(slices)
    expected = (len(slices), 2)
    require(
        isinstance(found, np.ndarray) and found.shape == expected and found.dtype == np.float64,
        f"predict must give float64 {expected}, a probability of each diagnosis for each slice",
    )
    inside = bool(np.isfinite(found).all() and (found >= 0).all() and np.allclose(found.sum(axis=1), 1))
    require(inside, "the probabilities of the diagnoses must be from 0 to 1 and sum to 1")
    return found


def _gives_probabilities(network: DiagnosisNetwork) -> None:
    slices = _slices(network)
    learned = _learned(network, slices, slices)
    found = _judged(learned, slices)
    hidden = slices.diagnosed_as(torch.full((len(slices),), UNKNOWN))
    sentence = "predict looked at the diagnoses: a slice without one is judged differently"
    require(np.array_equal(found, _judged(learned, hidden)), sentence)
    alone = np.concatenate([_judged(learned, slices.rows(torch.tensor([i]))) for i in range(len(slices))])
    sentence = "a slice is judged differently when it comes alone: nothing may depend on the other slices"
    require(bool(np.allclose(found, alone, atol=1e-4)), sentence)


def _network_repeats_itself(network: DiagnosisNetwork) -> None:
    slices = _slices(network)
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - a network may use the global generators, and must not depend on them
        found.append(_judged(_learned(network, slices, slices), slices))
    sentence = "fitted twice with the same seed it judged differently: take every random number from the seed that fit gets"
    require(np.array_equal(found[0], found[1]), sentence)


def _unknown_diagnoses(network: DiagnosisNetwork) -> None:
    slices = _slices(network)
    for unknown in (slices.cases < 3, slices.diagnoses == 1):
        part = slices.diagnosed_as(slices.diagnoses.masked_fill(unknown, UNKNOWN))
        _judged(_learned(network, part, slices), slices)
    nothing = slices.diagnosed_as(torch.full((len(slices),), UNKNOWN))
    _judged(_learned(network, slices, nothing), slices)


def _empty_masks(network: DiagnosisNetwork) -> None:
    for change in (np.zeros_like, np.ones_like):
        slices = _slices(network, change=change)
        _judged(_learned(network, slices, slices), slices)
    slices = _slices(network)
    nobody = replace(slices, masks=torch.zeros_like(slices.masks))
    _judged(_learned(network, slices, slices), nobody)


NETWORK_CHECKS: dict[str, Callable[[DiagnosisNetwork], None]] = {
    "a probability for each slice": _gives_probabilities,
    "determinism": _network_repeats_itself,
    "unknown diagnoses": _unknown_diagnoses,
    "empty, full and missing masks": _empty_masks,
}


def _fused(fusion: CaseFusion, dataset: CaseList) -> list[Consensus]:
    fresh: CaseFusion = clone(fusion)
    reason = fresh.skip_reason(dataset)
    if reason is not None:
        raise NotApplicableError(f"skip_reason says: {reason}")
    require(fresh.fit(dataset, seed=SEED) is fresh, "fit must return self")
    return list(fresh.fuse_cases(dataset))


def _gives_consensuses(fusion: CaseFusion) -> None:
    dataset = make_dataset(shapes=[(32, 32), (37, 45), (2, 20, 28), (32, 32), (32, 32), (32, 32)], n_classes=3)
    fused = _fused(fusion, dataset)
    require(len(fused) == len(dataset), f"fuse_cases gave {len(fused)} consensuses for {len(dataset)} cases")
    for case, consensus in zip(dataset, fused, strict=True):
        probability, labels = consensus.probability, consensus.labels
        expected = (3, *case.shape)
        fits = probability.shape == expected and probability.dtype == np.float32
        require(fits, f"probability is {probability.dtype} {probability.shape} and should be float32 {expected}")
        require(np.allclose(probability.sum(axis=0), 1, atol=1e-5), "probability does not sum to 1 over the classes")
        require(labels.shape == case.shape and labels.dtype == np.uint8, f"labels should be uint8 {case.shape}")
        require(set(consensus.raters) <= set(case.ratings), f"the case has no such raters as {consensus.raters}")
        nobody = ~judged_voxels(consensus, case)
        require(np.allclose(probability[:, nobody], 1 / 3), "a voxel that nobody judged must get a uniform probability")
        require(bool((labels[nobody] == IGNORE).all()), f"a voxel that nobody judged must get the label {IGNORE}")


def _agreement_is_followed(fusion: CaseFusion) -> None:
    dataset = make_dataset(shapes=SHAPES[:6], n_classes=3)
    for case, consensus in zip(dataset, _fused(fusion, dataset), strict=True):
        given = np.stack(list(case.ratings.values()))
        low, high = given.min(axis=0), np.where(given == IGNORE, 0, given).max(axis=0)
        agreed = low == high
        exact = one_hot(low[agreed], 3)
        same = np.array_equal(consensus.labels[agreed], low[agreed]) and np.allclose(consensus.probability[:, agreed], exact)
        require(same, "where all raters who judged a voxel agree, the consensus is not theirs")


def _fusion_repeats_itself(fusion: CaseFusion) -> None:
    dataset = make_dataset(shapes=SHAPES[:6], n_classes=3)
    one, again = _fused(fusion, dataset), _fused(fusion, dataset)
    same = all(np.array_equal(a.probability, b.probability) for a, b in zip(one, again, strict=True))
    require(same, "fitted twice with the same seed it fused differently: take every random number from the seed that fit gets")
    other = _fused(fusion, reorder(dataset, dataset.raters[::-1]))
    same = all(np.allclose(a.probability, b.probability, atol=1e-3) for a, b in zip(one, other, strict=True))
    require(same, "the raters in another order give another consensus: look them up by name")


def _case_alone(fusion: CaseFusion) -> None:
    dataset = make_dataset(shapes=SHAPES[:6], n_classes=3)
    fresh: CaseFusion = clone(fusion)
    fresh.fit(dataset, seed=SEED)
    together = fresh.fuse_cases(dataset)[2].probability
    alone = fresh.fuse_cases(dataset.subset([2]))[0].probability
    sentence = "a case is fused differently when it comes alone: nothing may depend on the other cases that are fused"
    require(bool(np.allclose(together, alone, atol=1e-3)), sentence)


def _unusual_ratings(fusion: CaseFusion) -> None:
    def blank(labels: Labels) -> Labels:
        return np.where(np.arange(labels.shape[1]) < 9, IGNORE, labels).astype(np.uint8)

    for options in ({"change": blank}, {"change": np.zeros_like}, {"n_raters": 1}, {"absent": ["ghost"]}):
        _fused(fusion, make_dataset(shapes=SHAPES[:6], **options))


FUSION_CHECKS: dict[str, Callable[[CaseFusion], None]] = {
    "a consensus for each case": _gives_consensuses,
    "raters who agree are followed": _agreement_is_followed,
    "determinism, and order of the raters": _fusion_repeats_itself,
    "a case alone": _case_alone,
    "unjudged voxels, empty masks, one rater, an absent rater": _unusual_ratings,
}
