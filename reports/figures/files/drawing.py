"""Finished figures as files: PNG for screens, PDF and SVG for print, the same bytes for the same figure."""

from __future__ import annotations

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ..style import Plot, house_style
from .drawn_figure import DrawnFigure, with_picture
from .fonts import small_fonts


def drawn_figure(plot: Plot) -> DrawnFigure:
    """A finished figure with all that a page needs of it."""
    return with_picture(DrawnFigure(plot.name, plot.title, plot.caption, plot.alt, plot.width, drawn(plot.figure)))


def drawn(figure: Figure) -> dict[str, bytes]:
    """The figure as ``png`` (200 dpi), ``pdf`` and ``svg`` (text as text), the same bytes for the same figure."""
    with house_style():
        return {"png": _png(figure), "pdf": _pdf(figure), "svg": _svg(figure)}


def _png(figure: Figure) -> bytes:
    """The first of the drawings, which also arranges the parts of the figure for all of them.

    The canvases are used as they are, because ``Figure.savefig`` would draw up to twice more to arrange the parts again.
    """
    file = io.BytesIO()
    figure.set_dpi(200)
    FigureCanvasAgg(figure).print_png(file, pil_kwargs={"compress_level": 4})  # As small as with 6, in less time.
    figure.set_layout_engine("none")
    return file.getvalue()


def _pdf(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.set_dpi(300)
    with small_fonts():
        FigureCanvasPdf(figure).print_pdf(file, metadata={"CreationDate": None})
    return file.getvalue()


def _svg(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.set_dpi(72)
    FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None})
    return file.getvalue()
