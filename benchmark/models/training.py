"""Train one model of a candidate on all cases, once the benchmark has said which candidate it should be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from sklearn.base import clone

from ...errors import RaterbenchError
from ...methods.base import Method
from ...methods.learning.volumes.choice import decided_preparation
from ...methods.thresholds import majority_threshold
from ...plugin_errors import calling
from ...steps import step
from ..checks.methods import FORGOTTEN, predicts_alike
from ..experiment.experiment import Experiment
from ..experiment.factory import build_method, sources_within
from ..experiment.skipping import needs_of, skip_reason
from ..experiment.splits import without_test
from ..runner.tasks import open_dataset, seed_everything, seed_of
from ..runner.train import checked_prediction
from ..store.results import Results
from .card import DataFacts, Member, ModelCard
from .from_results import candidate_card, find_candidate, with_measured
from .model import file_hash, not_restorable
from .preparations import fitted_preparations, stored_preparation
from .seen_images import SeenCases
from .weights_file import WeightsAbout, write_weights
from .writing import check_model_place, write_card

WEIGHTS = "members/all.safetensors"


def train_model(
    experiment: Experiment,
    folder: str | Path,
    *,
    candidate: str | None = None,
    data: str | None = None,
    device: str = "cpu",
    results: Results | None = None,
) -> ModelCard:
    """Train a candidate on all cases of its data set, and write it as a model to a new folder.

    A share of the subjects validates, as in each fold: it stops training and chooses the threshold.

    Args:
        experiment: with the candidate, its budget, and the data set.
        folder: where the model goes.
        candidate: its name; by default the only one.
        data: the folder that holds downloaded data.
        device: where to compute.
        results: of the same experiment, whose cases were prepared as here, and from which the card takes what was measured.

    Raises:
        RaterbenchError: there is no such candidate, it cannot run on the data set or be restored to predict the same, the data
            are not those of the results, or the folder is there already.
    """
    folder = Path(folder)
    check_model_place(folder)
    chosen = find_candidate(experiment, candidate, f"the experiment {experiment.name!r}")
    dataset = open_dataset(experiment, data)
    if results is not None:  # As it was measured, whatever would be decided today.
        dataset.preparation = stored_preparation(results.facts)
    dataset.preparation = decided_preparation(dataset)
    known = DataFacts.of(dataset, experiment.dataset_options)
    if results is not None and results.facts["fingerprint"] != known.fingerprint:
        raise RaterbenchError(
            f"the data set {dataset.name!r} is not the one that {results.folder} measured (fingerprint {known.fingerprint}, "
            f"there {results.facts['fingerprint']}): what was measured would say nothing of the model; run the experiment again"
        )
    method = build_method(chosen, experiment)
    if (reason := skip_reason(method, dataset)) is not None:
        raise RaterbenchError(f"{chosen.name!r} cannot be trained on {dataset.name!r}: {reason}")
    if type(method).restore is Method.restore:
        raise not_restorable(chosen.name, type(method).__name__)
    fold = without_test(dataset, experiment.split.validation, experiment.seed)
    seed = seed_of(dataset, experiment.seed if chosen.seed is None else chosen.seed, fold)
    seed_everything(seed)
    seen = SeenCases(dataset)
    train, validation = (seen.watched(part, needs_of(method)) for part in (fold.train, fold.validation))
    search, words = None, f"training {chosen.name!r} on {len(fold.train)} cases, {len(fold.validation)} validate"
    with step(words), calling(type(method), f"candidate {chosen.name!r}"):
        method.fit(train, validation, seed=seed, device=torch.device(device))
        if method.facts() is None:
            raise not_restorable(chosen.name, type(method).__name__)
        if experiment.search_threshold:
            search = majority_threshold(lambda case: checked_prediction(method, case, 2).probability, validation)
        report = method.fit_report()
        again: Method = clone(method)
        again.restore(method.weights(), method.facts() or {}, device=device)
        # A GPU does not give the same bits twice.
        if torch.device(device).type == "cpu" and not predicts_alike(method, again, validation[0]):
            raise RaterbenchError(FORGOTTEN)
        sources = tuple(sources_within(method))
        write_weights(folder / WEIGHTS, method, WeightsAbout(seen=seen.found(), seed=seed, sources=sources))
    member = Member(
        file=WEIGHTS,
        repeat=0,
        fold=0,
        seed=seed,
        threshold=0.5 if search is None else search.chosen,
        train=len(fold.train),
        validation=len(fold.validation),
        sha256=file_hash(folder / WEIGHTS),
        alarms=tuple(report.alarms),
        warnings=tuple(report.warnings),
    )
    card = candidate_card(
        experiment,
        chosen,
        data=known,
        seen=seen.found(),
        preparation=next(iter(fitted_preparations(method.facts())), dataset.preparation),
        members=(member,),
        sources=sources,
    )
    card = replace(card, kind="all cases")
    if results is not None:
        card = with_measured(card, results)
    write_card(card, folder)
    return card
