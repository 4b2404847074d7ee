"""The image formats: their endings, and which of them know where a voxel lies."""

from __future__ import annotations

from pathlib import Path

WITH_GEOMETRY = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd")
"""Formats that say where a voxel lies; the others at most give a printing resolution, which no rating is held to."""

WITHOUT_GEOMETRY = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm", ".pbm")

LOSSY = (".jpg", ".jpeg")

READ_ONLY = (*LOSSY, ".bmp", ".pgm", ".ppm", ".pbm")
"""Formats in which no labels are written."""

LOSSLESS = "PNG, TIFF, NIfTI, MHA or NRRD"
"""What labels are written as, for messages."""

_FORMATS = {
    **dict.fromkeys((".nii.gz", ".nii"), "NIfTI"),
    **dict.fromkeys((".mha", ".mhd"), "MetaImage"),
    ".nrrd": "NRRD",
    ".png": "PNG",
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".jpg", ".jpeg"), "JPEG"),
    ".bmp": "BMP",
    **dict.fromkeys((".pgm", ".ppm", ".pbm"), "PNM"),
}


def suffix_of(file: Path) -> str | None:
    """The ending by which an image file is known (``.nii.gz`` is one), in lower case, or None if it is no image."""
    name = file.name.lower()
    return next((s for s in WITH_GEOMETRY + WITHOUT_GEOMETRY if name.endswith(s) and len(name) > len(s)), None)


def stem_of(file: Path) -> str:
    """The name of an image file without its ending."""
    return file.name[: len(file.name) - len(suffix_of(file) or "")]


def format_of(file: Path) -> str | None:
    """The name of the format that the ending of a file stands for, or None if it is no image.

    >>> format_of(Path("case1.NII.GZ"))
    'NIfTI'
    """
    return _FORMATS.get(suffix_of(file) or "")
