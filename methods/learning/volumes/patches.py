"""Volumes as training and validation see them: patches, cut when they are needed from files that are mapped into memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ....datasets.base import Case, Preparation
from ..batches.scratch import ScratchFile
from ..batches.slices import Batch, PreparedSlices, Slices, pad
from ..preparation import prepare_case, prepared_shape

MOST_MARKED = 1000
"""Voxels of each foreground class of a case, evenly spread, around which patches are cut."""
DRAWS = 5
"""Random numbers of a patch: whether it has foreground, which voxel, and three for its place."""


@dataclass(frozen=True, eq=False)
class Volume:
    """One prepared case.

    ``parts`` has one volume in place of slices, without padding; ``marked`` [n, 3] are voxels of it in which a rater marked
    foreground.
    """

    parts: PreparedSlices
    marked: torch.Tensor


def prepare_volume(
    case: Case,
    targets: Mapping[str, npt.NDArray[np.generic]],
    names: Sequence[str],
    n_classes: int,
    preparation: Preparation,
    *,
    position: int = 0,
) -> Volume:
    """As ``prepare_case``, for a case that is learned as a volume."""
    parts = prepare_case(case, targets, names, n_classes, preparation, position=position)
    return Volume(parts, marked_voxels(case, prepared_shape(case, preparation), n_classes))


def marked_voxels(case: Case, size: Sequence[int], n_classes: int) -> torch.Tensor:
    """Voxels [n, 3] of the case on a grid of ``size`` that some rater marked, up to 1,000 of each class.

    Small classes are not lost among large ones. All ratings count, whatever is learned, so that patches lie at the same places
    for all candidates.
    """
    some = []
    for k in range(1, n_classes):
        marked = np.zeros(case.shape, bool)
        for labels in case.ratings.values():
            marked |= labels == k
        flat = np.flatnonzero(marked)
        some.append(flat[np.linspace(0, len(flat) - 1, min(len(flat), MOST_MARKED)).round().astype(int)])
    native = np.stack(np.unravel_index(np.concatenate(some), case.shape), axis=1)
    return torch.from_numpy(((native + 0.5) * (np.array(size) / np.array(case.shape))).astype(np.int32))


class Patches(Slices):
    """Patches of volumes that lie in files.

    A row is one of the tiles that cover a volume and of which a rater judged a voxel. ``batch`` gives the tiles themselves,
    so that validation sees every voxel, and ``draw`` patches elsewhere in the same volumes, for training.
    """

    def __init__(
        self, volumes: Sequence[Volume], sides: Sequence[int], share: float, counted: torch.Tensor | None = None
    ) -> None:
        self.volumes, self.share = list(volumes), share
        self._sides = tuple(sides)
        self.counted = counted
        tiles = [(i, start) for i, volume in enumerate(self.volumes) for start in self._tiles(volume.parts)]
        self.tiles = tiles
        self.cases = torch.tensor([int(self.volumes[i].parts.cases[0]) for i, _ in tiles], dtype=torch.int64)
        self.spacing = torch.tensor([self.volumes[i].parts.spacing[0].tolist() for i, _ in tiles]).view(-1, 3)

    @property
    def n_channels(self) -> int:
        return self.volumes[0].parts.n_channels

    @property
    def n_raters(self) -> int:
        return self.volumes[0].parts.n_raters

    @property
    def n_classes(self) -> int:
        return self.volumes[0].parts.n_classes

    @property
    def sides(self) -> tuple[int, ...]:
        return self._sides

    def batch(self, rows: torch.Tensor, device: torch.device) -> Batch:
        return self._cut([self.tiles[row] for row in rows.tolist()], device)

    def draw(self, rows: torch.Tensor, device: torch.device, generator: torch.Generator) -> Batch:
        """A patch at random of the volume of each row; a share of them holds a voxel that a rater marked, if there is one."""
        numbers = torch.rand(len(rows), DRAWS, generator=generator, dtype=torch.float64)
        places = []
        for row, (kind, which, *place) in zip(rows.tolist(), numbers.tolist(), strict=True):
            number = self.tiles[row][0]
            volume = self.volumes[number]
            free = [max(n - side, 0) for n, side in zip(volume.parts.images.shape[2:], self.sides, strict=True)]
            start = [int(u * (most + 1)) for u, most in zip(place, free, strict=True)]
            if kind < self.share and len(volume.marked):
                voxel = volume.marked[int(which * len(volume.marked))].tolist()
                inside = [v - int(u * side) for v, u, side in zip(voxel, place, self.sides, strict=True)]
                start = [min(max(s, 0), most) for s, most in zip(inside, free, strict=True)]
            places.append((number, tuple(start)))
        return self._cut(places, device)

    def seen_raters(self) -> torch.Tensor:
        seen = torch.zeros(self.n_raters, dtype=torch.bool)
        for volume in self.volumes:
            seen |= volume.parts.present.flatten(2).any(dim=2).any(dim=0)
        return seen

    def of_rater(self, r: int) -> Patches:
        volumes = []
        for volume in self.volumes:
            parts, chosen = volume.parts, slice(r, r + 1)
            alone = replace(parts, ratings=parts.ratings[:, chosen], present=parts.present[:, chosen])
            volumes.append(replace(volume, parts=alone))
        return Patches(volumes, self.sides, self.share)

    def only_raters(self, counted: torch.Tensor) -> Patches:
        return Patches(self.volumes, self.sides, self.share, counted)

    def _tiles(self, parts: PreparedSlices) -> list[tuple[int, ...]]:
        """Where the fewest patches begin that cover a volume, evenly spread, without those of which nobody judged a voxel."""
        starts = []
        for n, side in zip(parts.images.shape[2:], self.sides, strict=True):
            count = -(-int(n) // side)
            starts.append(np.linspace(0, max(int(n) - side, 0), count).round().astype(int).tolist())
        return [start for start in product(*starts) if self._present(parts, start).any()]

    def _present(self, parts: PreparedSlices, start: Sequence[int]) -> torch.Tensor:
        present = parts.present[self._window(start)]
        return present if self.counted is None else present & self.counted.view(-1, 1, 1, 1)

    def _window(self, start: Sequence[int]) -> tuple[Any, ...]:
        return (..., *(slice(low, low + side) for low, side in zip(start, self.sides, strict=True)))

    def _cut(self, places: Sequence[tuple[int, tuple[int, ...]]], device: torch.device) -> Batch:
        """The patches at some places (volume, first voxel); a volume that is smaller is padded as its slices would be."""
        images, ratings, present = [], [], []
        for number, start in places:
            parts, window = self.volumes[number].parts, self._window(start)
            images.append(pad(parts.images[window], self.sides, mode="replicate"))
            judged = self._present(parts, start)
            given = parts.ratings[window].float()
            ratings.append(pad(given if self.counted is None else given * judged.unsqueeze(2), self.sides))
            present.append(pad(judged, self.sides))
        cases = torch.stack([self.volumes[number].parts.cases[0] for number, _ in places])
        joined = (torch.cat(images), torch.cat(ratings), torch.cat(present), cases)
        return Batch(*(part.to(device, non_blocking=True) for part in joined))


def store_volumes(volumes: Iterable[Volume], preparation: Preparation, least: Sequence[int] | None = None) -> Patches:
    """Volumes, one after the other, in a file of which patches are cut.

    Patches have the sides ``least``, those of training; None makes them those of the preparation, but no larger than the
    largest volume needs.
    """
    # All that is kept of a volume that is in no file yet are some numbers: small arrays between large ones that come and go
    # would keep the memory of these from being used again.
    file, there, largest = ScratchFile(), list[Volume | None](), np.ones(3, int)
    places = list[tuple[list[int], list[list[float]]]]()
    for volume in volumes:
        largest = np.maximum(largest, volume.parts.sides)
        in_files = volume.parts.in_files()
        there.append(volume if in_files else None)
        places.append((volume.parts.cases.tolist(), volume.parts.spacing.tolist()))
        for tensor in () if in_files else (volume.parts.images, volume.parts.ratings, volume.parts.present, volume.marked):
            file.add(tensor)
    written, mapped = iter(file.tensors()), list[Volume]()
    for known, (cases, spacing) in zip(there, places, strict=True):
        if known is None:
            images, ratings, present, marked = (next(written) for _ in range(4))
            parts = PreparedSlices(images, ratings, present, torch.tensor(cases), torch.tensor(spacing))
            mapped.append(Volume(parts, marked))
        else:
            mapped.append(known)
    needed = -(-largest // preparation.multiple) * preparation.multiple
    sides = np.minimum(preparation.patch, needed).tolist() if least is None else least
    return Patches(mapped, sides, preparation.foreground)
