"""A figure of a report as files and words: what a page needs of it, without matplotlib."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from PIL import Image

from ...page.part_maker import PartMaker

FORMS = ("png", "pdf", "svg")
"""Endings of the files of a figure."""
LARGE = 40_000
"""Bytes from which a page shows a smaller picture."""


@dataclass(frozen=True, eq=False)
class DrawnFigure:
    """A figure of a report: its words, its ``width`` in inches, and its ``forms`` by the endings of their files."""

    name: str
    title: str
    caption: str
    alt: str
    width: float
    forms: Mapping[str, bytes]

    @property
    def files(self) -> dict[str, bytes]:
        """The files by their names relative to the report."""
        return {f"figures/{self.name}.{ending}": content for ending, content in self.forms.items()}

    @cached_property
    def picture(self) -> bytes:
        """The PNG for a page: a large one with a palette of 256 colours, a third as large as the file beside the page."""
        png = self.forms["png"]
        if len(png) < LARGE:
            return png
        image, file = Image.open(io.BytesIO(png)).convert("RGB"), io.BytesIO()
        image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(file, "png")
        return min(png, file.getvalue(), key=len)


def with_picture(figure: DrawnFigure) -> DrawnFigure:
    """The figure itself, its picture made: for processes that have the time."""
    _ = figure.picture
    return figure


@dataclass(frozen=True, eq=False)
class LostFigure:
    """A figure, or a group of figures, that could not be made or laid out, and why."""

    name: str
    error: Exception


def without_lost(found: Iterable[DrawnFigure | LostFigure], part_maker: PartMaker) -> list[DrawnFigure]:
    """The figures that were drawn; ``part_maker`` takes note of the others."""
    figures = []
    for figure in found:
        if isinstance(figure, DrawnFigure):
            figures.append(figure)
        else:
            part_maker.lost("figure", figure.name, figure.error)
    return figures
