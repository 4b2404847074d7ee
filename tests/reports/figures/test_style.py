"""Candidates can be told apart by the colour-blind and in grey: by colour, or by marker and line style."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.colors import to_rgb

from raterbench.reports.figures.order.pairs import FILLS
from raterbench.reports.figures.palette import CLASS_COLOURS, COLOURS, DASHES, MARKERS
from raterbench.reports.figures.style import columns_for

Matrix = npt.NDArray[np.float64]

SEES: dict[str, Matrix] = {
    "usual": np.eye(3),
    "protan": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deutan": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "tritan": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
}
"""Linear RGB as it looks without one kind of cones (Machado et al., 2009, severity 1)."""
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ.sum(axis=1)


def lab(colour: str, seen: Matrix) -> Matrix:
    """CIELAB of a colour as somebody sees it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(seen @ linear, 0, 1) / WHITE
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    found: Matrix = np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])
    return found


def distances(colours: tuple[str, ...], who: str) -> Iterator[tuple[float, str, str]]:
    for one, other in combinations(colours, 2):
        yield float(np.linalg.norm(lab(one, SEES[who]) - lab(other, SEES[who]))), one, other


@pytest.mark.parametrize("who", SEES)
def test_colours_of_candidates_differ_for_everybody(who: str) -> None:
    """A distance of 2.3 is just noticeable."""
    assert min(distances(COLOURS, who))[0] > 15


@pytest.mark.parametrize("who", SEES)
def test_classes_over_a_picture_differ_for_everybody(who: str) -> None:
    assert min(distances(CLASS_COLOURS[:4], who))[0] > 10


def test_what_is_alike_in_grey_has_another_marker_and_line() -> None:
    assert len(set(MARKERS)) == len(set(DASHES)) == len(COLOURS)
    lightness = np.array([lab(colour, SEES["usual"])[0] for colour in COLOURS])
    assert (np.abs(np.subtract.outer(lightness, lightness)) < 3).sum() > len(COLOURS)  # so that grey alone is not enough
    assert lightness.max() < 75  # readable on white


def test_verdicts_differ_in_grey() -> None:
    lightness = sorted(float(lab(colour, SEES["usual"])[0]) for colour in FILLS.values())
    assert np.diff(lightness).min() > 7


def test_rows_of_panels_are_about_equally_long():
    """No row has two panels fewer than it could share out, and none is longer than a page is wide."""
    for n in range(1, 40):
        columns = columns_for(n)
        rows = -(-n // columns)
        assert columns <= (3 if n <= 6 else 4)
        assert columns * rows - n < rows, "with one column fewer there would be another row"
        assert rows == -(-n // (3 if n <= 6 else 4)), "no more rows than are needed"
    assert columns_for(8, 8) == 8 and columns_for(9, 8) == 5
