"""What data sets of the optic disc and cup share: classes, the files of each rater, reading a case."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...errors import RaterbenchError
from ...names import clean_name
from ...paths import folder_entries, path_kind, read_text
from ..base import Case, Dataset, Labels, Preparation, index_table
from ..images import Picture, check_agreement, read_image
from ..layout.delimited import delimited_rows

Target = Literal["both", "disc", "cup"]
Part = Literal["disc", "cup"]
Mask = npt.NDArray[np.bool_]

CLASSES: Mapping[Target, tuple[str, ...]] = {
    "both": ("background", "rim", "cup"),
    "disc": ("background", "disc"),
    "cup": ("background", "cup"),
}
"""The classes of each target. The rim is the disc without the cup, so that each pixel has one class."""
PARTS: Mapping[Target, tuple[Part, ...]] = {"both": ("disc", "cup"), "disc": ("disc",), "cup": ("cup",)}
"""What a rater must have drawn."""
HALF = 128
"""Masks are white on black: what is at least so bright is drawn."""
PHOTOGRAPHS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")


@dataclass(frozen=True)
class Eye:
    """A photograph with what raters drew on it: the file of each part, by rater; and its diagnoses, by name.

    ``diagnosis`` is empty where it is not known, as is that of a rater who gave none.
    """

    image: Path
    drawn: Mapping[str, Mapping[Part, Path]]
    subject: str
    centre: str
    diagnosis: str = ""
    rater_diagnoses: Mapping[str, str] = field(default_factory=dict)


class DiscAndCup(Dataset):
    """Base of data sets of fundus images on which raters drew the optic disc and the cup.

    A subclass calls ``assign`` and implements ``masks``. A rater who did not draw all parts of the target did not rate the
    case. Sizes of pixels are not published for any of these data sets: distances are in pixels.
    """

    listed = False
    unit = "pixel"
    n_axes = 2
    preparation = Preparation(size=(256, 256))
    target: Target
    path: Path

    @classmethod
    def from_options(cls, data: str | None = None, **options: Any) -> Dataset:
        return cls(data=data, **options)  # type: ignore[call-arg]

    @abstractmethod
    def masks(self, files: Mapping[Part, Path], image: Picture) -> Mapping[Part, Mask]:
        """What one rater drew: the mask [H, W] of each part, from its file."""

    def assign(self, eyes: Mapping[str, Eye], tables: Sequence[Path] = ()) -> None:
        """Make the index of the cases by their names; ``tables`` are other files that they were read from."""
        self.classes = CLASSES[self.target]
        self._eyes, self._tables = dict(eyes), list(tables)
        rows = ((name, eye.subject, eye.centre, self._raters_of(eye)) for name, eye in eyes.items())
        self.index = index_table(rows)
        if self.diagnoses:
            self.index["diagnosis"] = [eye.diagnosis for eye in eyes.values()]

    def source_files(self) -> Mapping[str, Path]:
        files = list(self._tables)
        for eye in self._eyes.values():
            drawn = [eye.drawn[rater][part] for rater in self._raters_of(eye) for part in PARTS[self.target]]
            files += [eye.image, *drawn]
        return {file.relative_to(self.path).as_posix(): file for file in files}

    def load(self, position: int) -> Case:
        row = self.index.iloc[position]
        eye, image = self._eyes[row["case"]], read_image(self._eyes[row["case"]].image)
        ratings = {}
        for rater in row["raters"]:
            files = {part: eye.drawn[rater][part] for part in PARTS[self.target]}
            ratings[rater] = self.rating(files, image)
        own = {rater: self.diagnoses.index(name) for rater, name in eye.rater_diagnoses.items() if name}
        pixels = (image.pixels / np.float32(255)).astype(np.float32)
        known = self.diagnosis_at(position)
        return Case(row["case"], eye.subject, eye.centre, pixels, ratings, image.geometry, diagnosis=known, rater_diagnoses=own)

    def rating(self, files: Mapping[Part, Path], image: Picture) -> Labels:
        """What one rater drew as class indices [H, W]; where the cup reaches beyond the disc it is cup all the same."""
        masks = self.masks(files, image)
        labels = masks[PARTS[self.target][0]].astype(np.uint8)
        if self.target == "both":
            labels[masks["cup"]] = 2
        return labels

    def _raters_of(self, eye: Eye) -> tuple[str, ...]:
        return tuple(r for r in self.raters if all(part in eye.drawn.get(r, {}) for part in PARTS[self.target]))


def bright(file: Path, image: Picture) -> Mask:
    """The mask [H, W] in a file: what is bright in any channel.

    Raises:
        RaterbenchError: the file is damaged, or has another size than the image.
    """
    seen = read_image(file)
    return np.asarray(check_agreement(image, seen._replace(pixels=seen.pixels.max(axis=0))).pixels >= HALF)


def child(folder: Path, name: str) -> Path:
    """What is called ``name`` in a folder, whatever its capitals and blanks; the plain path where there is nothing."""
    entries = folder_entries(folder) if path_kind(folder) == "folder" else []
    wanted = clean_name(name).casefold()
    return next((entry for entry in entries if clean_name(entry.name).casefold() == wanted), folder / name)


def photographs(folder: Path) -> dict[str, Path]:
    """The image files of a folder by their names without ending, in small letters; none where there is no folder."""
    entries = folder_entries(folder) if path_kind(folder) == "folder" else []
    return {file.stem.casefold(): file for file in entries if file.suffix.lower() in PHOTOGRAPHS}


def table_rows(file: Path) -> list[tuple[int, dict[str, str]]]:
    """The line and the cells by column of each row of a table of the download.

    Raises:
        RaterbenchError: it is not there, or is no table.
    """
    text = read_text(file, otherwise="cp1252")
    rows = delimited_rows(file, text) if text is not None else []
    if not rows:
        raise RaterbenchError(f"{file} is {'missing' if text is None else 'empty'}: it belongs to the download")
    columns = [clean_name(cell) for cell in rows[0][1]]
    return [(line, dict(zip(columns, cells, strict=False))) for line, cells in rows[1:]]
