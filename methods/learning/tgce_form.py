"""The variants of the loss TGCE: as printed, as in its package, and as recommended here."""

from __future__ import annotations

from typing import NamedTuple

import torch

from ...errors import RaterbenchError
from .losses import absent_rater_penalty, reliability_regularisers, truncated_generalised_cross_entropy


class Form(NamedTuple):
    """The options of the loss; ``TGCE`` explains them.

    ``floor`` None is 1/K. ``class_mean`` divides the data term by K. ``epsilon`` keeps powers and divisions finite.
    ``absent_enter``: at a voxel that somebody judged, the raters who did not judge it enter the means as unreliable.
    """

    q: float = 0.5
    floor: float | None = None
    class_mean: bool = False
    epsilon: float = 0.0
    absent_enter: bool = False
    centre_weight: float = 0.0
    entropy_weight: float = 0.0
    absent_penalty: float = 0.0
    sum_weight: float = 0.0

    def checked(self) -> Form:
        """The form itself, if it can be computed.

        Raises:
            RaterbenchError: the package's form has no limit at q = 0.
        """
        if self.q == 0 and self.epsilon:
            raise RaterbenchError("the package's form of TGCE is 0 / 1e-8 at q = 0: choose a q above 0, or another form")
        return self

    def floor_of(self, n_classes: int) -> float:
        """tau: the probability of a vote that costs as much as one that is not relied on."""
        return 1 / n_classes if self.floor is None else self.floor

    def opens_above(self, n_classes: int) -> float:
        """The probability of a vote above which the loss falls with the reliability; 0 if it does so for every vote.

        It is the floor, unless ``class_mean`` divides by K what is compared with the constant.
        """
        floor = self.floor_of(n_classes)
        if not self.class_mean:
            return floor
        threshold: float = max(0.0, 1 - n_classes * (1 - floor**self.q)) ** (1 / self.q) if self.q else floor**n_classes
        return threshold

    def loss(
        self, logits: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor, reliability: torch.Tensor
    ) -> torch.Tensor:
        """The scalar to minimise; the package's own is a value for each image and rater, of which this is the mean.

        Args:
            logits: [B, K, *S].
            ratings: [B, R, K, *S], zero where not present.
            present: [B, R, *S] bool.
            reliability: in 0..1, broadcastable to [B, R, *S].
        """
        reliability = reliability.expand(present.shape)
        seen = present.any(dim=1, keepdim=True)
        counted, gate = (seen.expand_as(present), reliability * present) if self.absent_enter else (present, reliability)
        loss = truncated_generalised_cross_entropy(
            logits,
            ratings,
            counted,
            gate,
            q=self.q,
            floor=self.floor_of(logits.shape[1]),
            class_mean=self.class_mean,
            epsilon=self.epsilon,
            logits=True,
        )
        if self.centre_weight or self.entropy_weight or self.sum_weight:
            weights = {"centre": self.centre_weight, "entropy": self.entropy_weight, "total": self.sum_weight}
            loss = loss + reliability_regularisers(gate, counted, **weights)
        if self.absent_penalty:
            loss = loss + absent_rater_penalty(reliability, present, seen, size=self.absent_penalty).mean()
        return loss


FORMS = {
    "recommended": Form(),
    "thesis": Form(class_mean=True),
    "package": Form(
        q=0.1, floor=0.1, epsilon=1e-8, absent_enter=True, centre_weight=0.1, entropy_weight=0.1, absent_penalty=0.7
    ),
}
"""By the names that ``TGCE`` knows them by."""
