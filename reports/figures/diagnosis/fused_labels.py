"""The fused labels of each candidate on the same cases, one of each diagnosis, beside the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ....benchmark.statistics.diagnosis.comparison import CIRCULAR
from ....benchmark.store.diagnoses import FusedPicture
from ....benchmark.store.picture_cases import PictureCase
from ....datasets.base import IGNORE
from ...analysis import Analysis
from .. import palette, style
from ..mosaic import Box, Mosaic
from ..views import view

FEWEST, MOST = 7, 8
"""Panels that a line has room for, and the most that are put into one."""
NAME, GAP, TITLE, LEGEND = 8.0, 1.2, 10.0, 7.0
"""Lengths in mm: a case's name at the left, between panels, the titles above them, the legend."""
STRENGTH = 0.5
"""Of a colour over the image."""
TRUTH = "#FFFFFF"
Where = tuple[int | slice, ...]


@dataclass(frozen=True, eq=False)
class Labels:
    """One panel of a case: labels [h, w] under a title; None is the bare image."""

    title: str
    labels: npt.NDArray[np.uint8] | None


def fused_labels(analysis: Analysis) -> style.Plot | None:
    """The first test case of each diagnosis in the first fold; None where no fused labels were diagnosed."""
    cases = shared_cases(analysis)
    if not cases:
        return None
    who = " and ".join(f"{case.case} ({case.diagnosis})" for case in cases)
    panels = {case.case: _panels(analysis, case) for case in cases}
    text = (
        f"Test cases of the first fold, the first of each diagnosis: {who}. The image, the labels of "
        "each candidate’s fusion, and the truth where it is known, whose outline is white everywhere. A fusion that uses the "
        "diagnosis was given that of the case. Below the name of such a candidate stands the control: as published its network "
        "learned from the training cases that it fused, cross-fitted from others. The view is cut to what the raters drew."
    )
    alt = f"Fused labels of {', '.join(panels)} by {', '.join(dict.fromkeys(p.title for p in panels[cases[0].case][1:]))}."
    return style.Plot("fused-labels", "What do the fusions make of the same case?", _draw(analysis, cases, panels), text, alt)


def shared_cases(analysis: Analysis) -> list[FusedPicture]:
    """The pictures of the first candidate that has some; other candidates have the same cases."""
    stored = analysis.results.fused_pictures
    return list(next((stored[name] for name in analysis.candidates if name in stored), ()))


def picture_case(picture: FusedPicture) -> PictureCase:
    """The case without what was made of it."""
    image = np.divide(picture.image, 255, dtype=np.float32)
    return PictureCase(picture.case, "", image, dict(zip(picture.raters, picture.ratings, strict=True)), picture.truth)


def _panels(analysis: Analysis, case: FusedPicture) -> list[Labels]:
    panels = [Labels("Image", None)]
    for name in analysis.candidates:
        mine = [picture for picture in analysis.results.fused_pictures.get(name, ()) if picture.case == case.case]
        for picture in mine:
            several = CIRCULAR in picture.controls
            for control, labels in zip(picture.controls, picture.labels, strict=True):
                panels.append(
                    Labels(f"{style.wrapped(name, 14, 2)}\n{control}" if several else style.wrapped(name, 14), labels)
                )
    return panels if case.truth is None else [*panels, Labels("Truth", case.truth)]


def _draw(analysis: Analysis, cases: Sequence[FusedPicture], panels: dict[str, list[Labels]]) -> Figure:
    across = style.columns_for(max(map(len, panels.values())), MOST)
    cell = (style.DOUBLE - NAME) / max(across, FEWEST)
    strips = []
    for case in cases:
        drawn, mine = picture_case(case), panels[case.case]
        where = view(drawn)
        height = cell * float(np.clip(np.divide(*drawn.image[where].shape), 0.4, 1.6)) - GAP
        lines = [mine[i : i + across] for i in range(0, len(mine), across)]
        strips += [(case, drawn, where, height, line, number == 0) for number, line in enumerate(lines)]
    total = LEGEND + sum(TITLE + height + GAP for _, _, _, height, _, _ in strips)
    widest = max(len(line) for *_, line, _ in strips)
    mosaic = Mosaic(NAME + cell * max(widest, 3), total)
    top = total - LEGEND
    for case, drawn, where, height, line, first in strips:
        for place, panel in enumerate(line):
            box = (NAME + place * cell + GAP / 2, top - TITLE - height, cell - GAP, height)
            _show(mosaic, box, drawn, where, panel)
        if first:
            words = style.wrapped(f"{case.diagnosis}: {case.case}", 20, 2)
            # From the panels' lower edge, so that a long name has the height of the titles, too.
            mosaic.axes.text(0.8, top - TITLE - height, words, rotation=90, va="bottom", ha="left", fontweight="bold")
        top -= TITLE + height + GAP
    figure = mosaic.finish()
    colours = (palette.CLASS_COLOURS[k % len(palette.CLASS_COLOURS)] for k in range(len(analysis.classes)))
    handles: list[Patch | Line2D] = [Patch(color=c, label=name) for c, name in zip(colours, analysis.classes, strict=True)]
    if cases[0].truth is not None:
        handles.append(Line2D([], [], color="#BBBBBB", label="outline of the truth"))
    figure.legend(handles=handles, loc="upper left", ncols=min(len(handles), 5), borderaxespad=0.3, handlelength=1.2,
                  bbox_to_anchor=(NAME / mosaic.width, 1.0))  # fmt: skip
    return figure


def _show(mosaic: Mosaic, box: Box, case: PictureCase, where: Where, panel: Labels) -> None:
    picture = np.repeat(np.clip(case.image[where], 0, 1)[..., None], 3, axis=2).astype(np.float32)
    mosaic.text(box, panel.title, (0.5, 1 + 1.2 / box[3]), va="baseline")
    if panel.labels is not None:
        labels = panel.labels[where]
        for k in range(1, int(labels[labels != IGNORE].max(initial=0)) + 1):
            colour = np.array(to_rgb(palette.CLASS_COLOURS[(k - 1) % len(palette.CLASS_COLOURS)]), np.float32)
            picture[labels == k] = (1 - STRENGTH) * picture[labels == k] + STRENGTH * colour
        if case.truth is not None:
            outline_labels(mosaic, box, case.truth[where], TRUTH)
    mosaic.image(picture, box)


def outline_labels(mosaic: Mosaic, box: Box, labels: npt.NDArray[np.uint8], colour: str) -> None:
    """The outline of each class, which holds those above it; unjudged voxels count as background."""
    labels = np.where(labels == IGNORE, 0, labels)
    for k in range(1, int(labels.max(initial=0)) + 1):
        mosaic.outline(labels >= k, box, colour)
