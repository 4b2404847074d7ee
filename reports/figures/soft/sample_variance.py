"""Where the samples of a candidate differ, beside where the raters do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from ....benchmark.store.picture_cases import PictureCase
from ....datasets.base import Labels
from ....voxel_counts import Doubles
from ...analysis import Analysis
from .. import palette, style
from ..mosaic import Box, Mosaic
from ..views import view
from .samples import class_shares

CASES, ACROSS = 4, 7
"""Cases that are shown, and panels beside each other."""
LEFT, TOP, BOTTOM, GAP = 8.0, 9.0, 14.0, 1.2
"""Room in mm for the names of cases, the titles, the colour scale, and between panels."""
SCALE = "cividis"


def sample_variance(analysis: Analysis) -> style.Plot | None:
    """Some kept cases: the image, the variance of the raters' labels, and that of each candidate's samples; or None."""
    cases = [case for case in analysis.results.pictures if case.samples and case.ratings][:CASES]
    if not cases:
        return None
    found = [name for name in analysis.candidates if any(name in case.samples for case in cases)]
    names, left_out = found[: ACROSS - 2], found[ACROSS - 2 :]
    n_classes = len(analysis.classes) + 1
    while len(cases) > 1 and _total(cases) > style.TALLEST:
        cases = cases[:-1]
    variances = [_variances(case, names, n_classes) for case in cases]
    text = (
        "Cases of the first repeat: the image, how much the raters’ labels differ at each voxel, and how much the samples of "
        "each candidate do, on one scale. The variance is 1 − Σ p², p the share of raters (or samples) that give a voxel each "
        f"class: 0 where all give the same, {_most(n_classes):.2g} where each class has the same share. A few raters give a "
        "map of few values. White: nobody judged."
    )
    if any(case.image.ndim > 2 for case in cases):
        text += " Of volumes the slice on which raters disagree on most voxels."
    if left_out:
        text += f" Not shown for lack of space: {', '.join(left_out)}."
    figure = _draw(cases, variances, names, n_classes)
    return style.Plot("sample-variance", "Do samples vary where raters disagree?", figure, text, _alt(cases, variances))


def label_variance(labels: Labels, n_classes: int) -> Doubles:
    """1 - sum over classes of the squared share of n segmentations [n, *S]: [*S], NaN where nobody judged.

    It is the sum over classes of the variance of the one-hot labels, and the probability that two of them, drawn with
    replacement, differ.
    """
    return np.asarray(1 - np.square(class_shares(labels, n_classes)).sum(axis=0))


def _most(n_classes: int) -> float:
    """The largest variance that labels of so many classes can have."""
    return 1 - 1 / n_classes


def _variances(case: PictureCase, names: Sequence[str], n_classes: int) -> dict[str, Doubles]:
    """The variance [*S] of the raters, under the empty name, and of each candidate's samples."""
    drawn = {"": np.stack(list(case.ratings.values())), **{name: case.samples[name] for name in names if name in case.samples}}
    return {name: label_variance(labels, n_classes) for name, labels in drawn.items()}


def _width() -> float:
    return (style.DOUBLE - LEFT) / ACROSS - GAP


def _height(case: PictureCase) -> float:
    height, width = case.image[view(case)].shape
    return float(np.clip(height / width, 0.4, 1.6)) * _width()


def _total(cases: Sequence[PictureCase]) -> float:
    return TOP + BOTTOM + sum(_height(case) + GAP for case in cases)


def _draw(
    cases: Sequence[PictureCase], variances: Sequence[dict[str, Doubles]], names: Sequence[str], n_classes: int
) -> Figure:
    total = _total(cases)
    across = max(LEFT + (len(names) + 2) * (_width() + GAP), 80.0)
    mosaic = Mosaic(across, total)
    top = total - TOP
    for number, (case, found) in enumerate(zip(cases, variances, strict=True)):
        height, where = _height(case), view(case)
        lefts = [LEFT + place * (_width() + GAP) for place in range(len(names) + 2)]
        boxes: list[Box] = [(left, top - height, _width(), height) for left in lefts]
        if number == 0:
            for box, title in zip(boxes, ("Image", "Raters", *names), strict=True):
                mosaic.text(box, style.wrapped(title, 13), (0.5, 1 + 1.2 / height), va="baseline")
        mosaic.image(case.image[where], boxes[0], cmap="gray", vmin=0, vmax=1)
        for box, name in zip(boxes[1:], ("", *names), strict=True):
            if name in found:
                mosaic.image(found[name][where], box, cmap=SCALE, vmin=0, vmax=_most(n_classes))
            else:
                mosaic.text(box, "no\nsamples", linespacing=1.2)
        mosaic.axes.text(0.8, top, style.wrapped(case.id, 12, 2), rotation=90, va="top", ha="left", fontweight="bold")
        top -= height + GAP
    figure = mosaic.finish()
    _scale(figure, across, total, n_classes)
    return figure


def _scale(figure: Figure, across: float, total: float, n_classes: int) -> None:
    """The colour scale below the panels."""
    most = _most(n_classes)
    axes = figure.add_axes((LEFT / across, 9.0 / total, 44 / across, 2.6 / total))
    # A colour bar of matplotlib's own is hundreds of areas, with seams between them in some programs.
    axes.imshow(np.linspace(0, 1, 256)[None], cmap=SCALE, extent=(0, most, 0, 1), aspect="auto", interpolation="none")
    axes.set(xticks=[0, most / 2, most], yticks=[])
    axes.set_xticklabels([f"{tick:.2g}" for tick in (0, most / 2, most)])
    axes.spines[:].set(visible=True, color=palette.MUTED)
    axes.set_xlabel("Variance of the labels at a voxel", labelpad=1)


def _alt(cases: Sequence[PictureCase], variances: Sequence[dict[str, Doubles]]) -> str:
    parts = []
    for case, found in zip(cases, variances, strict=True):
        means = [f"{name or 'raters'} {np.nanmean(values):.3f}" for name, values in found.items()]
        parts.append(f"{case.id}: {', '.join(means)}")
    return f"Maps of the variance of labels over raters and over samples; means over the image, {'; '.join(parts)}."
