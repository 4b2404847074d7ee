"""From a case's native geometry to what a network gets, padded slices or a volume, and back to the whole case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch.nn import functional

from ...datasets.base import LARGEST_SIDE, Case, Floats, Preparation, slicing_axis
from ...datasets.cache.array_files import Arrays, content_hash
from ...datasets.cache.disk_cache import kept
from ...errors import RaterbenchError
from .batches.slices import PreparedSlices, pad
from .volumes.resampling import resize_volume

AXES = ("z", "y", "x")
T = TypeVar("T")


def prepare_case(
    case: Case,
    targets: Mapping[str, npt.NDArray[np.generic]],
    names: Sequence[str],
    n_classes: int,
    preparation: Preparation,
    *,
    position: int = 0,
) -> PreparedSlices:
    """The slices of one case, whose ``position`` in its part is noted, with ``targets`` as in ``prepare_ratings``.

    Where it is learned as a volume, that stands in the place of a slice, without padding.
    """
    ratings, present = prepare_ratings(case, targets, names, n_classes, preparation)
    images = prepare_image(case, preparation)
    return as_slices(case, images, ratings, present, preparation=preparation, position=position)


def as_slices(
    case: Case,
    images: torch.Tensor,
    ratings: torch.Tensor,
    present: torch.Tensor,
    *,
    preparation: Preparation,
    position: int,
) -> PreparedSlices:
    """What has been prepared of a case, with its ``position`` and the size of its pixels or voxels once it is resampled."""
    places = torch.full((len(images),), position)
    return PreparedSlices(images, ratings, present, places, torch.tensor([prepared_spacing(case, preparation)] * len(images)))


def is_volume(shape: Sequence[int], preparation: Preparation) -> bool:
    """Whether a case of this spatial shape is learned in 3-D."""
    return preparation.mode == "volumes" and len(shape) == 3


def size_setting(shape: Sequence[int], preparation: Preparation) -> str:
    """The setting that resamples cases of this shape to voxels of a size, so that their own must be known; else empty."""
    if is_volume(shape, preparation):
        return "" if preparation.voxel_size is None else f"voxel_size = {list(preparation.voxel_size)}"
    return "" if preparation.pixel_size is None else f"pixel_size = {preparation.pixel_size:g}"


def prepared_shape(case: Case, preparation: Preparation) -> tuple[int, ...]:
    """Height and width of a case's slices once they are resampled, without padding and before they are cut.

    Of a case that is learned as a volume its depth, height and width.

    Raises:
        RaterbenchError: with ``preparation.pixel_size`` or ``voxel_size`` a side would have no voxel, or too many.
    """
    if is_volume(case.shape, preparation):
        return _volume_shape(case, preparation)
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


def prepared_spacing(case: Case, preparation: Preparation) -> tuple[float, ...]:
    """The size of the pixels of a case's slices once they are resampled (height, width), or of the voxels of its volume."""
    native: tuple[int, ...] = case.shape
    spacing: tuple[float, ...] = case.geometry.spacing
    if not is_volume(case.shape, preparation):
        native, spacing = _slice_shape(case.shape, preparation), _within_slice(spacing, case.shape, preparation)
    size = prepared_shape(case, preparation)
    return tuple(step * n / new for step, n, new in zip(spacing, native, size, strict=True))


def _volume_shape(case: Case, preparation: Preparation) -> tuple[int, ...]:
    if preparation.voxel_size is None:
        return case.shape
    sides = [
        round(n * step / size) for n, step, size in zip(case.shape, case.geometry.spacing, preparation.voxel_size, strict=True)
    ]
    if not all(1 <= side <= LARGEST_SIDE for side in sides):
        raise RaterbenchError(
            f"preparation.voxel_size = {list(preparation.voxel_size)} makes {' x '.join(map(str, sides))} voxels of case "
            f"{case.id!r}, whose own {' x '.join(map(str, case.shape))} have {list(case.geometry.spacing)} "
            f"{case.geometry.unit}: choose one that gives 1 to {LARGEST_SIDE} voxels a side, or correct the image's spacing"
        )
    return tuple(sides)


def prepare_image(case: Case, preparation: Preparation, least: Sequence[int] = ()) -> torch.Tensor:
    """The case's image as normalised slices [n, C, H, W] float32, cut to ``preparation.crop`` and padded for the network.

    They have at least the height and width ``least``: a network whose layers normalise over a slice must see as much padding
    in a prediction as it saw in training. Each channel has mean 0 and standard deviation 1 over the whole case.
    ``preparation.image_order`` says how it is resampled. A case that is learned as a volume is one, [1, C, D, H, W].

    The process's cache keeps it, if there is one (``DiskCache.current``).
    """
    found = kept(
        "images",
        case.image.nbytes,
        lambda: [content_hash(case.image), *_grid(case, preparation)],
        lambda: Arrays({"image": _prepared_image(case, preparation).numpy()}),
    )
    slices = torch.from_numpy(found.arrays["image"])
    sides = [max(pair) for pair in zip(slices.shape[2:], least or slices.shape[2:], strict=True)]
    return pad(slices, sides, mode="replicate")


def _grid(case: Case, preparation: Preparation) -> list[Any]:
    """What decides how the arrays of a case are prepared, beside their values."""
    return [case.shape, case.geometry.spacing, asdict(preparation)]


def _prepared_image(case: Case, preparation: Preparation) -> torch.Tensor:
    image = case.image.astype(np.float32, copy=False)
    axes = tuple(range(1, image.ndim))
    mean, std = image.mean(axis=axes, keepdims=True), image.std(axis=axes, keepdims=True)
    native = _to_slices((image - mean) / np.where(std > 0, std, 1), preparation)
    slices = (_resize if preparation.image_order == 1 else _resize_by_splines)(native, prepared_shape(case, preparation))
    slices = _cut(slices, preparation)
    return pad(slices, padded_shape(slices.shape[2:], preparation), mode="replicate")


def prepare_ratings(
    case: Case,
    targets: Mapping[str, npt.NDArray[np.generic]],
    names: Sequence[str],
    n_classes: int,
    preparation: Preparation,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ratings [n, R, K, H, W] and presence [n, R, H, W] of one case, cut and padded like its image.

    ``targets`` maps names to hard labels [*S] or soft ones [K, *S]; R follows ``names``. Absent raters, unjudged voxels and
    padding are not present, and all zero. Labels that are resampled become soft. The process's cache keeps them.
    """

    def make() -> Arrays:
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
        padded = padded_shape(some.shape[2:], preparation)
        return Arrays({"ratings": pad(ratings, padded).numpy(), "present": pad(present, padded).numpy()})

    def made_from() -> list[Any]:
        contents = [content_hash(targets[name]) if name in targets else "" for name in names]
        return [contents, n_classes, *_grid(case, preparation)]

    arrays = kept("ratings", sum(target.nbytes for target in targets.values()), made_from, make).arrays
    return torch.from_numpy(arrays["ratings"]), torch.from_numpy(arrays["present"])


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
    height and width say how the slices had been resampled. A case that is learned as a volume has one of [1, K, d, h, w].
    """
    slices = _native_slices(torch.from_numpy(prepared), case_shape, preparation)
    if prepared.shape[2:] != slices.shape[2:]:
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
    """Slices [n, *C, h, w] resampled to the size of the case's slices, or a volume [1, *C, d, h, w] to that of the case."""
    volume = is_volume(case_shape, preparation)
    native = tuple(case_shape) if volume else _slice_shape(case_shape, preparation)
    axes = len(native)
    if tuple(slices.shape[-axes:]) == native:
        return slices
    mode = "trilinear" if volume else "bilinear"
    flat = functional.interpolate(slices.flatten(1, -axes - 1), size=native, mode=mode, align_corners=False)
    return flat.view(*slices.shape[:-axes], *native)


def _from_slices(slices: torch.Tensor, case_shape: Sequence[int], preparation: Preparation) -> Floats:
    """[n, *C, h, w] -> [*C, *S]."""
    array = slices.numpy()
    if len(case_shape) == 2 or is_volume(case_shape, preparation):
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


def padded_shape(shape: Sequence[int], preparation: Preparation) -> tuple[int, ...]:
    """Both sides, or those of the crop where they are larger, rounded up to the multiple that the network needs.

    Volumes have no padding: patches are cut from them, and only a smaller one is padded to a patch.
    """
    if is_volume(shape, preparation):
        return tuple(shape)
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
    """[C, *S] -> [n, C, h, w], or [1, C, *S] where it is learned as a volume."""
    whole = array.ndim == 3 or is_volume(array.shape[1:], preparation)
    slices = array[None] if whole else np.moveaxis(array, 1 + _axis(array.shape[1:], preparation), 0)
    return torch.from_numpy(np.ascontiguousarray(slices))


def _resize(slices: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    if tuple(slices.shape[2:]) == size:
        return slices
    if len(size) == 3:
        return resize_volume(slices, size)
    return functional.interpolate(slices.float(), size=size, mode="bilinear", align_corners=False, antialias=True)


def _resize_by_splines(slices: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    """Each plane or volume of [n, C, *S] by its interpolating spline of second order; what shrinks is smoothed before.

    The smoothing is a Gaussian of (f - 1) / 2 pixels for a slice that becomes f times smaller, so that fine noise does not
    become coarse noise.
    """
    if tuple(slices.shape[2:]) == size:
        return slices
    zoom = tuple(new / old for new, old in zip(size, slices.shape[2:], strict=True))
    blur = [max(1 / factor - 1, 0) / 2 for factor in zoom]
    planes = [
        ndimage.zoom(ndimage.gaussian_filter(plane, blur, mode="nearest"), zoom, order=2, mode="nearest", grid_mode=True)
        for plane in slices.flatten(0, 1).numpy()
    ]
    return torch.from_numpy(np.stack(planes)).view(*slices.shape[:2], *size)


def _cut(slices: torch.Tensor, preparation: Preparation) -> torch.Tensor:
    """What ``preparation.crop`` leaves of [..., h, w], as a copy: a view would keep the rest in memory."""
    return slices if preparation.crop is None else _middle(slices, preparation.crop).clone()


def _middle(slices: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """[..., *S] cut around the middle to at most ``shape``."""
    sides = slices.shape[-len(shape) :]
    starts = [max(side - most, 0) // 2 for side, most in zip(sides, shape, strict=True)]
    window: tuple[Any, ...] = (..., *(slice(start, start + most) for start, most in zip(starts, shape, strict=True)))
    return slices[window]
