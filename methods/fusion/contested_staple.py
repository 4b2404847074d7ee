"""STAPLE that learns its raters where they disagree."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...errors import RaterbenchError
from .engine.em import Votes
from .engine.em_fusion import EMFusion
from .engine.patterns import Patterns

FEWEST = 4
"""Raters who must judge the same voxels."""


class ContestedSTAPLE(EMFusion):
    """STAPLE on contested voxels only; where all who judged agree, that is the truth and no evidence about anybody.

    The idea of COLLATE (Asman and Landman, 2011, IEEE TMI 30(10):1779): the easy voxels, which everybody gets right, make all
    raters look alike. COLLATE estimates how easy each voxel is; this is the surrogate with the same aim that NiftySeg's
    ``seg_LabFusion -unc`` offers. The classes' prior, too, is that of the contested voxels, so the field of view plays no part.
    The confusion matrices are those *at contested voxels*: far worse than STAPLE's, and to be compared with each other only.
    It needs at least four raters who judge the same contested voxels, and refuses fewer: what three of them contest, about two
    classes, shows six patterns, too few for six parameters. Parameters: ``em_fusion.EMFusion``.

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
        """Four, or one where the raters are known from other cases."""
        return FEWEST if self.pool == "case" else 1

    def check_evidence(self, data: Votes) -> None:
        judges = data.votes.any(axis=1).sum(axis=0)[data.counts > 0]
        together = int(judges.max(initial=0))
        if together < FEWEST:
            raise RaterbenchError(
                f"ContestedSTAPLE needs {FEWEST} raters who judge the same contested voxels, and here are {together} at most: "
                "fuse with STAPLE or MajorityVote"
            )

    def non_evidence_patterns(self, patterns: Patterns) -> npt.NDArray[np.bool_]:
        return patterns.agreed
