"""The case browser: kept cases as small grey pictures that the page draws contours and soft maps from.

For each slice there is one picture, a grid of planes of the same size. The first plane is the image; labels are a plane of
class numbers, soft maps a plane for each foreground class in 64 grey levels.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ...benchmark.measuring.kept_references import kept_references
from ...benchmark.measuring.references import StoredReference
from ...benchmark.statistics.subjects import case_values
from ...benchmark.store.picture_cases import PictureCase
from ...datasets.base import IGNORE, slicing_axis
from ...names import visible
from ..analysis import Analysis
from ..figures.views import surroundings, view
from ..tables.wording import words_of

Planes = npt.NDArray[np.uint8]

MOST_CASES, MOST_SLICES = 24, 9
SIDES = (224, 160, 112, 80, 56, 40)
"""Pixels of a picture's longer side, smaller ones where all pictures together would be too large."""
BUDGET = 1_500_000
"""Characters that all pictures together may have."""
GREYS = 0xFC
"""The bits of a probability that are kept. One half stays a border between two grey levels."""
RATERS, REFERENCES, CANDIDATES, REPAIRED = "Raters", "References", "Candidates", "Repaired annotations"
BELIEFS = "How far a candidate believes a rater"
COLOURS = (*("#FFC20A", "#3FB8FF", "#FF6B9D", "#4FE0A8", "#C9A0FF", "#FF8A3D", "#E8F05A", "#FF5C5C", "#9BE564", "#7CE7F5"),)
"""Of contours, bright enough to be seen on a grey image."""
TRUTH_COLOUR = "#FFFFFF"
FUSED_ROWS = {"majority": "majority-vote", "staple": "staple", "soft average": "soft-average"}
"""The row of fused labels that is the same as a reference."""


@dataclass(frozen=True, eq=False)
class Layer:
    """Something to draw over the image: one plane of labels [1, *S], or, if ``soft``, a map for each class [K-1, *S].

    ``row`` is the kind and the name that its values have in the results. ``level``: the probability from which a map of two
    classes is foreground.
    """

    group: str
    name: str
    colour: str
    planes: Planes
    soft: bool = False
    row: tuple[str, str] = ("", "")
    level: float = 0.5


@dataclass(frozen=True, eq=False)
class Cut:
    """Which slices of a case are shown, and which part of them: every ``step``-th pixel of a window."""

    axis: int | None
    slices: Sequence[int]
    start: int
    window: tuple[slice, slice]

    def of(self, volume: npt.NDArray[Any], leading: int = 0) -> npt.NDArray[Any]:
        """[..., *S] with ``leading`` axes before those of space -> [slices, ..., h, w]."""
        flat = np.expand_dims(volume, 0) if self.axis is None else np.moveaxis(volume, leading + self.axis, 0)[self.slices]
        return np.asarray(flat[(..., *self.window)])


def case_browser(analysis: Analysis) -> dict[str, Any] | None:
    """All that the page's browser needs, as plain values; None if no case was kept."""
    chosen = list(analysis.results.facts["pictures"])
    kept = sorted(analysis.results.pictures, key=lambda case: chosen.index(case.id) if case.id in chosen else len(chosen))
    if not kept:
        return None
    places = np.unique(np.linspace(0, len(kept) - 1, min(len(kept), MOST_CASES)).round().astype(int))
    cases = [kept[place] for place in places]
    references = kept_references(analysis.results.folder, {case.id for case in cases})
    values = _values(analysis)
    layers = {case.id: _layers(analysis, case, references.get(case.id, {})) for case in cases}
    shown: list[dict[str, Any]] = []
    for side in SIDES:
        shown = [_case(analysis, case, layers[case.id], values, side) for case in cases]
        if sum(len(picture) for case in shown for picture in case["pictures"]) <= BUDGET:
            break
    return {
        "cases": shown,
        "classes": [visible(name) for name in analysis.classes],
        "metric": f"{analysis.label(analysis.metric)} against {visible(words_of(analysis.reference))}",
        "better": analysis.better(analysis.metric),
        "baseline": visible(analysis.baseline),
        "groups": [RATERS, REFERENCES, CANDIDATES, REPAIRED, BELIEFS],
    }


def _case(
    analysis: Analysis, case: PictureCase, layers: Sequence[Layer], values: Mapping[tuple[str, str, str], float], side: int
) -> dict[str, Any]:
    """One case as plain values: its pictures, and for each layer where its planes are."""
    cut = cut_of(case, side)
    image = np.round(cut.of(case.image) * 255).astype(np.uint8)
    planes, described = [image[:, None]], []
    for layer in layers:
        value = values.get((*layer.row, case.id), math.nan)
        described.append({
            **{"group": layer.group, "name": visible(layer.name), "colour": layer.colour, "soft": layer.soft},
            **{"plane": sum(p.shape[1] for p in planes), "level": layer.level},
            **{"value": value if math.isfinite(value) else None},
            **{"shown": analysis.number(analysis.metric, value) if math.isfinite(value) else ""},
        })  # fmt: skip
        planes.append(cut.of(layer.planes, leading=1))
    stack = np.concatenate(planes, axis=1)
    return {
        **{"name": visible(case.id), "why": visible(case.why), "width": image.shape[2], "height": image.shape[1]},
        **{"slices": [n + 1 for n in cut.slices], "start": cut.start, "across": across(stack.shape[1])},
        **{"layers": described, "pictures": [png_text(grid(slice_)) for slice_ in stack]},
    }


def cut_of(case: PictureCase, side: int) -> Cut:
    """The slices on which anybody marked something, a few if they are many, and the surroundings of what was marked."""
    marked: npt.NDArray[np.bool_] = np.zeros(case.image.shape, bool)
    for labels in case.ratings.values():
        marked |= (labels > 0) & (labels != IGNORE)
    axis, slices, start = None, [0], 0
    if marked.ndim == 3:
        axis = slicing_axis(marked.shape)
        marked = np.moveaxis(marked, axis, 0)
        own = np.flatnonzero(marked.any(axis=(1, 2))) if marked.any() else np.arange(len(marked))
        most = view(case)[axis]
        assert isinstance(most, int)
        chosen = own[np.unique(np.linspace(0, len(own) - 1, min(len(own), MOST_SLICES)).round().astype(int))]
        slices = sorted({*map(int, chosen), most})
        start, marked = slices.index(most), np.asarray(marked.any(axis=0))
    sides = surroundings(marked)
    step = max(1, math.ceil(max(s.stop - s.start for s in sides) / side))
    return Cut(axis, slices, start, (slice(sides[0].start, sides[0].stop, step), slice(sides[1].start, sides[1].stop, step)))


def _layers(analysis: Analysis, case: PictureCase, references: Mapping[str, StoredReference]) -> list[Layer]:
    """All that can be drawn over a case."""
    layers = [*_rater_layers(analysis, case), *_reference_layers(case, references)]
    levels = _levels(analysis, case.id)
    for number, name in enumerate(analysis.candidates):
        if name in case.predictions:
            planes, colour = soft_planes(case.predictions[name]), COLOURS[number % len(COLOURS)]
            layers.append(Layer(CANDIDATES, name, colour, planes, True, ("method", name), levels.get(name, 0.5)))
    for number, (candidate, found) in enumerate(case.repaired.items()):
        colour = COLOURS[number % len(COLOURS)]
        layers += [Layer(REPAIRED, f"{candidate}: {rater}", colour, labels[None]) for rater, labels in found.items()]
    for candidate, maps in case.reliability.items():
        layers += [Layer(BELIEFS, f"{candidate}: {rater}", COLOURS[0], _bytes(m)[None], True) for rater, m in maps.items()]
    return layers


def _rater_layers(analysis: Analysis, case: PictureCase) -> list[Layer]:
    """The raters of the case; each has its colour in all cases."""
    colours = dict(
        zip(dict.fromkeys([*map(str, analysis.results.facts["raters"]), *case.ratings]), cycle(COLOURS), strict=False)
    )
    return [
        Layer(RATERS, name, colours[name], case.ratings[name][None], row=("rater", name))
        for name in colours
        if name in case.ratings
    ]


def _reference_layers(case: PictureCase, references: Mapping[str, StoredReference]) -> list[Layer]:
    """The truth, where it is known, and the fused references."""
    layers = [] if case.truth is None else [Layer(REFERENCES, "Truth", TRUTH_COLOUR, case.truth[None])]
    for (name, stored), colour in zip(references.items(), reversed(COLOURS), strict=False):
        if stored.labels.shape == case.image.shape:
            words, row = words_of(name).removeprefix("the "), ("fusion", FUSED_ROWS.get(name, name))
            soft = stored.probability is not None
            planes = stored.labels[None] if stored.probability is None else soft_planes(stored.probability)
            layers.append(Layer(REFERENCES, words[:1].upper() + words[1:], colour, planes, soft, row))
    return layers


def soft_planes(probability: npt.NDArray[np.float32]) -> Planes:
    """Probabilities [K, *S] -> the foreground classes [K-1, *S] in 64 grey levels."""
    return _bytes(probability[1:])


def _bytes(values: npt.NDArray[Any]) -> Planes:
    greys: Planes = np.round(np.clip(values, 0, 1) * 255).astype(np.uint8) & np.uint8(GREYS)
    return greys


def across(planes: int) -> int:
    """How many planes stand beside each other."""
    return math.ceil(math.sqrt(planes))


def grid(planes: Planes) -> Planes:
    """Planes [n, h, w] as one picture."""
    n, height, width = planes.shape
    columns = across(n)
    rows = -(-n // columns)
    full = np.zeros((rows * columns, height, width), np.uint8)
    full[:n] = planes
    return full.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)


def png_text(picture: Planes) -> str:
    """A grey picture as the text of a page."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _values(analysis: Analysis) -> dict[tuple[str, str, str], float]:
    """The primary metric of (kind, name, case) in the first repeat."""
    rows = analysis.results.rows
    rows = rows[rows["repeat"] == 0]
    found = {}
    for kind in ("method", "rater", "fusion"):
        table = case_values(rows, analysis.metric, analysis.reference, kind=kind)
        for name, case, value in zip(table["candidate"], table["case"], table["value"], strict=True):
            found[kind, str(name), str(case)] = float(value)
    return found


def _levels(analysis: Analysis, case: str) -> dict[str, float]:
    """The threshold that each candidate searched for in the first repeat, in the fold that tests a case; where one was."""
    units, rows = analysis.results.units, analysis.results.rows
    folds = rows.loc[(rows["kind"] == "method") & (rows["repeat"] == 0) & (rows["case"] == case), "fold"].unique()
    units = units[(units["repeat"] == 0) & units["fold"].isin(folds) & units["threshold"].notna()]
    return {str(name): float(level) for name, level in zip(units["candidate"], units["threshold"], strict=True)}
