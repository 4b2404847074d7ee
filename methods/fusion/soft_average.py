"""The share of raters who vote for each class, as a probability."""

from __future__ import annotations

from ...datasets.base import Geometry
from ..base import Consensus, Fusion, Ratings
from .engine.consensus import make_consensus
from .engine.patterns import find_patterns
from .engine.ties import Ties


class SoftAverage(Fusion):
    """Mean of the raters' one-hot (or soft) labels over those who judged the voxel.

    Soft ground truth in Lemay, Gros, Naga Karthik and Cohen-Adad (2022), "Label fusion and training methods for reliable
    representation of inter-rater uncertainty", MELBA 1, 2022:031. The label is the class with the largest share.

    Args:
        ties: the class that wins among equal shares.

    >>> import numpy as np
    >>> from raterbench.methods.fusion.soft_average import SoftAverage
    >>> fused = SoftAverage().fuse({"a": np.array([1, 1, 0]), "b": np.array([1, 0, 0])}, n_classes=2)
    >>> fused.probability[1].tolist(), fused.labels.tolist()
    ([1.0, 0.5, 0.0], [1, 0, 0])
    """

    def __init__(self, *, ties: Ties = "lowest") -> None:
        self.ties = ties

    def fuse(self, ratings: Ratings, n_classes: int, *, geometry: Geometry | None = None) -> Consensus:
        """Average the ratings of one case; errors as in ``Fusion.fuse``."""
        del geometry
        self.check_parameters()
        patterns = find_patterns(ratings, n_classes)
        return make_consensus(patterns, patterns.mean, self.ties)
