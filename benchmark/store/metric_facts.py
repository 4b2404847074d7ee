"""What tables need to know of each metric, stored with the results: a report loads no code to read them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ...datasets.base import Unit
from ...plugin_errors import calling
from ..experiment.experiment import Experiment
from ..metrics import METRICS, MetricBase, RaterMetric, table_names
from ..metrics.base import Better


@dataclass(frozen=True)
class MetricFacts:
    """A metric as it was when it measured: the head of its column, what is better, what it does on empty masks.

    ``label`` has the ``unit`` of the values in it, such as ``mm``, which is empty for numbers without one. ``references`` is
    what it can be measured against, and ``of_raters`` says whether it is about estimates of raters and not predictions.
    ``lowest`` and ``highest`` are the ends of its range; None where there is none.
    """

    label: str
    unit: str
    better: Better
    empty: str
    references: Literal["any", "soft", "none", "truth", "soft average"]
    of_raters: bool
    lowest: float | None = None
    highest: float | None = None


def metric_facts(metrics: Sequence[MetricBase], unit: Unit, ndim: int) -> dict[str, dict[str, Any]]:
    """The facts of each metric by its name in tables, as plain values; ``unit`` and ``ndim`` are those of the data set."""
    return {name: asdict(_facts_of(metric, unit, ndim)) for name, metric in zip(table_names(metrics), metrics, strict=True)}


def stored_metric_facts(facts: Mapping[str, Any], name: str, experiment: Experiment) -> MetricFacts | None:
    """The facts of a metric from those stored with the results; None for one of somebody else's that nothing is stored of.

    A metric that was declared with several parameters, but measured with one of them only, has its plain name in tables,
    under which nothing is stored: it is described as it is now.
    """
    if name in facts["metrics"]:
        return MetricFacts(**facts["metrics"][name])
    if name not in METRICS.names():
        return None
    metric = METRICS.get(name)(**dict(experiment.metric_entries).get(name, {}))
    return _facts_of(metric, facts["unit"], len(facts["case_shape"]))


def _facts_of(metric: MetricBase, unit: Unit, ndim: int) -> MetricFacts:
    with calling(type(metric), f"metric {metric.name!r}"):
        label, symbol = str(metric.label_in(unit, ndim)), str(metric.unit_in(unit, ndim))
        ends = [float(end) if math.isfinite(end) else None for end in metric.range]
    return MetricFacts(label, symbol, metric.better, metric.empty, metric.references, isinstance(metric, RaterMetric), *ends)
