"""Finished figures as files: PNG for screens, PDF and SVG for print, the same bytes for the same figure."""

from __future__ import annotations

import io

from matplotlib.figure import Figure
from PIL import Image

from ..style import Plot, house_style
from .drawn_figure import DrawnFigure
from .fonts import small_fonts
from .renderer import DPI, FormsCanvas

LARGE = 40_000
"""Bytes from which a page shows a smaller picture."""


def drawn_figure(plot: Plot) -> DrawnFigure:
    """A finished figure with all that a page needs of it."""
    image, forms = forms_of(plot.figure)
    return DrawnFigure(plot.name, plot.title, plot.caption, plot.alt, plot.width, forms, page_picture(image, forms["png"]))


def forms_of(figure: Figure) -> tuple[Image.Image, dict[str, bytes]]:
    """The figure as an image, and as ``png`` (200 dpi), ``pdf`` and ``svg`` (text as text): the same bytes at each call."""
    with house_style(), small_fonts():
        image, pdf, svg = FormsCanvas(figure).drawn()
    file = io.BytesIO()
    # Without transparency as small as with it at the usual level, in less than half the time.
    image.save(file, "png", compress_level=3, dpi=(DPI, DPI))
    return image, {"png": file.getvalue(), "pdf": pdf, "svg": svg}


def page_picture(image: Image.Image, png: bytes) -> bytes:
    """The PNG for a page: a large one with a palette of 256 colours, a third as large as the file beside the page."""
    if len(png) < LARGE:
        return png
    file = io.BytesIO()
    image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(file, "png")
    return min(png, file.getvalue(), key=len)
