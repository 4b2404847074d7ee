"""A folder of ratings to look at, with or without images: what is needed before anything is learned."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

from ...steps import counted_step
from ..base import Card, Case, Dataset, Geometry, index_table
from ..layout.cases_table import CaseRow, read_cases
from ..layout.folder_settings import read_settings
from .rating_files import find_cases, label_code, load, rating_questions


class RatingFolder(Dataset):
    """The cases of ``ratings/<rater>/<case>.*``, or as ``dataset.toml`` says; ``images/<case>.*``, ``ignored/<case>.*``,
    ``cases.csv`` and ``dataset.toml`` are optional, and a truth is left out.

    Unlike ``Folder`` it takes any values for classes and needs no images, so nothing can be trained on it: a case
    without an image has no channel. All rating files are read once to find the values. ``threshold`` and ``darker`` are as in
    ``dataset.toml``, whose values they replace.

    Raises:
        RaterbenchError: the folder is not laid out so, or a file does not fit the others; the file is named.
    """

    listed = False
    card: ClassVar[Card] = Card("A folder of one's own", citation="", licence="", source="")

    def __init__(
        self, path: str | Path, *, images: bool = True, threshold: float | None = None, darker: bool | None = None
    ) -> None:
        self.path, self.images = Path(path), images
        self.files = find_cases(self.path)
        settings = read_settings(self.path / "dataset.toml").with_options(threshold, darker)
        self.name = settings.name or self.path.resolve().name
        self.anonymous_raters = settings.anonymous_raters
        self.unit = "mm" if all(files.in_mm for files in self.files) else "pixel"
        self.raters = tuple(sorted({rater for files in self.files for rater in files.ratings}))
        self._fractions = settings.labels is not None and settings.labels.threshold is not None
        cases = counted_step("reading the ratings of all cases to find their values", self.files)
        found = [load(files, image=False, fractions=self._fractions).count(settings.labels) for files in cases]
        self.code = label_code(found, settings.labels, settings.ignore)
        self.classes = self.code.labels.classes
        self._questions = rating_questions(found, self.code.labels, declared=settings.labels is not None)
        known = read_cases(self.path / "cases.csv", [files.case for files in self.files], "rating")
        rows = [known.get(files.case, CaseRow(files.case)) for files in self.files]
        self.index = index_table(
            (files.case, row.subject, row.centre, tuple(files.ratings)) for files, row in zip(self.files, rows, strict=True)
        )

    @property
    def questions(self) -> tuple[str, ...]:
        return self._questions

    def load(self, position: int) -> Case:
        case = self.code.case(load(self.files[position], image=self.images, fractions=self._fractions))
        row = self.index.iloc[position]
        geometry = case.geometry if self.unit == "mm" else Geometry.axis_aligned(len(case.geometry.spacing))
        return dataclasses.replace(case, subject=row["subject"], centre=row["centre"], geometry=geometry)
