"""What each column of the exported tables means: the data dictionary, apart from the values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Type = Literal["string", "integer", "number", "boolean"]
"""Types of Frictionless Table Schema."""


@dataclass(frozen=True)
class Column:
    """A column: its ``name``, ``type``, ``unit``, what it means, which values it may have, and when its cell is empty.

    ``empty`` is an empty text where no cell is ever empty. ``allowed`` has all values that occur where they are few.
    """

    name: str
    type: Type
    meaning: str
    unit: str = ""
    allowed: Sequence[str] = ()
    empty: str = ""
    lowest: float | None = None
    highest: float | None = None

    @property
    def field(self) -> dict[str, Any]:
        """The column as a field of a Frictionless Table Schema."""
        limits = {"minimum": self.lowest, "maximum": self.highest, "enum": list(self.allowed) or None}
        constraints: dict[str, Any] = {key: value for key, value in limits.items() if value is not None}
        if not self.empty:
            constraints["required"] = True
        words = [self.meaning, f"Unit: {self.unit}." if self.unit else "", f"Empty: {self.empty}." if self.empty else ""]
        found = {"name": self.name, "type": self.type, "description": " ".join(filter(None, words))}
        return found | ({"constraints": constraints} if constraints else {})


CANDIDATE = Column("candidate", "string", "The configured method.")
CASE = Column("case", "string", "The case, as the data set calls it.")
SUBJECT = Column("subject", "string", "The subject; several cases may be of one subject, and are then not independent.")
CENTRE = Column("centre", "string", "Where the case comes from.")
REPEAT = Column("repeat", "integer", "The repeat of the cross-validation or hold-out, with its own seeds.", lowest=0)
FOLD = Column("fold", "integer", "The fold that tested the case. A (repeat, fold) is one trained model.", lowest=0)
KIND = Column(
    "kind", "string",
    "What was measured: the predictions of a method; the labels of a rater, against the others where raters make the "
    "reference; fused labels without a network.",
    allowed=("method", "rater", "fusion"),
)  # fmt: skip
UNDEFINED = "the metric is not defined there (empty_policy in metrics.csv), or nothing was measured"

LONG = (
    Column("experiment", "string", "The experiment."),
    Column("dataset", "string", "The data set, by its name, or as folder:PATH."),
    Column("candidate", "string", "The configured method, the rater, or the fusion, as kind says."),
    KIND,
    REPEAT, FOLD, CASE, SUBJECT, CENTRE,
    Column("class", "string", "The foreground class, or all: a metric of all classes at once."),
    Column(
        "reference", "string",
        "What was measured against: the known truth; raters: the mean of the metric over the single raters; a fusion of the "
        "raters; rater:NAME, one of them; none: the metric needs no reference.",
    ),
    Column("metric", "string", "The metric; metrics.csv describes each."),
    Column("parameters", "string", "Parameters of the metric, such as tolerance=2.0.", empty="it has none"),
    Column(
        "threshold", "string",
        "How a probability of two classes became labels: searched on validation cases, or half, 0.5.",
        allowed=("searched", "half"), empty="the row does not depend on a threshold, or there are more than two classes",
    ),
    Column("value", "number", "The value of the metric.", "that of the metric, in metrics.csv", empty=UNDEFINED),
)  # fmt: skip
"""``results.csv.gz``."""

OF_A_MODEL = "the value is one of a trained model over all its test subjects: its calibration error, its alarms"
SUBJECTS = (
    *(c for c in LONG if c.name in {"experiment", "dataset", "candidate"}),
    replace(
        KIND, meaning=f"{KIND.meaning[:-1]}; annotations of test cases, as given and as a candidate repaired them.",
        allowed=(*KIND.allowed, "annotations"),
    ),
    *(c for c in LONG if c.name in {"repeat", "fold", "class", "reference"}),
    replace(CENTRE, empty=OF_A_MODEL), replace(SUBJECT, empty=OF_A_MODEL),
    Column("metric", "string", "The metric, as in metrics.csv; or the ECE or the number of alarms of a trained model."),
    Column("value", "number", "Mean over the subject's cases.", "that of the metric, in metrics.csv", empty=UNDEFINED),
)  # fmt: skip
"""``subjects.csv.gz``."""

DIAGNOSES = (
    CANDIDATE, REPEAT, FOLD, CASE, SUBJECT,
    Column("source", "string", "Which labels the network saw beside the image: those that the candidate predicts for a test "
           "image, or those that its fusion makes of the raters.", allowed=("predicted segmentation", "fused labels")),
    Column("control", "string", "How fused labels were made: as published, so that scores are circular; cross-fitted; or with "
           "permuted diagnoses, where an area under the curve above .5 is leak.",
           allowed=("as published", "cross-fitted", "permuted"), empty="the segmentation was predicted"),
    Column("network", "string", "The network, or rule, that diagnosed."),
    Column("positive", "string", "The diagnosis of which the score is the probability; the second of two, and of more each in "
           "turn, against all others."),
    Column("diagnosis", "string", "The diagnosis that counts as true: the case's own, or the one that the permutation gave it.",
           empty="it is not known"),
    Column("score", "number", "The probability of the positive diagnosis.", lowest=0, highest=1),
)  # fmt: skip
"""``diagnoses.csv.gz``."""

CASES = (
    CANDIDATE, REPEAT, FOLD, CASE, SUBJECT, CENTRE,
    Column("value", "number", "The value of the metric, the mean over foreground classes where it has one for each.",
           "that of the metric, in metrics.csv", empty=UNDEFINED),
)  # fmt: skip
"""``cases/METRIC.csv``."""

CHALLENGER = (
    Column("task", "string", "The data set."),
    CASE,
    Column("algorithm", "string", "The candidate."),
    Column("value", "number", "Mean over repeats of the value of the case.", "that of the metric, in metrics.csv",
           empty=f"{UNDEFINED}, in any repeat"),
    SUBJECT,
)  # fmt: skip
"""``challenger/METRIC.csv``."""

BENCHEVAL = (
    Column("method", "string", "The candidate."),
    Column("task", "string", "The subject."),
    Column("seed", "integer", "The repeat.", lowest=0),
    Column("metric_error", "number", "Mean over the subject's cases; smaller is better, and 0 is perfect.",
           "that of the metric, in metrics.csv", lowest=0),
)  # fmt: skip
"""``bencheval/METRIC.csv``."""

METRICS = (
    Column("metric", "string", "The name in the column metric."),
    Column("label", "string", "The name that people read, with the unit."),
    Column("unit", "string", "The unit of the values.", empty="a number without unit"),
    Column("better", "string", "Which values are better; zero: those near 0; none: neither.",
           allowed=("higher", "lower", "zero", "none")),
    Column("lowest", "number", "The lowest possible value.", empty="there is none, or it is not known"),
    Column("highest", "number", "The highest possible value.", empty="there is none, or it is not known"),
    Column("primary", "boolean", "Whether it was declared as the primary metric."),
    Column("reference", "string", "The reference of the files of single metrics; the long table has all references."),
    Column("references", "string", "All references that it was measured against, separated by semicolons."),
    Column("file", "string", "How the files of this metric are called, without their ending."),
    Column("empty_policy", "string", "What happens where the reference, the prediction or both are empty.",
           empty="it is not known"),
)  # fmt: skip
"""``metrics.csv``."""


def wide_columns(candidates: Sequence[str]) -> tuple[Column, ...]:
    """The columns of ``wide/METRIC.csv``: the subject, then a column for each candidate."""
    meaning = "Mean over the subject's cases of the mean over repeats."
    unit = "that of the metric, in metrics.csv"
    return (
        Column("subject", "string", "The subject; rows are independent."),
        *(Column(name, "number", meaning, unit, empty=f"{UNDEFINED}, in any case or repeat") for name in candidates),
    )
