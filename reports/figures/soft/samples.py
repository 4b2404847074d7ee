"""Segmentations that candidates sample for a case, beside what its raters drew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from ....benchmark.store.picture_cases import PictureCase
from ....datasets.base import IGNORE, Labels
from ....voxel_counts import Doubles, dice_from_counts, ratio
from ...analysis import Analysis
from .. import palette, style
from ..mosaic import Box, Mosaic
from ..views import view

CASES, SHOWN = 2, 5
"""Cases that are shown, and samples of a candidate beside each other."""
LEFT, TOP, BOTTOM, GAP = 26.0, 6.0, 7.0, 1.2
"""Room in mm for the names of candidates, the titles, the legend, and between panels."""
STRENGTH = 0.38
"""Of a class's colour over the image."""


class Row(NamedTuple):
    """Some samples [n, *S] of a candidate, those nearest to the raters first, and the soft Dice [n] of each with their mean."""

    name: str
    samples: Labels
    dices: Doubles
    drawn: int


def samples(analysis: Analysis) -> list[style.Plot]:
    """A figure for each of at most two kept cases; empty if no candidate draws samples."""
    plots, n_classes = [], len(analysis.classes) + 1
    for number, case in enumerate([case for case in analysis.results.pictures if case.samples and case.ratings][:CASES]):
        names = [name for name in analysis.candidates if name in case.samples]
        most = int((style.TALLEST - TOP - BOTTOM) / (_height(case) + GAP))
        rows = [_row(case, name, n_classes) for name in names[:most]]
        name = "samples" if number == 0 else f"samples-{number + 1}"
        caption = _caption(case, rows, names[most:])
        plots.append(style.Plot(name, f"Samples for {case.id}", _draw(case, rows, analysis.classes), caption, _alt(case, rows)))
    return plots


def class_shares(labels: Labels, n_classes: int) -> Doubles:
    """Of n segmentations [n, *S] the share of those who judged a voxel that gives each class, [K, *S]; NaN where nobody did."""
    counts = np.stack([(labels == k).sum(axis=0) for k in range(n_classes)])
    return ratio(counts, np.broadcast_to(counts.sum(axis=0), counts.shape))


def dice_with_mean(drawn: Labels, shares: Doubles) -> Doubles:
    """2 sum min(s, m) / (sum s + sum m) over foreground classes and judged voxels: samples s [n, *S], shares m [K, *S]."""
    judged, mean = ~np.isnan(shares[0]), np.nan_to_num(shares)
    both, predicted = np.zeros(len(drawn)), np.zeros(len(drawn))
    for k in range(1, len(shares)):
        here = (drawn == k) & judged
        both += (here * mean[k]).reshape(len(drawn), -1).sum(axis=1)
        predicted += here.reshape(len(drawn), -1).sum(axis=1)
    return dice_from_counts(both, predicted, mean[1:].sum())


def _row(case: PictureCase, name: str, n_classes: int) -> Row:
    drawn = case.samples[name]
    dices = dice_with_mean(drawn, class_shares(np.stack(list(case.ratings.values())), n_classes))
    order = np.argsort(-dices, kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, min(len(order), SHOWN)).round().astype(int))]
    return Row(name, drawn[chosen], dices[chosen], len(drawn))


def _width() -> float:
    return (style.DOUBLE - LEFT) / (SHOWN + 2) - GAP


def _height(case: PictureCase) -> float:
    height, width = case.image[view(case)].shape
    return float(np.clip(height / width, 0.4, 1.6)) * _width()


def _draw(case: PictureCase, rows: Sequence[Row], classes: Sequence[str]) -> Figure:
    where, height = view(case), _height(case)
    image, n_classes = case.image[where], len(classes) + 1
    total = TOP + BOTTOM + len(rows) * (height + GAP)
    mosaic = Mosaic(style.DOUBLE, total)
    titles = ["Image", "Raters", "Nearest", *[""] * (SHOWN - 2), "Farthest"]
    for number, row in enumerate(rows):
        low = total - TOP - (number + 1) * (height + GAP) + GAP
        label = style.wrapped(row.name, 13, 4)
        mosaic.axes.text(LEFT - 1.5, low + height / 2, label, ha="right", va="center", fontweight="bold", linespacing=1.1)
        boxes: list[Box] = [(LEFT + place * (_width() + GAP), low, _width(), height) for place in range(SHOWN + 2)]
        if number == 0:
            for box, title in zip(boxes, titles, strict=True):
                mosaic.text(box, title, (0.5, 1 + 1.2 / height), va="baseline")
        _show(mosaic, boxes[0], image, None, n_classes)
        _show(mosaic, boxes[1], image, None, n_classes)
        for labels in case.ratings.values():
            _outline(mosaic, boxes[1], labels[where], n_classes)
        for box, labels, dice in zip(boxes[2:], row.samples, row.dices, strict=False):
            _show(mosaic, box, image, labels[where], n_classes)
            edge = [withStroke(linewidth=2, foreground="black")]
            how = {"color": "white", "ha": "left", "va": "bottom", "zorder": 6, "path_effects": edge}
            mosaic.text(box, f"{dice:.2f}", (0.03, 0.03), **how)
    figure = mosaic.finish(width=0.7)
    colours = [palette.CLASS_COLOURS[k % len(palette.CLASS_COLOURS)] for k in range(len(classes))]
    patches = [Patch(color=c, label=style.wrapped(name, 24, 1)) for c, name in zip(colours, classes, strict=True)]
    figure.legend(handles=patches, loc="lower left", ncols=min(len(patches), 5), bbox_to_anchor=(LEFT / style.DOUBLE, 0.0),
                  borderaxespad=0.3, handlelength=1.2)  # fmt: skip
    return figure


def _show(mosaic: Mosaic, box: Box, image: npt.NDArray[np.float32], labels: Labels | None, n_classes: int) -> None:
    """The image, under the coloured classes of a segmentation."""
    picture = np.repeat(np.clip(image, 0, 1)[..., None], 3, axis=2).astype(np.float32)
    if labels is not None:
        for k in range(1, n_classes):
            share = STRENGTH * (labels == k)[..., None]
            colour = np.array(to_rgb(palette.CLASS_COLOURS[(k - 1) % len(palette.CLASS_COLOURS)]), np.float32)
            picture = ((1 - share) * picture + share * colour).astype(np.float32)
        _outline(mosaic, box, labels, n_classes)
    mosaic.image(picture, box)


def _outline(mosaic: Mosaic, box: Box, labels: Labels, n_classes: int) -> None:
    """The outline of each class; unjudged voxels count as background."""
    labels = np.where(labels == IGNORE, 0, labels).astype(np.uint8)
    for k in range(1, n_classes):
        mosaic.outline(labels == k, box, palette.CLASS_COLOURS[(k - 1) % len(palette.CLASS_COLOURS)])


def _caption(case: PictureCase, rows: Sequence[Row], left_out: Sequence[str]) -> str:
    numbers = sorted({row.drawn for row in rows})
    several = f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
    text = f"Case {case.id}" + (f", {case.why}" if case.why else "") + ", first repeat: the image, the outlines of all "
    text += f"{len(case.ratings)} raters, and samples of each candidate. Samples stand in the order of their soft Dice with "
    text += "the raters’ mean, which is the number: the nearest at the left, the farthest at the right"
    text += f", at most {SHOWN} of {several} in equal steps of that order." if numbers[-1] > SHOWN else "."
    text += " Raters who disagree leave no sample a Dice of 1."
    if case.image.ndim > 2:
        text += " Of a volume the slice on which raters disagree on most voxels; the Dice is that of the volume."
    if left_out:
        text += f" Not shown for lack of space: {', '.join(left_out)}."
    return text + " The view is cut to the surroundings of what the raters drew."


def _alt(case: PictureCase, rows: Sequence[Row]) -> str:
    parts = [f"{row.name}: {row.dices[0]:.2f} to {row.dices[-1]:.2f}" for row in rows]
    return f"Samples for case {case.id}; soft Dice with the raters’ mean, nearest to farthest sample: {'; '.join(parts)}."
