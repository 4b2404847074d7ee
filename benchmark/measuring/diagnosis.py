"""What a trained model diagnoses: its scores for test cases, checked, and how good the fused labels are that it diagnosed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np
import numpy.typing as npt

from ...datasets.base import Case, Dataset
from ...errors import RaterbenchError, nearest
from ...methods.base import DiagnosedLabels, Method
from ...methods.fit_report import Control
from ..metrics.base import from_labels
from ..metrics.overlap import Dice
from ..store.diagnoses import UNKNOWN, Diagnoses, FusedPicture, ScoredCases
from .pairs import mean_without_nan
from .pictures import fused_pictures
from .references import RATERS, References

Doubles = npt.NDArray[np.float64]
Scores = Mapping[str, Doubles]
"""The probability of each diagnosis [D] by the name of the network that gave it."""
SUM_TOLERANCE = 1e-6
"""How far the probabilities of the diagnoses of a case may be from a sum of 1."""


def check_scores(given: Scores, diagnoses: Sequence[str], where: str) -> dict[str, Doubles]:
    """The scores of one case as float64; ``where`` names the case in messages.

    Raises:
        RaterbenchError: they are not finite, not one for each diagnosis, or do not sum to 1.
    """
    found = {}
    for network, scores in given.items():
        values, who = np.asarray(scores, np.float64), f"{where}: the diagnosis by {network!r}"
        if values.shape != (len(diagnoses),):
            names = ", ".join(diagnoses)
            raise RaterbenchError(f"{who} has the shape {values.shape}, not one probability for each of {names}")
        if not np.isfinite(values).all():
            raise RaterbenchError(f"{who} has NaN or infinite values: {values.tolist()}")
        if values.min() < 0 or abs(values.sum() - 1) > SUM_TOLERANCE:
            raise RaterbenchError(f"{who} is {values.tolist()}: give probabilities that sum to 1")
        found[str(network)] = values
    return found


class DiagnosesInProgress:
    """Collects what a fitted method says about the diagnoses of the test cases of a fold."""

    def __init__(self, dataset: Dataset) -> None:
        self.names, self.classes = tuple(dataset.diagnoses), tuple(dataset.classes)
        self.reference = "truth"
        self.true: dict[str, int] = {}
        self.predicted: dict[str, dict[str, Doubles]] = {}

    def add(self, case: Case, scores: Scores | None) -> None:
        """Take note of a test case with all that is known of it, and of the scores of its prediction.

        Raises:
            RaterbenchError: the scores are no probabilities of the data set's diagnoses, or the case's diagnosis is none.
        """
        where = f"case {case.id!r}"
        if scores and not self.names:
            raise RaterbenchError(f"{where} was diagnosed by {', '.join(scores)}, but the data set names no diagnoses")
        if self.names:
            if case.diagnosis is not None and not 0 <= case.diagnosis < len(self.names):
                raise RaterbenchError(f"{where} has the diagnosis {case.diagnosis}, no index of {', '.join(self.names)}")
            self.true[case.id] = UNKNOWN if case.diagnosis is None else int(case.diagnosis)
            self.predicted[case.id] = check_scores(scores or {}, self.names, where)
            if case.truth is None:
                self.reference = RATERS

    def finish(self, method: Method, tested: Dataset) -> Diagnoses | None:
        """All scores of the ``tested`` cases; None where there are none.

        A method that needs the diagnosis is asked now for its fused labels of these cases. Of them it sees what it sees of
        training cases, except truth and instances.

        Raises:
            RaterbenchError: it gives something else than ``Method.diagnose_labels`` asks for; the case is named.
        """
        scored, pictures = [], tuple[FusedPicture, ...]()
        if any(self.predicted.values()):
            networks, probability = _stacked(self.predicted, "the prediction")
            true = np.array(list(self.true.values()), np.int64)
            scored.append(ScoredCases("predicted segmentation", "", tuple(self.true), networks, true, probability))
        if self.names and "diagnosis" in method.needs:
            seen = tested.subset(range(len(tested)), blind=True, needs=("diagnosis",))
            records = method.diagnose_labels(seen)
            scored += self._fused_labels(records, tested)
            pictures = fused_pictures(records, tested)
        return Diagnoses(self.names, self.classes[1:], tuple(scored), pictures) if scored else None

    def _fused_labels(self, records: Sequence[DiagnosedLabels], tested: Dataset) -> list[ScoredCases]:
        """The records by their control, each with the same cases: those of which diagnosis and fused labels are known."""
        by_control: dict[str, dict[str, DiagnosedLabels]] = {}
        for record in records:
            self._check(record)
            mine = by_control.setdefault(record.control, {})
            if record.case in mine:
                raise RaterbenchError(f"case {record.case!r}: its fused labels, {record.control}, were diagnosed twice")
            mine[record.case] = record
        labelled = {record.case: record.control for record in records}
        known = [case for case in self.true if case in labelled]
        for control, mine in by_control.items():
            if missing := [case for case in known if case not in mine]:
                raise RaterbenchError(
                    f"case {missing[0]!r}: its fused labels were diagnosed {labelled[missing[0]]}, and not {control}: diagnose "
                    "the same cases under each control"
                )
        dice: dict[str, list[Doubles]] = {control: [] for control in by_control}
        for case in tested if records and known else ():
            if case.id in known:
                for control, mine in by_control.items():
                    dice[control].append(self._dice(mine[case.id].labels, case))
        found = []
        for control in (word for word in get_args(Control) if word in by_control):
            mine = by_control[control]
            scores = {case: check_scores(mine[case].probability, self.names, f"case {case!r}, {control}") for case in known}
            networks, probability = _stacked(scores, f"the fused labels, {control},")
            true = np.array([mine[case].diagnosis for case in known], np.int64)
            found.append(
                ScoredCases(
                    "fused labels", control, tuple(known), networks, true, probability, self.reference, np.stack(dice[control])
                )
            )
        return found

    def _check(self, record: DiagnosedLabels) -> None:
        if not isinstance(record, DiagnosedLabels):
            raise RaterbenchError(f"diagnose_labels gave a {type(record).__name__}: give DiagnosedLabels")
        where, words = f"case {record.case!r}", get_args(Control)
        if record.control not in words:
            raise RaterbenchError(f"{where}: there is no control {record.control!r}{nearest(record.control, words)}")
        own = self.true.get(record.case)
        if own is None:
            raise RaterbenchError(f"{where} is no test case, so its fused labels cannot be judged")
        if own == UNKNOWN:
            raise RaterbenchError(f"{where}: its diagnosis is not known, so leave its fused labels out")
        if record.control == "permuted" and not 0 <= record.diagnosis < len(self.names):
            raise RaterbenchError(f"{where}: the permuted diagnosis {record.diagnosis} is no index of {', '.join(self.names)}")
        if record.control != "permuted" and record.diagnosis != own:
            raise RaterbenchError(
                f"{where}: the diagnosis that counts as true is given as {record.diagnosis}, {record.control}, but it is {own}"
            )

    def _dice(self, labels: npt.NDArray[np.uint8], case: Case) -> Doubles:
        """The Dice of each foreground class, against the truth if it is known of all cases, else the mean over the raters."""
        labels, where = np.asarray(labels), f"case {case.id!r}, fused labels"
        if labels.shape != case.shape or labels.dtype != np.uint8:
            raise RaterbenchError(f"{where}: they are {labels.dtype} {labels.shape}, not uint8 {case.shape}")
        try:
            fused = from_labels(labels, len(self.classes))
        except RaterbenchError as error:
            raise RaterbenchError(f"{where}: {error}") from error
        sources, metric = References(case, len(self.classes)), Dice()
        names = sources.parts(self.reference)
        return mean_without_nan([metric.measure(fused, sources[name], spacing=case.geometry.spacing) for name in names])


def _stacked(scores: Mapping[str, Scores], what: str) -> tuple[tuple[str, ...], Doubles]:
    """The names of the networks, and their scores [cases, networks, D].

    Raises:
        RaterbenchError: the networks are not the same for each case.
    """
    first = next(iter(scores))
    networks = list(scores[first])
    for case, given in scores.items():
        if not given or set(given) != set(networks):
            raise RaterbenchError(
                f"{what} of case {case!r} was diagnosed by {', '.join(given) or 'no network'}, and that of case {first!r} by "
                f"{', '.join(networks) or 'no network'}: each network must diagnose every case"
            )
    return tuple(networks), np.array([[given[network] for network in networks] for given in scores.values()])
