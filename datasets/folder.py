"""Anybody's own data, without code: a folder of images and a folder of ratings for each rater."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..errors import RaterbenchError, nearest
from ..paths import path_kind
from ..steps import counted_step
from ..voxel_counts import one_hot
from .base import IGNORE, Card, Case, Dataset, Geometry, Labels, Truth, index_table
from .images import WITH_GEOMETRY, image_form, image_grid, pixel_file, read_labels, suffix_of
from .label_files.doubts import copies, questions
from .label_files.rating_files import load, rating_indices
from .label_files.value_counts import CaseValues, look_at_case
from .label_files.vocabulary import find_classes, first_gap
from .layout.cases_table import CaseRow, name_diagnoses, read_cases
from .layout.folder_layout import LAYOUT, RatedFiles, find_rated_files
from .layout.folder_settings import read_settings
from .layout.layout_hints import mend_for_images, wrong_layout
from .layout.rater_layout import check_files_apart, layout_questions


class Folder(Dataset):
    """The cases of a folder: ``images/<case>.*``, ``ratings/<rater>/<case>.*``, or as ``[layout]`` of ``dataset.toml`` says.

    A missing rating file is a missing rater. Optional are ``truth/<case>.*`` (of every case or of none; labels that are known
    to be right), ``ignored/<case>.*`` (not 0 where nobody's labels count, which makes it ``IGNORE`` in all of them),
    ``cases.csv`` (``read_cases``) and ``dataset.toml`` (``read_settings``). Without declared classes all rating and truth
    files are read once to find them. Lengths are in mm where every case has a file that says where its voxels lie, or
    ``dataset.toml`` gives the spacing; else all are in pixels.

    Args:
        path: the folder.
        threshold, darker: as in ``dataset.toml``, whose values they replace.

    Raises:
        RaterbenchError: the folder is not laid out so, or a file does not fit the others; the file is named.
    """

    name = "folder"
    card: ClassVar[Card] = Card("A folder of one's own", citation="", licence="", source="")

    def __init__(self, path: str | Path, *, threshold: float | None = None, darker: bool | None = None) -> None:
        self.path = Path(path)
        if path_kind(self.path) != "folder":
            raise RaterbenchError(f"{str(path)!r} is no folder: give one with {LAYOUT}")
        settings = read_settings(self.path / "dataset.toml").with_options(threshold, darker)
        self.name = settings.name or self.path.resolve().name
        self.preparation, self.anonymous_raters = settings.preparation, settings.anonymous_raters
        self.files = find_rated_files(self.path, settings.layout, images_needed=True, spacing=settings.spacing)
        _check_complete(self.files)
        self._images = [files.image for files in self.files if files.image]
        self.unit = "mm" if all(files.in_mm for files in self.files) else "pixel"
        self.raters = tuple(sorted({rater for files in self.files for rater in files.ratings}))
        known = read_cases(self.path / "cases.csv", [files.case for files in self.files])
        rows = [known.get(files.case, CaseRow(files.case)) for files in self.files]
        self.index = index_table(
            (files.case, row.subject, row.centre, tuple(files.ratings)) for files, row in zip(self.files, rows, strict=True)
        )
        self.diagnoses, diagnosed = name_diagnoses(self.path / "cases.csv", known, settings.diagnoses)
        if self.diagnoses:
            self.index["diagnosis"] = [diagnosed.get(files.case, "") for files in self.files]
        self._declared = settings.labels
        complete = self._declared is not None and self._declared.complete
        found = [] if complete else [*self._values, *self._truth_values]
        self.labels = find_classes(found, self._declared, settings.ignore)
        if self._declared is None:
            self._check_classes_found()
        self.classes = self.labels.classes
        present = {value for case in found for file in case.files.values() for value in file.counts}
        self.class_values = self.labels.written(present)

    @classmethod
    def from_options(cls, data: str | None = None, **options: Any) -> Folder:
        """Build from the option ``path``; ``data``, the folder of downloads, plays no part."""
        del data
        if "path" not in options:
            raise RaterbenchError("the data set 'folder' needs a path: write folder:PATH")
        return cls(**options)

    def load(self, position: int) -> Case:
        files, row = self.files[position], self.index.iloc[position]
        form = image_form(self._images[position])
        if form != self._form:
            raise RaterbenchError(
                f"{self._images[position]} has {form[0]} channels and {form[1]} dimensions, but {self._images[0]} has "
                f"{self._form[0]} and {self._form[1]}: all images of a data set must be alike"
            )
        loaded = load(files, truth=True, fractions=self._fractions, on_image=True)
        geometry = loaded.geometry
        if self.unit == "pixel":
            # A mean over cases of which some are measured in mm and some in pixels would mean nothing.
            geometry = Geometry.axis_aligned(len(geometry.spacing))
        truth = None
        if loaded.truth is not None and files.truth is not None:
            truth = _truth(self.labels.indices(loaded.truth, files.truth), loaded.ignored, self.n_classes)
        ratings = rating_indices(loaded, self.labels)
        diagnosis = self.diagnosis_at(position)
        return Case(row["case"], row["subject"], row["centre"], loaded.pixels, ratings, geometry, truth, diagnosis)

    def grid_at(self, position: int) -> tuple[tuple[int, ...], Geometry]:
        files, image = self.files[position], self._images[position]
        if self.unit == "mm" and files.spacing is None and suffix_of(image) not in WITH_GEOMETRY:
            return super().grid_at(position)  # The image lies where a rating says.
        shape, geometry = image_grid(image)
        if suffix_of(image) not in WITH_GEOMETRY or self.unit == "pixel":
            geometry = Geometry.axis_aligned(len(shape), files.spacing if self.unit == "mm" else None)
        return shape, geometry

    def source_files(self) -> Mapping[str, Path]:
        named = {file for case in self.files for file in case.files}
        tables = {file for name in ("cases.csv", "dataset.toml") if (file := self.path / name).is_file()}
        every = named | tables | {pixel_file(file) for file in named}
        return {file.relative_to(self.path).as_posix(): file for file in sorted(every)}

    def fingerprint(self) -> str:
        # Options can say other than dataset.toml what values mean.
        settings = [self.files[0].spacing, *(["anonymous raters"] if self.anonymous_raters else [])]
        text = f"{super().fingerprint()}|{self.labels.identity()}|{settings}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def questions(self) -> tuple[str, ...]:
        """What may be wrong with the ratings; all their files are read to find it.

        Raises:
            RaterbenchError: a value in a file stands for no class.
        """
        for case in (*self._values, *self._truth_values):
            for file in case.files.values():
                self.labels.check_known(file.counts, file.file)
        rated = dict(zip(self.index["case"], self.index["raters"], strict=True))
        said = questions(self._values, self.labels, declared=self._declared is not None)
        return (*said, *copies(self._values), *layout_questions(rated, count=False))

    @property
    def _fractions(self) -> bool:
        """Whether values need not be whole numbers."""
        return self._declared is not None and self._declared.threshold is not None

    @cached_property
    def _values(self) -> list[CaseValues]:
        """The values of all rating files, by case."""
        for files in self.files:
            check_files_apart(files.ratings, files.case)
        cases = counted_step("reading the ratings of all cases to find their values", self.files)
        return [self._look(files.case, files.ratings) for files in cases]

    @cached_property
    def _truth_values(self) -> list[CaseValues]:
        """The values of the truth of each case that has one."""
        return [self._look(files.case, {"truth": files.truth}) for files in self.files if files.truth]

    def _look(self, case: str, files: Mapping[str, Path]) -> CaseValues:
        values = {rater: read_labels(file, whole=not self._fractions).pixels for rater, file in files.items()}
        return look_at_case(case, files, values, self._declared)

    def _check_classes_found(self) -> None:
        """Values that nobody declared must be those of masks, or 0, 1, 2 and so on: training takes hours."""
        declare = "declare the classes and their values in dataset.toml"
        found = [*self._values, *self._truth_values]
        if all(file.counts.keys() <= {0, *self.labels.ignored} for case in found for file in case.files.values()):
            raise RaterbenchError(f"no rating has anything but background, so the classes are unknown: {declare}")
        if (gap := first_gap(found, self.labels)) is not None:
            raise RaterbenchError(f"{gap}: {declare} ([classes]), or binarise them (threshold = ...)")

    @cached_property
    def _form(self) -> tuple[int, int]:
        return image_form(self._images[0])


def _check_complete(cases: Sequence[RatedFiles]) -> None:
    """See that the layout makes sense of every file, and that the truth of all cases is known, or of none.

    Raises:
        RaterbenchError: it is not so.
    """
    images = [files.case for files in cases if files.image]
    for files in cases:
        if files.image is None:
            file = next(iter(files.ratings.values()))
            mend = mend_for_images(cases) or nearest(files.case, images)
            raise RaterbenchError(f"{file} is the rating of no image{mend}")
    if problem := wrong_layout(cases):
        raise RaterbenchError(problem)
    unknown = [files.case for files in cases if files.truth is None]
    if 0 < len(unknown) < len(cases):
        others = f" and {len(unknown) - 1} others" if len(unknown) > 1 else ""
        raise RaterbenchError(
            f"there is a truth of {len(cases) - len(unknown)} cases, but none of {unknown[0]!r}{others}: "
            "give the truth of every case, or of none"
        )


def _truth(labels: Labels, ignored: npt.NDArray[np.bool_] | None, n_classes: int) -> Truth:
    """The truth with one-hot probabilities; uniform where the truth is not known, as wherever nobody judged."""
    if ignored is not None:
        labels[ignored] = IGNORE
    probability = one_hot(labels, n_classes)
    probability[:, labels == IGNORE] = 1 / n_classes
    return Truth(labels, probability)
