"""STAPLE that uses only voxels on which raters disagree."""

from __future__ import annotations

from ...errors import RaterbenchError
from .engine.em import Votes
from .engine.em_fusion import EMFusion
from .engine.patterns import Bools, Patterns

MIN_RATERS = 4
"""Number of raters who must judge the same contested voxels."""


class ContestedSTAPLE(EMFusion):
    """STAPLE on contested voxels. If all raters who judged a voxel agree, it gets their class and is not used for estimation.

    COLLATE (Asman and Landman, 2011, IEEE TMI 30(10):1779) estimates how easy each voxel is, because easy voxels, which all
    raters label correctly, make raters look alike. This fusion approximates it as NiftySeg's ``seg_LabFusion -unc`` does. The
    prior of the classes comes from contested voxels only, too, so cropping the image changes nothing. The confusion matrices
    are those *at contested voxels*: far worse than STAPLE's, and comparable only with each other. The parameters are those of
    ``em_fusion.EMFusion``.

    Raises:
        RaterbenchError: fewer than four raters judged the same contested voxels. Three raters and two classes give six
            contested patterns, too few for six parameters.

    >>> import numpy as np
    >>> from raterbench.methods.fusion.contested_staple import ContestedSTAPLE
    >>> from raterbench.methods.fusion.staple import STAPLE
    >>> random = np.random.default_rng(0)
    >>> slips = (random.random((5, 10_000)) < np.array([[0.05], [0.1], [0.2], [0.2], [0.3]])) & (np.arange(10_000) < 2000)
    >>> ratings = dict(zip("abcde", (np.arange(10_000) < 1000) ^ slips))  # the rest of the image is easy
    >>> for fusion in (STAPLE(), ContestedSTAPLE()):
    ...     fusion.fuse(ratings, 2).confusion[:, 0, 0].round(2).tolist()  # specificity
    [1.0, 0.99, 0.99, 0.99, 0.98]
    [0.94, 0.8, 0.64, 0.67, 0.5]
    """

    def min_raters(self) -> int:
        """Four, or one if ``pool`` takes the raters' matrices from other cases."""
        return MIN_RATERS if self.pool == "case" else 1

    def check_evidence(self, data: Votes) -> None:
        judges = data.votes.any(axis=1).sum(axis=0)[data.counts > 0]
        together = int(judges.max(initial=0))
        if together < MIN_RATERS:
            raise RaterbenchError(
                f"ContestedSTAPLE needs {MIN_RATERS} raters who judge the same contested voxels, and here are at most "
                f"{together}: fuse with STAPLE or MajorityVote"
            )

    def non_evidence_patterns(self, patterns: Patterns) -> Bools:
        return patterns.agreed
