"""How near repaired annotations are to what is known of training cases, which the method that repaired them has not seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from ...datasets.base import Case, Labels
from ...methods.fit_report import RepairScore
from ...methods.quality.repair_scores import repair_score


def repair_scores(
    cases: Iterable[Case], repaired: Mapping[str, Mapping[str, Labels]], careful: Collection[str]
) -> list[RepairScore]:
    """The Dice of annotations before and after the repair, against the truth, or else against the objects of a careful rater.

    ``cases`` are those of the training and validation parts, with all that is known of them; ``repaired`` as in
    ``Method.repaired``. Cases with a careful annotation, which the method learned the repair from, are left out.
    """
    pairs: dict[str, list[tuple[Labels, Labels, Labels]]] = {}
    for case in cases:
        if case.id not in repaired or case.id in careful:
            continue
        if case.truth is not None:
            against, better = "truth", case.truth.labels
        elif case.instances is not None:
            against, better = f"objects of {case.instances.rater!r}", case.instances.labels
        else:
            continue
        pairs.setdefault(against, []).extend((case.ratings[r], labels, better) for r, labels in repaired[case.id].items())
    scores = (repair_score(against, found) for against, found in pairs.items())
    return [score for score in scores if score is not None]
