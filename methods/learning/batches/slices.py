"""The training or validation part as a network sees it: slices or patches, a batch of them at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from ....datasets.cache.array_files import is_mapped
from .scratch import ScratchFile


class Batch(NamedTuple):
    """Some slices on the device: what a training step sees.

    ``images`` [B, C, *S] float32; ``ratings`` [B, R, K, *S] float32, zero where ``present`` [B, R, *S] is False; ``cases``
    [B] int64, the position of each slice's case in the part that is learned from.
    """

    images: torch.Tensor
    ratings: torch.Tensor
    present: torch.Tensor
    cases: torch.Tensor


class Slices(ABC):
    """The training or validation part as a network sees it: N slices, or patches of volumes.

    ``cases`` [N] int64 is the position of each slice's case in the part; ``spacing`` [N, 2] float32 the size of its pixels
    (height, width), or [N, 3] that of the voxels of a patch (z, y, x); ``sides`` the spatial shape that a batch has.
    """

    cases: torch.Tensor
    spacing: torch.Tensor

    def __len__(self) -> int:
        return len(self.cases)

    @property
    @abstractmethod
    def n_channels(self) -> int:
        """C."""

    @property
    @abstractmethod
    def n_raters(self) -> int:
        """R, those of the targets."""

    @property
    @abstractmethod
    def n_classes(self) -> int:
        """K."""

    @property
    @abstractmethod
    def sides(self) -> tuple[int, ...]:
        """The spatial shape of a batch."""

    @abstractmethod
    def batch(self, rows: torch.Tensor, device: torch.device) -> Batch:
        """The slices of some ``rows``, on the device, the same each time."""

    def whole(self) -> Batch:
        """All slices in one batch, on the CPU."""
        return self.batch(torch.arange(len(self)), torch.device("cpu"))

    def draw(self, rows: torch.Tensor, device: torch.device, generator: torch.Generator) -> Batch:
        """What a training step sees of some ``rows``; of volumes it is drawn."""
        del generator
        return self.batch(rows, device)

    @abstractmethod
    def seen_raters(self) -> torch.Tensor:
        """Which raters [R] judged a voxel."""

    @abstractmethod
    def of_rater(self, r: int) -> Slices:
        """The slices of which rater ``r`` judged a voxel, with this rater alone."""

    @abstractmethod
    def only_raters(self, counted: torch.Tensor) -> Slices:
        """The slices of which one of the ``counted`` raters [R] judged a voxel, as if the others had judged nothing."""


@dataclass(frozen=True, eq=False)
class PreparedSlices(Slices):
    """Slices of one shape as tensors, in memory or in files that are mapped into it.

    ``images`` [N, C, *S] float32; ``ratings`` [N, R, K, *S], uint8 where every label is hard and float32 else, zero where
    ``present`` [N, R, *S] is False.
    """

    images: torch.Tensor
    ratings: torch.Tensor
    present: torch.Tensor
    cases: torch.Tensor
    spacing: torch.Tensor

    @property
    def n_channels(self) -> int:
        return int(self.images.shape[1])

    @property
    def n_raters(self) -> int:
        return int(self.ratings.shape[1])

    @property
    def n_classes(self) -> int:
        return int(self.ratings.shape[2])

    @property
    def sides(self) -> tuple[int, ...]:
        return tuple(self.images.shape[2:])

    def batch(self, rows: torch.Tensor, device: torch.device) -> Batch:
        parts = (self.images, self.ratings, self.present, self.cases)
        images, ratings, present, cases = (part[rows].to(device, non_blocking=True) for part in parts)
        return Batch(images, ratings.float(), present, cases)

    def judged(self) -> torch.Tensor:
        """Which slices [N] have a voxel that a rater judged."""
        return self.present.flatten(1).any(dim=1)

    def in_files(self) -> bool:
        """Whether all of it lies in files of the cache."""
        return all(is_mapped(part.untyped_storage().data_ptr()) for part in (self.images, self.ratings, self.present))

    def seen_raters(self) -> torch.Tensor:
        return self.present.flatten(2).any(dim=2).any(dim=0)

    def of_rater(self, r: int) -> CaseSlices:
        return CaseSlices([self]).of_rater(r)

    def only_raters(self, counted: torch.Tensor) -> CaseSlices:
        return CaseSlices([self]).only_raters(counted)

    def row(self, i: int) -> PreparedSlices:
        """Slice ``i`` alone, which is not copied."""
        parts = (self.images, self.ratings, self.present, self.cases, self.spacing)
        return PreparedSlices(*(tensor[i : i + 1] for tensor in parts))

    def alone(self, r: int) -> PreparedSlices:
        """The same slices with the labels of rater ``r`` alone, which are not copied."""
        return replace(self, ratings=self.ratings[:, r : r + 1], present=self.present[:, r : r + 1])


class CaseSlices(Slices):
    """The slices of some cases of which a rater judged a voxel, all as if padded to the largest of them and to ``least``.

    The slices of a case stay where they are, such as in a file, and are padded when they come into a batch. With ``counted``
    [R], the other raters have judged nothing.
    """

    def __init__(
        self, parts: Sequence[PreparedSlices], least: Sequence[int] = (1, 1), counted: torch.Tensor | None = None
    ) -> None:
        channels = {part.n_channels for part in parts}
        if len(channels) > 1:
            raise ValueError(f"images of {sorted(channels)} channels cannot be learned together: do all have as many?")
        self.parts, self.counted = list(parts), counted
        height, width = np.maximum(np.max([part.sides for part in parts], axis=0), least).tolist()
        self._sides = (height, width)
        judged = [replace(part, present=self._present(part.present)).judged() for part in parts]
        self._rows = [(part, i) for part, some in zip(self.parts, judged, strict=True) for i in some.nonzero()[:, 0].tolist()]
        self.cases = torch.cat([part.cases[some] for part, some in zip(parts, judged, strict=True)])
        self.spacing = torch.cat([part.spacing[some] for part, some in zip(parts, judged, strict=True)])

    @property
    def n_channels(self) -> int:
        return self.parts[0].n_channels

    @property
    def n_raters(self) -> int:
        return self.parts[0].n_raters

    @property
    def n_classes(self) -> int:
        return self.parts[0].n_classes

    @property
    def sides(self) -> tuple[int, ...]:
        return self._sides

    def batch(self, rows: torch.Tensor, device: torch.device) -> Batch:
        chosen = [self._rows[row] for row in rows.tolist()]
        if any(part.sides != self._sides for part, _ in chosen):
            chosen = [(_padded(part.row(i), self._sides), 0) for part, i in chosen]
        images = torch.stack([part.images[i] for part, i in chosen])
        # Hard labels take a quarter of the memory of soft ones, and become numbers in the batch alone.
        kinds = {part.ratings.dtype for part, _ in chosen}
        ratings = torch.stack([part.ratings[i] if len(kinds) == 1 else part.ratings[i].float() for part, i in chosen])
        present = self._present(torch.stack([part.present[i] for part, i in chosen]))
        if self.counted is not None:
            ratings = ratings * present.unsqueeze(2)
        joined = (images, ratings, present, self.cases[rows])
        images, ratings, present, cases = (tensor.to(device, non_blocking=True) for tensor in joined)
        return Batch(images, ratings.float(), present, cases)

    def seen_raters(self) -> torch.Tensor:
        seen = torch.stack([part.seen_raters() for part in self.parts]).any(dim=0)
        return seen if self.counted is None else seen & self.counted

    def of_rater(self, r: int) -> CaseSlices:
        return CaseSlices([part.alone(r) for part in self.parts], self._sides)

    def only_raters(self, counted: torch.Tensor) -> CaseSlices:
        return CaseSlices(self.parts, self._sides, counted)

    def _present(self, present: torch.Tensor) -> torch.Tensor:
        return present if self.counted is None else present & self.counted.view(-1, 1, 1)


def stack(parts: Sequence[PreparedSlices], least: tuple[int, ...] = (1, 1)) -> PreparedSlices:
    """The slices of all parts in one, in memory, padded to the largest of them, and to ``least`` (height and width)."""
    height, width = (max(low, *(part.images.shape[axis] for part in parts)) for low, axis in zip(least, (-2, -1), strict=True))
    padded = [_padded(part, (height, width)) for part in parts]
    names = ("images", "ratings", "present", "cases", "spacing")
    return PreparedSlices(*(torch.cat([getattr(part, name) for part in padded]) for name in names))


def store_slices(parts: Iterable[PreparedSlices], least: Sequence[int] = (1, 1)) -> CaseSlices:
    """The slices of some cases, which lie in files: those of one case at a time are in memory.

    Raises:
        RaterbenchError: there is no room for the files.
        ValueError: images differ in their number of channels.
    """
    # Numbers and no tensors are kept of a part that is not in a file yet: small ones between large ones that come and go would
    # fragment the memory.
    file, stored, places = ScratchFile(), list[PreparedSlices | None](), list[tuple[list[int], list[list[float]]]]()
    for part in parts:
        there = part.in_files()
        stored.append(part if there else None)
        places.append((part.cases.tolist(), part.spacing.tolist()))
        for tensor in () if there else (part.images, part.ratings, part.present):
            file.add(tensor)
    written = iter(file.tensors())
    return CaseSlices(
        [
            PreparedSlices(next(written), next(written), next(written), torch.tensor(cases), torch.tensor(spacing))
            if part is None
            else part
            for part, (cases, spacing) in zip(stored, places, strict=True)
        ],
        least,
    )


def _padded(part: PreparedSlices, sides: tuple[int, ...]) -> PreparedSlices:
    images = pad(part.images, sides, mode="replicate")
    return replace(part, images=images, ratings=pad(part.ratings, sides), present=pad(part.present, sides))


def pad(slices: torch.Tensor, shape: Sequence[int], mode: str = "constant", value: float = 0) -> torch.Tensor:
    """Pad [..., *S] evenly to ``shape``; images repeat their edge, labels and presence are padded with ``value``."""
    axes = range(-len(shape), 0)
    more = [side - slices.shape[axis] for side, axis in zip(shape, axes, strict=True)]
    if not any(more):
        return slices
    if mode == "constant":
        ends = [end for extra in reversed(more) for end in (extra // 2, extra - extra // 2)]
        return functional.pad(slices, ends, value=value)
    for extra, axis in zip(more, axes, strict=True):
        if extra:
            side = slices.shape[axis]
            places = torch.arange(-(extra // 2), side + extra - extra // 2).clamp(0, side - 1)
            slices = slices.index_select(axis, places)
    return slices
