"""Take-and-Give: a segmentation network and a diagnosis network that exchange features and learn together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ...datasets.base import Case, Dataset
from ...errors import RaterbenchError
from ...parameters import Range
from ..backbones.base import spatial_mean
from ..backbones.encoder import Encoder, PlainDecoder
from ..backbones.exchange import Exchange, patch_side
from ..backbones.unet import UNet
from ..base import CaseFusion, Fusion, Need, Prediction
from ..learning.batches.slices import Batch, Slices
from ..learning.budget import BACKBONE, Budget
from ..learning.losses import masked_mean
from ..networks.fused_labels import FusedLabels
from .base import diagnosis_skip_reason
from .slices import UNKNOWN

Block = Literal["B1", "B2", "B3", "B4"]
LEVEL = {"B1": 1, "B2": 2, "B3": 3, "B4": 4}
"""The level of the U-Net that stands for a block of the paper's ResNets: sides 2, 4, 8 and 16 times as short as the image's."""
HEADS = {"B1": 1, "B2": 2, "B3": 4, "B4": 8}
"""Heads of the attention, as in the published code."""


class TakeAndGiveOutputs(NamedTuple):
    """``logits`` and ``coarse`` [B, K, *S], of the segmentation and of the mask that the diagnosis network sees.

    ``diagnosis`` [B]: the logit of the second diagnosis, too large by the logarithm of the positives' weight.
    """

    logits: torch.Tensor
    coarse: torch.Tensor
    diagnosis: torch.Tensor


class TakeAndGive(FusedLabels):
    """A segmentation network that takes features from a diagnosis network, to which it gives its own (Wu et al. 2022, 3.2.2).

    Both read the image, and learn together from fused labels and the diagnosis of each training case. The diagnosis network
    also sees a coarse mask, from a second, plain decoder of the segmentation network. At each of the ``blocks``

    * *give*: patches of the segmentation encoder ask for features of the diagnosis network (``Exchange``), which goes on with
      its features changed by what they find;
    * *take*: these changed features ask for features of the segmentation decoder, which goes on with its own changed.

    The loss is the cross-entropy of the segmentation, that of the coarse mask, and ``diagnosis_weight`` times that of the
    diagnosis. No gradient passes through the coarse mask, so that nothing but the blocks joins the two networks: without blocks
    they are a U-Net with a second decoder, which the diagnosis does not change, and a network that diagnoses with its mask.
    Cases without a diagnosis take part in the segmentation alone. A test case is segmented and diagnosed from its image.

    The validation loss, which chooses the epoch, is the cross-entropy of the segmentation alone, as for other candidates with
    the same labels. Where cases are few, the diagnosis is learned by heart long before the segmentation is learned.

    The paper's diagnosis network is trained before and stays as it is; in the published code it reads the image and the coarse
    mask by itself and no loss looks at its diagnosis. Training both together is our reading of "end to end". The paper has
    ResNets with four blocks, whose sides are 2, 4, 8 and 16 times as short as the image's in the published code. The budget's
    U-Net has five levels: B1 to B4 are the four below the image's own, which exchanges nothing. B4 is the U-Net's bottleneck,
    where what is taken changes what the decoder starts from.

    Volumes are segmented and diagnosed slice by slice, each slice as if it had the case's diagnosis; the probability of a
    volume is the mean over its slices. For data sets with two diagnoses.

    Args:
        fusion: how labels are fused; None is ``MajorityVote()``. The paper's is its diagnosis-first fusion.
        blocks: the levels that exchange features, in ascending order; the paper has B1 to B3, as best in its table 5b. None at
            all is an empty list.
        diagnosis_weight: of the diagnosis' cross-entropy in the loss.
        diagnosis_learning_rate: Adam's for the diagnosis network and what it is given; the rest has the budget's.
        positive_weight: what a case with the second diagnosis counts in it; None lets both diagnoses count alike. The published
            code has 2. Predicted probabilities are corrected for it.
        clip: gradients are cut at plus and minus this value; None leaves them. The published code has 0.1.
        budget: what all candidates share. The segmentation network is the U-Net, whatever the budget's backbone.

    After ``fit``: ``positive_weight_``, and ``diagnoses_`` [cases], what was known of the training and validation cases.
    """

    name = "take-and-give"
    predicts_with = ("both_known_", "positive_weight_")
    takes_volumes = False
    module_: TakeAndGiveNetwork

    def __init__(
        self,
        *,
        fusion: Fusion | CaseFusion | None = None,
        blocks: tuple[Block, ...] = ("B1", "B2", "B3"),
        diagnosis_weight: Annotated[float, Range(0)] = 1.0,
        diagnosis_learning_rate: Annotated[float, Range(0, 100, without="low")] = 3e-3,
        positive_weight: Annotated[float, Range(0, without="low")] | None = None,
        clip: Annotated[float, Range(0, without="low")] | None = None,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(fusion=fusion, budget=budget)
        self.blocks = blocks
        self.diagnosis_weight = diagnosis_weight
        self.diagnosis_learning_rate = diagnosis_learning_rate
        self.positive_weight = positive_weight
        self.clip = clip

    @property
    def needs(self) -> frozenset[Need]:
        return super().needs | frozenset[Need]({"diagnosis"})

    def n_networks(self, n_raters: int) -> int:
        """The segmentation and the diagnosis network."""
        return 1 + super().n_networks(n_raters)

    def check_parameters(self) -> None:
        """Check every parameter.

        Raises:
            RaterbenchError: a parameter is wrong, or a block is named twice or out of order.
        """
        super().check_parameters()
        if list(self.blocks) != sorted(set(self.blocks)):
            raise RaterbenchError(f"take-and-give: blocks = {list(self.blocks)}: name each block once, in ascending order")

    def skip_reason(self, dataset: Dataset) -> str | None:
        return diagnosis_skip_reason(dataset) or super().skip_reason(dataset)

    def prepare(self, train: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Slices:
        self.diagnoses_ = torch.empty(0, dtype=torch.int64, device=device)
        slices = super().prepare(train, seed=seed, device=device)
        healthy, ill = (int((self.diagnoses_[slices.cases] == diagnosis).sum()) for diagnosis in (0, 1))
        self.both_known_ = healthy > 0 and ill > 0
        self.positive_weight_ = self.positive_weight or (healthy / ill if self.both_known_ else 1.0)
        return slices

    def slices(self, part: Dataset) -> Slices:
        """As there; ``cases`` are positions in ``diagnoses_``, to which those of the part are added."""
        slices, first = super().slices(part), len(self.diagnoses_)
        known = [UNKNOWN if case.diagnosis is None else case.diagnosis for case in part]
        self.diagnoses_ = torch.cat([self.diagnoses_, torch.tensor(known, device=self.device_)])
        slices.cases = slices.cases + first
        return slices

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        del n_raters
        height, width = self.padded_
        return TakeAndGiveNetwork(
            n_channels, n_classes, self.budget_.features, self.blocks, size=(height, width), dropout=self.budget_.dropout
        )

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        parts: Any = module
        segmenting, diagnosing = (parts.segmentation, parts.coarse, parts.take), (parts.diagnosis, parts.last, parts.give)
        first, second = ([p for part in half for p in part.parameters()] for half in (segmenting, diagnosing))
        return [{"params": first}, {"params": second, "lr": self.diagnosis_learning_rate}]

    def step_loss(self, module: nn.Module, batch: Batch) -> torch.Tensor:
        """The whole loss in training, and the cross-entropy of the segmentation in validation."""
        outputs: TakeAndGiveOutputs = module(batch.images)
        if not module.training:
            return super().loss(outputs.logits, batch.ratings, batch.present)
        diagnosis = self.diagnosis_loss(outputs.diagnosis, self.diagnoses_[batch.cases])
        return self.loss(outputs, batch.ratings, batch.present) + self.diagnosis_weight * diagnosis

    def loss(self, outputs: TakeAndGiveOutputs, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """The cross-entropy of the segmentation and of the coarse mask against the fused labels."""
        return super().loss(outputs.logits, ratings, present) + super().loss(outputs.coarse, ratings, present)

    def diagnosis_loss(self, logits: torch.Tensor, diagnoses: torch.Tensor) -> torch.Tensor:
        """Cross-entropy of the diagnoses [B], the second one weighted: the mean over slices whose diagnosis is known."""
        target, weight = diagnoses.clamp(min=0).float(), torch.tensor(self.positive_weight_, device=logits.device)
        each = functional.binary_cross_entropy_with_logits(logits.float(), target, pos_weight=weight, reduction="none")
        return masked_mean(each, diagnoses != UNKNOWN)

    def before_step(self, module: nn.Module) -> None:
        if self.clip is not None:
            nn.utils.clip_grad_value_(module.parameters(), self.clip)

    def logits(self, outputs: TakeAndGiveOutputs) -> torch.Tensor:
        return outputs.logits

    def finish(self, train: Dataset, validation: Slices) -> None:
        """Warn of what was not used: the budget's backbone, and cases without a diagnosis."""
        super().finish(train, validation)
        known, warnings = self.diagnoses_[: len(train)] != UNKNOWN, self.report_.warnings
        if self.budget_.backbone != BACKBONE:
            warnings.append("the segmentation network is a U-Net: the budget's backbone is not used")
        if not self.both_known_:
            warnings.append("the training cases do not have both diagnoses: no case is diagnosed")
        elif not known.all():
            unknown = int((~known).sum())
            warnings.append(f"{unknown} of {len(train)} training cases have no diagnosis: they teach segmentation alone")

    @torch.no_grad()
    def predict(self, case: Case, *, samples: int = 0, seed: int = 0) -> Prediction:
        """Probability, and the diagnosis unless it was not learned, for example because training had only one of the two."""
        del samples, seed
        logits, diagnosis = self.outputs(case, lambda outputs: (outputs.logits, outputs.diagnosis))
        prediction = self.segmentation(self.probability(logits, case), case)
        if not (self.both_known_ and self.diagnosis_weight):
            return prediction
        ill = float((diagnosis.double() - math.log(self.positive_weight_)).sigmoid().mean())
        return replace(prediction, diagnosis={self.name: np.array([1 - ill, ill])})


class TakeAndGiveNetwork(nn.Module):
    """A U-Net, a plain decoder for the coarse mask, an encoder that diagnoses, and an exchange in both directions a block.

    Args:
        n_channels: of the images.
        n_classes: of the segmentation, K.
        widths: those of ``Budget.features``.
        blocks: the levels that exchange features.
        size: height and width of the slices of training, which decide on the size of patches.
        dropout: of the U-Net.
    """

    def __init__(
        self,
        n_channels: int,
        n_classes: int,
        widths: Sequence[int],
        blocks: Sequence[Block],
        *,
        size: tuple[int, int],
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.segmentation = UNet(n_channels, n_classes, widths, dropout=dropout)
        self.coarse = PlainDecoder(widths[:5], n_classes)
        self.diagnosis = Encoder(n_channels, widths[:5], n_classes)
        self.last = nn.Linear(sum(widths[:5]), 1)
        self.blocks = tuple(blocks)
        self.give, self.take = nn.ModuleDict(), nn.ModuleDict()
        for block in blocks:
            width, patch = widths[LEVEL[block]], patch_side(*(side >> LEVEL[block] for side in size))
            for exchanges in (self.give, self.take):
                exchanges[block] = Exchange(width, width, patch=patch, heads=HEADS[block])

    def forward(self, images: torch.Tensor) -> TakeAndGiveOutputs:
        levels = self.segmentation.encode(images)
        coarse = self.coarse(levels)
        gives = {LEVEL[block]: partial(self.give[block], levels[LEVEL[block]]) for block in self.blocks}
        diagnosed = self.diagnosis(images, coarse.detach().softmax(dim=1), gives)
        takes = {LEVEL[block]: partial(self.take[block], diagnosed[LEVEL[block]]) for block in self.blocks}
        logits = self.segmentation.classify(self.segmentation.decode(levels, takes))
        # The means of all levels: of the coarsest alone, behind eight normalisations, the size of an object is hard to learn.
        means = torch.cat([spatial_mean(maps).flatten(1) for maps in diagnosed], dim=1)
        return TakeAndGiveOutputs(logits, coarse, self.last(means).squeeze(1))
