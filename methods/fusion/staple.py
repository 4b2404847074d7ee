"""STAPLE: truth and raters estimated together, for each case or over a whole data set."""

from __future__ import annotations

from .engine.em_fusion import EMFusion


class STAPLE(EMFusion):
    """Simultaneous truth and performance level estimation: voxels weigh raters by how well they do.

    Warfield, Zou and Wells (2004), IEEE TMI 23(7):903, for two classes; for more, one confusion matrix a rater, which is
    Dawid and Skene (1979) with a fixed prior; ``STAPLE(pool="dataset", prior="estimated")`` is Dawid and Skene's own. Prior,
    start and stop are ITK's (``em.expectation_maximisation``); ``tolerance`` 1e-7 is ITK's 1e-14, which it compares with
    squares. Soft ratings split their vote (``SoftSTAPLE``). Parameters are those of all fusions by EM (``em_fusion.EMFusion``).

    The field of view matters: more background around the object makes all raters look more specific, and any vote for the
    object more telling. ``region="union"`` makes the answer independent of it, and the consensus says what was looked at.

    The probability is the posterior; it is close to 0 or 1 by construction, so do not read it as calibrated. The labels are
    its largest class, ``ties`` between equals; ``ties="foreground"`` is the customary threshold "at least 0.5" of two
    classes. Raters who agree everywhere, or a single one, get exactly their own labels and the status "degenerate".

    >>> import numpy as np
    >>> from raterbench.methods.fusion.staple import STAPLE
    >>> a, b, c = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 1, 1, 0, 0, 0]
    >>> fused = STAPLE().fuse({"a": np.array(a), "b": np.array(b), "c": np.array(c)}, n_classes=2)
    >>> fused.labels.tolist(), fused.status, fused.iterations
    ([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], 'ok', 65)
    >>> fused.confusion[:, 1, 1].round(3).tolist()  # sensitivity
    [1.0, 1.0, 0.68]
    """
