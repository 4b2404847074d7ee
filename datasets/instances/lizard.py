"""Nuclei of six kinds in colon tissue, each with a number: the Lizard data set."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import io

from ...errors import RaterbenchError
from ...parameters import Range, Seed, check_arguments
from ..base import Card, Geometry, Instances
from ..downloads import find_download
from ..images import read_image
from .two_qualities import HQ, Count, Errors, Pixels, Quality, Regime, TwoQualities

Kind = Literal["neutrophil", "epithelial", "lymphocyte", "plasma", "eosinophil", "connective tissue"]

KINDS: tuple[Kind, ...] = ("neutrophil", "epithelial", "lymphocyte", "plasma", "eosinophil", "connective tissue")
"""What the classes 1 to 6 of the files are."""
PLACES = ("lizard", ".")
"""Where the unpacked archives may lie within the data folder."""
LABELS = ("Lizard_Labels", "lizard_labels/Lizard_Labels", "lizard_labels")
IMAGES = ("Lizard_Images[12]", "lizard_images[12]/Lizard_Images[12]", "lizard_images[12]")
"""Where the three archives put their files, unpacked beside one another or each into a folder of its own."""


class Lizard(TwoQualities):
    """238 images of colon tissue (H&E, 20x) with 431,913 numbered nuclei, cut into patches.

    The download is read as it is: ``Lizard_Images1`` and ``Lizard_Images2`` (PNG), ``Lizard_Labels/Labels`` (a MATLAB file for
    each image with ``inst_map``, ``id``, ``class`` and ``bbox``) and ``Lizard_Labels/info.csv`` (the publishers' three folds,
    the extra column ``fold`` of the index). A case is a patch, a subject an image, a centre the collection that the image comes
    from. One kind of nuclei is the target, the others are distractors; patches that no nucleus of the target reaches are
    left out. Pixel sizes are not in the files: distances are in pixels.

    Args:
        data: Folder of downloaded data, or the data set's own; None reads the variable ``RATERBENCH_DATA``.
        target: The kind to segment.
        patch: Height and width of a patch; smaller images are one patch.
        overlap: By how many pixels neighbouring patches overlap at least.
        test_fold: Which of the three folds is the test part.
        regime, hq_cases, hq_subjects, lq_errors, hq_errors, seed: as in ``two_qualities.Quality``.

    Raises:
        RaterbenchError: an option is out of its range, or the files are not there or do not belong together.
    """

    name = "lizard"
    listed = True
    card: ClassVar[Card] = Card(
        title="Lizard: nuclei in colon tissue",
        citation="S. Graham et al.: Lizard: a large-scale dataset for colonic nuclear instance segmentation and "
        "classification. ICCV workshops, 2021",
        licence="CC BY-NC-SA 4.0, for research; cite the article",
        source="https://warwick.ac.uk/fac/cross_fac/tia/data/lizard",
    )

    def __init__(
        self,
        *,
        data: str | Path | None = None,
        target: Kind = "epithelial",
        patch: Annotated[int, Range(32, 4096)] = 500,
        overlap: Annotated[int, Range(0, 4095)] = 100,
        test_fold: Literal[1, 2, 3] = 3,
        regime: Regime = "all",
        hq_cases: Count = 10,
        hq_subjects: Count | None = None,
        lq_errors: Errors | None = None,
        hq_errors: Errors | None = None,
        seed: Seed = 0,
    ) -> None:
        check_arguments(Lizard, locals(), self.name)
        if overlap >= patch:
            raise RaterbenchError(f"{self.name}: overlap = {overlap} must be less than patch = {patch}")
        self.target, self.patch = target, patch
        self.classes = ("background", target)
        self.path = find_download(
            data,
            PLACES,
            _labels_folder,
            absent="the images of lizard are not there",
            get=f"unpack the three archives of {self.card.source} into <data>/{PLACES[0]}",
        )
        self._labels = _labels_folder(self.path) or self.path
        self._images = {file.stem: file for pattern in IMAGES for file in sorted(self.path.glob(f"{pattern}/[!.]*.png"))}
        folds = self._folds()
        rows, self._patches, fold_of = [], [], []
        for case in sorted(folds):
            for window in self._windows(case, overlap):
                (top, _), (left, _) = window
                rows.append((f"{case}_y{top:04d}-x{left:04d}", case, case.partition("_")[0]))
                self._patches.append((case, window))
                fold_of.append(folds[case])
        test = [i for i, fold in enumerate(fold_of) if fold == test_fold]
        self.assign(rows, test, Quality(regime, hq_cases, hq_subjects, lq_errors, hq_errors, seed))
        self.index["fold"] = fold_of

    @classmethod
    def from_options(cls, data: str | None = None, **options: Any) -> Lizard:
        return cls(data=data, **options)

    def source_files(self) -> Mapping[str, Path]:
        cases = dict.fromkeys(case for case, _ in self._patches)
        files = [file for case in cases for file in (self._images[case], self._file(case))]
        return {file.relative_to(self.path).as_posix(): file for file in files}

    def fingerprint(self) -> str:
        # The index knows where a patch begins, and not where it ends.
        return hashlib.sha256(f"{super().fingerprint()}|{self.patch}".encode()).hexdigest()[:16]

    def pixels(self, position: int) -> Pixels:
        case, window = self._patches[position]
        rows, columns = (slice(*ends) for ends in window)
        image, label = read_image(self._images[case]), _read(self._file(case), ("inst_map", "id", "class"))
        if label["inst_map"].shape != image.pixels.shape[1:]:
            one, other = image.pixels.shape[1:], label["inst_map"].shape
            raise RaterbenchError(f"{image.file} and {self._file(case)} differ in size: {one} against {other}")
        kind_of = dict(zip(label["id"].ravel().tolist(), label["class"].ravel().tolist(), strict=True))
        nuclei = label["inst_map"][rows, columns]
        found, compact = np.unique(np.append(0, nuclei.ravel()), return_inverse=True)
        unknown = [number for number in found.tolist() if number and number not in kind_of]
        if unknown:
            raise RaterbenchError(f"{self._file(case)}: nucleus {unknown[0]} of inst_map is not in id: copy the file anew")
        classes = [0, *(KINDS.index(self.target) + 1 == kind_of[number] for number in found[1:].tolist())]
        instances = Instances(compact[1:].reshape(nuclei.shape).astype(np.int32), np.array(classes, np.uint8), HQ)
        pixels = np.ascontiguousarray(image.pixels[:, rows, columns] / np.float32(255), np.float32)
        return Pixels(pixels, instances, Geometry.axis_aligned(2))

    def _file(self, case: str) -> Path:
        return self._labels / "Labels" / f"{case}.mat"

    def _folds(self) -> dict[str, int]:
        """The fold of each image that is there.

        Raises:
            RaterbenchError: the table of folds, or what belongs to an image, is missing.
        """
        file = self._labels / "info.csv"
        if not file.is_file():
            raise RaterbenchError(f"{file} is missing: it belongs to the download")
        table = pd.read_csv(file)
        if not {"Filename", "Split"} <= set(table.columns):
            raise RaterbenchError(f"{file} must have the columns Filename and Split")
        known = dict(zip(table["Filename"].astype(str), table["Split"].astype(int), strict=True))
        folds = {case: known[case] for case in self._images if case in known}
        for case in self._images:
            if case not in folds:
                raise RaterbenchError(f"{file} has no row for the image {case!r}")
            if not self._file(case).is_file():
                raise RaterbenchError(f"{self._file(case)} is missing: it belongs to the download")
        return folds

    def _windows(self, case: str, overlap: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """The patches of an image as (first, last + 1) row and column that a nucleus of the target reaches."""
        file = self._file(case)
        label = _read(file, ("class", "bbox"))
        shape = next((shape for name, shape, _ in io.whosmat(file) if name == "inst_map"), None)
        if shape is None or len(shape) != 2:
            raise RaterbenchError(f"{file} has no inst_map [H, W]: copy the file from the download again")
        top, bottom, left, right = label["bbox"][label["class"].ravel() == KINDS.index(self.target) + 1].reshape(-1, 4).T
        windows = [(y, x) for y in _cut(shape[0], self.patch, overlap) for x in _cut(shape[1], self.patch, overlap)]
        return [(y, x) for y, x in windows if bool(((top < y[1]) & (bottom > y[0]) & (left < x[1]) & (right > x[0])).any())]


def _labels_folder(place: Path) -> Path | None:
    """The folder with ``Labels`` and ``info.csv``, or None."""
    return next((place / name for name in LABELS if (place / name / "Labels").is_dir()), None)


def _cut(length: int, patch: int, overlap: int) -> list[tuple[int, int]]:
    """Sections of a side that cover it, each ``patch`` long; the last overlaps more."""
    if length <= patch:
        return [(0, length)]
    starts = [*range(0, length - patch, patch - overlap), length - patch]
    return [(start, start + patch) for start in starts]


def _read(file: Path, names: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
    """Arrays of a MATLAB file.

    Raises:
        RaterbenchError: it cannot be read, or one is missing.
    """
    try:
        found: dict[str, npt.NDArray[Any]] = io.loadmat(file, variable_names=names)
    except (OSError, ValueError, TypeError, KeyError, NotImplementedError, zlib.error) as error:
        raise RaterbenchError(f"{file} cannot be read as a MATLAB file ({error}): copy it from the download again") from error
    for name in names:
        if name not in found:
            raise RaterbenchError(f"{file} has no {name!r}: copy the file from the download again")
    return found
