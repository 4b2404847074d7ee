"""From a case's native geometry to the padded slices that a network gets, and back to whole slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch.nn import functional

from ...datasets.base import LARGEST_SIDE, Case, Floats, Preparation, slicing_axis
from ...errors import RaterbenchError

AXES = ("z", "y", "x")
T = TypeVar("T")


class Batch(NamedTuple):
    """Some slices on the device: what a training step sees.

    ``images`` [B, C, *S] float32; ``ratings`` [B, R, K, *S] float32, zero where ``present`` [B, R, *S] is False; ``cases``
    [B] int64, the position of each slice's case in the part that is learned from.
    """

    images: torch.Tensor
    ratings: torch.Tensor
    present: torch.Tensor
    cases: torch.Tensor


@dataclass(frozen=True, eq=False)
class Slices:
    """The training or validation part as a network sees it, held in memory.

    ``images`` [N, C, *S] float32; ``ratings`` [N, R, K, *S], uint8 where every label is hard and float32 else, zero where
    ``present`` [N, R, *S] is False; ``cases`` [N] int64, the position of each slice's case in the part.
    """

    images: torch.Tensor
    ratings: torch.Tensor
    present: torch.Tensor
    cases: torch.Tensor

    def __len__(self) -> int:
        return len(self.images)

    def judged(self) -> Slices:
        """Only the slices of which at least one rater judged a voxel."""
        some = self.present.flatten(1).any(dim=1)
        if bool(some.all()):
            return self
        return Slices(self.images[some], self.ratings[some], self.present[some], self.cases[some])

    def of_rater(self, r: int) -> Slices:
        """The slices of which rater ``r`` judged a voxel, with this rater alone."""
        return Slices(self.images, self.ratings[:, r : r + 1], self.present[:, r : r + 1], self.cases).judged()

    def batch(self, rows: torch.Tensor, device: torch.device) -> Batch:
        """The slices of some ``rows``, on the device."""
        parts = (self.images, self.ratings, self.present, self.cases)
        images, ratings, present, cases = (part[rows].to(device, non_blocking=True) for part in parts)
        return Batch(images, ratings.float(), present, cases)


def stack(parts: Sequence[Slices], least: tuple[int, int] = (1, 1)) -> Slices:
    """The slices of all parts in one, padded to the largest of them, and to ``least`` (height and width)."""
    height, width = (max(low, *(part.images.shape[axis] for part in parts)) for low, axis in zip(least, (-2, -1), strict=True))
    images = torch.cat([pad(part.images, (height, width), mode="replicate") for part in parts])
    ratings = torch.cat([pad(part.ratings, (height, width)) for part in parts])
    present = torch.cat([pad(part.present, (height, width)) for part in parts])
    return Slices(images, ratings, present, torch.cat([part.cases for part in parts]))


def prepare_case(
    case: Case,
    targets: Mapping[str, npt.NDArray[np.generic]],
    names: Sequence[str],
    n_classes: int,
    preparation: Preparation,
    *,
    position: int = 0,
) -> Slices:
    """The slices of one case, whose ``position`` in its part is noted, with ``targets`` as in ``prepare_ratings``."""
    images = prepare_image(case, preparation)
    return Slices(images, *prepare_ratings(case, targets, names, n_classes, preparation), torch.full((len(images),), position))


def prepared_shape(case: Case, preparation: Preparation) -> tuple[int, int]:
    """Height and width of a case's slices once they are resampled, without padding and before they are cut.

    Raises:
        RaterbenchError: with ``preparation.pixel_size`` a side would have no pixel, or too many.
    """
    native, pixel = _slice_shape(case.shape, preparation), preparation.pixel_size
    if pixel is None:
        height, width = preparation.size or native
        return height, width
    spacing, unit = _within_slice(case.geometry.spacing, case.shape, preparation), case.geometry.unit
    height, width = (round(side * step / pixel) for side, step in zip(native, spacing, strict=True))
    if not (1 <= height <= LARGEST_SIDE and 1 <= width <= LARGEST_SIDE):
        raise RaterbenchError(
            f"preparation.pixel_size = {pixel:g} {unit} makes {height} x {width} pixels of a slice of case {case.id!r}, whose "
            f"own {native[0]} x {native[1]} pixels have {spacing[0]:g} x {spacing[1]:g} {unit}: choose a pixel size that gives "
            f"1 to {LARGEST_SIDE} pixels along each side, or correct the spacing of the image"
        )
    return height, width


def prepare_image(case: Case, preparation: Preparation, least: tuple[int, int] = (1, 1)) -> torch.Tensor:
    """The case's image as normalised slices [n, C, H, W] float32, cut to ``preparation.crop`` and padded for the network.

    They have at least the height and width ``least``: a network whose layers normalise over a slice must see as much padding
    in a prediction as it saw in training. Each channel has mean 0 and standard deviation 1 over the whole case.
    ``preparation.image_order`` says how it is resampled.
    """
    image = case.image.astype(np.float32, copy=False)
    axes = tuple(range(1, image.ndim))
    mean, std = image.mean(axis=axes, keepdims=True), image.std(axis=axes, keepdims=True)
    native = _to_slices((image - mean) / np.where(std > 0, std, 1), preparation)
    slices = (_resize if preparation.image_order == 1 else _resize_by_splines)(native, prepared_shape(case, preparation))
    slices = _cut(slices, preparation)
    height, width = (max(sides) for sides in zip(padded_shape(slices.shape[-2:], preparation), least, strict=True))
    return pad(slices, (height, width), mode="replicate")


def prepare_ratings(
    case: Case,
    targets: Mapping[str, npt.NDArray[np.generic]],
    names: Sequence[str],
    n_classes: int,
    preparation: Preparation,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ratings [n, R, K, H, W] and presence [n, R, H, W] of one case, cut and padded like its image.

    ``targets`` maps names to hard labels [*S] or soft ones [K, *S]; R follows ``names``. Absent raters, unjudged voxels and
    padding are not present, and all zero. Labels that are resampled become soft.
    """
    shape, prepared = prepared_shape(case, preparation), {}
    for name, array in targets.items():
        prepared[name] = _cut(_resize(_to_slices(one_hot(array, n_classes), preparation), shape), preparation)
    some = next(iter(prepared.values()))
    blank = torch.zeros_like(some)
    ratings = torch.stack([prepared.get(name, blank) for name in names], dim=1)
    if ratings.is_floating_point():
        present, ratings = normalise_labels(ratings)
    else:
        present = ratings.sum(dim=2) > 0
    padded = padded_shape(some.shape[-2:], preparation)
    return pad(ratings, padded), pad(present, padded)


def crop_padding(maps: torch.Tensor, case: Case, preparation: Preparation) -> torch.Tensor:
    """Maps of a case's slices [n, *C, H, W] without their padding, [n, *C, h, w]; maps that have none stay as they are."""
    seen = _middle(maps, prepared_shape(case, preparation))
    return seen if preparation.crop is None else _middle(seen, preparation.crop)


def remove_padding(probability: torch.Tensor, case: Case, preparation: Preparation) -> Floats:
    """Probabilities of padded slices [n, K, H, W] as float32 [n, K, h, w] of whole slices, not yet resampled to the case.

    They have no padding, and are background where the slices had been cut.
    """
    whole = crop_padding(probability, case, preparation).float().cpu()
    if preparation.crop is not None:
        shape = prepared_shape(case, preparation)
        whole = torch.cat([pad(whole[:, :1], shape, value=1), pad(whole[:, 1:], shape)], dim=1)
    prepared: Floats = whole.contiguous().numpy()
    return prepared


def restore_prepared(prepared: Floats, case_shape: Sequence[int], preparation: Preparation) -> Floats:
    """Probabilities of slices [n, K, h, w] as a map [K, *S] float32 in the case's own geometry, summing to 1.

    ``prepared`` has no padding (``remove_padding``); results store it, and this makes of it exactly what was predicted. Its own
    height and width say how the slices had been resampled.
    """
    slices = _native_slices(torch.from_numpy(prepared), case_shape, preparation)
    if prepared.shape[-2:] != slices.shape[-2:]:
        slices = slices / slices.sum(dim=1, keepdim=True)
    return _from_slices(slices, case_shape, preparation)


def restore_maps(maps: torch.Tensor, case: Case, preparation: Preparation) -> Floats:
    """Maps of padded slices [n, *C, H, W] as [*C, *S] float32 in the case's own geometry, each channel by itself.

    For maps that need not sum to 1, such as a reliability [n, R, H, W] or a confusion [n, R, K, K, H, W] of every voxel.
    Resampling is bilinear, which keeps sums over channels that are the same at every voxel. Where the slices had been cut, the
    values at the edge are repeated.
    """
    seen = crop_padding(maps, case, preparation).float().cpu()
    whole = seen if preparation.crop is None else pad(seen, prepared_shape(case, preparation), mode="replicate")
    return _from_slices(_native_slices(whole, case.shape, preparation), case.shape, preparation)


def _native_slices(slices: torch.Tensor, case_shape: Sequence[int], preparation: Preparation) -> torch.Tensor:
    """Slices [n, *C, h, w] resampled to the size of the case's slices."""
    native = _slice_shape(case_shape, preparation)
    if tuple(slices.shape[-2:]) == native:
        return slices
    flat = functional.interpolate(slices.flatten(1, -3), size=native, mode="bilinear", align_corners=False)
    return flat.view(*slices.shape[:-2], *native)


def _from_slices(slices: torch.Tensor, case_shape: Sequence[int], preparation: Preparation) -> Floats:
    """[n, *C, h, w] -> [*C, *S]."""
    array = slices.numpy()
    if len(case_shape) == 2:
        return np.ascontiguousarray(array[0])
    return np.ascontiguousarray(np.moveaxis(array, 0, slices.ndim - 3 + _axis(case_shape, preparation)))


def one_hot(labels: npt.NDArray[np.generic], n_classes: int) -> npt.NDArray[np.generic]:
    """Hard labels [*S] as uint8 [K, *S], all zero where ``IGNORE``; soft labels are returned as float32."""
    if np.issubdtype(labels.dtype, np.floating):
        return np.asarray(labels, dtype=np.float32)
    classes = np.arange(n_classes, dtype=np.uint8).reshape(-1, *[1] * labels.ndim)
    hard: npt.NDArray[np.bool_] = labels == classes
    return hard.view(np.uint8)


def normalise_labels(ratings: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Presence [B, R, *S], and interpolated ratings [B, R, K, *S] that sum to 1 where present and to 0 elsewhere.

    A voxel stays present where at least half of what was interpolated had been judged.
    """
    mass = ratings.sum(dim=2)
    present = mass > 0.5
    return present, ratings * (present / mass.clamp(min=0.5)).unsqueeze(2)


def padded_shape(shape: Sequence[int], preparation: Preparation) -> tuple[int, int]:
    """Both sides, or those of the crop where they are larger, rounded up to the multiple that the network needs."""
    least, multiple = preparation.crop or (1, 1), preparation.multiple
    height, width = (-(-max(side, small) // multiple) * multiple for side, small in zip(shape, least, strict=True))
    return height, width


def _axis(shape: Sequence[int], preparation: Preparation) -> int:
    if preparation.slice_axis not in AXES:
        raise RaterbenchError(f"preparation.slice_axis {preparation.slice_axis!r} is unknown: use 'z', 'y' or 'x'")
    return slicing_axis(shape, AXES.index(preparation.slice_axis))


def _slice_shape(shape: Sequence[int], preparation: Preparation) -> tuple[int, int]:
    return _within_slice(shape, shape, preparation)


def _within_slice(values: Sequence[T], shape: Sequence[int], preparation: Preparation) -> tuple[T, T]:
    """Of the ``values`` of a case's axes those of the two axes within a slice; ``shape`` is that of the case."""
    kept = list(values)
    if len(shape) == 3:
        del kept[_axis(shape, preparation)]
    rows, columns = kept
    return rows, columns


def _to_slices(array: npt.NDArray[np.generic], preparation: Preparation) -> torch.Tensor:
    """[C, *S] -> [n, C, h, w]."""
    slices = array[None] if array.ndim == 3 else np.moveaxis(array, 1 + _axis(array.shape[1:], preparation), 0)
    return torch.from_numpy(np.ascontiguousarray(slices))


def _resize(slices: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    if tuple(slices.shape[-2:]) == size:
        return slices
    return functional.interpolate(slices.float(), size=size, mode="bilinear", align_corners=False, antialias=True)


def _resize_by_splines(slices: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Each plane of [n, C, h, w] by its interpolating spline of second order; what shrinks is smoothed before.

    The smoothing is a Gaussian of (f - 1) / 2 pixels for a slice that becomes f times smaller, so that fine noise does not
    become coarse noise.
    """
    if tuple(slices.shape[-2:]) == size:
        return slices
    height, width = slices.shape[-2:]
    zoom = (size[0] / height, size[1] / width)
    blur = [max(1 / factor - 1, 0) / 2 for factor in zoom]
    planes = [
        ndimage.zoom(ndimage.gaussian_filter(plane, blur, mode="nearest"), zoom, order=2, mode="nearest", grid_mode=True)
        for plane in slices.flatten(0, 1).numpy()
    ]
    return torch.from_numpy(np.stack(planes)).view(*slices.shape[:2], *size)


def _cut(slices: torch.Tensor, preparation: Preparation) -> torch.Tensor:
    """What ``preparation.crop`` leaves of [..., h, w], as a copy: a view would keep the rest in memory."""
    return slices if preparation.crop is None else _middle(slices, preparation.crop).clone()


def _middle(slices: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """[..., h, w] cut around the middle to at most ``shape``."""
    height, width = (min(side, most) for side, most in zip(slices.shape[-2:], shape, strict=True))
    top, left = (slices.shape[-2] - height) // 2, (slices.shape[-1] - width) // 2
    return slices[..., top : top + height, left : left + width]


def pad(slices: torch.Tensor, shape: tuple[int, int], mode: str = "constant", value: float = 0) -> torch.Tensor:
    """Pad [..., h, w] evenly to ``shape``; images repeat their edge, labels and presence are padded with ``value``."""
    height, width = shape[0] - slices.shape[-2], shape[1] - slices.shape[-1]
    top, left = height // 2, width // 2
    if not height and not width:
        return slices
    if mode == "constant":
        return functional.pad(slices, (left, width - left, top, height - top), value=value)
    rows = torch.arange(-top, slices.shape[-2] + height - top).clamp(0, slices.shape[-2] - 1)
    columns = torch.arange(-left, slices.shape[-1] + width - left).clamp(0, slices.shape[-1] - 1)
    return slices[..., rows, :][..., columns]
