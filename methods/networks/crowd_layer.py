"""The crowd layer: what each rater makes of the network's probabilities, without any constraint."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import nn
from torch.nn import functional

from ...datasets.base import Case, Dataset
from ..base import Prediction
from ..learning.alarms import not_dominant
from ..learning.backbone import SegmentationNetwork
from ..learning.budget import Budget
from ..learning.learned_truth import LearnedTruthMethod
from ..learning.losses import masked_mean
from ..learning.network import nan_confusion
from ..learning.precision import full_precision
from ..learning.preparation import Slices

Connection = Literal["matrix", "vector", "vector with bias"]
CONNECTIONS = get_args(Connection)


class Outputs(NamedTuple):
    """``logits`` [B, K, *S] of the network, ``rated`` [B, R, K, *S]: the logits of what each rater says."""

    logits: torch.Tensor
    rated: torch.Tensor


class CrowdLayer(LearnedTruthMethod):
    """A linear layer a rater on top of the network's probabilities, learned with it (Rodrigues and Pereira 2018).

    The probabilities p are taken through each rater's weights, which start as the identity, and the outcome is once more the
    logits of a softmax: cross-entropy against what the rater said is the loss, over present raters. It is the cheap relative
    of confusion matrices: nothing keeps the columns distributions, so a rater who says something everywhere is as easily
    fitted as one who errs, and only the start ties the classes to their names.

    Args:
        connection: ``matrix`` has K x K weights a rater, ``vector`` one a class that multiplies its probability, and
            ``vector with bias`` adds one more a class.
        budget: what all candidates share.
    """

    module_: _WithCrowd

    def __init__(self, *, connection: Connection = "matrix", budget: Budget | None = None) -> None:
        super().__init__(budget=budget)
        self.connection = connection

    def loss(self, outputs: Outputs, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        return masked_mean(-(ratings * outputs.rated.log_softmax(dim=2)).sum(dim=2), present)

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        network = SegmentationNetwork(n_channels, n_classes, self.budget_.features)
        return _WithCrowd(network, n_raters, n_classes, self.connection)

    def logits(self, outputs: Outputs) -> torch.Tensor:
        return outputs.logits

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """Weight decay would draw the raters' weights away from the identity, so they have none."""
        del module
        crowd = [own for own in (self.module_.weight, self.module_.bias) if own is not None]
        return [{"params": list(self.module_.network.parameters())}, {"params": crowd, "weight_decay": 0.0}]

    def finish(self, train: Dataset, validation: Slices) -> None:
        """Set ``confusion_`` [R, K, K], NaN for raters that training never saw."""
        super().finish(train, validation)
        with torch.no_grad():
            certain = torch.eye(self.n_classes_, device=self.device_)[..., None, None]
            said = self.module_.rated(certain).softmax(dim=2)[..., 0, 0]
        # The batch held the certain cases, one a class: [truth, R, says] becomes [R, says, truth].
        self.confusion_ = said.permute(1, 2, 0).double().cpu().numpy()
        for rater in sorted(self.unseen_):
            self.confusion_[self.raters_.index(rater)] = nan_confusion(self.n_classes_)
            self.report_.warnings.append(f"rater {rater!r} rated no training case: its confusion is not estimated")
        self.report_.alarms += not_dominant(self.confusion_, train.classes)

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

    def __init__(self, network: SegmentationNetwork, n_raters: int, n_classes: int, connection: str) -> None:
        super().__init__()
        self.network = network
        one = torch.eye(n_classes) if connection == "matrix" else torch.ones(n_classes)
        self.weight = nn.Parameter(one.expand(n_raters, *one.shape).clone())
        self.bias = nn.Parameter(torch.zeros(n_raters, n_classes)) if connection == "vector with bias" else None

    def rated(self, probability: torch.Tensor) -> torch.Tensor:
        """Probability [B, K, *S] to the logits of what each rater says, [B, R, K, *S]."""
        if self.weight.ndim == 3:
            said = functional.conv2d(probability, self.weight.flatten(0, 1)[..., None, None])
            return said.view(len(probability), *self.weight.shape[:2], *probability.shape[2:])
        said = probability.unsqueeze(1) * self.weight[..., None, None]
        return said if self.bias is None else said + self.bias[..., None, None]

    def forward(self, images: torch.Tensor) -> Outputs:
        logits = self.network(images)
        with full_precision(images):
            return Outputs(logits, self.rated(logits.float().softmax(dim=1)))
