"""The NIfTI files of a scan, as downloads have them: images on one grid, and masks with known values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import RaterbenchError
from ..base import Geometry, Labels
from ..images import Picture, check_agreement, image_grid, read_image, read_labels
from .label_values import LabelValues, count_values, count_words

ENDINGS = (".nii", ".nii.gz")


def find_nifti(stem: Path) -> Path | None:
    """The file ``stem`` with one of the endings of NIfTI, or None."""
    return next((file for ending in ENDINGS if (file := stem.with_name(stem.name + ending)).is_file()), None)


def needed_nifti(stem: Path) -> Path:
    """The file ``stem`` with one of the endings of NIfTI.

    Raises:
        RaterbenchError: it is not there.
    """
    file = find_nifti(stem)
    if file is None:
        raise RaterbenchError(f"{stem}.nii (or .nii.gz) is missing: it belongs to the download")
    return file


def read_contrasts(stems: Sequence[Path]) -> Picture:
    """The images of one scan as channels [C, *S] float32, once they are seen to lie on the grid of the first.

    Raises:
        RaterbenchError: a file is missing or damaged, or lies on another grid.
    """
    contrasts = [read_image(needed_nifti(stem)) for stem in stems]
    for other in contrasts[1:]:
        check_agreement(contrasts[0], other._replace(pixels=other.pixels[0]))
    pixels = np.concatenate([contrast.pixels for contrast in contrasts]).astype(np.float32, copy=False)
    return contrasts[0]._replace(pixels=pixels)


def read_grid(stem: Path) -> tuple[tuple[int, ...], Geometry]:
    """Shape [*S] and geometry of an image, from its header alone; errors as in ``read_contrasts``."""
    return image_grid(needed_nifti(stem))


def read_mask(stem: Path, image: Picture, labels: LabelValues) -> Labels:
    """The class indices [*S] of a mask that lies on the grid of its image.

    Raises:
        RaterbenchError: the file is missing or damaged, lies on another grid, or has a value that the download does not have.
    """
    mask = check_agreement(image, read_labels(needed_nifti(stem)))
    strange = {value: n for value, n in count_values(mask.pixels).items() if value not in labels.table}
    if strange:
        raise RaterbenchError(
            f"{mask.file} has {count_words(strange)}, but the masks of this data set have the values "
            f"{sorted(labels.table)} only: copy the file from the download again"
        )
    return labels.indices(mask.pixels, mask.file)
