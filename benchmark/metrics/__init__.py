"""How a prediction is scored against a reference: one class a metric, found by its name.

To add a metric, write a class in a file here, or in a plug-in file: a subclass of ``Metric`` with a ``measure`` for most, with
its parameters as keyword arguments of ``__init__``. ``base.MetricBase`` lists the kinds of metrics and their attributes, and
``surface.SurfaceDice`` is an example with parameters. ``raterbench check FILE`` tries the class against the contract.

Importing this folder imports neither torch nor MONAI: tables and figures only need the names and what is better.
"""

from ...registry import Registry
from ...voxel_counts import dice_from_counts, label_counts, one_hot
from .base import Metric, MetricBase, PooledMetric, RaterMetric, SampleMetric, Segmentation, from_labels, table_names

METRICS: Registry[MetricBase] = Registry("metric", MetricBase, __name__)
"""Every metric by the name that tables and experiments use: ``METRICS.get("dice")()``."""

__all__ = [
    "METRICS",
    "Metric",
    "MetricBase",
    "PooledMetric",
    "RaterMetric",
    "SampleMetric",
    "Segmentation",
    "dice_from_counts",
    "from_labels",
    "label_counts",
    "one_hot",
    "table_names",
]
