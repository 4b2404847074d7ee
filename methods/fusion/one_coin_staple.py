"""STAPLE with one accuracy for each rater."""

from __future__ import annotations

from .engine.em_fusion import EMFusion
from .engine.rater_models import OneAccuracy, RaterModel


class OneCoinSTAPLE(EMFusion):
    """STAPLE whose raters have the same accuracy for every class; errors are spread evenly over the other classes.

    The one-coin variant of the model of Dawid and Skene (1979); see Zhang, Chen, Zhou and Jordan (2016), JMLR 17(102). One
    parameter for each rater instead of K (K - 1) needs few voxels, but much background makes all raters look accurate;
    ``region="union"`` leaves it out. crowd-kit's ``SegmentationEM`` has the same rater model, but uses each voxel's last
    posterior as its prior, which maximises no likelihood. The parameters are those of ``em_fusion.EMFusion``.

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
