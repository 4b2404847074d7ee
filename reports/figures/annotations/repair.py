"""Annotations before and after their repair: what was added, what was removed, and what is still missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ....benchmark.store.picture_cases import PictureCase
from ....datasets.base import IGNORE
from ...analysis import Analysis
from .. import style
from ..mosaic import Box, Mosaic
from ..views import view

Mask = npt.NDArray[np.bool_]

CASES, ACROSS = 4, 7
"""Cases that are shown, and panels beside each other."""
KEPT, ADDED, REMOVED, MISSED = "#F5B800", "#4FE0A8", "#FF6B9D", "#3FB8FF"
"""Marked before and after; marked by the repair; unmarked by it; unmarked after it, but an object in better labels."""
MEANINGS = ((KEPT, "annotated, and kept"), (ADDED, "added"), (REMOVED, "removed"), (MISSED, "missed"))
GAP, TITLE, NAME, LEGEND = 1.2, 8.5, 8.0, 6.0
"""Lengths in mm: between panels, the titles above them, a case's name at the left, the legend."""
STRENGTH = 0.55
"""Of a colour over the image."""


@dataclass(frozen=True, eq=False)
class _Panel:
    """One picture [h, w]: coloured ``areas`` over the image, and the ``outline`` of better labels."""

    title: str
    areas: Sequence[tuple[str, Mask]] = ()
    outline: Mask | None = None


def repair(analysis: Analysis) -> style.Plot | None:
    """Some kept cases, each with its cheap annotation, that annotation as each candidate repaired it, and better labels."""
    cases = [case for case in analysis.results.pictures if case.repaired][:CASES]
    if not cases:
        return None
    names = [name for name in analysis.candidates if any(name in case.repaired for case in cases)]
    rater = next(iter(next(iter(cases[0].repaired.values()))))
    cases = [case for case in cases if rater in case.ratings]
    shown = names[: ACROSS - 3]
    figure = _draw([(case, _panels(case, rater, shown)) for case in cases])
    text = (
        f"Cases of the first repeat: the image, the annotation of {rater}, that annotation as a candidate repaired it, and "
        f"{_better_words(cases[0], rater)}, whose outline is white everywhere. Nothing is learned from these cases. "
        "Of many small objects those are shown on which raters disagree."
    )
    if left_out := names[len(shown) :]:
        text += f" Not shown for lack of space: {', '.join(left_out)}."
    alt = f"Annotations of {', '.join(case.id for case in cases)} before and after repair by {', '.join(shown)}."
    return style.Plot("repair", "What does the repair change?", figure, text, alt)


def _panels(case: PictureCase, rater: str, names: Sequence[str]) -> list[_Panel]:
    where = view(case)
    given, better = case.ratings[rater][where] == 1, _better(case, rater)[where] == 1
    panels = [_Panel("Image"), _Panel(rater, [(KEPT, given), (MISSED, better & ~given)], better)]
    for name in names:
        labels = case.repaired.get(name, {}).get(rater)
        if labels is None:
            panels.append(_Panel(name))
            continue
        after = labels[where] == 1
        areas = [(KEPT, given & after), (ADDED, after & ~given), (REMOVED, given & ~after)]
        panels.append(_Panel(name, [*areas, (MISSED, better & ~after & ~given)], better))
    return [*panels, _Panel(_better_words(case, rater)[0].upper() + _better_words(case, rater)[1:], [(KEPT, better)], better)]


def _better(case: PictureCase, rater: str) -> npt.NDArray[np.uint8]:
    """The truth, or else the majority of the other raters; half of them are enough."""
    if case.truth is not None:
        return case.truth
    others = np.stack([labels for name, labels in case.ratings.items() if name != rater] or [case.ratings[rater]])
    judged = (others != IGNORE).sum(axis=0)
    return np.asarray(2 * (others == 1).sum(axis=0) >= np.maximum(judged, 1), np.uint8)


def _better_words(case: PictureCase, rater: str) -> str:
    if case.truth is not None:
        return "the truth"
    others = [name for name in case.ratings if name != rater]
    return others[0] if len(others) == 1 else "the majority of the others"


def _draw(strips: Sequence[tuple[PictureCase, Sequence[_Panel]]]) -> Figure:
    cell = (style.DOUBLE - NAME) / ACROSS
    heights = [cell * float(np.clip(np.divide(*case.image[view(case)].shape), 0.4, 1.6)) for case, _ in strips]
    total = LEGEND + TITLE + sum(heights) + GAP * len(strips)
    mosaic = Mosaic(NAME + cell * max(len(panels) for _, panels in strips), total)
    top = total - LEGEND - TITLE
    for number, ((case, panels), height) in enumerate(zip(strips, heights, strict=True)):
        image = case.image[view(case)]
        for place, panel in enumerate(panels):
            box = (NAME + place * cell + GAP / 2, top - height, cell - GAP, height)
            if number == 0:
                mosaic.text(box, style.wrapped(panel.title, 13), (0.5, 1 + 1.2 / height), va="baseline")
            _show(mosaic, box, image, panel)
        mosaic.axes.text(0.8, top, style.wrapped(case.id, 12, 2), rotation=90, va="top", ha="left", fontweight="bold")
        top -= height + GAP
    figure = mosaic.finish(width=0.7)
    patches = [Patch(color=colour, label=meaning) for colour, meaning in MEANINGS]
    figure.legend(handles=patches, loc="upper left", ncols=4, bbox_to_anchor=(NAME / mosaic.width, 1.0), borderaxespad=0.3,
                  handlelength=1.2)  # fmt: skip
    return figure


def _show(mosaic: Mosaic, box: Box, image: npt.NDArray[np.float32], panel: _Panel) -> None:
    picture = np.repeat(np.clip(image, 0, 1)[..., None], 3, axis=2).astype(np.float32)
    for colour, area in panel.areas:
        share = STRENGTH * area[..., None]
        picture = ((1 - share) * picture + share * np.array(to_rgb(colour), np.float32)).astype(np.float32)
    mosaic.image(picture, box)
    if panel.outline is not None:
        mosaic.outline(panel.outline, box, "#FFFFFF")
