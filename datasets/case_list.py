"""Cases held in memory as a data set."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from .base import Card, Case, Dataset, check_case, index_table


class CaseList(Dataset):
    """Cases held in memory, the simplest data set: ``CaseList("mine", cases, classes=("background", "lesion"))``.

    Without names of ``diagnoses`` those that cases have are called by their numbers, ``0`` and on.
    """

    listed = False
    card = Card("Cases in memory", citation="", licence="", source="")

    def __init__(
        self,
        name: str,
        cases: Sequence[Case],
        classes: Sequence[str],
        raters: Sequence[str] | None = None,
        diagnoses: Sequence[str] | None = None,
    ) -> None:
        self.name, self.classes = name, tuple(classes)
        self.diagnoses = tuple(diagnoses) if diagnoses is not None else _numbered(cases)
        self.cases = [check_case(case, self.n_classes, self.diagnoses) for case in cases]
        self.unit = self.cases[0].geometry.unit if self.cases else "mm"
        self.raters = tuple(raters) if raters is not None else tuple(sorted({r for case in self.cases for r in case.ratings}))
        self.index = index_table((case.id, case.subject, case.centre, tuple(case.ratings)) for case in self.cases)

    def fingerprint(self) -> str:
        digest = hashlib.sha256(super().fingerprint().encode())
        for case in self.cases:
            digest.update(f"{case.geometry}|{case.diagnosis}|{list(case.ratings)}|{case.truth is not None}".encode())
            if case.rater_diagnoses:
                digest.update(repr(sorted(case.rater_diagnoses.items())).encode())
            known = (case.truth.labels, case.truth.probability) if case.truth else ()
            if case.instances is not None:
                digest.update(case.instances.rater.encode())
                known = (*known, case.instances.numbers, case.instances.classes)
            for array in (case.image, *case.ratings.values(), *known):
                digest.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
        return digest.hexdigest()[:16]

    def load(self, position: int) -> Case:
        return self.cases[position]


def _numbered(cases: Sequence[Case]) -> tuple[str, ...]:
    """The numbers 0 to the largest diagnosis of a case, or of one of its raters, as names; none where nobody has one."""
    given = [[*case.rater_diagnoses.values(), *([] if case.diagnosis is None else [case.diagnosis])] for case in cases]
    return tuple(str(number) for number in range(1 + max((max(numbers) for numbers in given if numbers), default=-1)))
