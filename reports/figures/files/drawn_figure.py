"""A figure of a report as files and words: what a page needs of it, without matplotlib."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...page.part_maker import PartMaker

FORMS = ("png", "pdf", "svg")
"""Endings of the files of a figure."""


@dataclass(frozen=True, eq=False)
class DrawnFigure:
    """A figure of a report: its words, its ``width`` in inches, and its ``forms`` by the endings of their files.

    ``picture`` is the PNG that a page shows.
    """

    name: str
    title: str
    caption: str
    alt: str
    width: float
    forms: Mapping[str, bytes]
    picture: bytes

    @property
    def files(self) -> dict[str, bytes]:
        """The files by their names relative to the report."""
        return {f"figures/{self.name}.{ending}": content for ending, content in self.forms.items()}


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
