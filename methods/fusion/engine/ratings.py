"""Reads and checks the ratings of one case. All checks of a fusion's input are in this file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ....datasets.base import IGNORE
from ....errors import RaterbenchError
from ...base import Ratings
from .threads import map_threads


@dataclass(frozen=True, eq=False)
class HardRating:
    """The classes that one rater named.

    ``digits`` [N] unsigned integers; ``votes`` [D, K], the vote that each digit stands for: one-hot, or zeros for "not judged".
    """

    digits: npt.NDArray[Any]
    votes: npt.NDArray[np.float64]

    def sortable(self) -> list[npt.NDArray[Any]]:
        """The columns [N] of which two voxels differ if their votes do."""
        return [self.digits]

    def votes_at(self, voxels: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """The votes [K, V] at some voxels."""
        votes: npt.NDArray[np.float64] = self.votes[self.digits[voxels]].T
        return votes


@dataclass(frozen=True, eq=False)
class SoftRating:
    """The share of its vote that one rater gave to each class: ``shares`` [K, N], NaN where not judged."""

    shares: npt.NDArray[Any]

    def sortable(self) -> list[npt.NDArray[Any]]:
        """The columns [N] of which two voxels differ if their votes do; 2, which is no share, in place of NaN."""
        return [np.where(np.isnan(share), share.dtype.type(2), share) for share in self.shares]

    def votes_at(self, voxels: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """The votes [K, V] at some voxels, zeros where not judged."""
        votes: npt.NDArray[np.float64] = np.nan_to_num(self.shares[:, voxels].astype(np.float64))
        total = votes.sum(axis=0)  # close to 1 only, for shares that were interpolated in float32
        np.divide(votes, total, out=votes, where=total > 0)
        return votes


def name_raters(ratings: Ratings) -> Mapping[str, npt.NDArray[Any]]:
    """Give names to raters who have none: a sequence or a stacked array becomes ``rater 1``, ``rater 2`` ...

    A mapping stays as it is. Numbers have leading zeros, so that sorted names are in the order in which the raters came. An
    array is always taken as a stack with the raters along its first axis: a single image [H, W] reads as H raters of W voxels.

    Raises:
        RaterbenchError: the ratings are none of these, or an array without an axis of raters.
    """
    if isinstance(ratings, Mapping):
        return ratings
    if not isinstance(ratings, np.ndarray) and (isinstance(ratings, str | bytes) or not isinstance(ratings, Sequence)):
        raise RaterbenchError(
            f"ratings are a {type(ratings).__name__}: give a mapping from raters to labels, a list of labels, or one NumPy "
            "array with the raters along its first axis"
        )
    if isinstance(ratings, np.ndarray) and ratings.dtype != object and ratings.ndim < 2:
        raise RaterbenchError(
            f"ratings are one array of shape {ratings.shape}, which has no axis of raters: stack them as [raters, *voxels], "
            "or give a mapping or a list"
        )
    digits = len(str(len(ratings)))
    return {f"rater {place:0{digits}}": _array(labels, place) for place, labels in enumerate(ratings, start=1)}


def _array(labels: Any, place: int) -> npt.NDArray[Any]:
    try:
        return np.asarray(labels)
    except (ValueError, TypeError, RuntimeError) as error:  # lists of unequal length; tensors that are on another device
        raise RaterbenchError(f"rater {place} gave no array of labels ({error}): give whole numbers [*S]") from error


def read_ratings(ratings: Ratings, n_classes: int) -> tuple[tuple[str, ...], tuple[int, ...], list[HardRating | SoftRating]]:
    """Check the ratings of a case, and sort them by the names of the raters (``name_raters``).

    Sorting makes every result independent of the order in which the raters come, to the last bit.

    Returns:
        The raters, the spatial shape, and each rater's rating.

    Raises:
        RaterbenchError: there is no rating, shapes differ, or a label is no class.
    """
    ratings = name_raters(ratings)
    if not ratings:
        raise RaterbenchError("there is no rating to fuse: give the labels of at least one rater")
    if not 2 <= n_classes <= IGNORE:
        raise RaterbenchError(f"{n_classes} classes cannot be fused: give between 2 and {IGNORE}")
    raters = tuple(sorted(ratings))
    arrays = [np.asarray(ratings[rater]) for rater in raters]
    shapes = [_spatial_shape(rater, array, n_classes) for rater, array in zip(raters, arrays, strict=True)]
    for rater, shape in zip(raters, shapes, strict=True):
        if shape != shapes[0]:
            raise RaterbenchError(
                f"raters {raters[0]!r} and {rater!r} gave labels of different shapes, {shapes[0]} and {shape}: "
                "bring them to one grid"
            )
    if 0 in shapes[0]:
        raise RaterbenchError(f"rater {raters[0]!r} gave labels of shape {shapes[0]}, which hold no voxel")

    def read(position: int) -> HardRating | SoftRating:
        rater, array = raters[position], arrays[position]
        if array.dtype.kind == "f":
            return _read_soft(rater, array.reshape(n_classes, -1))
        return _read_hard(rater, array.reshape(-1), n_classes)

    return raters, shapes[0], map_threads(read, range(len(raters)), math.prod(shapes[0]))


def _spatial_shape(rater: str, array: npt.NDArray[Any], n_classes: int) -> tuple[int, ...]:
    if array.dtype.kind in "bui" and array.ndim:
        return array.shape
    if array.dtype.kind == "f" and array.ndim > 1 and array.shape[0] == n_classes:
        return array.shape[1:]
    raise RaterbenchError(
        f"rater {rater!r} gave {array.dtype} labels of shape {array.shape}: hard labels are whole numbers [*S], "
        f"soft labels are floating-point numbers [{n_classes}, *S]"
    )


def _read_hard(rater: str, labels: npt.NDArray[Any], n_classes: int) -> HardRating:
    votes = np.eye(n_classes)
    if labels.dtype != np.uint8:
        if labels.dtype != np.bool_ and (labels.min() < 0 or labels.max() > IGNORE):
            raise _no_class(rater, labels, n_classes)
        labels = labels.astype(np.uint8)
    if labels.max() < n_classes:
        return HardRating(labels, votes)
    digits = labels + np.uint8(1)  # IGNORE, 255, overflows to 0
    if digits.max() > n_classes:
        raise _no_class(rater, labels, n_classes)
    return HardRating(digits, np.vstack([np.zeros(n_classes), votes]))


def _no_class(rater: str, labels: npt.NDArray[Any], n_classes: int) -> RaterbenchError:
    values = np.unique(labels)
    wrong = values[(values < 0) | (values >= n_classes) & (values != IGNORE)]
    shown = ", ".join(str(v) for v in wrong[:5]) + (", ..." if len(wrong) > 5 else "")
    return RaterbenchError(
        f"rater {rater!r} gave labels that are no class: {shown}; classes are 0 to {n_classes - 1}, {IGNORE} is 'not judged'"
    )


def _read_soft(rater: str, shares: npt.NDArray[Any]) -> SoftRating:
    absent = np.isnan(shares)
    judged = ~absent.any(axis=0)
    broken = (absent.all(axis=0) == judged).any() or np.isinf(shares).any() or (shares < 0).any()
    if broken or not np.allclose(shares[:, judged].sum(axis=0, dtype=np.float64), 1.0, rtol=0, atol=1e-3):
        raise RaterbenchError(
            f"rater {rater!r} gave soft labels that are no distribution: at every voxel they must be at least 0 and sum to 1 "
            "over the classes, or all be NaN where the rater did not judge"
        )
    return SoftRating(shares)
