"""What tables need to know of each metric, stored with the results: a report loads no code to read them."""

from __future__ import annotations

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
    """

    label: str
    unit: str
    better: Better
    empty: str
    references: Literal["any", "soft", "none", "truth", "soft average"]
    of_raters: bool


def metric_facts(metrics: Sequence[MetricBase], unit: Unit, ndim: int) -> dict[str, dict[str, Any]]:
    """The facts of each metric by its name in tables, as plain values; ``unit`` and ``ndim`` are those of the data set."""
    return {name: asdict(_facts_of(metric, unit, ndim)) for name, metric in zip(table_names(metrics), metrics, strict=True)}


def stored_metric_facts(
    stored: Mapping[str, Any], name: str, experiment: Experiment, unit: Unit, ndim: int
) -> MetricFacts | None:
    """The facts of a metric from those stored with the results, which earlier versions did not have: then as it is now.

    None for a metric of somebody else's that nothing is stored of.
    """
    if name in stored:
        return MetricFacts(**stored[name])
    if name not in METRICS.names():
        return None
    return _facts_of(METRICS.get(name)(**dict(experiment.metric_entries).get(name, {})), unit, ndim)


def _facts_of(metric: MetricBase, unit: Unit, ndim: int) -> MetricFacts:
    with calling(type(metric), f"metric {metric.name!r}"):
        label, symbol = str(metric.label_in(unit, ndim)), str(metric.unit_in(unit, ndim))
    return MetricFacts(label, symbol, metric.better, metric.empty, metric.references, isinstance(metric, RaterMetric))
