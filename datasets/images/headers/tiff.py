"""TIFF files: what their pages hold, who can read it rightly, and whether it is all there."""

from __future__ import annotations

import mmap
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ....errors import RaterbenchError
from .header import RasterHeader
from .integrity import damaged
from .orientation import check_upright
from .tiff_strips import check_strips
from .tiff_tags import Tags, TagsError, read_directory

_MOST_PAGES = 100_000
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6
_STRANGE = {
    4: "a transparency mask",
    5: "CMYK colours",
    8: "Lab colours",
    9: "Lab colours",
    10: "Lab colours",
    32803: "raw colours",
}
_LOSSY = (6, 7, 33003, 33005, 34712, 34887, 34892, 50001, 50002)
"""Compressions that change values: JPEG, JPEG 2000, LERC, WebP, JPEG XL."""
_BY_SIMPLEITK = (1, 5, 7, 8, 32946, 32773)
"""Compressions that SimpleITK reads, all in strips: none, LZW, JPEG, deflate (two numbers), PackBits."""
_REDUCED, _MASK = 1, 4
"""Bits of a page's kind: a smaller version of another page, a transparency mask of one."""


@dataclass(frozen=True)
class Page:
    """What the tags of one page say; the names are those of TIFF 6.0."""

    width: int
    height: int
    bits: int
    samples: int
    sample_format: int
    photometric: int
    compression: int
    planar: int
    orientation: int
    extra: tuple[int, ...]
    tile: tuple[int, int] | None
    rows_per_strip: int
    offsets: Sequence[int]
    counts: Sequence[int]
    subfile: int
    description: str

    @property
    def form(self) -> tuple[Any, ...]:
        """What all pages of a volume must have in common."""
        return (
            self.width,
            self.height,
            self.bits,
            self.samples,
            self.sample_format,
            self.photometric,
            self.extra,
            self.orientation,
        )


def read_header(file: Path) -> RasterHeader:
    """Read the tags of all pages (TIFF 6.0, BigTIFF), and decide which reader gives the values that are meant.

    Raises:
        RaterbenchError: the tags are damaged, the pages differ, or hold something that no reader here gives rightly.
    """
    all_pages = read_pages(file)
    numbers = tuple(k for k, page in enumerate(all_pages) if not page.subfile & (_REDUCED | _MASK)) or (0,)
    first = all_pages[numbers[0]]
    for number in numbers[1:]:
        if all_pages[number].form != first.form:
            raise RaterbenchError(f"{file} has pages of different sizes or kinds: save each as a file of its own")
    _check_hyperstack(file, first, len(numbers))
    check_upright(file, first.orientation)
    if first.photometric in _STRANGE:
        raise RaterbenchError(f"{file} holds {_STRANGE[first.photometric]}: save it in grey or RGB")
    value = _value_type(file, first)
    alpha = first.photometric != _YCBCR and first.extra[:1] in ((1,), (2,))
    palette = first.photometric == _PALETTE
    return RasterHeader(
        file,
        ((len(numbers),) if len(numbers) > 1 else ()) + (first.height, first.width),
        3 if palette else first.samples,
        value,
        "SimpleITK" if _simpleitk_can(first) and len(numbers) == len(all_pages) else _pillow_or_refused(file, first),
        image_io="TIFFImageIO",
        alpha=alpha,
        palette=palette,
        white_is_zero=first.photometric == _WHITE_IS_ZERO,
        lossy=any(all_pages[k].compression in _LOSSY for k in numbers),
        pages=numbers,
    )


def verify(header: RasterHeader) -> None:
    """Check that the strips or tiles of every page are in the file, and hold what is promised as far as that can be told.

    Raises:
        RaterbenchError: the file is cut off or damaged.
    """
    pages = read_pages(header.file)
    with header.file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for number in header.pages:
            check_strips(header.file, pages[number], content)


def read_pages(file: Path) -> list[Page]:
    """All pages of the file, in order.

    Raises:
        RaterbenchError: the tags are damaged.
    """
    pages: list[Page] = []
    try:
        with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            position: int | None = None
            seen: set[int] = set()
            while position != 0:
                tags, position = read_directory(content, position)
                pages.append(_page(file, tags))
                if position in seen or len(pages) > _MOST_PAGES:
                    raise TagsError("its pages go round in a circle")
                seen.add(position)
    except TagsError as error:
        raise damaged(file, f"its TIFF tags are damaged or cut off ({error})") from error
    return pages


def _page(file: Path, tags: Tags) -> Page:
    def one(tag: int, default: int | None = None) -> int:
        value = tags.get(tag, () if default is None else (default,))
        if not isinstance(value, tuple) or len(value) < 1 or not isinstance(value[0], int):
            raise TagsError(f"the tag {tag} is missing or no number")
        return value[0]

    def several(tag: int, default: tuple[int, ...]) -> tuple[int, ...]:
        value = tags.get(tag, default)
        if not isinstance(value, tuple):
            raise TagsError(f"the tag {tag} holds no numbers")
        return value

    width, height, samples = one(256), one(257), one(277, 1)
    bits, formats = several(258, (1,)), several(339, (1,))
    if min(width, height, samples) < 1:
        raise TagsError(f"{width} x {height} pixels of {samples} values")
    if len(set(bits)) != 1 or len(set(formats)) != 1 or len(bits) not in (1, samples):
        raise RaterbenchError(f"{file} has channels of different types ({bits} bits): save it in grey or RGB, 8 or 16 bit")
    tiled = 322 in tags
    text = tags.get(270, b"")
    return Page(
        width=width,
        height=height,
        bits=bits[0],
        samples=samples,
        sample_format=formats[0],
        photometric=one(262, _BLACK_IS_ZERO),
        compression=one(259, 1),
        planar=one(284, 1) if samples > 1 else 1,
        orientation=one(274, 1),
        extra=several(338, ()),
        tile=(one(323), one(322)) if tiled else None,
        rows_per_strip=min(one(278, height), height),
        offsets=several(324 if tiled else 273, ()),
        counts=several(325 if tiled else 279, ()),
        subfile=one(254, 0),
        description=text.decode("latin-1") if isinstance(text, bytes) else "",
    )


def _check_hyperstack(file: Path, page: Page, pages: int) -> None:
    """ImageJ writes what its pages are into the description, and stores large stacks behind one page alone."""
    if not page.description.startswith("ImageJ="):
        return
    said = {key: int(value) for key, value in re.findall(r"^(images|channels|frames)=(\d{1,9})\s*$", page.description, re.M)}
    if said.get("images", pages) != pages:
        raise RaterbenchError(
            f"{file} is an ImageJ stack of {said['images']} images, of which {pages} can be seen: save it as NRRD or NIfTI"
        )
    for key, word in (("channels", "channels"), ("frames", "points in time")):
        if said.get(key, 1) > 1 and pages > 1:
            raise RaterbenchError(f"{file} has {said[key]} {word} as pages, not slices: save each as a file of its own")


def _value_type(file: Path, page: Page) -> np.dtype[Any]:
    kind = {1: "u", 2: "i", 3: "f", 4: "u"}.get(page.sample_format)
    bits, least = page.bits, 32 if kind == "f" else 1
    if kind is None or bits not in (1, 2, 4, 8, 16, 32) or bits < least:
        words = {1: "whole numbers", 2: "whole numbers", 3: "real numbers", 5: "complex numbers", 6: "complex numbers"}
        raise RaterbenchError(
            f"{file} stores {bits}-bit {words.get(page.sample_format, 'values')}, which TIFF readers do not give rightly: save "
            "it with 8, 16 or 32 bits, or as MHA or NRRD"
        )
    return np.dtype(f"{kind}{max(bits, 8) // 8}")


def _simpleitk_can(page: Page) -> bool:
    plain = page.tile is None and page.planar == 1 and page.compression in _BY_SIMPLEITK and page.bits >= 8
    grey = page.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO) and page.samples == 1
    colour = page.photometric == _RGB and page.samples in (3, 4) and page.bits <= 16 and page.sample_format in (1, 4)
    return plain and (grey or colour or (page.photometric == _YCBCR and page.compression == 7 and page.samples == 3))


def _pillow_or_refused(file: Path, page: Page) -> Any:
    grey = page.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO)
    forms = (
        grey and page.samples == 1 and page.sample_format in (1, 4) and page.bits <= 8,
        page.photometric == _BLACK_IS_ZERO and page.samples == 1 and (page.bits, page.sample_format) in ((16, 1), (32, 3)),
        page.photometric == _PALETTE and page.samples == 1 and page.bits <= 8,
        page.photometric == _BLACK_IS_ZERO and page.samples == 2 and page.extra in ((1,), (2,)) and page.bits == 8,
        page.photometric == _RGB and page.samples == 3 and page.bits == 8,
        page.photometric == _RGB and page.samples == 4 and page.extra in ((1,), (2,)) and page.bits == 8,
        page.photometric == _YCBCR and page.samples == 3 and page.compression == 7,
    )
    if not any(forms):
        _refuse(file, page)
    return "Pillow"


def _refuse(file: Path, page: Page) -> NoReturn:
    how = f"{page.samples} values of {page.bits} bits a pixel"
    how += " in tiles" if page.tile else " channel by channel" if page.planar == 2 else ""
    raise RaterbenchError(
        f"{file} stores {how} (photometric interpretation {page.photometric}, compression {page.compression}), which "
        "TIFF readers do not give rightly: save it in grey or RGB, in strips, without compression, or as MHA or NRRD"
    )
