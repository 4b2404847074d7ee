"""STAPLE with one number a rater."""

from __future__ import annotations

from .engine.em_fusion import EMFusion
from .engine.rater_models import OneAccuracy, RaterModel


class OneCoinSTAPLE(EMFusion):
    """STAPLE whose raters are right with one probability, whatever the truth; errors go evenly to the other classes.

    The one-coin model of Dawid and Skene's (1979); see Zhang, Chen, Zhou and Jordan (2016), JMLR 17(102). One parameter a
    rater in place of K (K - 1) needs few voxels, but where background is plentiful it is the background that makes raters
    look accurate: think of ``region="union"``. The ``SegmentationEM`` of crowd-kit has the same raters; it differs in that its
    prior at every voxel is the voxel's last posterior, which maximises no likelihood. Parameters: ``em_fusion.EMFusion``.

    >>> import numpy as np
    >>> from raterbench.methods.fusion.one_coin_staple import OneCoinSTAPLE
    >>> a, b, c = [1, 1, 1, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 1, 1, 0, 0]
    >>> fused = OneCoinSTAPLE().fuse({"a": np.array(a), "b": np.array(b), "c": np.array(c)}, n_classes=2)
    >>> fused.labels.tolist(), fused.status
    ([1, 1, 1, 0, 0, 0, 0, 0], 'ok')
    >>> fused.confusion[:, 1, 1].round(2).tolist()  # accuracy, the same as fused.confusion[:, 0, 0]
    [0.88, 1.0, 0.5]
    """

    def rater_model(self) -> RaterModel:
        return OneAccuracy()
