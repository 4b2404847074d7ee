"""How predictions come about: one validation slice after some epochs of each candidate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from ....methods.fit_report import EpochPictures
from ...analysis import Analysis
from .. import palette, style
from ..mosaic import Box, Mosaic
from ..views import surroundings

COLUMNS = 7
"""Most epochs that are shown, the best not counted: there is no room for more."""
SCALE = "cividis"
LEFT, TOP, BOTTOM, GAP = 24.0, 5.5, 12.0, 1.2
"""Room in mm for the names of candidates, the epochs, the colour scale, and between panels."""
DRAWN = 128
"""A voxel is part of the object in the view from this prediction on, of 255."""


def by_epoch(analysis: Analysis) -> style.Plot | None:
    """A row for each candidate, first repeat and fold that any has; None if no training kept predictions."""
    kept = analysis.results.by_epoch
    if not kept:
        return None
    place = min((repeat, fold) for _, repeat, fold in kept)
    found = {c: kept[c, *place] for c in analysis.candidates if (c, *place) in kept}
    epochs = _shared_epochs(found)
    width = (style.DOUBLE - LEFT) / (COLUMNS + 2) - GAP
    heights = {name: width * float(np.clip(one.image.shape[0] / one.image.shape[1], 0.4, 1.6)) for name, one in found.items()}
    names, room = [], style.TALLEST - TOP - BOTTOM
    for name in found:
        room -= heights[name] + GAP
        if room >= 0:
            names.append(name)
    left_out = [name for name in found if name not in names]
    figure = _draw({name: found[name] for name in names}, heights, epochs, width)
    caption = _caption(place, left_out)
    return style.Plot("by-epoch", "Predictions by epoch", figure, caption, _alt(found, epochs))


def _shared_epochs(found: Mapping[str, EpochPictures]) -> Sequence[int]:
    """All epochs that were kept of any candidate, the best not counted: at most ``COLUMNS``, evenly from first to last."""
    epochs = sorted({epoch for one in found.values() for epoch in one.epochs[:-1]})
    places = np.unique(np.linspace(0, len(epochs) - 1, min(len(epochs), COLUMNS)).round().astype(int))
    return [epochs[place] for place in places]


def _draw(found: Mapping[str, EpochPictures], heights: Mapping[str, float], epochs: Sequence[int], width: float) -> Figure:
    total = TOP + BOTTOM + sum(heights[name] + GAP for name in found)
    mosaic = Mosaic(LEFT + (len(epochs) + 2) * (width + GAP), total)
    low = total - TOP + GAP
    for row, (name, one) in enumerate(found.items()):
        low -= heights[name] + GAP
        boxes = [(LEFT + place * (width + GAP), low, width, heights[name]) for place in range(len(epochs) + 2)]
        label = style.wrapped(name, 12, 4)
        mosaic.axes.text(
            LEFT - 1.5, low + heights[name] / 2, label, ha="right", va="center", fontweight="bold", linespacing=1.1
        )
        if row == 0:
            for box, words in zip(boxes, ["Image", *(f"Epoch {epoch + 1}" for epoch in epochs), "Best"], strict=True):
                mosaic.text(box, words, (0.5, 1 + 1.2 / box[3]), va="baseline")
        alike = [other.foreground[-1] for other in found.values() if np.array_equal(other.image, one.image)]
        _row(mosaic, boxes, one, epochs, surroundings(np.max(alike, axis=0) >= DRAWN))
    figure = mosaic.finish()
    axes = figure.add_axes((LEFT / mosaic.width, 6.5 / total, 30 / mosaic.width, 2.6 / total))
    bar = figure.colorbar(ScalarMappable(Normalize(0, 1), SCALE), cax=axes, orientation="horizontal", ticks=[0, 0.5, 1])
    bar.ax.text(1.12, 0.5, "Predicted foreground", transform=bar.ax.transAxes, va="center")
    return figure


def _row(mosaic: Mosaic, boxes: Sequence[Box], one: EpochPictures, epochs: Sequence[int], view: Sequence[slice]) -> None:
    """The image, what was predicted after each of the epochs, and after the best one."""
    rows, columns = view
    mosaic.image(one.image[rows, columns], boxes[0], cmap="gray", vmin=0, vmax=255)
    maps = dict(zip(one.epochs[:-1], one.foreground[:-1], strict=True))
    for epoch, box in zip(epochs, boxes[1:-1], strict=True):
        if epoch in maps:
            mosaic.image(maps[epoch][rows, columns], box, cmap=SCALE, vmin=0, vmax=255)
        else:
            mosaic.axes.add_patch(Rectangle(box[:2], *box[2:], color=palette.FAINT, linewidth=0))
            mosaic.text(box, "stopped")
    mosaic.image(one.foreground[-1][rows, columns], boxes[-1], cmap=SCALE, vmin=0, vmax=255)
    edge = [withStroke(linewidth=2, foreground="black")]
    words = f"epoch {one.epochs[-1] + 1}"
    mosaic.text(boxes[-1], words, (0.04, 0.04), color="white", ha="left", va="bottom", zorder=6, path_effects=edge)


def _caption(place: tuple[int, int], left_out: Sequence[str]) -> str:
    text = (
        f"n = 1 validation slice, the middle one of the first validation case of repeat {place[0] + 1}, fold {place[1] + 1}: "
        "predicted probability that a voxel is not background, after some epochs and after the best one, whose weights are "
        "used (its number is in the panel). The view is cut to the surroundings of what is predicted in the end. Stopped: "
        "training had ended before."
    )
    if left_out:
        text += f" Not shown for lack of space: {', '.join(left_out)}."
    return text


def _alt(found: Mapping[str, EpochPictures], epochs: Sequence[int]) -> str:
    best = ", ".join(f"{name} epoch {one.epochs[-1] + 1}" for name, one in found.items())
    after = ", ".join(str(epoch + 1) for epoch in epochs)
    return f"Predictions of one validation slice after epochs {after} and after the best epoch of each candidate: {best}."
