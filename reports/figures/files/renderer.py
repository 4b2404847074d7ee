"""Draws a figure as PNG, PDF and SVG at the same time: matplotlib itself would arrange and measure everything for each anew."""

# ruff: noqa: PLR0917 (matplotlib's own signatures)

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.backend_bases import FigureCanvasBase, GraphicsContextBase, RendererBase
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.backends.backend_pdf import PdfFile, RendererPdf
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.transforms import Affine2D, Bbox, IdentityTransform, Transform, TransformedPath
from PIL import Image

DPI = 200
"""Pixels per inch of a PNG."""
POINTS = 72
"""Points per inch: the unit of a PDF, of an SVG, and of what artists ask to be drawn."""
UP = DPI / POINTS

Pixels = npt.NDArray[np.uint8]


class FormsRenderer(RendererBase):
    """Passes what artists draw on to matplotlib's renderers of the three forms.

    Artists draw in points, from the lower left corner; for the PNG all is made larger. Letters are measured once, at the
    resolution of the PNG. An image without interpolation keeps its own pixels in PDF and SVG; others have the resolution of
    the PNG.
    """

    def __init__(self, width: float, height: float) -> None:
        """A page of ``width`` x ``height`` inches."""
        super().__init__()
        self.width, self.height = width * POINTS, height * POINTS
        self._pdf_content, self._svg_content = io.BytesIO(), io.StringIO()
        self._pdf_file = PdfFile(self._pdf_content, metadata={"CreationDate": None})
        self._pdf_file.newPage(width, height)
        self._png = RendererAgg(int(width * DPI), int(height * DPI), DPI)
        self._pdf = RendererPdf(self._pdf_file, DPI, height, width)
        self._svg = RendererSVG(self.width, self.height, self._svg_content, image_dpi=DPI, metadata={"Date": None})

    def finish(self) -> tuple[Image.Image, bytes, bytes]:
        """The drawn page as an image without transparency, as PDF and as SVG."""
        self._pdf.finalize()
        self._pdf_file.finalize()
        self._pdf_file.close()
        self._svg.finalize()
        image = Image.fromarray(np.asarray(self._png.buffer_rgba())).convert("RGB")
        return image, self._pdf_content.getvalue(), self._svg_content.getvalue().encode()

    # What artists ask of a renderer.

    def get_canvas_width_height(self) -> tuple[float, float]:
        return self.width, self.height

    def flipy(self) -> bool:
        return False

    def option_image_nocomposite(self) -> bool:
        return True  # Each image keeps its own pixels; put together, they would be drawn at the resolution of the PNG.

    def option_scale_image(self) -> bool:
        return True

    def get_image_magnification(self) -> float:
        return UP

    def get_text_width_height_descent(self, s: str, prop: FontProperties, ismath: Any) -> tuple[float, float, float]:
        width, height, descent = self._png.get_text_width_height_descent(s, prop, ismath)
        return width / UP, height / UP, descent / UP

    def new_gc(self) -> GraphicsContextBase:
        gc: GraphicsContextBase = self._pdf.new_gc()  # The other two take it, too.
        return gc

    def open_group(self, s: str, gid: str | None = None) -> None:
        self._svg.open_group(s, gid)

    def close_group(self, s: str) -> None:
        self._svg.close_group(s)

    # What they draw.

    def draw_path(self, gc: Any, path: Path, transform: Transform, rgbFace: Any = None) -> None:
        self._png.draw_path(_larger_clip(gc), path, _larger(transform), rgbFace)
        self._pdf.draw_path(gc, path, transform, rgbFace)
        self._svg.draw_path(gc, path, transform, rgbFace)

    def draw_markers(
        self, gc: Any, marker_path: Path, marker_trans: Transform, path: Path, trans: Transform, rgbFace: Any = None
    ) -> None:
        self._png.draw_markers(_larger_clip(gc), marker_path, _larger(marker_trans), path, _larger(trans), rgbFace)
        self._pdf.draw_markers(gc, marker_path, marker_trans, path, trans, rgbFace)
        self._svg.draw_markers(gc, marker_path, marker_trans, path, trans, rgbFace)

    def draw_path_collection(
        self, gc: Any, master_transform: Transform, paths: Any, all_transforms: Any, offsets: Any, offset_trans: Transform,
        *others: Any, **more: Any,
    ) -> None:  # fmt: skip
        large = _larger(master_transform), paths, all_transforms, offsets, _larger(offset_trans)
        self._png.draw_path_collection(_larger_clip(gc), *large, *others, **more)
        if len(paths):  # Artists draw none only to see whether a renderer knows all arguments.
            self._pdf.draw_path_collection(gc, master_transform, paths, all_transforms, offsets, offset_trans, *others, **more)
            self._svg.draw_path_collection(gc, master_transform, paths, all_transforms, offsets, offset_trans, *others, **more)

    def draw_quad_mesh(
        self, gc: Any, master_transform: Transform, meshWidth: Any, meshHeight: Any, coordinates: Any, offsets: Any,
        offsetTrans: Transform, *others: Any,
    ) -> None:  # fmt: skip
        mesh = meshWidth, meshHeight, coordinates, offsets
        self._png.draw_quad_mesh(_larger_clip(gc), _larger(master_transform), *mesh, _larger(offsetTrans), *others)
        self._pdf.draw_quad_mesh(gc, master_transform, *mesh, offsetTrans, *others)
        self._svg.draw_quad_mesh(gc, master_transform, *mesh, offsetTrans, *others)

    def draw_text(
        self, gc: Any, x: float, y: float, s: str, prop: FontProperties, angle: float, ismath: Any = False, mtext: Any = None
    ) -> None:
        self._png.draw_text(_larger_clip(gc), x * UP, self._png.height - y * UP, s, prop, angle, ismath, mtext)
        self._pdf.draw_text(gc, x, y, s, prop, angle, ismath, mtext)
        self._svg.draw_text(gc, x, self.height - y, s, prop, angle, ismath, mtext)

    def draw_image(self, gc: Any, x: float, y: float, im: Any, transform: Any = None) -> None:
        """An image, its first row below; without a ``transform`` its pixels are those of the PNG."""
        if transform is None:
            left, low, large = x * UP, y * UP, im
        else:
            left, low, large = _enlarged(im, Affine2D(transform.get_matrix()).translate(x, y).scale(UP))
        if large.size:
            self._png.draw_image(_larger_clip(gc), left, low, large)
            self._pdf.draw_image(gc, x, y, im, transform)
            self._svg.draw_image(gc, x, y, im, transform)


class FormsCanvas(FigureCanvasBase):
    """The canvas of a figure that is drawn by one renderer: parts of the figure are arranged with what it has measured."""

    def __init__(self, figure: Figure) -> None:
        super().__init__(figure)
        figure.set_dpi(POINTS)
        self._renderer = FormsRenderer(*figure.get_size_inches())

    def get_renderer(self) -> FormsRenderer:
        """Asked for by those who arrange the parts."""
        return self._renderer

    def drawn(self) -> tuple[Image.Image, bytes, bytes]:
        """The figure as an image, as PDF and as SVG."""
        self.figure.draw(self._renderer)
        return self._renderer.finish()


def _larger(transform: Transform) -> Transform:
    """From points to the pixels of the PNG."""
    return Affine2D(transform.get_matrix()).scale(UP)


def _larger_clip(gc: GraphicsContextBase) -> GraphicsContextBase:
    """Widths of lines and dashes stay: the renderer of the PNG takes them in points."""
    box = gc.get_clip_rectangle()
    clip: tuple[Any, Any] = gc.get_clip_path()
    path, transform = clip
    if box is None and path is None:
        return gc
    large = GraphicsContextBase()
    large.copy_properties(gc)
    if box is not None:
        large.set_clip_rectangle(Bbox(box.get_points() * UP))
    if path is not None:
        large.set_clip_path(TransformedPath(path.transformed(transform).transformed(Affine2D().scale(UP)), IdentityTransform()))
    return large


def _enlarged(im: Pixels, transform: Affine2D) -> tuple[float, float, Pixels]:
    """Left and lower border in pixels of the PNG, and the nearest pixel of ``im`` for each; ``transform``: of a unit square.

    Borders are rounded as matplotlib does.
    """
    (left, low), (right, high) = transform.transform([(0.0, 0.0), (1.0, 1.0)])
    columns = np.arange(np.floor(min(left, right) + 0.5), np.floor(max(left, right) + 0.5 + 1e-8))
    rows = np.arange(np.ceil(min(low, high) - 0.5 - 1e-8), np.ceil(max(low, high) - 0.5))
    x = ((columns + 0.5 - left) / (right - left) * im.shape[1]).astype(int).clip(0, im.shape[1] - 1)
    y = ((rows + 0.5 - low) / (high - low) * im.shape[0]).astype(int).clip(0, im.shape[0] - 1)
    return columns[:1].sum(), rows[:1].sum(), np.ascontiguousarray(im[y[:, None], x])
