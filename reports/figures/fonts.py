"""Fonts of PDF files without what a PDF does not use: with it, fonts take a third of the time of a report's figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib.backends._backend_pdf_ps as matplotlib_fonts
from fontTools import subset

UNUSED = ("GSUB", "GPOS", "GDEF", "MATH", "kern", "FFTM", "gasp", "name", "post", "OS/2", "cmap")
"""Tables that say how letters are found, put together and called; a PDF places glyphs by their number."""


@contextmanager
def small_fonts() -> Iterator[None]:
    """Let matplotlib embed only outlines and widths of the letters used in the PDF files that are written meanwhile.

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
    options = subset.Options(notdef_outline=True, hinting=False, legacy_kern=False, layout_features=[], name_IDs=[])
    options.drop_tables += UNUSED
    options.font_number = fontfile.face_index
    font = subset.load_font(fontfile, options)
    reducer = subset.Subsetter(options=options)
    reducer.populate(gids=glyphs)
    reducer.subset(font)
    return matplotlib_fonts.SubsetResults(font, reducer.glyph_index_map)._as_cm()
