"""Image files of any kind: read without surprises, written whole, and held to the grid of their image."""

from .formats import LOSSY, READ_ONLY, WITH_GEOMETRY, WITHOUT_GEOMETRY, stem_of, suffix_of
from .grid import TOLERANCE, check_agreement
from .picture import Picture
from .reading import image_form, image_grid, pixel_file, read_image, read_labels
from .writing import write_labels, write_probability

__all__ = [
    "LOSSY",
    "READ_ONLY",
    "TOLERANCE",
    "WITHOUT_GEOMETRY",
    "WITH_GEOMETRY",
    "Picture",
    "check_agreement",
    "image_form",
    "image_grid",
    "pixel_file",
    "read_image",
    "read_labels",
    "stem_of",
    "suffix_of",
    "write_labels",
    "write_probability",
]
