"""Volumes of HL60 nuclei and of granulocytes from a virtual microscope: the cell image collection of Masaryk University."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from ...errors import RaterbenchError
from ...parameters import Range, Seed, check_arguments
from ..base import Card, Geometry, Instances
from ..downloads import find_download
from ..images.headers.tiff import read_pages
from .stacks import Stacks
from .two_qualities import HQ, Count, Errors, Pixels, Quality, Regime, TwoQualities

Kind = Literal["hl60", "granulocytes"]

PLACES = ("cbia", "mucic", ".")
"""Where the unpacked folders may lie within the data folder."""
MIDDLE = 84 / 129
"""The part of the depth that slices are taken from: as many of 129 slices as hold a cell on average."""
BRIGHTEST = 65535
"""Of 16 bits."""


class CBIACells(TwoQualities):
    """Slices of 30 volumes [129, 565, 807] of 20 HL60 nuclei or 15 granulocytes each, or of both, whose truth is known.

    The official TIFF archives are read as they are unpacked: a folder whose name begins with ``HL60`` or ``Granulocytes``, and
    in it ``image-final_0000.tif`` (16 bits) and ``image-labels_0000.tif`` (the number of each voxel's cell) and so on. A case
    is a slice, a subject a volume; slices without a cell are not left out, but are rare where slices are taken from, the middle
    two thirds of the depth. With ``distractors`` the volumes of the same number of both kinds lie in one image, each voxel as
    bright as the brighter one; where their cells overlap, the target is in front. The last volumes are the test part.

    Args:
        data: Folder of downloaded data, or the collection's own; None reads the variable ``RATERBENCH_DATA``.
        target: ``hl60`` or ``granulocytes``.
        distractors: Whether the cells of the other kind are in the images; their archive must be there, too.
        variant: Part of the folders' names, such as ``HighNoise``, where archives of several variants are unpacked.
        slices: How many slices of each volume, as far from one another as they can be.
        test: How many volumes, the last, are the test part.
        regime, hq_cases, hq_subjects, lq_errors, hq_errors, seed: as in ``two_qualities.Quality``.

    Raises:
        RaterbenchError: an option is out of its range, or the files are not there or do not belong together.
    """

    name = "cbia-cells"
    listed = True
    classes = ("background", "cell")
    truth_is_known = True
    card: ClassVar[Card] = Card(
        title="Cell image collection of Masaryk University: synthetic HL60 nuclei and granulocytes",
        citation="D. Svoboda, M. Kozubek, S. Stejskal: Generation of digital phantoms of cell nuclei and simulation of image "
        "formation in 3D image cytometry. Cytometry Part A 75A(6):494-509, 2009",
        licence="CC BY 3.0; cite the article",
        source="https://cbia.fi.muni.cz/datasets",
    )

    def __init__(
        self,
        *,
        data: str | Path | None = None,
        target: Kind = "hl60",
        distractors: bool = False,
        variant: str = "",
        slices: Annotated[int, Range(1, 84)] = 20,
        test: Annotated[int, Range(0, 1000)] = 5,
        regime: Regime = "all",
        hq_cases: Count = 10,
        hq_subjects: Count | None = None,
        lq_errors: Errors | None = None,
        hq_errors: Errors | None = None,
        seed: Seed = 0,
    ) -> None:
        check_arguments(CBIACells, locals(), self.name)
        self.has_distractors, self.target, self._stacks = distractors, target, Stacks()
        other: Kind = "granulocytes" if target == "hl60" else "hl60"
        kinds = (target, other) if distractors else (target,)
        self.path = find_download(
            data,
            PLACES,
            lambda folder: all(_folders(folder, kind, variant) for kind in kinds),
            absent=f"the volumes of {' and '.join(kinds)} are not there",
            get=f"unpack their TIFF archives from {self.card.source} into <data>/{PLACES[0]}",
        )
        self._volumes = [_volumes(self.path, kind, variant) for kind in kinds]
        numbers = sorted(set(self._volumes[0]).intersection(*self._volumes))
        if not numbers or test > len(numbers):
            raise RaterbenchError(f"{self.name}: test = {test} must not be more than the {len(numbers)} volumes in {self.path}")
        depth = [len(read_pages(self._volumes[0][number][0])) for number in numbers]
        self._slices = [(n, z) for n, d in zip(numbers, depth, strict=True) for z in _levels(d, slices)]
        rows = [(f"{target}-{n}_slice-{z + 1:03d}", f"volume-{n}", "simulated") for n, z in self._slices]
        left = set(numbers[len(numbers) - test :])
        test_part = [i for i, (n, _) in enumerate(self._slices) if n in left]
        self.assign(rows, test_part, Quality(regime, hq_cases, hq_subjects, lq_errors, hq_errors, seed))

    @classmethod
    def from_options(cls, data: str | None = None, **options: Any) -> CBIACells:
        return cls(data=data, **options)

    def source_files(self) -> Mapping[str, Path]:
        used = {number for number, _ in self._slices}
        files = [file for volumes in self._volumes for number in used for file in volumes[number]]
        return {file.relative_to(self.path).as_posix(): file for file in sorted(files)}

    def fingerprint(self) -> str:
        # Where both kinds are in the images, the names of the files do not say which is the target.
        return hashlib.sha256(f"{super().fingerprint()}|{self.target}".encode()).hexdigest()[:16]

    def pixels(self, position: int) -> Pixels:
        number, z = self._slices[position]
        image, numbers, classes = None, None, np.zeros(1, np.uint8)
        for place, volumes in enumerate(self._volumes):
            light, cells = (volume[z] for volume in self._stacks.pair(*volumes[number]))
            found, compact = np.unique(np.append(0, cells.ravel()), return_inverse=True)
            own = compact[1:].reshape(cells.shape).astype(np.int32)
            own[own > 0] += len(classes) - 1
            classes = np.append(classes, np.full(len(found) - 1, place == 0, np.uint8))
            image = light if image is None else np.maximum(image, _same_size(image, light, volumes[number][0]))
            numbers = own if numbers is None else np.where(numbers > 0, numbers, own)
        assert image is not None
        assert numbers is not None
        pixels = (image[None] / np.float32(BRIGHTEST)).astype(np.float32)
        return Pixels(pixels, Instances(numbers, classes, HQ), Geometry.axis_aligned(2))


def _folders(place: Path, kind: Kind, variant: str) -> list[Path]:
    """The folders of a kind, at any depth, that hold volumes."""
    images = place.glob("**/image-final_*.tif*") if place.is_dir() else ()
    named = {file.parent for file in images if any(part.lower().startswith(kind) for part in file.relative_to(place).parts)}
    return sorted(folder for folder in named if variant.lower() in folder.relative_to(place).as_posix().lower())


def _volumes(place: Path, kind: Kind, variant: str) -> dict[str, tuple[Path, Path]]:
    """The image and the labels of each volume of a kind, by its number.

    Raises:
        RaterbenchError: there are several folders of the kind, or an image has no labels.
    """
    folder, *more = _folders(place, kind, variant)
    if more:
        names = ", ".join(other.relative_to(place).as_posix() for other in (folder, *more))
        raise RaterbenchError(f"{place} has several folders of {kind} ({names}): set variant to a part of the name of one")
    found = {}
    for image in sorted(folder.glob("image-final_*.tif*")):
        labels = image.with_name(image.name.replace("image-final_", "image-labels_"))
        match = re.fullmatch(r"image-final_(\d+)\.tiff?", image.name)
        if match is None or not labels.is_file():
            raise RaterbenchError(f"{labels} is missing: it belongs to {image}, whose name must end in a number")
        found[match[1]] = image, labels
    return found


def _levels(depth: int, slices: int) -> list[int]:
    """Slices in the middles of equal sections of the middle part of a volume, each once."""
    return sorted({int(depth * (0.5 + MIDDLE * ((s + 0.5) / slices - 0.5))) for s in range(slices)})


def _same_size(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any], file: Path) -> np.ndarray[Any, Any]:
    if one.shape != other.shape:
        raise RaterbenchError(f"{file} has slices of {other.shape}, and those of the target have {one.shape}: use one variant")
    return other
