"""How a picture is to be turned before it is shown, as cameras and scanners write it (EXIF, TIFF)."""

from __future__ import annotations

from pathlib import Path

from ....errors import RaterbenchError
from .tiff_tags import TagsError, read_directory

UPRIGHT, ORIENTATION = 1, 274


def orientation_of(file: Path, exif: bytes) -> int:
    """The orientation (1 to 8) in an EXIF block, which has the form of a TIFF; 1 where it says nothing.

    Raises:
        RaterbenchError: the block is damaged.
    """
    if not exif:
        return UPRIGHT
    try:
        tags, _ = read_directory(exif)
    except TagsError as error:
        raise RaterbenchError(f"{file} has a damaged EXIF block ({error}): save it without") from error
    return int(tags.get(ORIENTATION, (UPRIGHT,))[0])


def check_upright(file: Path, orientation: int) -> None:
    """See that a picture is stored as it is shown.

    Some tools turn it and others do not, so nobody knows how a rater saw it, and which way round a mask of it lies.

    Raises:
        RaterbenchError: it is to be turned or mirrored.
    """
    if orientation != UPRIGHT:
        raise RaterbenchError(
            f"{file} is stored turned or mirrored (EXIF orientation {orientation}), which tools treat differently: "
            "save it upright, and see that image and ratings still fit"
        )
