"""How near annotations are to better ones, before and after a method repaired them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from ...datasets.base import Case, Labels
from ...methods.fit_report import AnnotationRepair, RepairScore
from ...methods.quality.repair_scores import RepairedAnnotation, repair_score


def annotated(case: Case, repair: AnnotationRepair) -> Case:
    """A case as the method may see it that repairs its cheap annotations: the image and these alone."""
    return replace(case.unlabelled(), ratings={r: case.ratings[r] for r in repair.raters if r in case.ratings})


def repair_scores(
    part: str, cases: Iterable[Case], repaired: Mapping[str, Mapping[str, Labels]], repair: AnnotationRepair
) -> list[RepairScore]:
    """The Dice of annotations before and after the repair, against the truth, or else each careful rater.

    ``cases`` have all that is known of them; ``repaired`` as in ``Method.repaired``. Cases that the method learned the repair
    from are left out.
    """
    found: dict[str, list[RepairedAnnotation]] = {}
    for case in cases:
        if case.id in repair.careful:
            continue
        for rater, labels in repaired.get(case.id, {}).items():
            for against, better in _better(case, repair):
                found.setdefault(against, []).append(RepairedAnnotation(case.id, case.ratings[rater], labels, better))
    scores = (repair_score(part, against, annotations) for against, annotations in found.items())
    return [score for score in scores if score is not None]


def _better(case: Case, repair: AnnotationRepair) -> Iterator[tuple[str, Labels]]:
    """What the annotations of a case are compared with, by name."""
    if case.truth is not None:
        yield "truth", case.truth.labels
    elif case.instances is not None:
        yield f"objects of {case.instances.rater!r}", case.instances.labels
    else:
        yield from ((rater, case.ratings[rater]) for rater in repair.careful_raters if rater in case.ratings)
