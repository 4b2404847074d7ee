"""Truncated generalised cross-entropy: a loss that learns where each rater is reliable."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import nn

from ...datasets.base import Case, Dataset
from ...parameters import Range
from ..backbones.base import Backbone, resize_maps, spatial_mean
from ..base import Prediction
from ..learning.batches.slices import Slices
from ..learning.budget import Budget
from ..learning.learned_truth import LearnedTruthMethod
from ..learning.network import rows_in_chunks
from ..learning.preparation import restore_maps
from ..learning.tgce_form import FORMS, Form

Level = Literal["scalar", "features", "pixel"]
LEVELS = get_args(Level)
Weight = Annotated[float, Range(0)]


SATURATED = 0.01
"""A mean reliability this close to 0 or 1 means that the reliability is 0 or 1 nearly everywhere."""
CLOSED = 0.05
"""Below this mean reliability of every rater, less than a twentieth of the gradient of their votes is left."""


class TGCEOutputs(NamedTuple):
    """``logits`` [B, K, *S] and each rater's ``reliability`` in 0..1, [B, R, *S] (or broadcastable to it)."""

    logits: torch.Tensor
    reliability: torch.Tensor


class TGCE(LearnedTruthMethod):
    """Generalised cross-entropy against each present rater, weighed by a learned reliability (Lotero 2025, eq. 2-6).

    Where a rater is judged unreliable the loss is a constant instead, so its votes have no gradient. Without regularisers the
    loss is linear in the reliability, so the best reliability of a voxel is 0 or 1: it is a gate, and no graded measure of a
    rater's quality. The forms differ in when the gate opens:

    * ``recommended``: the vote's class alone, a floor of 1/K, the mean over present raters. The gate opens where the network
      gives a vote more than chance.
    * ``thesis``: as printed, the first term is divided by the number of classes and the floor is not. With two classes the
      gate then opens above .24 (q = .1) or .17 (q = .5), with three classes and q >= .5 always: nearly every vote looks
      reliable, and the loss is close to plain generalised cross-entropy.
    * ``package``: as seg_tgce's code has it. The gate opens above .1 whatever the number of classes; raters who are absent
      enter the mean with the constant, so the loss depends on how many are missing; and three terms act on the reliability:
      towards a half, a so-called entropy that outweighs it and rewards 0 and 1, and a penalty that closes the gate of absent
      raters. The package's own training multiplies every gradient by raters times images, which Adam does not notice.

    Args:
        q: 0 is cross-entropy, 1 is half the absolute error; None is what the form says (.5, in the package .1).
        level: a reliability for each rater and image (``scalar``), coarse map (``features``) or voxel (``pixel``).
        form: ``recommended``, ``thesis`` or ``package``; the options below change it, None leaves what the form says.
        floor: tau, the probability of a vote that costs as much as an unreliable one; 1/K, in the package .1.
        centre_weight: of (reliability - 1/2)^2; 0, in the package .1. It makes reliability graded where it outweighs the gate.
        entropy_weight: of the package's entropy; 0, in the package .1.
        absent_penalty: of the reliability of raters who did not rate an image; 0, in the package .7. It has an effect on the
            segmentation through shared features only.
        sum_weight: of (the sum of the reliabilities - 1)^2, so that raters compete; 0.
        budget: what all candidates share.

    After ``fit``: ``reliability_``, each rater's mean over the voxels that it judged in the validation part.
    """

    def __init__(
        self,
        *,
        q: Annotated[float, Range(0, 1)] | None = None,
        level: Level = "scalar",
        form: Literal["recommended", "thesis", "package"] = "recommended",
        floor: Annotated[float, Range(0, 1, without="low")] | None = None,
        centre_weight: Weight | None = None,
        entropy_weight: Weight | None = None,
        absent_penalty: Weight | None = None,
        sum_weight: Weight | None = None,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(budget=budget)
        self.q = q
        self.level = level
        self.form = form
        self.floor = floor
        self.centre_weight = centre_weight
        self.entropy_weight = entropy_weight
        self.absent_penalty = absent_penalty
        self.sum_weight = sum_weight

    def check_parameters(self) -> None:
        """Check every parameter; errors as in ``Method.check_parameters``."""
        super().check_parameters()
        self.resolved_form()

    def resolved_form(self) -> Form:
        """The form, with the options that were given.

        Raises:
            RaterbenchError: the form cannot be computed with this q.
        """
        options: dict[str, Any] = {name: getattr(self, name, None) for name in Form._fields}
        form = FORMS[self.form]._replace(**{name: value for name, value in options.items() if value is not None})
        return form.checked()

    def loss(self, outputs: TGCEOutputs, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        return self.resolved_form().loss(outputs.logits.float(), ratings, present, outputs.reliability.float())

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        return _WithReliability(self.backbone(n_channels, n_classes), n_raters, self.level)

    def logits(self, outputs: TGCEOutputs) -> torch.Tensor:
        return outputs.logits

    def finish(self, train: Dataset, validation: Slices) -> None:
        """Set ``reliability_``, and warn of raters that training never saw and of gates that are all open or all closed."""
        super().finish(train, validation)
        for rater in sorted(self.unseen_):
            self.report_.warnings.append(
                f"rater {rater!r} judged nothing in the training part: its reliability is not estimated"
            )
        self.reliability_ = self._mean_reliability(validation)
        known = np.array([value for value in self.reliability_.values() if np.isfinite(value)])
        form, alarms = self.resolved_form(), self.report_.alarms
        if not form.opens_above(self.n_classes_):
            alarms.append("with this form, q and number of classes no vote is unlikely enough to close a rater's gate")
        if known.size and (known < CLOSED).all():
            alarms.append("every rater is taken as unreliable nearly everywhere: hardly anything was learned from them")
        elif known.size and (form.centre_weight or form.sum_weight) and (np.minimum(known, 1 - known) < SATURATED).all():
            alarms.append("every rater's reliability is 0 or 1 although a regulariser is on: read it as a gate only")

    @torch.no_grad()
    def _mean_reliability(self, slices: Slices) -> dict[str, float]:
        """Each rater's mean over the voxels it judged, NaN where there are none or training never saw the rater."""
        sums = torch.zeros(2, len(self.raters_), dtype=torch.float64)
        self.module_.eval()
        for rows in rows_in_chunks(slices):
            batch = slices.batch(rows, self.device_)
            present = batch.present
            reliability = self.module_(batch.images).reliability.expand_as(present)
            axes = (0, *range(2, present.ndim))
            sums += torch.stack([(t.double() * present).sum(dim=axes).cpu() for t in (reliability, present)])
        means = (sums[0] / sums[1]).tolist()
        return {r: np.nan if r in self.unseen_ else mean for r, mean in zip(self.raters_, means, strict=True)}

    @torch.no_grad()
    def predict(self, case: Case, *, samples: int = 0, seed: int = 0) -> Prediction:
        """Probability, and each rater's gate at every voxel, [*S] in 0..1, NaN for a rater training never saw."""
        del samples, seed
        logits, reliability = self.outputs(case)
        maps = restore_maps(reliability, case, self.preparation_).clip(0, 1)
        return replace(self.segmentation(self.probability(logits, case), case), rater_reliability=self.by_rater(maps))


class _WithReliability(nn.Module):
    """A network and a 1x1 convolution to one sigmoid a rater, from the bottleneck or from the last features."""

    def __init__(self, network: Backbone, n_raters: int, level: str) -> None:
        super().__init__()
        self.network, self.level = network, level
        width = network.decoder_width if level == "pixel" else network.bottleneck_width
        self.head = network.pointwise(width, n_raters)
        # All raters start mostly reliable, so that the first epochs learn from everybody.
        for parameter, start in zip(self.head.parameters(), (0.0, 2.0), strict=True):
            nn.init.constant_(parameter, start)

    def forward(self, images: torch.Tensor) -> TGCEOutputs:
        decoder, bottleneck = self.network.features(images)
        source = decoder if self.level == "pixel" else bottleneck
        if self.level == "scalar":
            source = spatial_mean(source)
        reliability = self.head(source).sigmoid()
        if self.level != "pixel":
            reliability = resize_maps(reliability, images.shape[2:])
        return TGCEOutputs(self.network.classify(decoder), reliability)
