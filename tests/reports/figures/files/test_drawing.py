"""Files of figures: PNG, PDF and SVG of one layout, with letters as text, and names that are shown and obeyed by nothing."""

from __future__ import annotations

import subprocess
import sys
import zlib
from base64 import b64decode
from io import BytesIO
from xml.etree import ElementTree

import matplotlib.backends._backend_pdf_ps as matplotlib_fonts
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from PIL import Image

from raterbench.reports.figures import style
from raterbench.reports.figures.files.drawing import forms_of
from raterbench.reports.figures.files.fonts import small_fonts

HOSTILE = ("<script>alert(1)</script>", "a&b]]><!-- --", "\"' onload='x", "&lt;", "$x$ \\frac{1}{2}")


def named() -> Figure:
    with style.house_style():
        figure = style.new_figure(80, 60)
        axes = figure.subplots()
        axes.plot(range(len(HOSTILE)), color="C0", label=style.wrapped(HOSTILE[0], 40))
        axes.set_yticks(range(len(HOSTILE)), [style.wrapped(name, 40, 1) for name in HOSTILE])
        axes.fill_between([0, 4], [0, 0], [1, 2], alpha=0.2)  # clip paths and styles get names of their own
        axes.legend()
    return figure


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return forms_of(named())[1]


def test_an_svg_shows_hostile_names_and_obeys_none(files: dict[str, bytes]) -> None:
    tree = ElementTree.fromstring(files["svg"])
    tags = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert {"svg", "text", "path"} <= tags and not {"script", "image"} & tags
    words = [element.text for element in tree.iter() if element.tag.endswith("}text")]
    assert set(HOSTILE) <= set(words)
    assert not any(name.startswith("on") for element in tree.iter() for name in element.attrib)


def test_the_same_figure_gives_the_same_files_without_dates(files: dict[str, bytes]) -> None:
    assert forms_of(named())[1] == files
    assert b"CreationDate" not in files["pdf"] and b"<dc:date>" not in files["svg"]


def test_a_pdf_embeds_outlines_of_letters_as_truetype(files: dict[str, bytes]) -> None:
    streams = [part.split(b"endstream")[0].strip(b"\r\n") for part in files["pdf"].split(b"stream\n")[1:]]
    contents = [content for content in map(inflated, streams) if content]
    fonts = [content for content in contents if content.startswith(b"\x00\x01\x00\x00")]
    assert len(fonts) == 1 and len(fonts[0]) < 15_000
    assert b"/CIDFontType2" in files["pdf"] and b"/Type3" not in files["pdf"]
    assert any(b"begincmap" in content for content in contents)  # so that words can be found and copied
    assert len(files["pdf"]) < 20_000


def test_other_letters_are_embedded_too() -> None:
    with style.house_style():
        figure = style.new_figure(40, 20)
        figure.text(0.5, 0.5, "Größe Łódź α")
    pdf = forms_of(figure)[1]["pdf"]
    words = b"".join(inflated(part.split(b"endstream")[0].strip(b"\r\n")) for part in pdf.split(b"stream\n")[1:])
    assert all(f"<{ord(letter):04x}>".encode() in words for letter in "öŁα")


def inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(stream)
    except zlib.error:
        return b""


def test_matplotlib_reduces_fonts_as_usual_outside() -> None:
    usual = matplotlib_fonts.get_glyphs_subset
    with pytest.raises(ValueError, match="broken"), small_fonts():
        assert matplotlib_fonts.get_glyphs_subset is not usual
        raise ValueError("broken")
    assert matplotlib_fonts.get_glyphs_subset is usual


def every_kind() -> Figure:
    """Lines, markers, areas, a mesh, hatches, clipped parts, turned words, and images with and without own pixels."""
    with style.house_style():
        figure = style.new_figure(80, 50)
        left, right = figure.subplots(1, 2)
        left.plot([0, 1, 2], [0, 2, 1], marker="o", linestyle="--", label="dashed")
        left.scatter([0, 1, 2, 9], [1, 1, 2, 9], s=[10, 40, 90, 20], alpha=0.5)
        left.fill_between([0, 2], [0, 0], [1, 2], hatch="//", alpha=0.3)
        left.set(xlim=(0, 2), ylim=(0, 2), xlabel="Across", title="Turned")
        left.text(1, 1, "up", rotation=60)
        right.pcolormesh(np.arange(12).reshape(3, 4), cmap="Blues")
        right.imshow(np.arange(6).reshape(2, 3), extent=(0, 2, 0, 1.5), interpolation="none").set_clip_path(
            Circle((1, 1), 0.8, transform=right.transData)
        )
        right.imshow(np.eye(3), extent=(2, 4, 1.5, 3), origin="lower")
        right.set(xlim=(0, 4), ylim=(0, 3), aspect="auto")
    return figure


def test_a_png_is_what_matplotlib_draws_on_its_own() -> None:
    image, _ = forms_of(every_kind())
    alone = every_kind()
    alone.set_dpi(200)
    canvas = FigureCanvasAgg(alone)
    with style.house_style():
        canvas.draw()
    difference = np.abs(np.asarray(image, int) - np.asarray(canvas.buffer_rgba())[..., :3])
    assert difference.max(axis=2).mean() < 0.5 and (difference.max(axis=2) > 60).mean() < 0.002


def test_an_image_without_interpolation_keeps_its_own_pixels() -> None:
    _, forms = forms_of(every_kind())
    links = [value for element in ElementTree.fromstring(forms["svg"]).iter() for value in element.attrib.values()]
    sizes = [Image.open(BytesIO(b64decode(link.partition("base64,")[2]))).size for link in links if "image/png" in link]
    assert sizes[0] == (3, 2) and min(sizes[1]) > 50
    assert b"/Width 3\n" in forms["pdf"] or b"/Width 3 " in forms["pdf"]


def test_columns_of_a_page_are_the_widths_of_print(files: dict[str, bytes]) -> None:
    figure = named()
    assert figure.get_figwidth() == pytest.approx(80 / 25.4)
    assert b'width="226.771654pt"' in files["svg"]
    assert b"/MediaBox [ 0 0 226.77165354" in files["pdf"]


TWICE = """
import os
from functools import partial
from matplotlib.figure import Figure
from raterbench.reports.background import Background
from raterbench.reports.figures.figures import draw
from raterbench.reports.figures.style import Plot

def plot(name):
    figure = Figure(figsize=(1, 1))
    figure.subplots().set_title(name)
    return Plot(name, name, figure, "A caption.", "An alt text.")

names = ("one", "two", "three")
calls = {name: partial(draw, name, partial(plot, name)) for name in names}
with Background({"process": os.getpid, **calls}, processes=2) as several, Background(calls) as alone:
    assert several.result("process") != os.getpid(), "called while the caller goes on"
    for name in names:
        (one,), (other,) = several.result(name), alone.result(name)
        assert one.files == other.files and one.picture == other.picture
"""


def test_several_processes_draw_the_same_files() -> None:
    """In a process of its own: a test process has several threads, and figures are then drawn one after the other."""
    subprocess.run([sys.executable, "-c", TWICE], check=True)
