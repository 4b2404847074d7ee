"""Maps of each rater's reliability as a candidate estimates it, with the outlines of ratings and consensus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from ....benchmark.store.picture_cases import PictureCase
from ....datasets.base import IGNORE
from ...analysis import Analysis
from .. import palette, style
from ..mosaic import Box, Mosaic
from ..views import view

CASES, RATERS = 2, 6
"""Cases that are shown, and raters beside each other in one figure."""
SCALE = "cividis"
RATING, CONSENSUS = "#FFFFFF", "#FF4FA3"
"""Outlines: of the rater's own rating, and of the truth or the majority; a dark edge lets them be seen on all of the scale."""
LEFT, TOP, BOTTOM, GAP = 24.0, 8.5, 17.0, 1.2
KEY = 92.0
"""Room in mm for the names of candidates, the names of raters, the legend (and its width), and between panels."""


@dataclass(frozen=True, eq=False)
class _Page:
    """One figure: a case cut to its ``where``, the candidates that have maps of it, and some of the raters."""

    case: PictureCase
    where: tuple[int | slice, ...]
    names: Sequence[str]
    raters: Sequence[str]


def reliability_maps(analysis: Analysis) -> list[style.Plot]:
    """A figure for each of at most two kept cases (and more where there are many raters); empty if nobody has maps."""
    cases = [case for case in analysis.results.pictures if case.reliability][:CASES]
    pages = []
    for case in cases:
        names = [c for c in analysis.candidates if c in case.reliability]
        order = dict.fromkeys(r for name in names for r in case.reliability[name])
        raters = [r for r in analysis.results.facts["raters"] if r in order]
        where = view(case)
        most = int((style.TALLEST - TOP - BOTTOM) / (_cell(case, where) + GAP))
        groups = [raters[i : i + RATERS] for i in range(0, len(raters), RATERS)]
        pages += [(_Page(case, where, names[:most], group), names[most:]) for group in groups]
    plots = []
    for number, (page, left_out) in enumerate(pages):
        name = "reliability-maps" if number == 0 else f"reliability-maps-{number + 1}"
        part = f" ({number + 1} of {len(pages)})" if len(pages) > 1 else ""
        plots.append(
            style.Plot(
                name, f"Estimated reliability of the raters{part}", _draw(page), _caption(analysis, page, left_out), _alt(page)
            )
        )
    return plots


def _width() -> float:
    return (style.DOUBLE - LEFT) / (RATERS + 1) - GAP


def _cell(case: PictureCase, where: tuple[int | slice, ...]) -> float:
    height, width = case.image[where].shape
    return float(np.clip(height / width, 0.4, 1.6)) * _width()


def _draw(page: _Page) -> Figure:
    height = _cell(page.case, page.where)
    total = TOP + BOTTOM + len(page.names) * (height + GAP)
    across = LEFT + max(KEY, (len(page.raters) + 1) * (_width() + GAP))
    mosaic = Mosaic(across, total)
    consensus = _consensus(page.case, page.where)
    for row, name in enumerate(page.names):
        low = total - TOP - (row + 1) * (height + GAP) + GAP
        label = style.wrapped(name, 12, 4)
        mosaic.axes.text(LEFT - 1.5, low + height / 2, label, ha="right", va="center", fontweight="bold", linespacing=1.1)
        for place, rater in enumerate(["", *page.raters]):
            box = (LEFT + place * (_width() + GAP), low, _width(), height)
            if row == 0:
                mosaic.text(box, style.wrapped(rater or "Image", 13), (0.5, 1 + 1.2 / height), va="baseline")
            _panel(mosaic, box, page, (name, rater), consensus)
    figure = mosaic.finish(edge=1.8)
    _key(figure, page, across, total)
    return figure


def _panel(mosaic: Mosaic, box: Box, page: _Page, whose: tuple[str, str], consensus: npt.NDArray[np.uint8]) -> None:
    """One map: of what a candidate estimates of a rater (``whose``), or the image where no rater is named."""
    name, rater = whose
    if not rater:
        mosaic.image(page.case.image[page.where], box, cmap="gray", vmin=0, vmax=1)
        _outline(mosaic, box, consensus, CONSENSUS)
        return
    map_ = page.case.reliability[name].get(rater)
    if map_ is None:
        mosaic.axes.add_patch(Rectangle(box[:2], *box[2:], color=palette.FAINT, linewidth=0))
        mosaic.text(box, "never\nseen", linespacing=1.2)
        return
    mosaic.image(map_[page.where], box, cmap=SCALE, vmin=0, vmax=1)
    _outline(mosaic, box, consensus, CONSENSUS)
    rating = page.case.ratings.get(rater)
    if rating is not None:
        _outline(mosaic, box, rating[page.where], RATING)


def _outline(mosaic: Mosaic, box: Box, labels: npt.NDArray[np.uint8], colour: str) -> None:
    """The outline of each class; unjudged voxels count as background."""
    labels = np.where(labels == IGNORE, 0, labels)
    for k in range(1, int(labels.max(initial=0)) + 1):
        mosaic.outline(labels >= k, box, colour)


def _consensus(case: PictureCase, where: tuple[int | slice, ...]) -> npt.NDArray[np.uint8]:
    """The truth where it is known, else the class that most raters drew (the lowest of equals)."""
    if case.truth is not None:
        return np.asarray(case.truth[where])
    drawn = np.stack([labels[where] for labels in case.ratings.values()])
    n_classes = int(drawn[drawn != IGNORE].max(initial=0)) + 1
    votes = np.stack([(drawn == k).sum(axis=0) for k in range(n_classes)])
    return np.asarray(votes.argmax(axis=0), np.uint8)


def _key(figure: Figure, page: _Page, across: float, total: float) -> None:
    """The colour scale and what the lines are, below the panels."""
    box = (LEFT / across, 9.5 / total, 30 / across, 2.6 / total)
    axes = figure.add_axes(box)
    # A colour bar of matplotlib's own is hundreds of areas, with seams between them in some programs.
    axes.imshow(np.linspace(0, 1, 256)[None], cmap=SCALE, extent=(0, 1, 0, 1), aspect="auto", interpolation="none")
    axes.set(xticks=[0, 0.5, 1], yticks=[])
    axes.spines[:].set_visible(True)
    axes.set_xlabel("Reliability", labelpad=1)
    words = "the truth" if page.case.truth is not None else "the raters’ majority"
    edge = [withStroke(linewidth=2.4, foreground=palette.INK)]
    named = ((RATING, "this rater’s rating"), (CONSENSUS, words))
    lines = [Line2D([], [], color=c, label=w, path_effects=edge) for c, w in named]
    figure.legend(
        handles=lines, loc="upper left", bbox_to_anchor=((LEFT + 36) / across, 13 / total), borderaxespad=0.0,
    )  # fmt: skip


def _caption(analysis: Analysis, page: _Page, left_out: Sequence[str]) -> str:
    meaning = _meaning(analysis, page.names)
    text = f"Case {page.case.id}" + (f", {page.case.why}" if page.case.why else "") + ", first repeat. " + " ".join(meaning)
    text += " A rater without an outline did not rate the case."
    if page.case.image.ndim > 2:
        text += " Of a volume the slice on which raters disagree on most voxels."
    if left_out:
        text += f" Not shown for lack of space: {', '.join(left_out)}."
    return text


def _meaning(analysis: Analysis, names: Sequence[str]) -> list[str]:
    """What the maps of each kind of candidate are, in the words that fit it."""
    methods = {c.name: c.method.lower() for c in analysis.results.experiment.candidates}
    estimated = set(analysis.results.confusions["candidate"].unique())
    gates = [n for n in names if "tgce" in methods.get(n, "") and n not in estimated]
    shares = [n for n in names if n in estimated]
    others = [n for n in names if n not in gates and n not in shares]
    kinds = (
        (gates, "a gate that includes or excludes a rater’s votes in the loss; not a graded measure of quality."),
        (shares, "the probability that the rater is right."),
        (others, "the method’s own measure of how reliable the rater is."),
    )
    return [f"{' and '.join(who)}: {what}" for who, what in kinds if who]


def _alt(page: _Page) -> str:
    parts = []
    for name in page.names:
        means = [f"{r} {page.case.reliability[name][r].mean():.2f}" for r in page.raters if r in page.case.reliability[name]]
        parts.append(f"{name}: {', '.join(means) or 'none'}")
    return f"Maps of each rater’s reliability on case {page.case.id}; means: {'; '.join(parts)}."
