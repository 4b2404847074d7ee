"""A head for each rater, and learned weights of the heads."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

import torch
from sklearn.base import clone
from torch import nn

from ...datasets.base import Dataset
from ...parameters import Range
from ..backbones.base import Backbone, spatial_mean
from ..fit_report import FitReport
from ..learning.batches.slices import Batch, Slices
from ..learning.budget import Budget
from ..learning.losses import soft_cross_entropy
from ..learning.network import rows_in_chunks
from ..learning.training import train_network
from .multi_head import MultiHead


class WeightedHeads(NamedTuple):
    """``raters`` [B, R, K, *S], the logits of all heads; ``weights`` [B, R], the logits of their weights."""

    raters: torch.Tensor
    weights: torch.Tensor


class WDNet(MultiHead):
    """The heads of ``MultiHead``, then a weight for each (Guan et al. 2018).

    Once the heads have learned their raters they are left as they are, and the weights of the heads learn: the weighted mean of
    the heads' probabilities is compared with every present rater by cross-entropy. The weights are a softmax, so that they are
    positive and sum to 1, and start equal. Heads of raters who judged nothing in training have no weight.

    The paper trains the weights on the heads of those who did not label an image; where everybody labels every image nobody
    would be left, so here all heads take part.

    Args:
        averaging: ``global`` is one weight a rater (the paper's WDN); ``image`` is a linear function of the image's mean
            features at the network's coarsest level (IWDN).
        share: how many epochs the weights learn, as a share of those of the heads, which have the whole budget.
        weight_learning_rate: Adam's for the weights.
        budget: what all candidates share.

    After ``fit``: ``rater_weights_``, each rater's mean weight over the validation slices, 0 for raters that training never
    saw. The report has the training of the weights in ``stages``.
    """

    name = "wdnet"
    module_: _WithWeights

    def __init__(
        self,
        *,
        averaging: Literal["global", "image"] = "global",
        share: Annotated[float, Range(0, 1)] = 0.2,
        weight_learning_rate: Annotated[float, Range(0, without="low")] = 1e-2,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(budget=budget)
        self.averaging = averaging
        self.share = share
        self.weight_learning_rate = weight_learning_rate

    def prepare(self, train: Dataset, **options: Any) -> Slices:
        self.heads_learn_ = True
        return super().prepare(train, **options)

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        return _WithWeights(self.backbone(n_channels, n_raters * n_classes), n_raters, self.averaging)

    def train(self, module: nn.Module, slices: Slices, validation: Slices, report: FitReport, *, seed: int) -> None:
        """Train the heads as ``NetworkMethod.train``, then the weights alone."""
        super().train(module, slices, validation, report, seed=seed)
        epochs = round(self.share * self.budget_.epochs)
        if not epochs:
            return
        budget = clone(self.budget_).set_params(
            epochs=epochs, learning_rate=self.weight_learning_rate, weight_decay=0.0, keep_epochs=0
        )
        self.heads_learn_ = False
        self.module_.network.requires_grad_(False)
        own = report.stages["weights of the heads"] = FitReport()
        train_network(self, module, slices, validation, budget=budget, report=own, seed=seed, device=self.device_)
        self.module_.network.requires_grad_(True)

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        del module
        learning = self.module_.network if self.heads_learn_ else self.module_.averaging
        return [{"params": list(learning.parameters())}]

    def step_loss(self, module: nn.Module, batch: Batch) -> torch.Tensor:
        """As there. Heads that have learned are used as in predictions: layers that draw or count do neither."""
        if not self.heads_learn_:
            self.module_.network.eval()
        return super().step_loss(module, batch)

    def loss(self, outputs: WeightedHeads, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """That of the heads, and once these have learned the cross-entropy of their weighted mean."""
        if self.heads_learn_:
            return super().loss(outputs.raters, ratings, present)
        return soft_cross_entropy(self.logits(outputs), ratings, present)

    def logits(self, outputs: WeightedHeads) -> torch.Tensor:
        """The logarithm of the weighted mean of the heads' probabilities, [B, K, *S]."""
        raters = outputs.raters.float().log_softmax(dim=2)
        weights = self._log_weights(outputs.weights)
        return (raters + weights.view(*weights.shape, *[1] * (raters.ndim - 2))).logsumexp(dim=1)

    def finish(self, train: Dataset, validation: Slices) -> None:
        """Set ``rater_weights_``."""
        super().finish(train, validation)
        mean = self._mean_weights(validation).tolist()
        self.rater_weights_ = dict(zip(self.raters_, mean, strict=True))

    def _log_weights(self, weights: torch.Tensor) -> torch.Tensor:
        """The logarithms of the weights [B, R] of all heads, minus infinity for raters that training never saw."""
        return weights.float().masked_fill(~self.seen_, -torch.inf).log_softmax(dim=1)

    @torch.no_grad()
    def _mean_weights(self, slices: Slices) -> torch.Tensor:
        self.module_.eval()
        total = torch.zeros(len(self.raters_))
        for rows in rows_in_chunks(slices):
            outputs = self.module_(slices.batch(rows, self.device_).images)
            total += self._log_weights(outputs.weights).exp().sum(dim=0).cpu()
        return total / len(slices)


class _WithWeights(nn.Module):
    """A network whose last layer gives the logits of all raters, and the logits of their weights, which start at 0."""

    def __init__(self, network: Backbone, n_raters: int, averaging: str) -> None:
        super().__init__()
        self.network, self.n_raters, self.of_image = network, n_raters, averaging == "image"
        self.averaging = nn.Linear(network.bottleneck_width if self.of_image else 1, n_raters, bias=self.of_image)
        for parameter in self.averaging.parameters():
            nn.init.zeros_(parameter)

    def forward(self, images: torch.Tensor) -> WeightedHeads:
        decoder, bottleneck = self.network.features(images)
        source = spatial_mean(bottleneck).flatten(1) if self.of_image else decoder.new_ones(len(decoder), 1)
        raters = torch.unflatten(self.network.classify(decoder), 1, (self.n_raters, -1))
        return WeightedHeads(raters, self.averaging(source))
