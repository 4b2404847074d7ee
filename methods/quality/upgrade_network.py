"""A network that repairs annotations: from an image and an erroneous mask to the mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from ...datasets.base import IGNORE, Case, Dataset, Instances, Labels
from ...datasets.simulation.annotation_errors import AnnotationErrors, Segments, components
from ...datasets.simulation.segments import find_segments
from ...errors import RaterbenchError
from ...seeds import seed_sequence
from ..learning.batches.slices import Batch, PreparedSlices, Slices, pad, stack
from ..learning.budget import Budget
from ..learning.network import CHUNK, NetworkMethod
from ..learning.preparation import as_slices, prepare_image, prepare_ratings
from ..learning.recipes import Recipe
from ..thresholds import hard_labels
from .views import careful_labels

Objects = Literal["components", "instances"]
TARGET, DRAWN = "careful", "drawn"
"""The two labels of a slice: what is learned, and the erroneous annotation that the network sees beside the image."""
ERRORS = 5
"""The stream of random numbers that errors are drawn from; see ``learning.training`` for the others."""


class UpgradeNetwork(NetworkMethod):
    """Learns the careful labels of an image from the image and those labels with errors (Vadineanu 2025, equation 3.5).

    Each epoch shows each slice ``draws`` times, each time with errors that are drawn anew, in native geometry, before anything
    is resampled. Validation slices have as many draws, the same in all epochs. What the network sees of an annotation is 0 or
    1: a voxel that resampling or augmentation made soft is 1 from .5 on, and one that was not judged is 0.

    Args:
        hq: the careful raters; the majority of several is learned.
        errors: what is drawn; none by default.
        objects: what is left out or taken in: connected parts of the careful labels, or the objects that the careful rater
            numbered.
        draws: erroneous annotations of each slice in an epoch.
        recipe, budget: as in ``NetworkMethod``.
    """

    listed = False
    takes_volumes = False

    def __init__(
        self,
        *,
        hq: tuple[str, ...] = ("hq",),
        errors: AnnotationErrors | None = None,
        objects: Objects = "components",
        draws: int = 1,
        recipe: Recipe | None = None,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(budget=budget, recipe=recipe)
        self.hq = hq
        self.errors = errors
        self.objects = objects
        self.draws = draws

    def prepare(self, train: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Slices:
        self.random_ = np.random.default_rng(seed_sequence(seed, ERRORS))
        self.errors_ = self.errors if self.errors is not None else AnnotationErrors()
        slices = super().prepare(train, seed=seed, device=device)
        assert isinstance(slices, PreparedSlices)
        self.redrawn_ = (self.drawable_, slices)
        return slices

    def target_names(self, train: Dataset) -> tuple[str, ...]:
        del train
        return (TARGET, DRAWN)

    def slices(self, part: Dataset) -> PreparedSlices:
        """The slices of all cases, each ``draws`` times with another erroneous annotation."""
        self.drawable_ = [_Drawable(self, case, position) for position, case in enumerate(part)]
        return self._drawn(self.drawable_)

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        return super().build(n_channels + 1, n_classes, n_raters)

    def start_epoch(self, module: nn.Module, epoch: int) -> None:
        """Draw the errors of all training slices anew."""
        del module
        if not epoch:
            return
        row, (drawable, slices) = 0, self.redrawn_
        for case in drawable:
            for _ in range(self.draws):
                drawn = pad(case.draw(self.random_).ratings, (slices.ratings.shape[-2], slices.ratings.shape[-1]))
                slices.ratings[row : row + len(drawn)] = drawn
                row += len(drawn)

    def step_loss(self, module: nn.Module, batch: Batch) -> torch.Tensor:
        seen = torch.cat([batch.images, is_marked(batch.ratings[:, 1:, 1])], dim=1)
        return self.loss(module(seen), batch.ratings[:, :1], batch.present[:, :1])

    def finish(self, train: Dataset, validation: Slices) -> None:
        """Forget the training cases; a network that sees annotations predicts no image alone, so nothing is looked for."""
        del train, validation, self.redrawn_, self.drawable_

    @torch.no_grad()
    def repair_labels(self, case: Case, labels: Labels) -> Labels:
        """The labels [*S] of a case as the network repairs them; unjudged where they are."""
        self.module_.eval()
        given = (labels == 1).astype(np.uint8)
        ratings, _ = prepare_ratings(case, {DRAWN: given}, (DRAWN,), self.n_classes_, self.preparation_)
        seen = torch.cat([prepare_image(case, self.preparation_), is_marked(ratings[:, :, 1])], dim=1)
        logits = torch.cat([self.logits(self.module_(chunk.to(self.device_))) for chunk in seen.split(CHUNK)])
        probability = self.segmentation(self.probability(logits, case), case).probability
        return np.where(labels == IGNORE, np.uint8(IGNORE), hard_labels(probability))

    def _drawn(self, cases: Sequence[_Drawable]) -> PreparedSlices:
        return stack([case.draw(self.random_) for case in cases for _ in range(self.draws)])


class _Drawable:
    """A case whose errors can be drawn again and again: what does not change of it."""

    def __init__(self, method: UpgradeNetwork, case: Case, position: int) -> None:
        self.case, self.position, self.preparation = case, position, method.preparation_
        self.errors, self.n_classes = method.errors_, method.n_classes_
        self.images = prepare_image(case, self.preparation)
        self.labels = careful_labels(case, method.hq, self.n_classes)
        self.segments: Segments | None = find_segments(case.image) if self.errors.segments else None
        self.instances = find_objects(case, self.labels, method.objects, method.hq)

    def draw(self, random: np.random.Generator) -> PreparedSlices:
        """The slices with one erroneous annotation."""
        drawn = self.errors.rate(self.instances, random, segments=self.segments)
        targets: Mapping[str, Any] = {TARGET: self.labels, DRAWN: drawn}
        ratings, present = prepare_ratings(self.case, targets, (TARGET, DRAWN), self.n_classes, self.preparation)
        return as_slices(self.case, self.images, ratings, present, preparation=self.preparation, position=self.position)


def find_objects(case: Case, labels: Labels, objects: Objects, hq: Sequence[str]) -> Instances:
    """The objects of careful labels [*S]: their connected parts, or those that the careful rater numbered.

    Raises:
        RaterbenchError: the case has no instance map.
    """
    if objects == "components":
        return components((labels == 1).astype(np.uint8), TARGET)
    if case.instances is None:
        raise RaterbenchError(f'case {case.id!r} has no instance map of {hq[0]!r}: set objects = "components"')
    return case.instances


def is_marked(shares: torch.Tensor) -> torch.Tensor:
    """Soft labels as 0 or 1, float32; at least half is 1."""
    return (shares >= 0.5).float()
