"""The kept cases as pictures: the image, what every rater drew, the truth, and what every candidate predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from ...benchmark.statistics.subjects import case_values
from ...benchmark.store.picture_cases import PictureCase
from ...datasets.base import IGNORE
from ..analysis import Analysis
from ..tables.wording import words_of
from . import palette, style
from .mosaic import Box, Mosaic, pixel_centres
from .views import view

ACROSS = 7
"""Panels beside each other: narrower ones have no room for a candidate's name."""
LINE, GAP, LABEL, LEGEND = 3.6, 1.2, 8.0, 7.0
"""Heights and widths in mm: a line of a title, the gap between panels, a case's name at the left, the legend."""


@dataclass(frozen=True, eq=False)
class Panel:
    """One small picture; ``probability`` [K, h, w] None shows ``missing`` in words, or the bare image if that is empty.

    ``note`` stands in the lower left corner.
    """

    title: str
    probability: npt.NDArray[np.float32] | None
    judged: npt.NDArray[np.bool_] | None = None
    missing: str = ""
    note: str = ""


@dataclass(frozen=True, eq=False)
class Strip:
    """Panels of one case that stand on one line, over one image [h, w]."""

    case: PictureCase
    image: npt.NDArray[np.float32]
    panels: list[Panel]
    first: bool


def pictures(analysis: Analysis) -> list[style.Plot]:
    """As many figures as the kept cases need, each no taller than a page; empty if nothing was kept."""
    cases = analysis.results.pictures
    if not cases:
        return []
    raters = list(dict.fromkeys(r for case in cases for r in case.ratings))
    names = [c for c in analysis.candidates if any(c in case.predictions for case in cases)]
    scores = _scores(analysis)
    blocks = [_strips(case, raters, names, len(analysis.classes) + 1, scores) for case in cases]
    pages: list[list[Strip]] = [[]]
    for block in blocks:
        if pages[-1] and _height([*pages[-1], *block]) > style.TALLEST:
            pages.append([])
        pages[-1].extend(block)
    plots = []
    for number, page in enumerate(pages):
        shown = list(dict.fromkeys(strip.case.id for strip in page))
        name = "pictures" if number == 0 else f"pictures-{number + 1}"
        part = f" ({number + 1} of {len(pages)})" if len(pages) > 1 else ""
        plots.append(
            style.Plot(name, f"Some cases{part}", _draw(page, analysis.classes), _caption(analysis, page), _alt(shown, names))
        )
    return plots


def _scores(analysis: Analysis) -> dict[tuple[str, str], str]:
    """The primary metric of (candidate, case) in the first repeat, as it is printed."""
    rows = analysis.results.rows
    values = case_values(rows[rows["repeat"] == 0], analysis.metric, analysis.reference)
    pairs = zip(values["candidate"], values["case"], values["value"], strict=True)
    return {(c, case): analysis.number(analysis.metric, v) for c, case, v in pairs}


def _strips(
    case: PictureCase, raters: Sequence[str], names: Sequence[str], n_classes: int, scores: Mapping[tuple[str, str], str]
) -> list[Strip]:
    where = view(case)
    image = case.image[where]
    n_classes = max([n_classes, *(len(p) for p in case.predictions.values())])
    people = [Panel("Image", None)]
    for rater in raters:
        labels = case.ratings.get(rater)
        people.append(Panel(rater, None, missing="not rated") if labels is None else _hard(rater, labels[where], n_classes))
    if case.truth is not None:
        people.append(_hard("Truth", case.truth[where], n_classes))
    networks = []
    for name in names:
        found = case.predictions.get(name)
        shown = None if found is None else found[(slice(None), *where)]
        networks.append(Panel(name, shown, missing="no prediction", note=scores.get((name, case.id), "")))
    lines = []
    for part in filter(None, (people, networks)):
        across = style.columns_for(len(part), ACROSS)
        lines += [part[i : i + across] for i in range(0, len(part), across)]
    return [Strip(case, image, line, first=number == 0) for number, line in enumerate(lines)]


def _hard(title: str, labels: npt.NDArray[np.uint8], n_classes: int) -> Panel:
    judged = labels != IGNORE
    probability = (labels[None] == np.arange(n_classes, dtype=np.uint8)[:, None, None]).astype(np.float32)
    return Panel(title, probability, judged=judged)


def _panel_height(strip: Strip) -> float:
    height, width = strip.image.shape
    return float(np.clip(height / width, 0.4, 1.6)) * (style.DOUBLE - LABEL) / ACROSS


def _title_height(strip: Strip) -> float:
    lines = max(_title(panel).count("\n") + 1 for panel in strip.panels)
    return LINE * lines + (3.0 if strip.first else 1.0)


def _title(panel: Panel) -> str:
    return style.wrapped(panel.title, 13)


def _height(page: Sequence[Strip]) -> float:
    return sum(_panel_height(s) + _title_height(s) + GAP for s in page) + LEGEND


def _draw(page: Sequence[Strip], classes: Sequence[str]) -> Figure:
    total = _height(page)
    mosaic = Mosaic(style.DOUBLE, total)
    cell = (style.DOUBLE - LABEL) / ACROSS
    top = total - LEGEND
    for strip in page:
        height, title = _panel_height(strip), _title_height(strip)
        for place, panel in enumerate(strip.panels):
            _show(mosaic, (LABEL + place * cell + GAP / 2, top - title - height, cell - GAP, height), strip.image, panel)
        if strip.first:
            text = style.wrapped(strip.case.id, 18, 2)
            mosaic.axes.text(0.8, top - title, text, rotation=90, va="top", ha="left", fontweight="bold")
        top -= title + height + GAP
    figure = mosaic.finish()
    colours = (palette.CLASS_COLOURS[k % len(palette.CLASS_COLOURS)] for k in range(len(classes)))
    patches = [Patch(color=c, label=style.wrapped(name, 24, 1)) for c, name in zip(colours, classes, strict=True)]
    figure.legend(handles=patches, loc="upper left", ncols=min(len(patches), 5), bbox_to_anchor=(LABEL / style.DOUBLE, 1.0),
                  borderaxespad=0.3, handlelength=1.2)  # fmt: skip
    return figure


def _show(mosaic: Mosaic, box: Box, image: npt.NDArray[np.float32], panel: Panel) -> None:
    picture = np.repeat(np.clip(image, 0, 1)[..., None], 3, axis=2).astype(np.float32)
    mosaic.text(box, _title(panel), (0.5, 1 + 1.2 / box[3]), va="baseline")
    if panel.probability is None:
        mosaic.image(1 - 0.25 * (1 - picture) if panel.missing else picture, box)
        mosaic.text(box, panel.missing.replace(" ", "\n"), linespacing=1.2)
        return
    for k, probability in enumerate(panel.probability[1:]):
        colour, share = palette.CLASS_COLOURS[k % len(palette.CLASS_COLOURS)], 0.38 * probability[..., None]
        picture = (1 - share) * picture + share * np.array(to_rgb(colour), np.float32)
        mosaic.outline(probability, box, colour)
    mosaic.image(picture, box)
    if panel.note:
        edge = [withStroke(linewidth=2, foreground="black")]
        mosaic.text(box, panel.note, (0.03, 0.03), color="white", ha="left", va="bottom", zorder=6, path_effects=edge)
    if panel.judged is not None and not panel.judged.all() and min(image.shape) > 1:
        x, y = pixel_centres(image.shape, box)
        mosaic.axes.contourf(x, y, ~panel.judged, levels=[0.5, 1.5], colors="none", hatches=["////"])


def _caption(analysis: Analysis, page: Sequence[Strip]) -> str:
    why = {strip.case.id: strip.case.why for strip in page}
    text = (
        "For each case the image with every rating and, where it is known, the truth; then the prediction of each candidate "
        "(first repeat). Colour is as strong as the probability, the line is where it is one half. "
        f"The number is the case’s {analysis.label(analysis.metric)} against {words_of(analysis.reference)}. "
        + " ".join(f"{case}: {reason}." for case, reason in why.items() if reason)
    )
    if any(strip.case.image.ndim > 2 for strip in page):
        text += " Of volumes the slice on which raters disagree on most voxels."
    return text + " The view is cut to what the raters drew, and of many small objects to those on which they disagree."


def _alt(cases: Sequence[str], names: Sequence[str]) -> str:
    return f"Image, ratings and predictions of the cases {', '.join(cases)}; candidates: {', '.join(names) or 'none'}."
