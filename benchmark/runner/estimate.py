"""How long a unit will take, before any has run: a few steps and measurements on the real data, timed in one thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch

from ...datasets.base import Dataset
from ...methods.base import Method
from ...methods.diagnosis.base import DiagnosisBudget, DiagnosisNetwork
from ...methods.diagnosis.diagnosed import Diagnosed
from ...methods.diagnosis.slices import masked_slices
from ...methods.diagnosis.training import TrainedDiagnosis
from ...methods.fusion.soft_average import SoftAverage
from ...methods.learning.augmentation import augment
from ...methods.learning.budget import Budget
from ...methods.learning.network import NetworkMethod
from ...methods.networks.own_preparation import OwnPreparation
from ...methods.networks.segmenter_holder import SegmenterHolder
from ...steps import step
from ..experiment.experiment import Experiment
from ..experiment.factory import build_budget, build_method, build_metrics, build_references
from ..experiment.skipping import estimators_within, skip_reason
from ..experiment.splits import Fold
from ..measuring.pairs import calibrate_case, measure_case
from ..measuring.references import References
from ..metrics import Segmentation

STEPS = 4
MOST_PIXELS = 2**20
"""A timed batch has at most this many pixels, but at least one slice."""
LONG_SECONDS = 4.0
"""Timing stops after this many seconds; when steps are that long, the first is not slower than the others."""
VALIDATION_SHARE = 1 / 3
"""A validation slice takes this much of a training slice's time: it has no backward pass."""


@dataclass(frozen=True)
class Estimate:
    """Seconds of a unit that trains a network for all its epochs, and of one that measures raters and fusions."""

    method: float = 0.0
    labels: float = 0.0


def estimate(experiment: Experiment, dataset: Dataset, fold: Fold) -> Estimate:
    """Time a few training steps, and reading and measuring a case, and multiply.

    Early stopping makes units shorter, nobody knows by how much. If the first case takes under two
    seconds, a second one is timed instead.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with step("measuring a case, to estimate how long it will take"):
            measuring = _measuring(experiment, dataset, fold)
        with step("timing a few training steps, to estimate how long it will take"):
            training = _mean_training(experiment, dataset, fold)
    finally:
        torch.set_num_threads(threads)
    raters = float(dataset.index["raters"].map(len).mean())
    labels = measuring * len(fold.test) * (raters + len(experiment.fused_rows)) / (1 + len(experiment.fused_rows))
    return Estimate(training + measuring * len(fold.test), labels)


def trains_networks(method: Method) -> bool:
    """Whether a network is trained: of the method, of one within it, or of the one that it holds where none is given."""
    return any(
        isinstance(one, NetworkMethod | Diagnosed) or (isinstance(one, SegmenterHolder) and one.segmenter is None)
        for one in estimators_within(method)
    )


def networks(experiment: Experiment, dataset: Dataset) -> float:
    """Networks that a unit trains, the mean over candidates."""
    methods = [build_method(candidate, experiment) for candidate in experiment.candidates]
    n = [method.n_networks(len(dataset.raters)) for method in methods]
    return sum(n) / len(n)


def _mean_training(experiment: Experiment, dataset: Dataset, fold: Fold) -> float:
    """Seconds that a unit trains, the mean over candidates that can: slices are timed once for all of them, and so are volumes.

    Diagnosis networks are timed by themselves. What a fusion needs to fuse is left out.
    """
    budget, total, timed = build_budget(experiment.budget), 0.0, dict[str, float]()
    every = [build_method(candidate, experiment) for candidate in experiment.candidates]
    methods = [method for method in every if skip_reason(method, dataset) is None]
    if not methods:
        return 0.0
    for method in methods:
        seen = method.prepared(dataset) if isinstance(method, OwnPreparation) else dataset
        prepared = repr(seen.preparation)
        if prepared not in timed:
            timed[prepared] = _training(budget, seen, fold)
        total += method.n_networks(len(dataset.raters)) * timed[prepared]
        for one in estimators_within(method):
            for network, diagnosis in one.diagnosis_networks() if isinstance(one, Diagnosed) else ():
                words = f"{type(network).__name__}{sorted(diagnosis.get_params().items())}"
                if words not in timed:
                    timed[words] = _diagnosing(network, diagnosis, dataset, fold)
                total += timed[words]
    return total / len(methods)


def _diagnosing(network: DiagnosisNetwork, budget: DiagnosisBudget, dataset: Dataset, fold: Fold) -> float:
    """Training a diagnosis network for all epochs; a rule takes no time."""
    if not isinstance(network, TrainedDiagnosis):
        return 0.0
    sample, fusion = dataset.subset(fold.train[: budget.batch_size]), SoftAverage()
    pairs = [(case, fusion.fuse(case.ratings, dataset.n_classes).probability) for case in sample]
    slices = masked_slices(pairs, dataset.n_classes, dataset.preparation)
    batch = slices.rows(torch.arange(min(len(slices), budget.batch_size)))
    module = network.build(slices.images.shape[1], dataset.n_classes, budget)

    def train_once() -> None:
        module.zero_grad()
        network.loss(module, batch, torch.tensor(1.0)).backward()

    per_slice = min(_seconds(train_once) for _ in range(STEPS)) / len(batch)
    return per_slice * len(slices) / len(sample) * (len(fold.train) + VALIDATION_SHARE * len(fold.validation)) * budget.epochs


def _training(budget: Budget, dataset: Dataset, fold: Fold) -> float:
    """Reading, preparing and training for all epochs."""
    start = time.perf_counter()
    sample = dataset.subset(fold.train[: budget.batch_size])
    method = NetworkMethod(budget=budget)
    slices = method.prepare(sample, seed=0)
    module = method.module_
    reading = (time.perf_counter() - start) / len(sample) * (len(fold.train) + len(fold.validation))
    # Of large slices a few are enough: on the CPU a batch costs the sum of its slices.
    few = max(1, MOST_PIXELS // prod(slices.sides))
    rows = torch.arange(min(len(slices), budget.batch_size, few))

    def train_once() -> None:
        drawn = slices.draw(rows, torch.device("cpu"), torch.Generator())
        batch = augment(drawn, budget, torch.Generator(), slices.spacing[rows])
        loss = module(batch.images).square().mean() + batch.ratings.mean()
        module.zero_grad()
        loss.backward()
        # The optimiser's step is one fused call, and left out: to make an optimiser would import torch's compiler for seconds.

    timed = [_seconds(train_once)]
    while len(timed) < STEPS and sum(timed) < LONG_SECONDS:
        timed.append(_seconds(train_once))
    per_slice = min(timed) / len(rows)
    slices_per_case = len(slices) / len(sample)
    shown = max(len(fold.train) * slices_per_case, budget.least_steps * budget.batch_size)
    epoch = per_slice * (shown + VALIDATION_SHARE * slices_per_case * len(fold.validation))
    return reading + epoch * budget.epochs


def _measuring(experiment: Experiment, dataset: Dataset, fold: Fold) -> float:
    """Reading and measuring one case; what stands for a prediction is the soft average of its raters."""
    metrics, fusions = build_metrics(experiment), build_references(experiment)

    def measure(position: int) -> None:
        case = dataset[position]
        consensus = SoftAverage().fuse(case.ratings, dataset.n_classes, geometry=case.geometry)
        sources = References(case, dataset.n_classes, fusions=fusions)
        prediction = Segmentation(consensus.labels, consensus.probability)
        references = experiment.reference_names
        measure_case(case, prediction, metrics=metrics, references=references, classes=dataset.classes, sources=sources)
        calibrate_case(case, consensus.probability, references, sources=sources)

    first = _seconds(lambda: measure(fold.test[0]))
    return first if first > 2 or len(fold.test) < 2 else _seconds(lambda: measure(fold.test[1]))


def _seconds(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
