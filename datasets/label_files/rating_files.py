"""Ratings as files, with or without images: who rated what, whether it lies on one grid, and what its values stand for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import RaterbenchError
from ...paths import path_kind
from ..base import IGNORE, Case, Floats, Geometry, Labels
from ..images import TOLERANCE, WITH_GEOMETRY, Picture, check_agreement, read_image, read_labels, stem_of, suffix_of
from ..layout.folder_layout import RatedFiles, find_rated_files
from ..layout.folder_settings import read_settings
from ..layout.rater_layout import check_files_apart, layout_questions
from .doubts import questions
from .label_values import LabelValues
from .value_counts import CaseValues, look_at_case
from .vocabulary import find_classes, first_gap

FREE = (255, 128, *range(254, 128, -1), *range(127, 0, -1))
"""Values for voxels without a label, in the order in which they are tried."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """The content of a case's files: ``values`` [*S] of every rater as they are in the file; all lie on one grid.

    ``truth`` [*S] are the values in its file, and ``ignored`` [*S] bool is True where nobody's labels count.
    """

    files: RatedFiles
    values: Mapping[str, npt.NDArray[Any]]
    geometry: Geometry
    image: Picture | None
    truth: npt.NDArray[Any] | None = None
    ignored: npt.NDArray[np.bool_] | None = None

    @property
    def pixels(self) -> Floats:
        """The image [C, *S]; one that is not there, or was not asked for, has no channel."""
        if self.image is None:
            return np.zeros((0, *next(iter(self.values.values())).shape), np.float32)
        return self.image.pixels

    def count(self, declared: LabelValues | None = None) -> CaseValues:
        """How often each value occurs, and where; with a declared threshold, each of the two classes."""
        return look_at_case(self.files.case, self.files.ratings, self.values, declared)


@dataclass(frozen=True)
class LabelCode:
    """What values stand for when files are read, and when labels are written.

    ``values`` [K] are written for the classes; ``undecided``, which stands for no class, where there is no label.
    """

    labels: LabelValues
    values: tuple[int, ...]
    undecided: int

    def case(self, loaded: Loaded) -> Case:
        """The case with class indices; one without an image has no channel, [0, *S].

        Raises:
            RaterbenchError: a value stands for no class.
        """
        files = loaded.files
        ratings = rating_indices(loaded, self.labels)
        return Case(files.case, files.case, "unknown", loaded.pixels, ratings, loaded.geometry)

    def write(self, labels: Labels) -> npt.NDArray[Any]:
        """The values [*S] to write for class indices [*S], in the smallest type that holds them."""
        table = np.full(256, self.undecided)
        table[: len(self.values)] = self.values
        kinds = (np.uint8, np.uint16, np.int16, np.int32, np.int64)
        kind = next(k for k in kinds if np.iinfo(k).min <= table.min() and table.max() <= np.iinfo(k).max)
        return table.astype(kind)[labels]


def one_case(files: Sequence[Path], name: str, image: Path | None = None) -> RatedFiles:
    """The case that each of some files is one rater's rating of; raters are called by what tells their paths apart.

    The case is called as the files are, if they are all called alike, else ``name``.

    Raises:
        RaterbenchError: there is no file, or one comes twice.
    """
    if not files:
        raise RaterbenchError("there is no rating to fuse: give the file of at least one rater")
    seen: dict[Path, Path] = {}
    for file in files:
        if (same := Path(os.path.realpath(file))) in seen:
            what = "is given twice" if seen[same] == file else f"and {seen[same]} are the same file"
            raise RaterbenchError(f"{file} {what}: every rater counts once")
        seen[same] = file
    names = rater_names(files)
    stems = {stem_of(file) for file in files}
    return RatedFiles(stems.pop() if len(stems) == 1 and len(files) > 1 else name, dict(zip(names, files, strict=True)), image)


def rater_names(files: Sequence[Path]) -> list[str]:
    """``a/case1.png, b/case1.png`` -> ``a, b``; ``ada.nii.gz, ben.nii.gz`` -> ``ada, ben``: what differs between paths."""
    parts = [(*file.absolute().parts[:-1], stem_of(file)) for file in files]
    longest = max(map(len, parts))
    for depth in range(1, longest + 1):
        ends = [part[-depth:] for part in parts]
        if len(set(ends)) == len(ends):
            common = [len({end[-k] for end in ends if len(end) >= k}) == 1 for k in range(depth, 0, -1)]
            kept = ["/".join(p for p, same in zip(e, common[-len(e) :], strict=True) if not same) for e in ends]
            return kept if len(set(kept)) == len(kept) and all(kept) else ["/".join(end) for end in ends]
    return [file.name for file in files]  # Only the endings differ.


def find_cases(folder: Path) -> list[RatedFiles]:
    """The cases of ``ratings/<rater>/<case>.*``, or as ``dataset.toml`` says, sorted; with their images where there are any.

    Raises:
        RaterbenchError: the folder is not laid out so.
    """
    if path_kind(folder) != "folder":
        raise RaterbenchError(f"{folder} is no folder: give one with ratings/<rater>/<case>.png (or .nii.gz, .mha ...)")
    settings = read_settings(folder / "dataset.toml")
    return find_rated_files(folder, settings.layout, images_needed=False, spacing=settings.spacing)


def load(
    files: RatedFiles, *, image: bool = True, truth: bool = False, fractions: bool = False, on_image: bool = False
) -> Loaded:
    """Read a case's ratings and ignored region, its image and truth if asked for, and see that they lie on one grid.

    PNG and TIFF know no geometry, so they are held to the size alone; the geometry is that of a file that knows it, else the
    spacing of ``dataset.toml``. ``fractions``: values need not be whole numbers, because a threshold was declared. An axis of
    length 1 is none: where a picture and a volume of one slice meet, all have the axes of the image with ``on_image``, else of
    the ratings.

    Raises:
        RaterbenchError: a file cannot be read or holds no labels, or two differ in size or geometry; the files are named.
    """
    pictures = {rater: read_labels(file, whole=not fractions) for rater, file in files.ratings.items()}
    known = [picture for picture in pictures.values() if suffix_of(picture.file) in WITH_GEOMETRY]
    grid = (known or list(pictures.values()))[0]
    base = Picture(grid.pixels[None], grid.geometry, grid.file)
    for picture in pictures.values():
        check_agreement(base, picture)
    seen = read_image(files.image) if image and files.image else None
    if seen is not None:
        base = _on_axes_of(seen, grid) if on_image else base
        check_agreement(seen, grid)
        seen = seen._replace(pixels=seen.pixels.reshape(-1, *base.pixels.shape[1:]))
    values = {rater: check_agreement(base, picture).pixels for rater, picture in pictures.items()}
    true = check_agreement(base, read_labels(files.truth, whole=not fractions)).pixels if truth and files.truth else None
    ignored = check_agreement(base, read_labels(files.ignored)).pixels != 0 if files.ignored else None
    if ignored is not None and ignored.all():
        raise RaterbenchError(
            f"{files.ignored} is nowhere 0, so nothing is left of the case: 0 is what counts, all else is ignored"
        )
    geometry = _with_spacing(base, files.spacing, trusted=base.geometry.unit == "mm")
    return Loaded(files, values, geometry, seen, true, ignored)


def _on_axes_of(image: Picture, grid: Picture) -> Picture:
    """The image, with the geometry of the ratings (``grid``) on its own axes where it knows none itself."""
    if suffix_of(image.file) in WITH_GEOMETRY or grid.geometry.unit == "pixel":
        return image
    size, steps = image.pixels.shape[1:], grid.geometry.spacing
    if len(size) == len(steps):
        return image._replace(geometry=grid.geometry)
    long = [step for step, length in zip(steps, grid.pixels.shape, strict=True) if length > 1]
    return image._replace(geometry=Geometry.axis_aligned(len(size), long)) if len(long) == len(size) else image


def rating_indices(loaded: Loaded, labels: LabelValues) -> dict[str, Labels]:
    """Class indices [*S] of each rater, ``IGNORE`` in the ignored region.

    Raises:
        RaterbenchError: a value stands for no class.
    """
    ratings = {rater: labels.indices(values, loaded.files.ratings[rater]) for rater, values in loaded.values.items()}
    if loaded.ignored is not None:
        for indices in ratings.values():
            indices[loaded.ignored] = IGNORE
    return ratings


def _with_spacing(picture: Picture, spacing: tuple[float, ...] | None, *, trusted: bool) -> Geometry:
    """The geometry of a picture, with the ``spacing`` that ``dataset.toml`` gives where the file has none to be trusted.

    Raises:
        RaterbenchError: the picture has another spacing, or another number of axes.
    """
    own = picture.geometry
    if spacing is None:
        return own
    numbers = [", ".join(f"{value:.9g}" for value in values) for values in (spacing, own.spacing)]
    if len(spacing) != len(own.spacing):
        raise RaterbenchError(
            f"dataset.toml gives the spacing ({numbers[0]}), but {picture.file} has "
            f"{len(own.spacing)} axes: give one number for each"
        )
    if trusted and not np.allclose(spacing, own.spacing, rtol=TOLERANCE, atol=0):
        raise RaterbenchError(
            f"dataset.toml gives the spacing ({numbers[0]}) mm, but {picture.file} says ({numbers[1]}): "
            "mend the one that is wrong"
        )
    return own if trusted else Geometry.axis_aligned(len(spacing), spacing)


def label_code(found: Sequence[CaseValues], declared: LabelValues | None = None, ignore: int | None = None) -> LabelCode:
    """How to read and write the values found in files: by the declared classes, or those that ``find_classes`` finds.

    Masks of 0 and 1 and masks of 0 and 255 mean the same two classes. ``ignore`` is the value of voxels not judged.

    Raises:
        RaterbenchError: nothing is declared, and the values cannot be classes; or a class has no value but ``ignore``.
    """
    labels = find_classes(found, declared, ignore)
    present = {value for case in found if not case.binarised for file in case.files.values() for value in file.counts}
    values = []
    for k in range(len(labels.classes)):
        mine = [value for value, index in labels.table.items() if index == k]
        if not mine:
            raise RaterbenchError(
                f"no value is left for the class {labels.classes[k]!r} where {ignore} means not judged: "
                "give another value for that, or name the classes with their values"
            )
        # Where several values mean the same, what the files use is written; the largest if they use more than one.
        values.append(max(set(mine) & present, default=mine[0]))
    free = next(value for value in FREE if value not in labels.table)
    return LabelCode(labels, tuple(values), free if ignore is None else ignore)


def rating_questions(found: Sequence[CaseValues], labels: LabelValues, *, declared: bool) -> tuple[str, ...]:
    """What should be asked about rating files before they are compared or fused, in sentences.

    Raises:
        RaterbenchError: a value stands for no class, or two raters of a case have one file.
    """
    for case in found:
        check_files_apart({rater: file.file for rater, file in case.files.items()}, case.case)
        for file in case.files.values():
            labels.check_known(file.counts, file.file)
    gap = None if declared else first_gap(found, labels)
    taken = [f"{gap}: every value is taken for a class; to train on them, declare the classes in dataset.toml"] if gap else []
    rated = {case.case: tuple(case.files) for case in found}
    return (*questions(found, labels, declared=declared), *taken, *layout_questions(rated))
