"""From the channels of a file to one label for each voxel: what is refused, and the true reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import RaterbenchError
from .formats import LOSSLESS
from .headers.header import Header, RasterHeader

NEAR = 1e-3
"""How far a real number may be from the label it stands for: resampling and scaled storage leave such rests."""


def one_label_each(channels: npt.NDArray[Any], header: Header) -> npt.NDArray[Any]:
    """The labels [*S] in the channels [C, *S] of a file, the last of which is the opacity if its header says so.

    Raises:
        RaterbenchError: the file holds colours, layers, several numbers a voxel, or labels that the opacity hides or holds.
    """
    file = header.file
    if header.alpha:
        channels = _without_opacity(channels, file)
    if len(channels) > 1 and header.channel_kind == "layers":
        raise RaterbenchError(
            f"{file} holds {len(channels)} layers, as 3D Slicer saves segments that overlap: a rating needs one label for each "
            "voxel; export the segmentation as one labelmap"
        )
    if len(channels) > 1 and header.channel_kind == "channels":
        raise RaterbenchError(
            f"{file} holds {len(channels)} numbers for each voxel (such as layers, vectors or probabilities): a rating needs "
            "one label; save one label map"
        )
    if len(channels) > 1 and (channels != channels[:1]).any():
        raise RaterbenchError(
            f"{file} is in colours (its channels differ): a rating needs one label for each voxel; save it in grey, "
            "or with a palette whose numbers are the labels"
        )
    labels: npt.NDArray[Any] = channels[0]
    if header.segments and labels.size == 1:
        raise RaterbenchError(
            f"{file} is an empty segmentation, which 3D Slicer saves as one voxel: if nothing is to be marked, export it as a "
            "labelmap on the grid of its image; if the case was not rated, take the file away"
        )
    if isinstance(header, RasterHeader) and header.white_is_zero:
        _check_white_is_zero(labels, file)
    return labels


def whole_numbers(labels: npt.NDArray[Any], file: Path) -> npt.NDArray[Any]:
    """Labels as whole numbers of at most 64 bits with a sign; a real number within 0.001 of one is that one.

    Raises:
        RaterbenchError: a label is no whole number, or too large.
    """
    largest = np.iinfo(np.int64).max
    if labels.dtype.kind == "f":
        rounded = np.round(labels)
        with np.errstate(invalid="ignore"):
            wrong = labels[~(np.abs(labels - rounded) <= NEAR)]
        if wrong.size:
            shown = ", ".join(str(value) for value in np.unique(wrong)[:5])
            raise RaterbenchError(
                f"{file} has labels that are no whole numbers: {shown}; resample by nearest neighbour, or make a "
                "mask of probabilities with threshold = 0.5"
            )
        labels = rounded
    if labels.dtype.kind in "fu" and labels.size:
        for extreme in (int(labels.min()), int(labels.max())):
            if not -largest - 1 <= extreme <= largest:
                raise RaterbenchError(f"{file} has the label {extreme}: labels must be smaller than 2^63; is it a label map?")
    return labels.astype(np.int64) if labels.dtype.kind == "f" or labels.dtype == np.uint64 else labels


def finite_numbers(labels: npt.NDArray[Any], file: Path) -> npt.NDArray[Any]:
    """The values [*S] as they are, if all are finite.

    Raises:
        RaterbenchError: a value is NaN or infinite.
    """
    wrong = labels[~np.isfinite(labels)] if labels.dtype.kind == "f" else labels[:0]
    if wrong.size:
        raise RaterbenchError(f"{file} has {wrong.size} values that are NaN or infinite: a map of labels must be finite")
    return labels


def _without_opacity(channels: npt.NDArray[Any], file: Path) -> npt.NDArray[Any]:
    """The channels but for the opacity, which must hide nothing but background."""
    colours, opacity = channels[:-1], channels[-1]
    if (opacity == opacity.flat[0]).all():
        return colours
    if (colours == colours.reshape(len(colours), -1)[:, 0].reshape(-1, *[1] * (colours.ndim - 1))).all():
        raise RaterbenchError(
            f"{file} has one colour everywhere, and what was drawn is in its alpha channel (opacity): save that channel as a "
            "grey PNG"
        )
    hidden = opacity < np.iinfo(channels.dtype).max
    if not (colours[:, hidden].any() or opacity[hidden].any()):
        return colours
    raise RaterbenchError(
        f"{file} has an alpha channel (opacity) that hides {int(hidden.sum())} pixels, so their labels are not clear: save it "
        "without one, as it is meant to be seen"
    )


def _check_white_is_zero(labels: npt.NDArray[Any], file: Path) -> None:
    most = np.iinfo(labels.dtype).max
    if not ((labels == 0) | (labels == most)).all():
        stored = ", ".join(str(most - value) for value in np.unique(labels)[::-1][:5].tolist())
        raise RaterbenchError(
            f"{file} is stored with white as zero, so that its values {stored} are shown inverted and labels are not clear: "
            f"save it with black as zero (photometric interpretation 1), or as {LOSSLESS}"
        )
