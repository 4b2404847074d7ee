"""The crowd layer: an unconstrained linear layer for each rater on top of the network's probabilities."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import nn
from torch.nn import functional

from ...datasets.base import Case, Dataset
from ..backbones.base import Backbone
from ..base import Prediction
from ..learning.batches.slices import Slices
from ..learning.budget import Budget
from ..learning.learned_truth import LearnedTruthMethod
from ..learning.losses import masked_mean
from ..learning.precision import full_precision

Connection = Literal["matrix", "vector", "vector with bias"]
CONNECTIONS = get_args(Connection)


class CrowdOutputs(NamedTuple):
    """``logits`` [B, K, *S] of the network, ``raters`` [B, R, K, *S]: the logits of each rater's vote."""

    logits: torch.Tensor
    raters: torch.Tensor


class CrowdLayer(LearnedTruthMethod):
    """A linear layer a rater on top of the network's probabilities, learned with it (Rodrigues and Pereira 2018).

    The probabilities p are multiplied by each rater's weights, which start as the identity, and the product is taken as the
    logits of another softmax. The loss is its cross-entropy against the rater's labels, over present raters. It is cheaper
    than confusion matrices and less constrained: columns need not be distributions, and only the initialisation fixes which
    class is which.

    Args:
        connection: ``matrix`` has K x K weights a rater, ``vector`` one a class that multiplies its probability, and
            ``vector with bias`` adds one more a class.
        budget: what all candidates share.
    """

    module_: _WithCrowd
    predicts_with = ("confusion_",)

    def __init__(self, *, connection: Connection = "matrix", budget: Budget | None = None) -> None:
        super().__init__(budget=budget)
        self.connection = connection

    def loss(self, outputs: CrowdOutputs, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        return masked_mean(-(ratings * outputs.raters.log_softmax(dim=2)).sum(dim=2), present)

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        return _WithCrowd(self.backbone(n_channels, n_classes), n_raters, n_classes, self.connection)

    def logits(self, outputs: CrowdOutputs) -> torch.Tensor:
        return outputs.logits

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """The raters' weights have no weight decay, which would move them away from the identity."""
        del module
        crowd = [own for own in (self.module_.weight, self.module_.bias) if own is not None]
        return [{"params": list(self.module_.network.parameters())}, {"params": crowd, "weight_decay": 0.0}]

    def finish(self, train: Dataset, validation: Slices) -> None:
        """Set ``confusion_`` [R, K, K], NaN for raters that training never saw."""
        super().finish(train, validation)
        with torch.no_grad():
            certain = torch.eye(self.n_classes_, device=self.device_).unsqueeze(-1)
            votes = self.module_.rater_logits(certain).softmax(dim=2)[..., 0]
        # The batch holds one certain voxel a class: [truth, R, vote] becomes [R, vote, truth].
        self.confusion_ = self.checked_confusion(votes.permute(1, 2, 0).double().cpu().numpy(), train)

    def predict(self, case: Case, *, samples: int = 0, seed: int = 0) -> Prediction:
        """Probability, and each rater's matrix [K, K], the same for every case (``confusion_``).

        Column j is what the rater says where the network is certain of class j: the softmax of the rater's layer at p = 1 for
        class j and 0 for the others. It is a distribution by the softmax alone, and at the start far from the identity:
        e / (e + K - 1) on the diagonal, .73 for two classes.
        """
        prediction = super().predict(case, samples=samples, seed=seed)
        return replace(prediction, rater_confusion=dict(zip(self.raters_, self.confusion_, strict=True)))


class _WithCrowd(nn.Module):
    """A network and each rater's layer: a matrix [R, K, K] that takes class j to what is said, or one or two vectors [R, K]."""

    def __init__(self, network: Backbone, n_raters: int, n_classes: int, connection: str) -> None:
        super().__init__()
        self.network = network
        one = torch.eye(n_classes) if connection == "matrix" else torch.ones(n_classes)
        self.weight = nn.Parameter(one.expand(n_raters, *one.shape).clone())
        self.bias = nn.Parameter(torch.zeros(n_raters, n_classes)) if connection == "vector with bias" else None

    def rater_logits(self, probability: torch.Tensor) -> torch.Tensor:
        """Probability [B, K, *S] to the logits of what each rater says, [B, R, K, *S]."""
        if self.weight.ndim == 3:
            votes = functional.conv1d(probability.flatten(2), self.weight.flatten(0, 1).unsqueeze(-1))
            return votes.view(len(probability), *self.weight.shape[:2], *probability.shape[2:])
        spatial = [1] * (probability.ndim - 2)
        votes = probability.unsqueeze(1) * self.weight.view(*self.weight.shape, *spatial)
        return votes if self.bias is None else votes + self.bias.view(*self.bias.shape, *spatial)

    def forward(self, images: torch.Tensor) -> CrowdOutputs:
        logits = self.network(images)
        with full_precision(images):
            return CrowdOutputs(logits, self.rater_logits(logits.float().softmax(dim=1)))
