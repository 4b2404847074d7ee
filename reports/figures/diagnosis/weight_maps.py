"""How much each rater counted at each voxel in a fusion that weighs voxels, beside the image and the rater's outline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from ....benchmark.store.diagnoses import FusedPicture
from ....datasets.base import IGNORE
from ...analysis import Analysis
from .. import palette, style
from ..mosaic import Mosaic
from ..views import view
from .fused_labels import TRUTH, outline_labels, picture_case

ROWS, RATERS = 8, 6
"""Rows of a figure, one a candidate and case, and raters beside each other."""
SCALE = "cividis"
RATING = "#FF4FA3"
LEFT, TOP, BOTTOM, GAP = 30.0, 8.5, 17.0, 1.2
"""Room in mm for the names at the left, those of raters, the legend, and between panels."""


def weight_maps(analysis: Analysis) -> style.Plot | None:
    """The first test case of each diagnosis in the first fold, for each candidate whose fusion weighs voxels; None without."""
    stored = analysis.results.fused_pictures
    everything = [(name, picture) for name in analysis.candidates for picture in stored.get(name, ())]
    rows = [(name, picture) for name, picture in everything if picture.weights is not None]
    if not rows:
        return None
    left_out = list(dict.fromkeys(name for name, _ in rows[ROWS:]))
    rows = rows[:ROWS]
    text = (
        "The weight of each rater where raters differ; elsewhere, where weights change nothing, the image shows. The weights "
        f"of a voxel sum to 1 over the raters of the case. {_control_words(rows)} Pink: this rater’s labels; white: the "
        "truth, where it is known. Test cases of the first fold, the first of each diagnosis."
    )
    if left_out:
        text += f" Not shown for lack of space: {', '.join(left_out)}."
    said = []
    for name, picture in rows:
        means = ", ".join(f"{rater} {value:.2f}" for rater, value in mean_weights(picture).items())
        said.append(f"{name}, {picture.case} ({picture.diagnosis}): {means}")
    alt = f"Mean weights where raters differ: {'; '.join(said)}."
    return style.Plot("weight-maps", "Which rater counts where?", _draw(rows), text, alt)


def mean_weights(picture: FusedPicture) -> dict[str, float]:
    """The mean weight of each rater over the voxels where raters differ; NaN where they agree everywhere."""
    assert picture.weights is not None
    differ, weights = _differ(picture), picture.weights[_shown(picture)] / 255
    return {r: float(w[differ].mean()) if differ.any() else np.nan for r, w in zip(picture.raters, weights, strict=True)}


def _shown(picture: FusedPicture) -> int:
    """The place of the control that is shown: the cross-fitted one where there is one."""
    return picture.controls.index("cross-fitted") if "cross-fitted" in picture.controls else 0


def _control_words(rows: Sequence[tuple[str, FusedPicture]]) -> str:
    controls = {picture.controls[_shown(picture)] for _, picture in rows}
    return f"The fusion is {' or '.join(sorted(controls))}, and was given the diagnosis of the case."


def _differ(picture: FusedPicture) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Where those who judged differ, [h, w]."""
    judged = picture.ratings != IGNORE
    highest = np.where(judged, picture.ratings, 0).max(axis=0)
    return np.asarray(highest > picture.ratings.min(axis=0))  # IGNORE is above every class.


def _draw(rows: Sequence[tuple[str, FusedPicture]]) -> Figure:
    raters = list(dict.fromkeys(rater for _, picture in rows for rater in picture.raters))[:RATERS]
    width = (style.DOUBLE - LEFT) / (RATERS + 1) - GAP
    drawn = [picture_case(picture) for _, picture in rows]
    views = [view(case) for case in drawn]
    heights = [
        width * float(np.clip(np.divide(*case.image[where].shape), 0.4, 1.6)) for case, where in zip(drawn, views, strict=True)
    ]
    total = TOP + BOTTOM + sum(heights) + GAP * len(rows)
    mosaic = Mosaic(LEFT + (len(raters) + 1) * (width + GAP), total)
    highest = max(float(picture.weights[_shown(picture)].max()) / 255 for _, picture in rows if picture.weights is not None)
    low = total - TOP
    for number, ((name, picture), case, where, height) in enumerate(zip(rows, drawn, views, heights, strict=True)):
        low -= height + GAP
        words = f"{style.wrapped(name, 16, 2)}\n{style.wrapped(picture.diagnosis, 16, 1)}"
        mosaic.axes.text(LEFT - 1.5, low + height / 2, words, ha="right", va="center", fontweight="bold", linespacing=1.1)
        differ = _differ(picture)[where]
        for place, rater in enumerate(["", *raters]):
            box = (LEFT + place * (width + GAP), low, width, height)
            if number == 0:
                mosaic.text(box, style.wrapped(rater or "Image", 13), (0.5, 1 + 1.2 / height), va="baseline")
            if rater and rater not in picture.raters:
                mosaic.text(box, "not\nrated", linespacing=1.2)
                continue
            mosaic.image(case.image[where], box, cmap="gray", vmin=0, vmax=1)
            if rater:
                at = picture.raters.index(rater)
                assert picture.weights is not None
                weights = picture.weights[_shown(picture), at][where] / 255
                shown = np.ma.masked_where(~differ, weights)
                mosaic.image(shown, box, cmap=SCALE, vmin=0, vmax=highest)
                outline_labels(mosaic, box, picture.ratings[at][where], RATING)
            elif picture.truth is not None:
                outline_labels(mosaic, box, picture.truth[where], TRUTH)
    figure = mosaic.finish(edge=1.8)
    _key(figure, mosaic, highest, truth=any(picture.truth is not None for _, picture in rows))
    return figure


def _key(figure: Figure, mosaic: Mosaic, highest: float, *, truth: bool) -> None:
    """The colour scale and what the lines are, below the panels."""
    axes = figure.add_axes((LEFT / mosaic.width, 9.5 / mosaic.height, 30 / mosaic.width, 2.6 / mosaic.height))
    axes.imshow(np.linspace(0, 1, 256)[None], cmap=SCALE, extent=(0, highest, 0, 1), aspect="auto", interpolation="none",
                norm=Normalize(0, 1))  # fmt: skip
    axes.set(xticks=[0, highest / 2, highest], yticks=[])
    axes.set_xticklabels([f"{value:.2f}" for value in (0, highest / 2, highest)])
    axes.spines[:].set_visible(True)
    axes.set_xlabel("Weight", labelpad=1)
    edge = [withStroke(linewidth=2.4, foreground=palette.INK)]
    named = [(RATING, "this rater’s labels"), *([(TRUTH, "the truth")] if truth else [])]
    lines = [Line2D([], [], color=c, label=w, path_effects=edge) for c, w in named]
    place = ((LEFT + 36) / mosaic.width, 13 / mosaic.height)
    figure.legend(handles=lines, loc="upper left", bbox_to_anchor=place, borderaxespad=0.0)
