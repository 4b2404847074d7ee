"""Slices with a mask beside the image: what diagnosis networks learn from and judge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from ...datasets.base import Case, Floats, Preparation
from ...datasets.cache.array_files import content_hash
from ...errors import RaterbenchError
from ..learning.batches.slices import stack
from ..learning.preparation import prepare_case

UNKNOWN = -1
"""The number of a diagnosis that is not known."""


@dataclass(frozen=True, eq=False)
class MaskedSlices:
    """N slices with their masks and the diagnosis of their cases.

    ``images`` [N, C, H, W] float32. ``masks`` [N, K, H, W] float32, soft; they sum to 1 over K, and to 0 where nobody judged
    and where a slice is padded. ``diagnoses`` [N] int64, ``UNKNOWN`` where it is. ``cases`` [N] int64, the position of each
    slice's case among those that the slices are made of. ``spacing`` [N, 2] float32, the size of the pixels (height, width); it
    stays on the CPU, where random maps are drawn.
    """

    images: torch.Tensor
    masks: torch.Tensor
    diagnoses: torch.Tensor
    cases: torch.Tensor
    spacing: torch.Tensor

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, rows: torch.Tensor) -> MaskedSlices:
        """Some of the slices, by number or by a boolean [N]."""
        parts = (self.images, self.masks, self.diagnoses, self.cases, self.spacing)
        return MaskedSlices(*(part[rows.to(part.device)] for part in parts))

    def known(self) -> MaskedSlices:
        """The slices of cases with a known diagnosis."""
        return self.rows(self.diagnoses != UNKNOWN)

    def to(self, device: torch.device) -> MaskedSlices:
        """The same on a device."""
        images, masks, diagnoses, cases = (part.to(device) for part in (self.images, self.masks, self.diagnoses, self.cases))
        return MaskedSlices(images, masks, diagnoses, cases, self.spacing)

    def content(self) -> list[str]:
        """A hash of each part; ``cases`` is none of them, since it only says where a slice comes from."""
        return [content_hash(part.cpu().numpy()) for part in (self.images, self.masks, self.diagnoses, self.spacing)]

    def diagnosed_as(self, diagnoses: torch.Tensor) -> MaskedSlices:
        """The same with other diagnoses [N]."""
        return replace(self, diagnoses=diagnoses)


def masked_slices(
    cases: Iterable[tuple[Case, Floats]], n_classes: int, preparation: Preparation, least: tuple[int, int] = (1, 1)
) -> MaskedSlices:
    """The slices of cases, each with its mask [K, *S] (``judged_probability``), prepared as for segmentation.

    Volumes are taken slice by slice, each with the diagnosis of the case. Slices have at least the height and width ``least``.
    A case without a judged voxel has no mask and is left out.

    Raises:
        RaterbenchError: no case is left.
    """
    prepared, diagnoses = [], []
    for position, (case, mask) in enumerate(cases):
        if mask.any():
            prepared.append(prepare_case(case, {"mask": mask}, ("mask",), n_classes, preparation, position=position))
            diagnosis = UNKNOWN if case.diagnosis is None else case.diagnosis
            diagnoses.append(torch.full((len(prepared[-1]),), diagnosis))
    if not prepared:
        raise RaterbenchError("no case has a voxel that a rater judged, so that there is no mask to diagnose from")
    slices = stack(prepared, least)
    return MaskedSlices(slices.images, slices.ratings[:, 0].float(), torch.cat(diagnoses), slices.cases, slices.spacing)


def by_case(probability: npt.NDArray[np.float64], slices: MaskedSlices) -> dict[int, npt.NDArray[np.float64]]:
    """The mean [D] over the slices of each case of their probabilities [N, D], by the position of the case."""
    cases = slices.cases.cpu().numpy()
    return {int(case): probability[cases == case].mean(axis=0) for case in np.unique(cases)}
