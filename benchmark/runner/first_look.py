"""A first look at the cases of a plan: how far their raters agree, how large images and objects are, and in which unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, pi, prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ...datasets.base import IGNORE, Case, Dataset
from ...errors import RaterbenchError
from ...methods.learning.preparation import prepared_shape, size_setting
from ...steps import counted_step
from ..experiment.experiment import Experiment
from ..experiment.factory import build_metrics
from ..measuring.pairs import check_unit, measures_lengths
from ..measuring.pictures import agreement
from ..metrics import MetricBase
from ..metrics.base import UNIT_SYMBOLS, SampleMetric
from ..metrics.surface import SurfaceDice, real_axes

MOST_CASES = 200
"""At most so many cases are looked at, evenly spaced, so that users of large data sets do not wait."""


@dataclass(frozen=True)
class Look:
    """What is seen of a case: its raters' agreement (``pictures.agreement``), its number of axes, and lengths in its unit.

    ``diagonal`` is that of the image; ``radii`` [R, K-1] is the radius of the disc (ball) with the same area (volume) as what
    each rater marked of each foreground class, NaN where that is nothing.
    """

    case: str
    agreement: float
    ndim: int
    diagonal: float
    radii: npt.NDArray[np.float64]


def look_at_cases(dataset: Dataset, positions: Sequence[int], metrics: Sequence[MetricBase]) -> list[Look]:
    """Look at up to 200 of the cases at ``positions``.

    Raises:
        RaterbenchError: a metric or the preparation needs lengths or sizes, and cases measure them in different units; or the
            size of pixels or voxels of the preparation does not fit a case.
    """
    places = np.unique(np.linspace(0, len(positions) - 1, MOST_CASES).astype(int))
    looks: list[Look] = []
    by_length = any(measures_lengths(metric) for metric in metrics)
    for position in counted_step(f"looking at {len(places)} of {len(positions)} cases first", [positions[p] for p in places]):
        case = dataset[position]
        if by_length or size_setting(case.shape, dataset.preparation):
            check_unit(case, dataset)
        prepared_shape(case, dataset.preparation)
        looks.append(_look(case, dataset.n_classes))
        named = ", ".join(f"the metric {metric.name!r}" for metric in metrics if metric.quantity == "size")
        if named and looks[-1].ndim != looks[0].ndim:
            raise RaterbenchError(
                f"case {looks[0].case!r} has {looks[0].ndim} axes and case {case.id!r} has {looks[-1].ndim}, so that areas "
                f"would be averaged with volumes: store all images with the same number of axes, or leave out {named}"
            )
    return looks


def _look(case: Case, n_classes: int) -> Look:
    axes = real_axes(case.shape)
    spacing = [case.geometry.spacing[axis] for axis in axes]
    diagonal = hypot(*(case.shape[axis] * step for axis, step in zip(axes, spacing, strict=True)))
    counts = [np.bincount(labels[labels != IGNORE], minlength=n_classes)[1:n_classes] for labels in case.ratings.values()]
    size = np.array(counts, np.float64).reshape(len(counts), n_classes - 1) * prod(spacing)
    unit_ball = {1: 2.0, 2: pi, 3: 4 * pi / 3}[len(axes)]
    radii = np.where(size > 0, (size / unit_ball) ** (1 / len(axes)), np.nan)
    return Look(case.id, agreement(case), len(case.shape), diagonal, radii)


def sizes(looks: Sequence[Look], classes: Sequence[str]) -> dict[str, Any]:
    """The smallest image and the usual object of each class, as plain values that a plan can keep.

    ``diagonal`` is that of the smallest image, ``case`` its name; ``radius`` maps a class to the median over ratings.
    """
    smallest = min(looks, key=lambda look: look.diagonal)
    radii = np.concatenate([look.radii for look in looks])
    usual = {name: float(np.nanmedian(r)) for name, r in zip(classes[1:], radii.T, strict=True) if np.isfinite(r).any()}
    return {"case": smallest.case, "diagonal": smallest.diagonal, "radius": usual}


def tolerance_warnings(experiment: Experiment, facts: dict[str, Any]) -> list[str]:
    """A sentence for each tolerance of surface Dice that is so large that it tells nothing; none where it is not measured.

    There are two limits: (1) half the diagonal of the smallest image, because few masks are that far apart; (2) the radius of a
    disc (or ball) as large as what a rater usually marks of a class, because all of it is then within the tolerance of its
    surface.
    """
    tolerances = [metric.tolerance for metric in build_metrics(experiment) if isinstance(metric, SurfaceDice)]
    return [said for tolerance in tolerances for said in _tolerance_warnings(tolerance, facts)]


def samples_warnings(experiment: Experiment) -> list[str]:
    """A sentence where metrics of samples are measured, and none are drawn."""
    named = [metric.name for metric in build_metrics(experiment) if isinstance(metric, SampleMetric)]
    if not named or experiment.samples:
        return []
    return [
        f"no samples are drawn (samples = 0), so that {', '.join(named)} takes one segmentation of each method, the labels of "
        "its mean, also of those that could draw more: set samples = 16."
    ]


def _tolerance_warnings(tolerance: float, facts: dict[str, Any]) -> list[str]:
    symbol, found = UNIT_SYMBOLS[facts["unit"]], facts["sizes"]
    said = f"the tolerance of surface dice, {tolerance:g} {symbol}, is"
    mend = "set it to what raters may differ by, or check the spacing of the images"
    if tolerance >= found["diagonal"] / 2:
        return [
            f"{said} at least half the diagonal of the smallest image (case {found['case']!r}, {found['diagonal']:.3g} "
            f"{symbol}), so that masks far apart have a surface Dice of 1: {mend}."
        ]
    small = [f"{name!r} ({radius:.2g} {symbol})" for name, radius in found["radius"].items() if tolerance >= radius]
    if small:
        return [
            f"{said} at least the radius of what raters usually mark of {', '.join(small)}, so that masks without a common "
            f"voxel can have a surface Dice of 1: {mend}."
        ]
    return []
