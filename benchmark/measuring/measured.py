"""Rows and calibration counts of the test cases of a unit, measured with what the experiment asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...datasets.base import Case, Dataset, Floats
from ..experiment.experiment import Experiment
from ..experiment.factory import build_metrics
from ..metrics import Segmentation
from .measure import REGIONS, Row, calibrate_case, check_unit, measure_case, measures_lengths
from .references import References


class Measured:
    """Rows and calibration counts of a unit's test cases."""

    def __init__(self, experiment: Experiment, dataset: Dataset) -> None:
        self.experiment, self.dataset = experiment, dataset
        self.metrics = build_metrics(experiment)
        self._cases: list[tuple[str, str, str]] = []
        self._counts: list[Any] = []

    def rows(self, candidate: str, kind: str, case: Case, prediction: Segmentation, sources: References) -> list[list[Any]]:
        """The rows of one prediction, as the long table has them.

        Raises:
            RaterbenchError: a metric measures lengths, and the case not in the data set's unit.
        """
        if any(measures_lengths(metric) for metric in self.metrics):
            check_unit(case, self.dataset)
        values = measure_case(
            case,
            prediction,
            metrics=self.metrics,
            references=self.experiment.references,
            classes=self.dataset.classes,
            sources=sources,
        )
        return self.headed(candidate, kind, case, values)

    @staticmethod
    def headed(candidate: str, kind: str, case: Case, values: Sequence[Row]) -> list[list[Any]]:
        """Values of a case with what the long table has before them."""
        return [[candidate, kind, case.id, case.subject, case.centre, *value] for value in values]

    def calibrate(self, case: Case, probability: Floats, sources: References) -> None:
        """Add a case to the calibration counts."""
        self._cases.append((case.id, case.subject, case.centre))
        self._counts.append(calibrate_case(case, probability, self.experiment.references, sources=sources))

    def calibration_index(self) -> dict[str, Any]:
        """What the axes of ``calibration()`` mean."""
        return {"cases": self._cases, "references": list(self.experiment.references), "regions": list(REGIONS)}

    def calibration(self) -> Any:
        """Counts [cases, references, regions, bins, 3] int64."""
        return np.stack(self._counts)
