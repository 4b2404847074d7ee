"""STAPLE: estimates the truth and the raters' performance together, for each case or over a data set."""

from __future__ import annotations

from .engine.em_fusion import EMFusion


class STAPLE(EMFusion):
    """Simultaneous truth and performance level estimation: raters are weighted by their estimated performance.

    Warfield, Zou and Wells (2004), IEEE TMI 23(7):903, eqs. 11 to 18, for two classes. For more classes each rater has a
    confusion matrix, as in Dawid and Skene (1979), but the prior is fixed; ``STAPLE(pool="dataset", prior="estimated")`` is the
    model of Dawid and Skene. Prior, initialisation and stopping rule are ITK's (``em.expectation_maximisation``); a
    ``tolerance`` of 1e-7 is ITK's 1e-14, which is compared with squared changes. Soft ratings split their vote
    (``SoftSTAPLE``). The parameters are those of ``em_fusion.EMFusion``.

    The result depends on the field of view: with more background around the object all raters seem more specific, and a vote
    for the object has more weight. With ``region="union"`` it does not; the consensus names the region.

    The probability is the posterior. It is close to 0 or 1 by construction and not calibrated. The label is the class with
    the largest posterior; ``ties="foreground"`` is the usual threshold "at least 0.5" for two classes. If all raters agree, or
    there is one rater, the consensus is exactly their labels, with status "degenerate".

    >>> import numpy as np
    >>> from raterbench.methods.fusion.staple import STAPLE
    >>> a, b, c = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 1, 1, 0, 0, 0]
    >>> fused = STAPLE().fuse({"a": np.array(a), "b": np.array(b), "c": np.array(c)}, n_classes=2)
    >>> fused.labels.tolist(), fused.status, fused.iterations
    ([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], 'ok', 65)
    >>> fused.confusion[:, 1, 1].round(3).tolist()  # sensitivity
    [1.0, 1.0, 0.68]
    """
