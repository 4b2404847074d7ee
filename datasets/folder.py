"""Anybody's own data, without code: a folder of images and a folder of ratings for each rater."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .base import IGNORE, Card, Case, Dataset, Geometry, Labels, Truth, index_table
from .cases_table import read_cases
from .errors import RaterbenchError, nearest
from .folder_layout import LAYOUT, RatedFiles, find_rated_files
from .folder_settings import read_settings, scanned
from .images import image_form
from .layout_hints import mend_for_images, wrong_layout
from .paths import path_kind
from .rating_files import load, rating_indices


class Folder(Dataset):
    """The cases of a folder: ``images/<case>.*``, ``ratings/<rater>/<case>.*``, or as ``[layout]`` of ``dataset.toml`` says.

    A missing rating file is a missing rater. Optional are ``truth/<case>.*`` (of every case or of none; labels that are known
    to be right), ``ignored/<case>.*`` (not 0 where nobody's labels count, which makes it ``IGNORE`` in all of them),
    ``cases.csv`` (``read_cases``) and ``dataset.toml`` (``read_settings``). Without declared classes all rating and truth
    files are read once to find them. Lengths are in mm where every case has a file that says where its voxels lie, or
    ``dataset.toml`` gives the spacing; else all are in pixels.

    Raises:
        RaterbenchError: the folder is not laid out so, or a file does not fit the others; the file is named.
    """

    name = "folder"
    card: ClassVar[Card] = Card("A folder of one's own", citation="", licence="", source="")

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if path_kind(self.path) != "folder":
            raise RaterbenchError(f"{str(path)!r} is no folder: give one with {LAYOUT}")
        settings = read_settings(self.path / "dataset.toml")
        self.name = settings.name or self.path.resolve().name
        self.preparation, self.anonymous_raters = settings.preparation, settings.anonymous_raters
        self.files = find_rated_files(self.path, settings.layout, images_needed=True, spacing=settings.spacing)
        _check_complete(self.files)
        self._images = [files.image for files in self.files if files.image]
        self.unit = "mm" if all(files.in_mm for files in self.files) else "pixel"
        self.raters = tuple(sorted({rater for files in self.files for rater in files.ratings}))
        known = read_cases(self.path / "cases.csv", [files.case for files in self.files])
        self.index = index_table(
            (files.case, *known.get(files.case, (files.case, "unknown")), tuple(files.ratings)) for files in self.files
        )
        self.labels = settings.labels or scanned(self._label_files(), settings.ignore)
        self.classes = self.labels.classes

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
        loaded = load(files, truth=True)
        geometry = loaded.geometry
        if self.unit == "pixel":
            # A mean over cases of which some are measured in mm and some in pixels would mean nothing.
            geometry = Geometry.axis_aligned(len(geometry.spacing))
        truth = None
        if loaded.truth is not None and files.truth is not None:
            truth = _truth(self.labels.indices(loaded.truth, files.truth), loaded.ignored, self.n_classes)
        ratings = rating_indices(loaded, self.labels)
        return Case(row["case"], row["subject"], row["centre"], loaded.pixels, ratings, geometry, truth)

    def fingerprint(self) -> str:
        # Names and sizes of files tell a changed folder without reading it; dates would change with every copy.
        files = sorted({file for case in self.files for file in case.files})
        sizes = [(str(file.relative_to(self.path)), file.stat().st_size) for file in files]
        settings = [self.files[0].spacing, *(["anonymous raters"] if self.anonymous_raters else [])]
        text = f"{super().fingerprint()}|{sorted(self.labels.table.items())}|{sizes}|{settings}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def _form(self) -> tuple[int, int]:
        return image_form(self._images[0])

    def _label_files(self) -> Iterable[Path]:
        for files in self.files:
            yield from files.ratings.values()
            if files.truth:
                yield files.truth


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
    probability = np.stack([labels == k for k in range(n_classes)]).astype(np.float32)
    probability[:, labels == IGNORE] = 1 / n_classes
    return Truth(labels, probability)
