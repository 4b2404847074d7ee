"""A method with another preparation than that of the experiment, such as volumes in 3-D beside slices."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal, Self

import torch

from ...datasets.base import Case, Dataset, PatchSide, Preparation, Spacing
from ...parameters import Range
from ..base import Method, Prediction
from ..learning.budget import Budget
from ..learning.recipes import Recipe
from .segmenter_holder import SegmenterHolder


class OwnPreparation(SegmenterHolder):
    """Fits a method that sees slices, or volumes in 3-D, whatever the experiment's ``preparation.mode``.

    So both ways can be compared in one report. What it predicts is stored in the case's own geometry.

    Args:
        segmenter: the method, which may itself hold methods; None is ``FusedLabels()`` with ``recipe`` and ``budget``.
        mode: ``slices`` or ``volumes``. Slices keep the settings that the experiment has for them.
        voxel_size, patch, foreground, overlap: of volumes, as in ``Preparation``.
        recipe, budget: of the segmenter where none is given; one that is given has its own.

    After ``fit``: ``segmenter_``.

    >>> from raterbench.methods.networks.own_preparation import OwnPreparation
    >>> OwnPreparation(patch=(32, 96, 96)).check_parameters()
    """

    def __init__(
        self,
        *,
        segmenter: Method | None = None,
        mode: Literal["slices", "volumes"] = "volumes",
        voxel_size: tuple[Spacing, Spacing, Spacing] | None = None,
        patch: tuple[PatchSide, PatchSide, PatchSide] = (64, 64, 64),
        foreground: Annotated[float, Range(0, 1)] = 0.5,
        overlap: Annotated[float, Range(0, 0.9)] = 0.5,
        recipe: Recipe | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.segmenter = segmenter
        self.mode = mode
        self.voxel_size = voxel_size
        self.patch = patch
        self.foreground = foreground
        self.overlap = overlap
        self.recipe = recipe
        self.budget = budget

    def skip_reason(self, dataset: Dataset) -> str | None:
        return super().skip_reason(self.prepared(dataset))

    def fit(self, train: Dataset, validation: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Self:
        """Fit the segmenter to the same cases, prepared in its own way; errors as there."""
        self.check_parameters()
        self.fit_segmenter(self.prepared(train), self.prepared(validation), seed=seed, device=device)
        return self

    def predict(self, case: Case, *, samples: int = 0, seed: int = 0) -> Prediction:
        return replace(super().predict(case, samples=samples, seed=seed), prepared=None)

    def prepared(self, part: Dataset) -> Dataset:
        """The same cases with this method's preparation."""
        view = part.subset(range(len(part)))
        below = part.preparation
        if self.mode == "slices":
            view.preparation = replace(below, mode="slices")
        else:
            view.preparation = Preparation(
                multiple=below.multiple,
                image_order=below.image_order,
                mode="volumes",
                voxel_size=self.voxel_size,
                patch=self.patch,
                foreground=self.foreground,
                overlap=self.overlap,
            )
        return view
