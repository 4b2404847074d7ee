"""Reading pixels by Pillow, where SimpleITK gives other values than those that are meant: palettes, single bits, opacity."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import RaterbenchError
from .headers.header import RasterHeader


def read_raster(header: RasterHeader, *, numbers: bool) -> npt.NDArray[Any]:
    """Pixels [*S] or [*S, C]; of a palette the ``numbers`` of the colours [*S], or the colours [*S, 3].

    Single bits are 0 and 255; white is the largest value, however it is stored.

    Raises:
        RaterbenchError: Pillow cannot read the file.
    """
    from PIL import Image

    pages = []
    try:
        with _any_size(), Image.open(header.file) as picture:
            for page in header.pages:
                if page:
                    picture.seek(page)
                coloured = header.palette and not numbers
                pixels = np.array(picture.convert("RGB") if coloured else picture)
                pages.append(pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels)
    except MemoryError as error:
        raise RaterbenchError(f"{header.file} cannot be read: there is not enough memory") from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, struct.error) as error:
        raise RaterbenchError(f"{header.file} cannot be read: {error}; copy or save it again") from error
    found = np.stack(pages) if len(pages) > 1 else pages[0]
    return found.astype(found.dtype.newbyteorder("="), copy=False)


@contextmanager
def _any_size() -> Iterator[None]:
    """Lift Pillow's own limit of pixels: the header was held to the file and to the memory already."""
    from PIL import Image

    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
