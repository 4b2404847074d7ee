"""Fonts of PDF files without what a PDF does not use: with it, fonts take a third of the time of a report's figures."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import matplotlib.backends._backend_pdf_ps as matplotlib_fonts
from fontTools import subset
from matplotlib.font_manager import get_font

UNUSED = ("GSUB", "GPOS", "GDEF", "MATH", "kern", "FFTM", "gasp", "name", "post", "OS/2", "cmap")
"""Tables that say how letters are found, put together and called; a PDF places glyphs by their number."""

LETTERS = "".join(map(chr, range(0x20, 0x7F))) + "ﬀﬁﬂ–—‘’“”…←↑→↓−×·±≤≥≈⁰¹²³⁴⁵⁶⁷⁸⁹⁻"
"""What is always embedded, whichever letters a figure has: ASCII, its ligatures, and signs of sentences and axes."""


@dataclass(frozen=True)
class _Font:
    """A reduced font as matplotlib asks for it: something that saves itself, and the new number of each glyph."""

    content: bytes
    glyph_index_map: dict[int, int]

    @property
    def font(self) -> _Font:
        return self

    def save(self, file: io.BytesIO, **_: Any) -> None:
        """Write the font."""
        file.write(self.content)


@contextmanager
def small_fonts() -> Iterator[None]:
    """Let matplotlib embed only outlines and widths of letters in the PDF files that are written meanwhile.

    matplotlib has no public way to say what to embed. A version that reduces fonts in another way does as it always does.
    """
    usual = getattr(matplotlib_fonts, "get_glyphs_subset", None)
    if usual is None or not hasattr(matplotlib_fonts, "SubsetResults"):
        yield
        return
    setattr(matplotlib_fonts, "get_glyphs_subset", _outlines)  # noqa: B010 (its stubs declare no such variable)
    try:
        yield
    finally:
        setattr(matplotlib_fonts, "get_glyphs_subset", usual)  # noqa: B010


def _outlines(fontfile: Any, glyphs: Iterable[int]) -> Any:
    """What ``get_glyphs_subset`` gives: the reduced font, and the new number of each glyph."""
    wanted, common = set(glyphs), _common(fontfile)
    return nullcontext(common if wanted <= set(common.glyph_index_map) else _reduced(fontfile, wanted))


@cache
def _common(fontfile: Any) -> _Font:
    """The part of a font that nearly all figures need; it is made once."""
    font = get_font(fontfile)
    return _reduced(fontfile, {font.get_char_index(ord(letter)) for letter in LETTERS} - {0})


def _reduced(fontfile: Any, glyphs: Iterable[int]) -> _Font:
    options = subset.Options(notdef_outline=True, hinting=False, legacy_kern=False, layout_features=[], name_IDs=[])
    options.drop_tables += UNUSED
    options.font_number = fontfile.face_index
    reducer, file = subset.Subsetter(options=options), io.BytesIO()
    with subset.load_font(fontfile, options) as font:
        reducer.populate(gids=glyphs)
        reducer.subset(font)
        font.save(file, reorderTables=False)
    return _Font(file.getvalue(), dict(reducer.glyph_index_map))
