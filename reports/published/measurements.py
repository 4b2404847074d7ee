"""What an experiment measured of each subject and each trained model: from its results, or from one table of text."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...benchmark.experiment.published import COMPOSITE_SCORE
from ...benchmark.labels.csv_text import csv_bytes
from ...benchmark.statistics.calibration import TREATMENTS, model_errors
from ...benchmark.statistics.diagnosis.network_scores import areas_by_model
from ...benchmark.statistics.long_rows import LongRows
from ...benchmark.statistics.ranking import COMPOSITE, composite_scores
from ...benchmark.statistics.subjects import FOREGROUND, WHOLE
from ...benchmark.statistics.verdict.shared_cells import MODEL
from ...benchmark.statistics.verdict.table_layout import read_table
from ...benchmark.store.results import Results
from ...errors import RaterbenchError

COLUMNS = [
    *("experiment", "dataset", "candidate", "kind", "repeat", "fold", "class", "reference", "centre", "subject", "metric"),
    "value",
]
"""Columns of the table of text: a row for each subject, trained model, class, reference and metric."""
CALIBRATION = {last_bin: f"ECE of a trained model (last bin {last_bin})" for last_bin in TREATMENTS}
"""What the calibration errors of trained models are called as a metric, by what becomes of confidence exactly 1."""
REPAIR = {"before": "Dice of cheap annotations, pooled", "after": "Dice of repaired annotations, pooled"}
"""What the Dice of all voxels of the test cases' annotations is called as a metric, before and after a method repaired them."""
DIAGNOSIS = {
    "": "auc",
    **{control: f"auc of fused labels, {control}" for control in ("as published", "cross-fitted", "permuted")},
}
"""What the area under the curve of the diagnosis is called as a metric: by the predicted segmentation, or by fused labels."""
NETWORK = "network:"
"""What stands before the name of the network that diagnosed, which is the reference of these areas."""
ANNOTATIONS, CHEAP = "annotations", "Cheap annotations"
"""The kind of the Dice of test annotations: as they were repaired, by candidate, and as they were given."""
ALARMS = "alarms"
"""The number of alarms of a trained model, as a metric."""
DIGITS = 7
"""Significant digits of a written value: more than a 32-bit number has."""
_VALUES = ["candidate", *MODEL, "subject", "value"]


@dataclass(frozen=True, eq=False)
class Measurements:
    """What was measured, a value a subject (or case) and trained model.

    ``rows`` are as in ``Results.rows``; ``trainings`` has the values that a trained model has as a whole, with the columns
    ``candidate repeat fold class reference metric value``. ``gaps`` says what is missing.
    """

    experiment: str
    dataset: str
    rows: pd.DataFrame
    trainings: pd.DataFrame
    gaps: list[str] = field(default_factory=list)
    empty_policies: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _grouped(self) -> LongRows:
        return LongRows(self.rows)

    def values(self, metric: str, reference: str, class_name: str = "", kind: str = "method") -> pd.DataFrame:
        """``candidate repeat fold subject value`` of one metric, the mean over a subject's cases; empty if not measured.

        ``class_name`` is empty for the mean over foreground classes. Values of trained models have the subject ``""``.
        """
        if metric == COMPOSITE_SCORE:
            return self._composite(reference) if kind == "method" else pd.DataFrame(columns=_VALUES)
        mine = self.trainings[(self.trainings["metric"] == metric) & (self.trainings["reference"] == reference)]
        if len(mine):
            return mine.assign(subject="")[_VALUES] if kind == "method" else pd.DataFrame(columns=_VALUES)
        if reference not in self._grouped.references(metric, kind):
            reference = "none"  # A metric that needs no reference.
        if reference not in self._grouped.references(metric, kind):
            return pd.DataFrame(columns=_VALUES)
        found, _ = self._grouped.values(metric, reference, class_name or FOREGROUND, kind)
        wide = pd.DataFrame(found.values, columns=pd.Index(found.candidates, name="candidate"))
        by_subject = wide.groupby([found.rows[key] for key in (*MODEL, "subject")]).mean()
        return _long(by_subject)

    def _composite(self, reference: str) -> pd.DataFrame:
        if any(reference not in self._grouped.references(metric) for metric in COMPOSITE):
            return pd.DataFrame(columns=_VALUES)
        found = composite_scores(self._grouped, reference)
        if found is None:
            return pd.DataFrame(columns=_VALUES)
        return _long(found.scores.rename_axis(columns="candidate"))

    def alarmed(self, candidate: str) -> bool:
        """Whether a trained model of the candidate warned of what it learned."""
        mine = (self.trainings["metric"] == ALARMS) & (self.trainings["candidate"] == candidate)
        return bool((self.trainings.loc[mine, "value"] > 0).any())


def _long(wide: pd.DataFrame) -> pd.DataFrame:
    """``candidate repeat fold subject value`` from (repeat, fold, subject) x candidates."""
    stacked: Any = wide.stack()
    return pd.DataFrame(stacked.rename("value").reset_index()[_VALUES])


def measurements_of(results: Results) -> Measurements:
    """The measurements of an experiment's results."""
    policies = {}
    for metric in pd.unique(results.rows["metric"]):
        facts = results.metric(str(metric))
        policies[str(metric)] = facts.empty if facts is not None else ""
    return Measurements(
        results.experiment.name, results.experiment.dataset, results.rows, _trainings(results), results.completeness.gaps(),
        policies,
    )  # fmt: skip


def _trainings(results: Results) -> pd.DataFrame:
    """What each trained model has as a whole: calibration errors, alarms, repaired annotations, areas of the diagnosis."""
    columns, tables = ["candidate", *MODEL, "class", "reference", "metric", "value"], []
    for reference in pd.unique(results.calibration["reference"]):
        for last_bin, metric in CALIBRATION.items():
            errors = model_errors(results.calibration, reference, last_bin).rename("value").reset_index()
            errors = errors[errors["region"] == "image"]
            tables.append(errors.assign(**{"class": WHOLE}, reference=reference, metric=metric)[columns])
    units = results.units[(results.units["kind"] == "method") & (results.units["status"] == "done")]
    counts = [float(len(said)) if isinstance(said, list) else 0.0 for said in units["alarms"]]
    alarms = units[["candidate", *MODEL]].assign(**{"class": WHOLE}, reference="none", metric=ALARMS, value=counts)
    repairs = results.repairs[results.repairs["part"] == "test"].rename(columns={"against": "reference"})
    for column, metric in REPAIR.items():
        tables.append(repairs.assign(**{"class": WHOLE}, metric=metric, value=repairs[column])[columns])
    if len(results.diagnoses):
        tables.append(_areas(results)[columns])
    return pd.concat([*tables, alarms[columns]], ignore_index=True)


def _areas(results: Results) -> pd.DataFrame:
    """The area under the curve of the diagnosis of each trained model; of more than two diagnoses the mean over them."""
    areas = areas_by_model(results.diagnoses)
    keys = ["candidate", *MODEL, "control", "network"]
    means = areas.groupby(keys, sort=False)["auc"].mean().rename("value").reset_index()
    named = means.assign(metric=means["control"].map(DIAGNOSIS), reference=NETWORK + means["network"])
    return named.assign(**{"class": WHOLE})


def _annotations(results: Results) -> pd.DataFrame:
    """The Dice of each subject's test annotations, repaired by each candidate, and of the same annotations as given."""
    tested = results.repaired[results.repaired["part"] == "test"].rename(columns={"against": "reference"})
    place = ["reference", *MODEL, "subject"]
    means = tested.groupby(["candidate", *place], sort=False)[["before", "after"]].mean().reset_index()
    same = not (means.groupby(place)["before"].nunique() > 1).any()
    given = means.assign(candidate=CHEAP if same else CHEAP + " of " + means["candidate"], value=means["before"])
    both = pd.concat([given.drop_duplicates(["candidate", *place]), means.assign(value=means["after"])], ignore_index=True)
    centres = results.rows.drop_duplicates("subject").set_index("subject")["centre"]
    named = both.assign(**{"class": WHOLE}, kind=ANNOTATIONS, metric="dice", centre=both["subject"].map(centres))
    return named.drop(columns=["before", "after"])


def subject_table(results: Results) -> pd.DataFrame:
    """The table of text: the mean over the cases of each subject and trained model, columns ``COLUMNS``.

    A value that a trained model has as a whole (its calibration error, the number of its alarms) has no subject. It has all
    that published tables are compared with, in far fewer rows than the long table.
    """
    rows, keys = results.rows, [*COLUMNS[2:-1]]
    means = rows.groupby(keys, sort=False, dropna=False)["value"].mean().reset_index()
    trainings = _trainings(results).assign(kind="method", subject="", centre="")
    table = pd.concat([means, _annotations(results), trainings], ignore_index=True)
    named = table.assign(experiment=results.experiment.name, dataset=results.experiment.dataset)
    return named[COLUMNS]


def subject_text(table: pd.DataFrame) -> bytes:
    """The table of text as gzipped CSV; no date inside, so that equal tables are equal files."""
    value = table["value"].map(lambda v: "" if not np.isfinite(v) else f"{v:.{DIGITS}g}")
    return gzip.compress(csv_bytes(table.assign(value=value)), compresslevel=9, mtime=0)


def read_measurements(path: str | Path) -> Measurements:
    """The measurements of a table of text (:func:`subject_table`), also compressed (``.gz``).

    Raises:
        RaterbenchError: it cannot be read, lacks a column, has the values of several experiments, or a value is no number.
    """
    table = read_table(Path(path))
    if missing := [name for name in COLUMNS if name not in table.columns]:
        raise RaterbenchError(
            f"{path} has no column {missing[0]!r}; raterbench export FOLDER writes subjects.csv.gz with {', '.join(COLUMNS)}"
        )
    if len(names := table[["experiment", "dataset"]].drop_duplicates()) != 1:
        raise RaterbenchError(f"{path} must hold one experiment on one data set; it has {len(names)}")
    try:
        numbers = {"value": pd.to_numeric(table["value"]), **{k: table[k].astype(int) for k in MODEL}}
    except ValueError as error:
        raise RaterbenchError(f"{path}: columns value, repeat and fold must hold numbers: {error}") from error
    table = table.fillna("").assign(**numbers)
    whole = table["subject"] == ""
    rows = table[~whole].assign(case=table["subject"])
    trainings = table.loc[whole, ["candidate", *MODEL, "class", "reference", "metric", "value"]]
    experiment, dataset = names.iloc[0]
    return Measurements(str(experiment), str(dataset), rows.reset_index(drop=True), trainings.reset_index(drop=True))
