"""How a prediction is scored against a reference: pure functions with a small registry entry each.

Importing this folder imports neither torch nor MONAI: tables and figures only want the names and what is better.
"""

from ...registry import Registry
from .base import Metric, RaterMetric, Segmentation, from_labels

METRICS: Registry[Metric] = Registry("metric", Metric, __name__)
"""Every metric by the name that tables and experiments use: ``METRICS.get("dice")()``."""

__all__ = ["METRICS", "Metric", "RaterMetric", "Segmentation", "from_labels"]
