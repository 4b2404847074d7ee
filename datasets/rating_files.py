"""Ratings as files, with or without images: who rated what, whether it lies on one grid, and what its values stand for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .base import IGNORE, Case, Geometry, Labels
from .errors import RaterbenchError
from .folder import image_files, rater_folders
from .folder_settings import LabelValues
from .images import WITH_GEOMETRY, Picture, check_agreement, read_image, read_labels, stem_of, suffix_of

MOST_CLASSES = 254
BLOCK = 1 << 16
"""Voxels counted at a time, and the widest range of values that is counted in a table."""
FREE = (255, 128, *range(254, 128, -1), *range(127, 0, -1))
"""Values for voxels without a label, in the order in which they are tried."""


@dataclass(frozen=True)
class RatedFiles:
    """The files of one case: each rater's, and its image where there is one."""

    case: str
    ratings: Mapping[str, Path]
    image: Path | None = None

    @property
    def files(self) -> list[Path]:
        """All of them."""
        return [*self.ratings.values(), *([self.image] if self.image else [])]


@dataclass(frozen=True, eq=False)
class Loaded:
    """The content of those files: ``values`` [*S] of every rater as they are in the file; all lie on one grid."""

    files: RatedFiles
    values: Mapping[str, npt.NDArray[Any]]
    geometry: Geometry
    image: Picture | None

    def distinct(self) -> dict[Path, frozenset[int]]:
        """The different values in each rater's file."""
        return {self.files.ratings[rater]: distinct(values) for rater, values in self.values.items()}


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
        ratings = {rater: self.labels.indices(values, files.ratings[rater]) for rater, values in loaded.values.items()}
        shape = next(iter(ratings.values())).shape
        image = np.zeros((0, *shape), np.float32) if loaded.image is None else loaded.image.pixels
        return Case(files.case, files.case, "unknown", image, ratings, loaded.geometry)

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
    """The cases of ``ratings/<rater>/<case>.*``, sorted, with ``images/<case>.*`` where there is one.

    Raises:
        RaterbenchError: the folder is not laid out so.
    """
    if not folder.is_dir():
        raise RaterbenchError(f"{folder} is no folder: give one with ratings/<rater>/<case>.png (or .nii.gz, .mha ...)")
    rated = {rater.name: image_files(rater) for rater in rater_folders(folder / "ratings")}
    images = image_files(folder / "images") if (folder / "images").is_dir() else {}
    cases = sorted({case for files in rated.values() for case in files})
    return [RatedFiles(c, {r: files[c] for r, files in rated.items() if c in files}, images.get(c)) for c in cases]


def load(files: RatedFiles, *, image: bool = True) -> Loaded:
    """Read a case's ratings, and its image if asked for, and see that they lie on one grid.

    PNG and TIFF know no geometry, so they are held to the size alone; the geometry is that of a file that knows it.

    Raises:
        RaterbenchError: a file cannot be read or holds no labels, or two differ in size or geometry; the files are named.
    """
    pictures = {rater: read_labels(file) for rater, file in files.ratings.items()}
    known = [p for p in pictures.values() if suffix_of(p.file) in WITH_GEOMETRY]
    grid = (known or list(pictures.values()))[0]
    base = Picture(grid.pixels[None], grid.geometry, grid.file)
    pictures = {rater: check_agreement(base, picture) for rater, picture in pictures.items()}
    seen = read_image(files.image) if image and files.image else None
    if seen is not None:
        check_agreement(seen, grid)
        seen = seen._replace(pixels=seen.pixels.reshape(-1, *grid.pixels.shape))
    return Loaded(files, {rater: picture.pixels for rater, picture in pictures.items()}, grid.geometry, seen)


def distinct(values: npt.NDArray[Any]) -> frozenset[int]:
    """The different whole numbers in an array, by counting where their range allows it: sorting is far slower."""
    flat = values.reshape(-1)
    if not flat.size:
        return frozenset()
    low, high = int(flat.min()), int(flat.max())
    if high - low >= BLOCK:
        return frozenset(np.unique(flat).tolist())
    counts = np.zeros(high - low + 1, np.int64)
    for start in range(0, len(flat), BLOCK):
        counts += np.bincount(flat[start : start + BLOCK].astype(np.int64) - low, minlength=len(counts))
    return frozenset((np.flatnonzero(counts) + low).tolist())


def label_code(
    found: Iterable[Mapping[Path, frozenset[int]]], declared: LabelValues | None = None, ignore: int | None = None
) -> LabelCode:
    """How to read and write the values found in files: by the declared classes, else every value is a class, 0 the background.

    Masks of 0 and 1 and masks of 0 and 255 mean the same two classes. ``ignore`` is the value of voxels not judged.

    Raises:
        RaterbenchError: there are more values than label maps have.
    """
    files = [(file, values - {ignore}) for case in found for file, values in case.items()]
    present = {value for _, values in files for value in values}
    if declared is None:
        white = all(values <= {0, 1} or values <= {0, 255} for _, values in files)
        others = sorted(present - {0}) or [1]
        if len(others) > MOST_CLASSES:
            most = max(files, key=lambda item: len(item[1]))[0]
            raise RaterbenchError(f"{most} and the others have {len(others)} different values: are they label maps at all?")
        two = len(others) == 1 or white
        names = ("background", "foreground") if two else ("background", *(f"label {value}" for value in others))
        table = {0: 0, **{value: 1 if two else k for k, value in enumerate(others, 1)}}
        declared = LabelValues(names, table if ignore is None else {**table, ignore: IGNORE})
    values = []
    for k in range(len(declared.classes)):
        mine = [value for value, index in declared.table.items() if index == k]
        # Where 1 and 255 mean the same, what the files use is written; 255 if they use both.
        values.append(max(set(mine) & present, default=mine[0]))
    free = next(value for value in FREE if value not in declared.table)
    return LabelCode(declared, tuple(values), free if ignore is None else ignore)


def parse_classes(text: str, ignore: int | None = None) -> LabelValues:
    """``0,100,200`` or ``background=0,liver=100,tumour=200`` as classes, the background first.

    Raises:
        RaterbenchError: it is not of that form, or a name or value comes twice.
    """
    names, values = [], []
    for position, part in enumerate(text.split(",")):
        name, equals, value = part.rpartition("=")
        try:
            values.append(int(value))
        except ValueError as error:
            example = "0,255 or background=0,nucleus=255"
            raise RaterbenchError(f"--classes {text!r}: {part!r} has no whole number; write {example}") from error
        names.append(name.strip() if equals else f"label {values[-1]}" if position else "background")
    twice = len(set(names)) < len(names) or len(set(values)) < len(values)
    if twice or len(names) < 2 or ignore in values or len(names) > MOST_CLASSES:
        raise RaterbenchError(
            f"--classes {text!r}: give the background and at least one more, each name and value once, none the ignored value"
        )
    table = {value: k for k, value in enumerate(values)}
    return LabelValues(tuple(names), table if ignore is None else {**table, ignore: IGNORE})
