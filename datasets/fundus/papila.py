"""Optic disc and cup of both eyes, outlined by two experts, and whether the eye has glaucoma: PAPILA."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from ...errors import RaterbenchError, shown
from ...parameters import check_arguments
from ..base import Card
from ..downloads import find_download
from ..images import Picture
from ..images.polygons import inside_polygon
from .disc_and_cup import DiscAndCup, Eye, Mask, Part, Target
from .workbook import read_sheet

Suspects = Literal["left out", "glaucoma", "healthy", "kept"]

PLACES = ("papila", "papila/PapilaDB-PAPILA-*", "PapilaDB-PAPILA-*", "PAPILA", ".")
"""Where the folders FundusImages and ExpertsSegmentations may lie within the data folder."""
STATES = ("healthy", "glaucoma", "suspect")
"""What the diagnoses 0, 1 and 2 of the clinical tables are."""
CONTOUR = re.compile(r"(?P<eye>RET\d+O[DS])_(?P<part>disc|cup)_exp(?P<expert>[12])\.txt")
"""The file of an outline. Copies such as ``RET062OD_cup_exp2 2.txt`` have another name."""


class PAPILA(DiscAndCup):
    """488 fundus images, both eyes of 244 patients, whose disc and cup two experts outlined.

    The archive is read as it is: ``FundusImages/RET<patient>{OD,OS}.jpg``, outlines as text with a point (x, y) a line in
    ``ExpertsSegmentations/Contours/<image>_{disc,cup}_exp{1,2}.txt``, and diagnoses in
    ``ClinicalData/patient_data_{od,os}.xlsx``. A patient is a subject. Whole numbers of a point are the centres of pixels, as
    in the authors' own code. An eye without a row has no diagnosis.

    The tables call 333 eyes healthy (0), 87 glaucoma (1) and 68 suspect (2): the archive explains the numbers nowhere, the
    article does. Layout and tables are what public code that reads the archive agrees on; the archive was not seen.

    Args:
        data: Folder of downloaded data, or the data set's own; None reads the variable ``RATERBENCH_DATA``.
        target: ``both``: rim and cup are classes; ``disc``: the disc with its cup; ``cup``: the cup alone.
        suspects: ``left out``: eyes that are suspect have no diagnosis, and stay for segmentation; ``glaucoma`` or ``healthy``:
            they are diagnosed so; ``kept``: they are a third diagnosis.

    Raises:
        RaterbenchError: an option is unknown, or the images are not there or do not belong together.
    """

    name = "papila"
    listed = True
    raters = ("expert1", "expert2")
    card: ClassVar[Card] = Card(
        title="PAPILA: fundus images and clinical data of both eyes of the same patient",
        citation="O. Kovalyk et al.: PAPILA: Dataset with fundus images and clinical data of both eyes of the same patient for "
        "glaucoma assessment. Scientific Data 9:291, 2022",
        licence="GPL 3.0 or later by its page at figshare (the article is CC BY 4.0)",
        source="https://doi.org/10.6084/m9.figshare.14798004",
    )

    def __init__(self, *, data: str | Path | None = None, target: Target = "both", suspects: Suspects = "left out") -> None:
        check_arguments(PAPILA, {"target": target, "suspects": suspects}, self.name)
        self.target = target
        self.diagnoses = STATES if suspects == "kept" else STATES[:2]
        means = {"suspect": {"left out": "", "kept": "suspect"}.get(suspects, suspects)}
        self.path = find_download(
            data,
            PLACES,
            _images,
            absent="the images of papila are not there",
            get=f"get PAPILA.zip from {self.card.source}, unpack it into <data>/{PLACES[0]}",
        )
        tables = [self.path / "ClinicalData" / f"patient_data_{side}.xlsx" for side in ("od", "os")]
        states = {side: _states(table) for side, table in zip(("OD", "OS"), tables, strict=True)}
        drawn: dict[str, dict[str, dict[Part, Path]]] = {}
        for file in sorted((self.path / "ExpertsSegmentations" / "Contours").glob("RET*.txt")):
            if found := CONTOUR.fullmatch(file.name):
                part: Part = "disc" if found["part"] == "disc" else "cup"
                drawn.setdefault(found["eye"], {}).setdefault(f"expert{found['expert']}", {})[part] = file
        eyes = {}
        for file in _images(self.path):
            patient, side = file.stem[:-2], file.stem[-2:]
            state = states[side].get(int(patient.removeprefix("RET")), "")
            eyes[file.stem] = Eye(file, drawn.get(file.stem, {}), patient, "papila", means.get(state, state))
        self.assign(eyes, tables)

    def masks(self, files: Mapping[Part, Path], image: Picture) -> Mapping[Part, Mask]:
        height, width = image.pixels.shape[1:]
        return {part: inside_polygon(_points(file), (height, width)) for part, file in files.items()}


def _images(place: Path) -> list[Path]:
    files = sorted((place / "FundusImages").glob("RET*.jpg"))
    return [file for file in files if re.fullmatch(r"RET\d+O[DS]", file.stem)]


def _points(file: Path) -> list[tuple[float, float]]:
    """The points (x, y) of an outline.

    Raises:
        RaterbenchError: a line is no point, or there are too few.
    """
    points = []
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        cells = re.split(r"[\s,;]+", line.strip())
        if cells == [""]:
            continue
        try:
            x, y = map(float, cells)
        except ValueError as error:
            raise RaterbenchError(f"{file}, line {number}: {shown(line)} is no point x y: copy the file anew") from error
        points.append((x, y))
    if len(points) < 3 or not np.isfinite(points).all():
        raise RaterbenchError(f"{file} has {len(points)} points, which are no outline: copy the file from the download again")
    return points


def _states(file: Path) -> dict[int, str]:
    """The state of the eye of each patient, by number; patients are called ``#002``, below two rows of headings.

    Raises:
        RaterbenchError: the table is not there, has no column of diagnoses, or a diagnosis is not 0, 1 or 2.
    """
    rows = read_sheet(file)
    column = next((letters for row in rows for letters, text in row.items() if text.casefold() == "diagnosis"), None)
    if column is None:
        raise RaterbenchError(f"{file} has no column 'Diagnosis': copy the file from the download again")
    found = {}
    for row in rows:
        patient, value = re.fullmatch(r"#?(\d+)", row.get("A", "")), row.get(column, "").removesuffix(".0")
        if patient is None or not value:
            continue
        if value not in ("0", "1", "2"):
            raise RaterbenchError(f"{file}: patient {row['A']} has the diagnosis {shown(value)}, which must be 0, 1 or 2")
        found[int(patient[1])] = STATES[int(value)]
    return found
