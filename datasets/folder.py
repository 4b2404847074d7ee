"""Anybody's own data, without code: a folder of images and a folder of ratings for each rater."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from .base import Card, Case, Dataset, index_table
from .errors import RaterbenchError, nearest
from .folder_settings import read_settings, scanned
from .images import WITH_GEOMETRY, check_agreement, image_form, read_image, read_labels, stem_of, suffix_of

LAYOUT = "images/<case>.png and ratings/<rater>/<case>.png (or .tif, .nii.gz, .mha, .nrrd ...)"

COMPANIONS = (".raw", ".zraw")
"""Files that hold the pixels of an ``.mhd`` header beside them."""


class Folder(Dataset):
    """The cases of a folder: ``images/<case>.*``, ``ratings/<rater>/<case>.*``.

    A missing rating file is a missing rater. ``cases.csv`` (case, subject, centre) and ``dataset.toml`` (name, classes and
    their values, ignore, preparation) are optional. Without declared classes all rating files are read once to find them.

    Raises:
        RaterbenchError: the folder is not laid out so, or a file does not fit the others; the file is named.
    """

    name = "folder"
    card: ClassVar[Card] = Card("A folder of one's own", citation="", licence="", source="")

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise RaterbenchError(f"{str(path)!r} is no folder: give one with {LAYOUT}")
        settings = read_settings(self.path / "dataset.toml")
        self.name = settings.name or self.path.resolve().name
        self.preparation = settings.preparation
        self._images = image_files(self.path / "images")
        self.unit = "mm" if all(suffix_of(file) in WITH_GEOMETRY for file in self._images.values()) else "pixel"
        self._ratings = {rater.name: image_files(rater) for rater in rater_folders(self.path / "ratings")}
        self.raters = tuple(self._ratings)
        self._check_ratings_have_images()
        self.index = self._index()
        self.labels = settings.labels or scanned(self._rating_files(), settings.ignore)
        self.classes = self.labels.classes

    @classmethod
    def from_options(cls, data: str | None = None, **options: Any) -> Folder:
        """Build from the option ``path``; ``data``, the folder of downloads, plays no part."""
        del data
        if "path" not in options:
            raise RaterbenchError("the data set 'folder' needs a path: write folder:PATH")
        return cls(**options)

    def load(self, position: int) -> Case:
        row = self.index.iloc[position]
        image = read_image(self._images[row["case"]])
        form = image.pixels.shape[0], image.pixels.ndim - 1
        if form != self._form:
            raise RaterbenchError(
                f"{image.file} has {form[0]} channels and {form[1]} dimensions, but {next(iter(self._images.values()))} has "
                f"{self._form[0]} and {self._form[1]}: all images of a data set must be alike"
            )
        ratings = {}
        for rater in row["raters"]:
            rating = check_agreement(image, read_labels(self._ratings[rater][row["case"]]))
            ratings[rater] = self.labels.indices(rating.pixels, rating.file)
        return Case(row["case"], row["subject"], row["centre"], image.pixels, ratings, image.geometry)

    def fingerprint(self) -> str:
        # Names and sizes of files tell a changed folder without reading it; dates would change with every copy.
        files = sorted((*self._images.values(), *self._rating_files()))
        sizes = [(str(file.relative_to(self.path)), file.stat().st_size) for file in files]
        return hashlib.sha256(f"{super().fingerprint()}|{sorted(self.labels.table.items())}|{sizes}".encode()).hexdigest()[:16]

    @cached_property
    def _form(self) -> tuple[int, int]:
        return image_form(next(iter(self._images.values())))

    def _rating_files(self) -> Iterable[Path]:
        return (file for files in self._ratings.values() for file in files.values())

    def _check_ratings_have_images(self) -> None:
        for files in self._ratings.values():
            for case, file in files.items():
                if case not in self._images:
                    raise RaterbenchError(f"{file} is the rating of no image{nearest(case, self._images)}")

    def _index(self) -> pd.DataFrame:
        table = read_cases(self.path / "cases.csv", self._images)
        return index_table(
            (case, *table.get(case, (case, "unknown")), tuple(r for r, files in self._ratings.items() if case in files))
            for case in self._images
        )


def image_files(folder: Path) -> dict[str, Path]:
    """The image files of a folder by case, sorted; hidden files are passed over."""
    if not folder.is_dir():
        raise RaterbenchError(f"{folder} is missing: the layout is {LAYOUT}")
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if file.name.startswith(".") or file.suffix.lower() in COMPANIONS:
            continue
        if suffix_of(file) is None or not file.is_file():
            raise RaterbenchError(f"{file} is no image file that can be read: take it out of the folder, or convert it")
        case = stem_of(file)
        if case in found:
            raise RaterbenchError(f"{found[case]} and {file} are both called {case!r}: keep one of them")
        found[case] = file
    if not found:
        raise RaterbenchError(f"{folder} is empty: the layout is {LAYOUT}")
    return found


def rater_folders(folder: Path) -> list[Path]:
    """The folder of each rater, sorted; hidden ones are passed over."""
    if not folder.is_dir():
        raise RaterbenchError(f"{folder} is missing: the layout is {LAYOUT}")
    found = [entry for entry in sorted(folder.iterdir()) if not entry.name.startswith(".")]
    for entry in found:
        if not entry.is_dir():
            raise RaterbenchError(f"{entry} belongs into the folder of its rater: the layout is {LAYOUT}")
    if not found:
        raise RaterbenchError(f"{folder} is empty: the layout is {LAYOUT}")
    return found


def read_cases(file: Path, cases: Iterable[str], what: str = "image") -> dict[str, tuple[str, str]]:
    """(subject, centre) of every case from ``cases.csv``; empty without the file.

    Raises:
        RaterbenchError: it is no such table, or does not list exactly the cases, each of which has a ``what``.
    """
    if not file.is_file():
        return {}
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise RaterbenchError(f"{file} is no table of comma-separated values in UTF-8: {error}") from error
    known = ("case", "subject", "centre")
    for column in table.columns:
        # A column 'patient' that is passed over in silence would let one person into both training and test.
        if column not in known:
            raise RaterbenchError(f"{file}: unknown column {column!r}{nearest(column, known)}")
    if "case" not in table:
        raise RaterbenchError(f"{file} has no column 'case'")
    rows = pd.DataFrame({name: table[name] if name in table else table["case"] for name in ("case", "subject")})
    rows["centre"] = table.get("centre", "unknown")
    _check_rows(file, rows, list(cases), what)
    return {case: (subject, centre) for case, subject, centre in rows.itertuples(index=False)}


def _check_rows(file: Path, rows: pd.DataFrame, cases: list[str], what: str) -> None:
    for case, count in rows["case"].value_counts().items():
        if count > 1:
            raise RaterbenchError(f"{file} lists the case {case!r} {count} times")
    for case in rows["case"]:
        if case not in cases:
            raise RaterbenchError(f"{file} lists the case {case!r}, which has no {what}{nearest(case, cases)}")
    unlisted = sorted(set(cases) - set(rows["case"]))
    if unlisted:
        raise RaterbenchError(f"{file} has no row for the {what} {unlisted[0]!r}, nor for {len(unlisted) - 1} others")
    empty = rows[(rows == "").any(axis=1)]
    if len(empty):
        raise RaterbenchError(f"{file}: the row of case {empty['case'].iloc[0]!r} has an empty cell")
