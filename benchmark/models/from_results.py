"""The fold models of a candidate in a results folder whose weights were kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ... import __version__
from ...datasets.base import Preparation
from ...errors import RaterbenchError, nearest
from ...methods import FUSIONS
from ..experiment.experiment import Candidate, Experiment
from ..experiment.factory import build_method, method_table
from ..runner.provenance import code_version, versions
from ..store.results import Results, read_results
from ..store.units import PlannedUnit, read_training, training_path, weights_path
from .card import LIMITS, SCHEMA, DataFacts, Member, ModelCard, SplitFacts
from .measured import measured_of
from .model import file_hash, not_restorable
from .preparations import fitted_preparations, stored_preparation
from .seen_images import SeenImages
from .weights_file import KeptWeights, read_weights


def kept_models(folder: Path, candidate: str | None) -> tuple[ModelCard, list[KeptWeights]]:
    """The card of a candidate's fold models, and their weights in the order of its members.

    Raises:
        RaterbenchError: there is no such candidate, none of its units is finished, or their weights were not kept.
    """
    results = read_results(folder)
    chosen = find_candidate(results.experiment, candidate, folder)
    units = [e.unit for e in results.completeness.having("done") if e.unit.kind == "method" and e.unit.name == chosen.name]
    if not units:
        raise RaterbenchError(f"{folder} has no finished unit of {chosen.name!r}: run the experiment, or choose another one")
    if missing := [unit for unit in units if not weights_path(folder, unit).is_file()]:
        raise RaterbenchError(
            f"{folder} did not keep the weights of {chosen.name!r} ({len(missing)} of {len(units)} trained models have none): "
            "run the experiment again with --set keep_weights=true, or train one model on all cases with raterbench train"
        )
    kept = [read_weights(weights_path(folder, unit)) for unit in units]
    for unit, one in zip(units, kept, strict=True):
        if one.about.key != unit.key:
            raise RaterbenchError(f"{weights_path(folder, unit)} is not of the unit {unit.place}: take it away and run again")
    seen = [one.about.seen for one in kept if one.about.seen is not None]
    if any(one.about.facts is None for one in kept) or not seen:
        raise not_restorable(chosen.name, chosen.method)
    members = tuple(_member(folder, unit, one) for unit, one in zip(units, kept, strict=True))
    card = candidate_card(
        results.experiment,
        chosen,
        data=DataFacts.stored(results.facts, seen[0].class_values, results.experiment.dataset_options),
        seen=merged(seen),
        preparation=next(iter(fitted_preparations(kept[0].about.facts)), stored_preparation(results.facts)),
        members=members,
        sources=kept[0].about.sources,
    )
    return with_measured(card, results), kept


def find_candidate(experiment: Experiment, name: str | None, where: object) -> Candidate:
    """The candidate of an experiment with this name; without one, the only candidate.

    Raises:
        RaterbenchError: there is none of this name, or there are several and none is named.
    """
    names = [candidate.name for candidate in experiment.candidates]
    if name is None and len(names) == 1:
        name = names[0]
    if name is None:
        raise RaterbenchError(f"{where} has {len(names)} candidates, {', '.join(map(repr, names))}: name one of them")
    if name not in names and name in FUSIONS.names():
        raise RaterbenchError(
            f"{name!r} is no candidate of {where}, but a fusion of labels, which needs raters and is no model: name a "
            "candidate that learned from them"
        )
    if name not in names:
        raise RaterbenchError(f"{where} has no candidate {name!r}{nearest(name, names)}")
    return experiment.candidates[names.index(name)]


def candidate_card(
    experiment: Experiment,
    candidate: Candidate,
    *,
    data: DataFacts,
    seen: SeenImages,
    preparation: Preparation,
    members: tuple[Member, ...],
    sources: Sequence[str],
) -> ModelCard:
    """What is known of a candidate's model before anything was measured.

    Raises:
        RaterbenchError: the method is not known here, such as a plug-in's.
    """
    try:
        method = build_method(candidate, experiment, restored=True)
    except RaterbenchError as error:
        mend = (
            "; the experiment has plug-ins, and no code that results name is run: give their files"
            if experiment.plugins
            else ""
        )
        raise RaterbenchError(f"{error}{mend}") from error
    split = experiment.split
    return ModelCard(
        schema=SCHEMA,
        name=candidate.name,
        kind="folds",
        method={**method_table(method), "name": candidate.method},
        sources=tuple(sources),
        data=data,
        seen=seen,
        preparation=preparation,
        split=SplitFacts(split.policy, split.repeats, split.validation, dict(split.parameters)),
        members=members,
        measured=None,
        limits=LIMITS,
        versions={"raterbench": __version__, "code": code_version(), **versions()},
    )


def with_measured(card: ModelCard, results: Results) -> ModelCard:
    """The card with what the results measured of its candidate."""
    told = replace(card.split, repeats=results.facts["n_repeats"], hash=results.facts["split_hash"])
    return replace(card, split=told, measured=measured_of(results, card.name))


def merged(seen: Sequence[SeenImages]) -> SeenImages:
    """What the images of all members were like together."""
    alike = len({len(one.spacing) for one in seen}) == 1
    spans = zip(*(one.spacing for one in seen), strict=True) if alike else ()
    return SeenImages(
        cases=max(one.cases for one in seen),
        channels=tuple(sorted({n for one in seen for n in one.channels})),
        dims=tuple(sorted({n for one in seen for n in one.dims})),
        unit=seen[0].unit,
        spacing=tuple((min(low for low, _ in span), max(high for _, high in span)) for span in spans),
        orientations=tuple(sorted({name for one in seen for name in one.orientations})),
        class_values=seen[0].class_values,
    )


def _member(folder: Path, unit: PlannedUnit, kept: KeptWeights) -> Member:
    trained, path = read_training(training_path(folder, unit)), weights_path(folder, unit)
    if trained is None:
        raise RaterbenchError(f"{training_path(folder, unit)} is damaged: run the experiment again")
    return Member(
        file=f"units/{path.name}",
        repeat=unit.repeat,
        fold=unit.fold,
        seed=kept.about.seed,
        threshold=0.5 if trained.threshold is None else trained.threshold.chosen,
        train=trained.n_train,
        validation=trained.n_validation,
        sha256=file_hash(path),
        alarms=tuple(trained.report.alarms),
        warnings=tuple(trained.report.warnings),
    )
